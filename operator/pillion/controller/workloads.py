"""What does a workload say about its pods? Small readings of a raw Deployment, StatefulSet or DaemonSet."""

from typing import Any

from pillion.kube import resources

__all__ = ["desired_pods"]

Raw = dict[str, Any]


def desired_pods(workload: Raw) -> int:
    """Pods that a workload should have: its replicas (absent is 1), or for a DaemonSet the nodes it is meant for."""
    if workload.get("kind") == resources.DAEMON_SETS.kind:
        return int(workload.get("status", {}).get("desiredNumberScheduled") or 0)
    replicas = workload.get("spec", {}).get("replicas")
    return 1 if replicas is None else int(replicas)
