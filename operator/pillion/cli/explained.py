"""Which ModelDeployment does `pillion why` explain: one of a cluster, or one that was saved from it?"""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pillion import planner
from pillion.api import names
from pillion.api.modeldeployment import ModelDeployment, ModelDeploymentSpec
from pillion.api.shape import InvalidObjectError
from pillion.cli import documents
from pillion.cli.documents import Raw
from pillion.cli.exits import BadInputError, FailedError
from pillion.controller.others import read_plan

if TYPE_CHECKING:
    from pillion.kube.client import Cluster

__all__ = ["Found", "live", "saved"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Found:
    """A ModelDeployment as the cluster has it, and its ModelSidecar, where there is one."""

    deployment: Raw
    sidecar: Raw | None

    @property
    def status(self) -> Raw:
        """The status; empty before the operator looked at it."""
        return dict(self.deployment.get("status") or {})

    @property
    def plan(self) -> planner.Plan | None:
        """The plan that the ModelSidecar was compiled from; None where there is none, or another version's."""
        return None if self.sidecar is None else read_plan(self.sidecar)

    @property
    def spec(self) -> ModelDeploymentSpec | InvalidObjectError:
        """What the user asks for, or why this version cannot read it."""
        try:
            return ModelDeployment.from_raw(self.deployment).spec
        except InvalidObjectError as error:
            return error


def live(name: str, kubeconfig: Path | None, context: str | None, namespace: str) -> Found:
    """A ModelDeployment of a cluster.

    Raises:
        BadInputError: the kubeconfig leads to no cluster.
        FailedError: the cluster has no such ModelDeployment, does not know the kind, or does not answer.
    """
    from pillion.cli import cluster
    from pillion.kube import resources
    from pillion.kube.client import NotFound

    async def read(api: "Cluster") -> Found:
        try:
            deployment = await api.get(resources.MODEL_DEPLOYMENTS, namespace, name)
        except NotFound as error:
            raise await _missing(name, namespace, api) from error
        try:
            sidecar = await api.get(resources.MODEL_SIDECARS, namespace, name)
        except NotFound:
            sidecar = None
        return Found(deployment=deployment, sidecar=sidecar)

    return cluster.asked(kubeconfig, context, read)


async def _missing(name: str, namespace: str, api: "Cluster") -> FailedError:
    """Why a cluster has no such ModelDeployment."""
    from pillion.cli import cluster
    from pillion.kube import resources

    return await cluster.not_installed(api, resources.MODEL_DEPLOYMENTS, namespace) or FailedError(
        f"namespace {namespace} has no {names.MODEL_DEPLOYMENT} {name}; kubectl get pmd -A lists what there is"
    )


def saved(path: str, name: str, namespace: str | None) -> Found:
    """A ModelDeployment of a file that was saved from a cluster.

    Raises:
        BadInputError: the file holds none at all, or several of that name.
        FailedError: it holds others.
    """
    by_kind: dict[str, list[Raw]] = {names.MODEL_DEPLOYMENT: [], names.MODEL_SIDECAR: []}
    others = []  # names of the ModelDeployments that are not meant
    for _, raw in documents.objects(path):
        metadata = raw.get("metadata")
        if raw.get("kind") not in by_kind or not isinstance(metadata, dict):
            continue
        if metadata.get("name") == name and namespace in (None, metadata.get("namespace")):
            by_kind[raw["kind"]].append(raw)
        elif raw["kind"] == names.MODEL_DEPLOYMENT:
            others.append("/".join(str(metadata[key]) for key in ("namespace", "name") if key in metadata))
    deployments = by_kind[names.MODEL_DEPLOYMENT]
    if not deployments and others:
        raise FailedError(
            f"{documents.shown_name(path)}: holds no {names.MODEL_DEPLOYMENT} "
            f"{'/'.join((namespace, name) if namespace else (name,))}; it holds {', '.join(sorted(others))}"
        )
    if not deployments:
        raise BadInputError(
            f"{documents.shown_name(path)}: holds no {names.MODEL_DEPLOYMENT}; save one with: kubectl get "
            "modeldeployments.pillion.dev,modelsidecars.pillion.dev -o yaml"
        )
    if len(deployments) > 1:
        raise BadInputError(
            f"{documents.shown_name(path)}: {name} stands in several namespaces; say which with -n"
        )
    same = [
        sidecar
        for sidecar in by_kind[names.MODEL_SIDECAR]
        if sidecar["metadata"].get("namespace") == deployments[0]["metadata"].get("namespace")
    ]
    return Found(deployment=deployments[0], sidecar=same[0] if same else None)
