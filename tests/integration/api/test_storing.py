"""What does the API server store of what a user or the operator writes?"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from pillion.api.modeldeployment import ModelDeployment
from tests.integration.api.conftest import GROUP, VERSION, Objects, RefusedError
from tests.unit.api import cases, sidecar_cases

if TYPE_CHECKING:
    from collections.abc import Callable

Raw = dict[str, Any]

# The design's list of defaults, and nothing else: what is unset otherwise stays absent.
DEFAULTS: Raw = {
    "model": {"repo": "Qwen/Qwen3-0.6B", "task": "Auto", "trustRemoteCode": False},
    "targetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"},
    "suspend": False,
    "quantization": {
        "policy": "Balanced", "checkpoints": "TrustedPublishers", "method": "Auto", "minBits": 4, "maxBits": 16,
    },
    "serving": {"kvCacheDtype": "Auto", "toolCalls": "Auto", "reasoning": "Auto", "modalities": "All"},
    "hardware": {"accelerator": "Auto", "maxPerPod": 1, "capacity": "Existing"},
    "engine": {"name": "Auto"},
    "modelGate": "Auto",
    "updateStrategy": {"type": "InPlaceIfPossible"},
}  # fmt: skip


WHOLE_SIDECAR = cases.changed(sidecar_cases.SIDECAR, sidecar_cases.EVERYTHING_OF_A_SIDECAR)


def test_the_smallest_object_gets_the_defaults_of_the_design_and_no_others(tried: Callable[..., Raw]) -> None:
    assert tried(cases.SMALLEST)["spec"] == DEFAULTS


def test_an_object_without_a_target_gets_none(tried: Callable[..., Raw]) -> None:
    stored = tried(cases.changed(cases.SMALLEST, {"spec.targetRef": None}))
    assert stored["spec"] == {key: value for key, value in DEFAULTS.items() if key != "targetRef"}


def test_a_part_that_is_set_keeps_the_defaults_of_the_rest(tried: Callable[..., Raw]) -> None:
    stored = tried(
        cases.changed(cases.SMALLEST, {"spec.quantization.method": "AWQ", "spec.hardware.maxPerPod": 2})
    )
    assert stored["spec"]["quantization"] == DEFAULTS["quantization"] | {"method": "AWQ"}
    assert stored["spec"]["hardware"] == DEFAULTS["hardware"] | {"maxPerPod": 2}


def test_null_is_absence(tried: Callable[..., Raw]) -> None:
    raw = cases.changed(cases.SMALLEST, {})
    raw["spec"] |= {"hardware": None, "cache": None, "serving": {"contextLength": None}}
    assert tried(raw)["spec"] == DEFAULTS


@pytest.mark.parametrize("case", [pytest.param(case, id=case.why) for case in cases.GOOD_DEPLOYMENTS])
def test_the_models_read_the_same_from_a_file_as_from_the_cluster(
    case: cases.Good, tried: Callable[..., Raw]
) -> None:
    assert ModelDeployment.from_user(tried(case.raw)).spec == ModelDeployment.from_user(case.raw).spec


def test_an_unknown_field_is_refused_where_kubectl_asks_for_it(tried: Callable[..., Raw]) -> None:
    with pytest.raises(RefusedError, match=r'unknown field "spec\.modle"'):
        tried(cases.changed(cases.SMALLEST, {"spec.modle": {"repo": "a/b"}}))


@pytest.mark.parametrize(
    ("base", "at"),
    [
        pytest.param(cases.SMALLEST, "spec.shiny", id="in a ModelDeployment"),
        pytest.param(
            sidecar_cases.SIDECAR, "spec.container.livenessProbe", id="in a ModelSidecar's container"
        ),
        pytest.param(
            WHOLE_SIDECAR, "spec.container.resources.claims", id="deep in a ModelSidecar's container"
        ),
    ],
)
def test_an_unknown_field_is_not_stored(base: Raw, at: str, tried: Callable[..., Raw]) -> None:
    assert (
        tried(cases.changed(base, {at: {"a": 1}}), field_validation="Ignore")["spec"] == tried(base)["spec"]
    )


def test_status_is_written_apart_from_the_spec_and_whole(objects: Objects, namespace: str) -> None:
    of = (GROUP, VERSION, namespace, "modeldeployments")
    made = objects.create_namespaced_custom_object(*of, cases.SMALLEST | {"status": cases.STATUS})
    assert "status" not in made
    changed = made | {"status": cases.STATUS, "spec": made["spec"] | {"suspend": True}}
    objects.replace_namespaced_custom_object_status(*of, "chat", changed)
    stored = objects.get_namespaced_custom_object(*of, "chat")
    assert stored["status"] == cases.STATUS
    assert stored["spec"]["suspend"] is False
    assert stored["metadata"]["generation"] == 1
    read = ModelDeployment.from_raw(stored)
    assert read.status is not None
    assert read.status.to_raw() == cases.STATUS


def test_a_change_of_the_spec_is_counted_and_leaves_status_alone(objects: Objects, namespace: str) -> None:
    of = (GROUP, VERSION, namespace, "modeldeployments")
    made = objects.create_namespaced_custom_object(*of, cases.SMALLEST)
    objects.replace_namespaced_custom_object_status(*of, "chat", made | {"status": cases.STATUS})
    written = objects.patch_namespaced_custom_object(*of, "chat", {"spec": {"suspend": True}, "status": None})
    assert written["metadata"]["generation"] == 2
    assert written["status"] == cases.STATUS


@pytest.mark.parametrize("case", [pytest.param(case, id=case.why) for case in sidecar_cases.GOOD_SIDECARS])
def test_an_accepted_sidecar_can_be_a_pod(
    case: cases.Good, tried: Callable[..., Raw], kubectl: Callable[..., str]
) -> None:
    """What admission copies into a pod has to decode there, or every marked pod fails."""
    spec = tried(case.raw)["spec"]
    engine = spec["container"] | {"restartPolicy": "Always"}
    if "startupProbe" in spec:
        engine["startupProbe"] = spec["startupProbe"]
    pod = {
        "containers": [{"name": "app", "image": "example.com/app:1"}],
        "initContainers": [engine],
        "volumes": spec.get("volumes", []),
        "tolerations": spec.get("tolerations", []),
    }
    terms = [{"matchExpressions": spec["nodeRequirements"]}] if "nodeRequirements" in spec else []
    if terms:
        required = {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": terms}}
        pod["affinity"] = {"nodeAffinity": required}
    try_template(pod, kubectl)


def try_template(pod_spec: Raw, kubectl: Callable[..., str]) -> None:
    """Ask the API server whether a pod could be made of it; kubectl sends it as it is, a typed client does not."""
    template = {
        "apiVersion": "v1", "kind": "PodTemplate", "metadata": {"name": "tried"}, "template": {"spec": pod_spec},
    }  # fmt: skip
    kubectl(
        "create",
        "--namespace",
        "default",
        "--dry-run=server",
        "--validate=strict",
        "-f",
        "-",
        stdin=json.dumps(template),
    )


AMOUNTS = [
    "0",
    "1",
    "500m",
    "1.5",
    ".5",
    "5.",
    "100n",
    "3u",
    "1k",
    "16Gi",
    "1.5Gi",
    "12e6",
    "1E3",
    "1E",
    "5e-1",
    0,
    7,
]


@pytest.mark.parametrize("amount", AMOUNTS)
def test_an_accepted_amount_is_a_quantity_in_a_pod(
    amount: str | int, tried: Callable[..., Raw], kubectl: Callable[..., str]
) -> None:
    resources = {"limits": {"cpu": amount}}
    tried(cases.changed(sidecar_cases.SIDECAR, {"spec.container.resources": resources}))
    app = {"name": "app", "image": "example.com/app:1", "resources": resources}
    try_template({"containers": [app]}, kubectl)


def test_a_stored_sidecar_is_what_the_operator_wrote(tried: Callable[..., Raw]) -> None:
    """No default is filled in: what admission copies is what the dry run tried."""
    assert tried(WHOLE_SIDECAR)["spec"] == WHOLE_SIDECAR["spec"]
