"""How does Pillion get onto a kind cluster, with all that a test or the demo needs beside it?

A kind cluster, the images made here and loaded, the local Hub as a Deployment, and the chart by real helm. All
of it finds what is there already, so that a second time takes seconds.
"""

from __future__ import annotations

import contextlib
import json
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.cluster import ClusterError, binaries, images, kind, local_images, vllm_image
from tests.e2e.harness.cluster import Cluster, Space

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tests.cluster import cache

Raw = dict[str, Any]

REPOSITORY = Path(__file__).resolve().parents[3]
CHART = REPOSITORY / "charts" / "pillion"
RELEASE = "pillion"
OPERATOR_NAMESPACE = "pillion-system"
HUB_NAMESPACE = "hub"
HUB_ENDPOINT = f"http://hub.{HUB_NAMESPACE}.svc:8080"
ROLLOUT_SECONDS = 180
IMAGE_ANNOTATION = "tests.pillion.dev/image"  # a tag stays `dev` whatever is behind it: this makes pods new


PUT_FAULT = """
import sys, urllib.request
url = "http://127.0.0.1:8080/_test/fault"
urllib.request.urlopen(urllib.request.Request(url, method="PUT", data=sys.argv[1].encode()), timeout=10)
"""


class InstallationError(ClusterError):
    """Something did not come up, with what to look at."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Installation:
    """Pillion on a cluster."""

    kind: kind.KindCluster
    cluster: Cluster
    engine_image: str
    image_ids: Mapping[str, str]  # name -> id of the images that were made here
    progress: cache.Progress

    @property
    def operator(self) -> Space:
        """Where the operator runs."""
        return Space(cluster=self.cluster, namespace=OPERATOR_NAMESPACE)

    def helm(self, *arguments: str) -> str:
        """What helm prints.

        Raises:
            InstallationError: it failed.
        """
        program = binaries.ensure(["helm"]) / "helm"
        done = subprocess.run(
            [
                program,
                f"--kubeconfig={self.cluster.kubeconfig}",
                f"--namespace={OPERATOR_NAMESPACE}",
                *arguments,
            ],
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise InstallationError(f"helm {arguments[0]} failed: {done.stderr.strip()}")
        return done.stdout

    def install_chart(self, *settings: str) -> None:
        """`helm upgrade --install`, and wait until the operator is ready; `settings` are words for `--set`.

        Raises:
            InstallationError: it did not become ready, with the operator's last words.
        """
        repository, tag = local_images.OPERATOR.rsplit(":", 1)
        values = (
            f"image.repository={repository}",
            f"image.tag={tag}",
            f"hub.endpoint={HUB_ENDPOINT}",
            f"engine.images.cpu={self.engine_image}",
            f"podAnnotations.{IMAGE_ANNOTATION.replace('.', chr(92) + '.')}={self.image_ids[local_images.OPERATOR]}",
            *settings,
        )
        words = [word for value in values for word in ("--set", value)]
        try:
            self.helm(
                *("upgrade", RELEASE, str(CHART), "--install", "--create-namespace"),
                *("--wait", f"--timeout={ROLLOUT_SECONDS}s", *words),
            )
        except InstallationError as error:
            raise InstallationError(f"{error}\n{self.operator_log(lines=30)}") from error

    def operator_log(self, *, since: str = "", lines: int = -1) -> str:
        """What the operator's pods have said, those that ended before their last restart too."""
        words = ["logs", "--selector=app.kubernetes.io/name=pillion", f"--tail={lines}", "--prefix"]
        if since:
            words.append(f"--since-time={since}")
        try:
            return self.operator.kubectl(*words)
        except ClusterError as error:
            return f"({error})"

    @contextlib.contextmanager
    def hub_fault(self, **fault: object) -> Iterator[None]:
        """The Hub misbehaves for a while, as its own `Fault` says: `status=503`, for example."""
        self._tell_hub(fault)
        try:
            yield
        finally:
            self._tell_hub({})

    def _tell_hub(self, fault: Mapping[str, object]) -> None:
        self.cluster.kubectl(
            *(f"--namespace={HUB_NAMESPACE}", "exec", "deployment/hub", "--"),
            *("python3", "-c", PUT_FAULT, json.dumps(fault)),
        )

    def scale_operator(self, replicas: int) -> None:
        """Change the number of the operator's pods, and wait until that many run."""
        self.operator.kubectl("scale", f"deployment/{RELEASE}", f"--replicas={replicas}")
        if replicas:
            self.cluster.rolled_out(
                "deployment", RELEASE, namespace=OPERATOR_NAMESPACE, seconds=ROLLOUT_SECONDS
            )
            return
        self.operator.kubectl(
            *("wait", "pod", "--selector=app.kubernetes.io/name=pillion", "--for=delete"),
            f"--timeout={ROLLOUT_SECONDS}s",
            seconds=ROLLOUT_SECONDS + 10,
        )


def install(
    name: str, *, engine_image: str = local_images.STANDIN, progress: cache.Progress = print
) -> Installation:
    """A cluster of that name with Pillion on it, made or brought up to date.

    Raises:
        ClusterError: a part cannot be had; the text says what to do.
    """
    binaries.ensure(["kubectl", "helm"], progress=progress)
    up = kind.up(name, progress=progress)
    archive = local_images.archive(progress=progress)
    up.load(archive, progress=progress)
    if engine_image == vllm_image.NAME:
        load_vllm(up, progress=progress)
    made = Installation(
        kind=up,
        cluster=Cluster(kubeconfig=up.kubeconfig),
        engine_image=engine_image,
        image_ids=images.identities(archive),
        progress=progress,
    )
    progress("installing the local Hub")
    made.cluster.apply(*hub_manifests(made.image_ids[local_images.HUB]))
    progress("installing the chart by helm")
    made.install_chart()
    made.cluster.rolled_out("deployment", "hub", namespace=HUB_NAMESPACE, seconds=ROLLOUT_SECONDS)
    return made


def load_vllm(up: kind.KindCluster, *, progress: cache.Progress) -> None:
    """Put the real engine's image onto the nodes; it is made where it is not in the cache.

    Raises:
        ClusterError: it cannot be made.
    """
    up.load(vllm_image.archive(progress=progress), progress=progress)


def hub_manifests(image_id: str) -> tuple[Raw, ...]:
    """A stand-in for the Hub with the models of the tests."""
    labels = {"app": "hub"}
    container = {
        "name": "hub",
        "image": local_images.HUB,
        "ports": [{"name": "http", "containerPort": 8080}],
        "readinessProbe": {"httpGet": {"path": "/healthz", "port": "http"}, "periodSeconds": 1},
        "resources": {"requests": {"cpu": "10m", "memory": "64Mi"}, "limits": {"memory": "512Mi"}},
    }
    return (
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": HUB_NAMESPACE}},
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": "hub", "namespace": HUB_NAMESPACE},
            "spec": {
                "selector": {"matchLabels": labels},
                "template": {
                    "metadata": {"labels": labels, "annotations": {IMAGE_ANNOTATION: image_id}},
                    "spec": {"containers": [container]},
                },
            },
        },
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": "hub", "namespace": HUB_NAMESPACE},
            "spec": {"selector": labels, "ports": [{"port": 8080, "targetPort": "http"}]},
        },
    )
