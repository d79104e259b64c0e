"""Does the dry run find a ModelSidecar that would have every marked pod refused, before it is written?

And does what the engines make pass the ModelSidecar's schema, so that nothing of it is lost?
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pillion import injection
from pillion.api import names
from pillion.api.reasons import Reason
from tests import corpus
from tests.corpus.compiled import compiled
from tests.integration.injection.conftest import Refused, eventually

if TYPE_CHECKING:
    from tests.corpus import Raw
    from tests.integration.injection.conftest import Api


def target_template(situation: str) -> Raw:
    """The template of a workload whose owner has not heard of engines."""
    pod = corpus.situation(situation).pod
    return {"metadata": {"labels": {"app": "web"}}, "spec": pod["spec"]}


@pytest.mark.parametrize("sidecar", corpus.sidecars(), ids=lambda sidecar: str(sidecar["metadata"]["name"]))
def test_good_ones_pass_and_nothing_is_created(installed: Api, namespace: str, sidecar: Raw) -> None:
    sidecar["metadata"]["namespace"] = namespace
    installed.create(injection.dry_run_template(sidecar), dry_run=True)
    installed.create(injection.dry_run_template(sidecar, target_template("volumes")), dry_run=True)
    assert installed.list("PodTemplate", namespace) == []


@pytest.mark.parametrize(
    ("path", "value", "says"),
    [
        pytest.param(
            ("resources", "limits", "memory"), "9 gigabytes", "quantities must match", id="a quantity"
        ),
        pytest.param(
            ("resources", "requests", "cpu"),
            "5",
            "must be less than or equal to cpu limit",
            id="a request above its limit",
        ),
        pytest.param(
            ("resources", "limits", "nvidia.com/gpu"), "2", "must be equal to", id="accelerators that differ"
        ),
        pytest.param(("securityContext", "runAsUser"), -1, "must be between", id="a user"),
    ],
)
def test_a_bad_one_is_found(
    installed: Api, namespace: str, path: tuple[str, ...], value: object, says: str
) -> None:
    sidecar = corpus.sidecar("chat", namespace)
    below = sidecar["spec"]["container"]
    for key in path[:-1]:
        below = below[key]
    below[path[-1]] = value
    with pytest.raises(Refused, match=says):
        installed.create(injection.dry_run_template(sidecar), dry_run=True)
    # Nobody takes it for one that was accepted.
    assert injection.form_of_trial(sidecar) != injection.form_of_trial(corpus.sidecar("chat", namespace))


@pytest.mark.parametrize("situation", corpus.situations(), ids=lambda situation: str(situation.name))
def test_trials_of_one_form_have_one_answer(
    installed: Api, namespace: str, situation: corpus.Situation
) -> None:
    longest = "a" * names.MAX_NAME_LENGTH
    template = {"metadata": {"labels": {"app": "web"}}, "spec": situation.pod["spec"]}
    pair = [
        compiled(name="b", namespace=namespace),
        compiled(name=longest, namespace=namespace, port=names.HIGHEST_PORT),
    ]
    forms = {injection.form_of_trial(sidecar, template) for sidecar in pair}
    answers = []
    for sidecar in pair:
        try:
            installed.create(injection.dry_run_template(sidecar, template), dry_run=True)
            answers.append("accepted")
        except Refused:
            answers.append("refused")
    assert len(forms) == 1
    assert len(set(answers)) == 1, answers


def test_the_targets_own_template_is_tried(installed: Api, namespace: str) -> None:
    sidecar = corpus.sidecar("chat", namespace)
    template = target_template("smallest")
    template["spec"]["priorityClassName"] = "no such class!"
    with pytest.raises(Refused, match="priorityClassName"):
        installed.create(injection.dry_run_template(sidecar, template), dry_run=True)


@pytest.mark.parametrize("gate", ["Auto", "None", "Startup", "Readiness"])
def test_what_the_engine_makes_is_kept_whole_and_passes(installed: Api, namespace: str, gate: str) -> None:
    sidecar = compiled(name="real", namespace=namespace, gate=gate)
    installed.create(injection.dry_run_template(sidecar), dry_run=True)
    written = installed.create(sidecar)
    assert written["spec"] == sidecar["spec"]


def test_a_restricted_namespace_takes_the_pod_with_its_engine(installed: Api, namespace: str) -> None:
    labels = {"pod-security.kubernetes.io/enforce": "restricted"}
    body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace, "labels": labels}}
    installed.apply(body, "someone")
    sidecar = compiled(name="real", namespace=namespace, gate="Auto")
    installed.create(sidecar)
    pod = corpus.situation("security-context").pod
    pod["metadata"] |= {"namespace": namespace, "annotations": {"model.pillion.dev/real": ""}}
    assert injection.conflicts(pod["spec"], sidecar, namespace_labels=labels) == []

    def containers() -> list[str]:
        return [one["name"] for one in installed.create(pod, dry_run=True)["spec"]["containers"]]

    assert eventually(lambda: containers() == ["app", "pillion-real"])
    loose = corpus.sidecar("bare", namespace)
    (finding,) = injection.conflicts(pod["spec"], loose, namespace_labels=labels)
    assert finding.reason is Reason.POD_SECURITY_VIOLATION
