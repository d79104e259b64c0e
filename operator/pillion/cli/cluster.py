"""What does a cluster have to plan with, and what do its other models count on?

Read with the user's own kubeconfig, by lists alone; nothing is written. What the user may not read is told, and
planned without, where that makes sense.
"""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path
from typing import Any, TypeVar

import yaml

from pillion.api import names
from pillion.api.modeldeployment import ModelDeployment
from pillion.cli.documents import Raw
from pillion.cli.exits import BadInputError, FailedError
from pillion.cli.surroundings import Neighbours, Surroundings, WorkloadKey, said_of, workload_key
from pillion.controller.others import Others, read_plan
from pillion.controller.store import Key, Store
from pillion.controller.surroundings import Snapshot, most_pods, snapshot
from pillion.kube import credentials, resources
from pillion.kube.client import Cluster, Forbidden, KubeError, NotFound
from pillion.kube.resources import Resource

__all__ = ["asked", "default_namespace", "not_installed", "surroundings"]

Answer = TypeVar("Answer")

_WITHOUT = "--gpu L4 (imagined nodes), --inventory FILE (kubectl get nodes,pods -A -o json)"
# A kubeconfig is anybody's file, and is read without looking first.
_UNREADABLE = (
    yaml.YAMLError,
    AttributeError,
    KeyError,
    OSError,
    TypeError,
    ValueError,
)
_NOT_FINISHED = "status.phase!=Succeeded,status.phase!=Failed"


def surroundings(
    deployments: Sequence[ModelDeployment],
    *,
    kubeconfig: Path | None,
    context: str | None,
    namespace: str | None,
) -> Surroundings:
    """What a cluster has, for these ModelDeployments.

    Args:
        deployments: whose targets and neighbours are looked for.
        kubeconfig: a file, or None for the usual ones.
        context: a context of it, or None for the current one.
        namespace: in place of the context's own.

    Raises:
        BadInputError: there is no such kubeconfig or context.
        FailedError: the API server does not answer, or lets nodes not be read.
    """
    name = namespace or default_namespace(kubeconfig, context, without=_WITHOUT)

    return asked(kubeconfig, context, lambda cluster: _read(cluster, deployments, name))


def asked(
    kubeconfig: Path | None, context: str | None, question: Callable[[Cluster], Coroutine[Any, Any, Answer]]
) -> Answer:
    """What the cluster that the options mean answers to a question.

    Raises:
        BadInputError: the kubeconfig leads to no cluster.
        FailedError: the API server does not answer, or refuses.
    """

    async def ask() -> Answer:
        cluster = await _connected(kubeconfig, context)
        try:
            return await question(cluster)
        finally:
            await cluster.close()

    try:
        return asyncio.run(ask())
    except KubeError as error:
        raise FailedError(f"the cluster cannot be read: {error.message}") from error


async def _connected(kubeconfig: Path | None, context: str | None) -> Cluster:
    try:
        return await Cluster.connect(None if kubeconfig is None else str(kubeconfig), context)
    except _UNREADABLE as error:
        raise BadInputError(f"the kubeconfig leads to no cluster: {error}") from error


async def not_installed(cluster: Cluster, resource: Resource, namespace: str) -> FailedError | None:
    """That the cluster does not know one of Pillion's kinds, and what to do; None where it does, or nobody may know.

    The API server answers 404 for a kind as for an object, so whoever was told that asks this.
    """
    try:
        if await cluster.serves(resource, namespace):
            return None
    except Forbidden:
        return None
    return FailedError(
        f"the cluster does not know {resource.plural}.{resource.group}: Pillion's CustomResourceDefinitions are "
        "not installed there. Install Pillion (helm install pillion charts/pillion, see docs/install.md), or the "
        "definitions alone (pillion crds | kubectl apply --server-side -f -); or choose another cluster with "
        "--context."
    )


def default_namespace(kubeconfig: Path | None, context: str | None, *, without: str) -> str:
    """The namespace of the context that is used.

    Args:
        kubeconfig: a file, or None for the usual ones.
        context: a context of it, or None for the current one.
        without: the options that need no cluster, for a helping message.

    Raises:
        BadInputError: there is no kubeconfig, or no such context.
    """
    try:
        return credentials.namespace(None if kubeconfig is None else str(kubeconfig), context)
    except _UNREADABLE as error:
        if kubeconfig is None and context is None:
            raise BadInputError(
                f"no cluster to ask: {error}; give {without}, or a kubeconfig (--context NAME, --kubeconfig FILE, "
                "KUBECONFIG)"
            ) from error
        raise BadInputError(f"the kubeconfig leads to no cluster: {error}") from error


async def _read(cluster: Cluster, deployments: Sequence[ModelDeployment], namespace: str) -> Surroundings:
    notes: list[str] = []
    nodes, pods, *others = await asyncio.gather(
        cluster.list(resources.NODES),
        cluster.list(resources.PODS, fields=_NOT_FINISHED),
        *(
            _listed(cluster, resource, notes)
            for resource in (resources.MODEL_DEPLOYMENTS, resources.MODEL_SIDECARS)
        ),
        *(_listed(cluster, resource, notes, marked=True) for resource in resources.WORKLOADS),
        _listed(cluster, resources.AUTOSCALERS, notes),
    )
    autoscalers = others.pop()
    targets = await _targets(cluster, deployments, namespace)
    there = snapshot(nodes, pods)
    seen = _Cluster(
        snapshot=there,
        stored=dict(
            zip(
                (resources.MODEL_DEPLOYMENTS, resources.MODEL_SIDECARS, *resources.WORKLOADS),
                others,
                strict=True,
            )
        ),
        planned=[Key(each.metadata.namespace or namespace, each.metadata.name) for each in deployments],
    )
    return Surroundings(
        inventory=there.inventory,
        namespace=namespace,
        workloads=targets,
        most_pods=most_pods(autoscalers, default_namespace=namespace),
        neighbours=lambda deployment: seen.neighbours(deployment, namespace),
        notes=(*notes, *said_of(there.inventory)),
    )


async def _listed(
    cluster: Cluster, resource: Resource, notes: list[str], *, marked: bool = False
) -> list[Raw]:
    """Objects of a kind; none where the kind is not installed, or where the user may not read it."""
    try:
        return await cluster.list(resource, labels=f"{names.MARKED_LABEL}={names.MARKED}" if marked else "")
    except NotFound:
        return []
    except Forbidden:
        notes.append(f"{resource.plural} may not be listed, so what they say is not counted with.")
        return []


async def _targets(
    cluster: Cluster, deployments: Sequence[ModelDeployment], namespace: str
) -> dict[WorkloadKey, Raw]:
    found = {}
    for deployment in deployments:
        reference = deployment.spec.target_ref
        resource = resources.BY_KIND.get(reference.kind) if reference is not None else None
        if reference is None or resource is None:
            continue
        try:
            workload = await cluster.get(resource, deployment.metadata.namespace or namespace, reference.name)
        except NotFound:
            continue
        found[workload_key({"kind": resource.kind, **workload}, namespace)] = {
            "kind": resource.kind,
            **workload,
        }
    return found


class _Cluster:
    """What other models have and count on, by the operator's own reading."""

    def __init__(
        self,
        *,
        snapshot: Snapshot,
        stored: dict[Resource, list[Raw]],
        planned: Sequence[Key],
    ) -> None:
        self._store = Store()
        self._sidecars: dict[Key, Raw] = {}  # of the models that are planned anew
        self._deployments: dict[Key, Raw] = {}
        for resource, objects in stored.items():
            for each in objects:
                key = Key(each["metadata"]["namespace"], each["metadata"]["name"])
                if resource is resources.MODEL_SIDECARS and key in planned:
                    self._sidecars[key] = each
                    continue
                if resource is resources.MODEL_DEPLOYMENTS:
                    self._deployments[key] = each
                    if key in planned:
                        continue  # what the file says counts
                self._store.put(resource, each)
        self._snapshot = snapshot
        self._others = Others(self._store, {}, {})

    def neighbours(self, deployment: ModelDeployment, namespace: str) -> Neighbours:
        """What the cluster has for this model, and counts on for others."""
        key = Key(deployment.metadata.namespace or namespace, deployment.metadata.name)
        there = self._deployments.get(key)
        raw = deployment.to_raw()
        metadata = {
            **({"uid": "planned", "resourceVersion": "1"} if there is None else there["metadata"]),
            "namespace": key.namespace,
            "name": key.name,
        }
        self._store.put(resources.MODEL_DEPLOYMENTS, {**raw, "metadata": metadata})
        sidecar = self._sidecars.get(key)
        return Neighbours(
            reserved=self._others.reserved(key, self._snapshot),
            own=self._others.own(key, self._snapshot),
            previous=read_plan(sidecar) if sidecar is not None else None,
            beside=tuple(self._others.sidecars_beside(key)),
        )
