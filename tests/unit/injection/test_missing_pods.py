"""Which pods were missed, and which only look like it?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from pillion import injection
from pillion.api.reasons import Reason
from tests import corpus

if TYPE_CHECKING:
    from tests.corpus import Raw

SIDECAR = corpus.sidecar("chat", "shop")
NOW = injection.revision(SIDECAR)
OLD = "r-aaaaaaaaaaaa"


def pod(*, marker: str, engine: str | None, name: str = "web-1", **changes: Any) -> Raw:
    """A pod of a ReplicaSet with a marker, and with the engine of a revision or with none."""
    found = corpus.situation("generated-name").pod
    found["metadata"] |= {
        "name": name,
        "namespace": "shop",
        "uid": f"uid-{name}",
        "annotations": {"model.pillion.dev/chat": marker},
    }
    if engine is not None:
        found = injection.inject(found, [SIDECAR])
        found["metadata"]["annotations"]["engine.pillion.dev/chat"] = f'{{"revision":"{engine}"}}'
    found["status"] = {"phase": "Running"}
    found["metadata"] |= changes.pop("metadata", {})
    found["spec"] |= changes.pop("spec", {})
    return found | changes


@pytest.mark.parametrize(
    ("marker", "engine", "reason"),
    [
        (NOW, None, Reason.ENGINE_MISSING),
        (OLD, None, Reason.ENGINE_MISSING),
        ("mine", None, Reason.ENGINE_MISSING),
        (NOW, NOW, None),
        (NOW, OLD, Reason.REVISION_STALE),
        (OLD, NOW, None),
        (OLD, OLD, None),
        ("mine", NOW, None),
        ("mine", OLD, None),
    ],
)
def test_a_pod_by_its_marker_and_its_engine(marker: str, engine: str | None, reason: Reason | None) -> None:
    found = injection.missed_pods([pod(marker=marker, engine=engine)], SIDECAR)
    assert [one.reason for one in found] == ([] if reason is None else [reason])


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"metadata": {"deletionTimestamp": "2026-01-01T00:00:00Z"}}, id="one that ends"),
        pytest.param({"status": {"phase": "Succeeded"}}, id="one that is over"),
        pytest.param({"status": {"phase": "Failed"}}, id="one that failed"),
        pytest.param({"spec": {"hostNetwork": True}}, id="one that can have none"),
        pytest.param({"metadata": {"labels": {}}}, id="one that does not ask"),
        pytest.param({"metadata": {"annotations": {}}}, id="one that asks for no model"),
        pytest.param({"metadata": {"namespace": "elsewhere"}}, id="one of another namespace"),
    ],
)
def test_others_are_not_missed(changes: dict[str, Any]) -> None:
    assert injection.missed_pods([pod(marker=NOW, engine=None, **changes)], SIDECAR) == []


def test_only_a_pod_with_a_controller_can_be_replaced() -> None:
    owned, bare = pod(marker=NOW, engine=None, name="b"), pod(marker=NOW, engine=None, name="a")
    del bare["metadata"]["ownerReferences"]
    found = injection.missed_pods([owned, bare], SIDECAR)
    assert [(one.name, one.uid, one.replaceable) for one in found] == [
        ("a", "uid-a", False),
        ("b", "uid-b", True),
    ]
    assert found[0].message == (
        "Pod a has no engine for chat, which its marker asks for. "
        "It stays as it is, because no controller would make it again: delete it and create it anew."
    )
    assert found[1].message == "Pod b has no engine for chat, which its marker asks for."


@pytest.mark.parametrize("policy", ["OnFailure", "Never"])
@pytest.mark.parametrize(
    ("engine", "reason"),
    [(None, Reason.ENGINE_MISSING), (OLD, Reason.REVISION_STALE)],
    ids=["none", "an old one"],
)
def test_a_pod_that_ends_by_itself_is_told_of_and_left_to_its_work(
    policy: str, engine: str | None, reason: Reason
) -> None:
    job = pod(marker=NOW, engine=engine, spec={"restartPolicy": policy})
    (missed,) = injection.missed_pods([job], SIDECAR)
    assert (missed.reason, missed.replaceable) == (reason, False)
    assert f"its restartPolicy is {policy}" in missed.message
    assert "pillion.dev/inject: required" in missed.message


@pytest.mark.parametrize("phase", ["Succeeded", "Failed"])
@pytest.mark.parametrize("policy", ["Always", "OnFailure", "Never"])
def test_a_finished_pod_is_never_missed(phase: str, policy: str) -> None:
    finished = pod(marker=NOW, engine=None, spec={"restartPolicy": policy}, status={"phase": phase})
    assert injection.missed_pods([finished], SIDECAR) == []


def test_an_instruction_that_cannot_be_read_names_no_revision() -> None:
    found = pod(marker=NOW, engine=NOW)
    for text in ("not JSON", "[]", "{}", '{"revision": 1}'):
        found["metadata"]["annotations"]["engine.pillion.dev/chat"] = text
        assert injection.injected_revision(found, "chat") is None
    (missed,) = injection.missed_pods([found], SIDECAR)
    assert missed.message == f"Pod web-1 asks for revision {NOW} of chat and was given an unknown one."
