"""The story on a kind cluster, where containers really run."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import yaml

from tests.cluster import ClusterError, binaries, kind, local_images, vllm_image
from tests.demo import showing
from tests.e2e.harness import installation
from tests.e2e.harness.application import CONTAINER, Application, container_status, started_at
from tests.e2e.harness.application import NAME as APPLICATION
from tests.e2e.harness.cluster import Space
from tests.e2e.harness.models import KIND, SMALL, Model
from tests.e2e.harness.waiting import NotYet, until
from tests.hub import models

if TYPE_CHECKING:
    from tests.demo.telling import Teller
    from tests.e2e.harness.installation import Installation

Raw = dict[str, Any]

CLUSTER = "pillion-demo"
NAMESPACE = "demo"
MODEL = "chat"
QUESTION = "Who are you?"


class NoClusterError(ClusterError):
    """No kind cluster can be had here, with the reason; the same can be shown on simulated pods."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Engine:
    """What answers in the demo."""

    image: str
    words: str  # what it is, for whoever watches
    serve_seconds: float
    resources: Raw | None  # asked for in the ModelDeployment; None: what the plan computes


ENGINES = {
    "standin": Engine(
        image=local_images.STANDIN,
        words="The engine here is a [bold]stand-in[/]: a small program with vLLM's command line and OpenAI API, and no "
        "model in it. All else is real. `make demo ENGINE=vllm` runs the real vLLM on CPU.",
        serve_seconds=180,
        resources=SMALL,
    ),
    "vllm": Engine(
        image=vllm_image.NAME,
        words="The engine is the real [bold]vLLM[/] on CPU; the models have a few MB of random weights, so the answers "
        "are words without sense.",
        serve_seconds=900,
        resources=None,
    ),
}


def story(tell: Teller, *, engine: Engine) -> None:
    """Tell it, from nothing or from what an earlier demo left."""
    installed = _set_up(tell, engine)
    space = Space(cluster=installed.cluster, namespace=NAMESPACE)
    application = Application(space=space)
    model = Model(space=space, name=MODEL)
    _application(tell, application)
    before = application.pod()
    _model_deployment(tell, model, engine)
    found = model.object()
    with tell.step("The plan: what was chosen, and why (kubectl describe pmd chat has it all)"):
        showing.plan(tell, found)
    with tell.step("The pod: Kubernetes' own rollout brought one with the engine beside the application"):
        application.rolled_out()
        pod = application.pod()
        showing.pod(tell, before, pod, model=MODEL)
        showing.environment(tell, application.environment(pod))
    with tell.step("The answer that the application's own container gets through OPENAI_BASE_URL"):
        _ask(tell, application, mentions="")
    _swap(tell, application, model, engine)
    _what_next(tell, installed)


def _set_up(tell: Teller, engine: Engine) -> Installation:
    with tell.step("A kind cluster") as progress:
        try:
            up = kind.up(CLUSTER, progress=progress)
        except ClusterError as error:
            raise NoClusterError(str(error)) from error
        tell.line(f"Node image: {up.node_image_origin}; cgroup v{kind.cgroup_version()}.")
    with tell.step("Pillion on it, by its Helm chart, and a local Hub with small models") as progress:
        installed = installation.install(CLUSTER, engine_image=engine.image, progress=progress)
        tell.line(engine.words)
    return installed


def _application(tell: Teller, application: Application) -> None:
    space = application.space
    with tell.step(
        "An application that already serves, and knows nothing of Pillion (examples/app)"
    ) as progress:
        space.cluster.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}})
        until("the namespace to take pods", lambda: _has_account(space), seconds=30)
        if space.get(KIND, MODEL) is not None:
            progress("taking the model of an earlier demo away")
            space.delete(KIND, MODEL)
        application.deploy()
        until("the application to be without a model", lambda: _is_plain(application), seconds=60)
        application.rolled_out()
        pod = application.pod()
        tell.line(f"Pod {pod['metadata']['name']}, container {CONTAINER}. `GET /` answers:")
        tell.said(application.front_page(pod))
        tell.line("It is written against OpenAI's API, and its environment has no OPENAI_BASE_URL yet.")


def _model_deployment(tell: Teller, model: Model, engine: Engine) -> None:
    wanted: Raw = {
        "apiVersion": "pillion.dev/v1alpha1",
        "kind": "ModelDeployment",
        "metadata": {"name": MODEL},
        "spec": {"model": {"repo": models.TINY_RIVER}, "targetRef": {"name": APPLICATION}},
    }
    if engine.resources is not None:
        wanted["spec"]["engine"] = {"resources": engine.resources}
    with tell.step("A ModelDeployment: this model, beside that application") as progress:
        tell.yaml(yaml.safe_dump(wanted, sort_keys=False))
        model.space.apply(wanted)
        showing.conditions(progress, model, seconds=engine.serve_seconds)


def _ask(tell: Teller, application: Application, *, mentions: str) -> None:
    answer = application.answer(mentions=mentions)
    tell.line(f"`GET /ask?q={QUESTION.replace(' ', '+')}`, model {answer.model}:")
    tell.said(answer.text)


def _swap(tell: Teller, application: Application, model: Model, engine: Engine) -> None:
    before = application.pod()
    with tell.step(f"Another model in the same pod: spec.model.repo becomes {models.TINY_STAR}") as progress:
        model.change(model={"repo": models.TINY_STAR})
        showing.conditions(progress, model, seconds=engine.serve_seconds)
        after = application.pod()
        same = before["metadata"]["uid"] == after["metadata"]["uid"]
        tell.line(f"The pod is {'the same one' if same else 'another one'}: {after['metadata']['name']}.")
        started, restarts = started_at(after, CONTAINER), container_status(after, CONTAINER)["restartCount"]
        tell.line(f"Container {CONTAINER} runs since {started}, with {restarts} restarts. It is told now:")
        _ask(tell, application, mentions="")


def _what_next(tell: Teller, installed: Installation) -> None:
    commands = [f"export KUBECONFIG={installed.cluster.kubeconfig}"]
    if shutil.which("kubectl") is None:
        commands.append(f"alias kubectl={binaries.ensure(['kubectl']) / 'kubectl'}")
    broken = json.dumps({"spec": {"model": {"repo": models.TINY_BROKEN}}}, separators=(",", ":"))
    commands += [
        f"kubectl config set-context --current --namespace={NAMESPACE}",
        "",
        "# The plan, conditions, events:",
        f"kubectl describe pmd {MODEL}",
        "# Kill every process of the engine: no container restarts, the pod stays Ready, and it comes back.",
        f"kubectl exec deploy/{APPLICATION} -c pillion-{MODEL} -- sh -c 'kill -9 -1'",
        f"kubectl logs deploy/{APPLICATION} -c pillion-{MODEL} --tail=20",
        "# A model that cannot load: the pod goes back to the one that worked, and status says why.",
        f"kubectl patch pmd {MODEL} --type=merge -p '{broken}'",
        "kubectl get pmd -o wide --watch",
        f"# The Hub here is a small one; it has {', '.join(sorted(repo.repo_id for repo in models.everything()))}",
        "# Take the model away: the application's pod template is as it was.",
        f"kubectl delete pmd {MODEL}",
        "",
        "# Clean up:",
        "make demo-down",
    ]
    tell.end([f"  {command}" for command in commands])


def _has_account(space: Space) -> None:
    if space.get("serviceaccount", "default") is None:
        raise NotYet("no service account `default`")


def _is_plain(application: Application) -> None:
    marker = f"model.pillion.dev/{MODEL}"
    if marker in application.template()["metadata"].get("annotations", {}):
        raise NotYet(f"its pod template has the annotation {marker}")
