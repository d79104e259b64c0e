"""What is due for a ModelDeployment in a world: actions out, nothing done."""

import dataclasses
from typing import Any

import pytest

from pillion import injection, planner
from pillion.api import names
from pillion.api.reasons import Reason
from pillion.controller import swap
from pillion.controller.decide import Actions, decide
from pillion.controller.world import FAILED_HASH_ANNOTATION, Finding, Proposed, Refused, World, spec_hash
from pillion.kube import resources
from tests.unit.controller import plans, worlds

Raw = dict[str, Any]

RIVER = worlds.deployment("pillion-test/tiny-river")
STAR = worlds.deployment("pillion-test/tiny-star")
SIDECAR = worlds.sidecar(RIVER)
REVISION = injection.revision(SIDECAR)


def due(world: World, *, eviction_allowed_in: float = 0) -> Actions:
    return decide(world, eviction_allowed_in=eviction_allowed_in)


def proposed(raw: Raw, sidecar: Raw, *, obstacle: Finding | None = None) -> Proposed:
    return Proposed(
        plan_key=spec_hash(raw),
        planned=planner.Planned(plan=plans.cpu_plan()),
        facts=plans.tiny_facts(),
        sidecar=sidecar,
        obstacle=obstacle,
    )


def refused(raw: Raw) -> Refused:
    return Refused(
        plan_key=spec_hash(raw), reason=Reason.MODEL_NOT_FOUND, message="The Hub has no such repository."
    )


def settled(pods: tuple[Raw, ...], **known: Any) -> World:
    """A model that was injected: ModelSidecar, marker and pods fit each other."""
    target = worlds.workload(revision=REVISION, replicas=len(pods))
    given = {
        "target": target,
        "marked": ((resources.DEPLOYMENTS, target),),
        "sidecar": SIDECAR,
        "pods": pods,
        "config_maps": frozenset({injection.config_map_name()}),
        **known,
    }
    return worlds.world(RIVER, **given)


def test_a_first_plan_is_tried_written_and_marked() -> None:
    world = worlds.world(RIVER, target=worlds.workload(), proposal=proposed(RIVER, SIDECAR))
    actions = due(world)
    assert actions.sidecar == SIDECAR
    assert actions.dry_run
    assert actions.mark is not None
    assert actions.mark.revision == REVISION
    assert not actions.wait


def test_nothing_is_due_once_everything_fits() -> None:
    pod = worlds.pod("a", engine=SIDECAR)
    world = settled((pod,), engines={"uid-a": worlds.serving(worlds.hashed(SIDECAR))})
    assert due(world) == Actions(step=swap.Done())


def test_without_its_target_nothing_is_written_and_it_is_looked_for_again() -> None:
    actions = due(worlds.world(RIVER, proposal=proposed(RIVER, SIDECAR)))
    assert actions.sidecar is None
    assert actions.mark is None
    assert actions.wait


def test_without_a_plan_nothing_is_injected_and_it_is_asked_again() -> None:
    assert due(worlds.world(RIVER, target=worlds.workload(), proposal=refused(RIVER))) == Actions(wait=True)


def test_what_runs_stays_when_a_changed_spec_has_no_plan() -> None:
    pod = worlds.pod("a", engine=SIDECAR)
    world = settled((pod,), proposal=refused(STAR), engines={"uid-a": worlds.serving(worlds.hashed(SIDECAR))})
    actions = due(world)
    assert actions.sidecar is None
    assert not actions.unmark
    assert not actions.delete_sidecar
    assert not actions.instruct
    assert actions.wait


def test_an_obstacle_keeps_the_engine_out() -> None:
    obstacle = Finding(reason=Reason.PORT_CONFLICT, message="Port 18000 is taken.")
    world = worlds.world(
        RIVER, target=worlds.workload(), proposal=proposed(RIVER, SIDECAR, obstacle=obstacle)
    )
    actions = due(world)
    assert actions.sidecar is None
    assert actions.mark is None


def test_a_target_with_host_network_is_left_alone() -> None:
    target = worlds.workload()
    target["spec"]["template"]["spec"]["hostNetwork"] = True
    actions = due(worlds.world(RIVER, target=target, proposal=proposed(RIVER, SIDECAR)))
    assert actions.sidecar is None
    assert actions.mark is None


def test_a_plan_of_another_shape_takes_new_pods() -> None:
    bigger = worlds.sidecar(STAR, memory_gib=8)
    pod = worlds.pod("a", engine=SIDECAR)
    actions = due(settled((pod,), proposal=proposed(STAR, bigger)))
    assert actions.sidecar == bigger
    assert actions.dry_run
    assert actions.mark is not None
    assert actions.mark.revision == injection.revision(bigger)
    assert not actions.instruct


def test_a_plan_of_the_same_shape_changes_a_running_pod_and_not_the_marker() -> None:
    other = worlds.sidecar(STAR)
    pod = worlds.pod("a", engine=SIDECAR)
    world = settled(
        (pod,), proposal=proposed(STAR, other), engines={"uid-a": worlds.serving(worlds.hashed(SIDECAR))}
    )
    actions = due(world)
    assert actions.sidecar is None
    assert actions.mark is None
    assert [(told.pod["metadata"]["name"], told.instruction) for told in actions.instruct] == [
        ("a", worlds.text(other))
    ]


def test_a_strategy_that_rolls_gives_another_revision_for_another_model() -> None:
    one, other = worlds.sidecar(RIVER, covers=True), worlds.sidecar(STAR, covers=True)
    assert injection.shape_differs(one, other)


def test_a_failed_swap_goes_back_and_is_remembered_for_this_spec() -> None:
    other = worlds.sidecar(STAR)
    pod = worlds.pod("a", engine=SIDECAR, instruction=worlds.text(other))
    world = dataclasses.replace(
        settled(
            (pod,), proposal=proposed(STAR, other), engines={"uid-a": worlds.failed(worlds.hashed(other))}
        ),
        deployment=STAR,
    )
    actions = due(world)
    assert [told.instruction for told in actions.instruct] == [worlds.text(SIDECAR)]
    assert actions.sidecar is not None
    assert worlds.text(actions.sidecar) == worlds.text(SIDECAR)
    assert actions.sidecar["metadata"]["annotations"][FAILED_HASH_ANNOTATION] == spec_hash(STAR)


def test_a_swap_that_fails_on_a_later_pod_brings_the_old_model_and_its_plan_back() -> None:
    other = worlds.sidecar(STAR)
    first = worlds.pod("a", engine=SIDECAR, instruction=worlds.text(other))
    second = worlds.pod("b", engine=SIDECAR)
    before = settled(
        (first, second),
        proposal=proposed(STAR, other),
        engines={
            "uid-a": worlds.serving(worlds.hashed(other)),
            "uid-b": worlds.serving(worlds.hashed(SIDECAR)),
        },
    )
    promoted = due(dataclasses.replace(before, deployment=STAR)).sidecar
    assert promoted is not None
    assert worlds.text(promoted) == worlds.text(other)
    second = worlds.pod("b", engine=SIDECAR, instruction=worlds.text(other))
    after = dataclasses.replace(
        before,
        deployment=STAR,
        sidecar=worlds.stored(promoted),
        pods=(first, second),
        proposal=None,
        engines={"uid-a": worlds.serving(worlds.hashed(other)), "uid-b": worlds.failed(worlds.hashed(other))},
    )
    actions = due(after)
    assert actions.sidecar is not None
    assert worlds.text(actions.sidecar) == worlds.text(SIDECAR)
    assert injection.spec_hash(actions.sidecar) == injection.spec_hash(SIDECAR)
    assert {told.pod["metadata"]["name"] for told in actions.instruct} == {"a", "b"}


@pytest.mark.parametrize("proposes", [True, False], ids=["planned just now", "settled before"])
def test_the_way_back_is_forgotten_when_all_pods_serve(proposes: bool) -> None:
    other = worlds.sidecar(STAR)
    pods = tuple(worlds.pod(name, engine=SIDECAR, instruction=worlds.text(other)) for name in "ab")
    kept = {
        **other,
        "metadata": {**other["metadata"], "annotations": {swap.PREVIOUS_ANNOTATION: worlds.text(SIDECAR)}},
    }
    serving = worlds.serving(worlds.hashed(other))
    target = worlds.workload(revision=REVISION, replicas=2)
    world = worlds.world(
        STAR,
        target=target,
        sidecar=kept,
        pods=pods,
        engines={"uid-a": serving, "uid-b": serving},
        proposal=proposed(STAR, other) if proposes else None,
    )
    actions = due(world)
    assert actions.sidecar is not None
    assert swap.PREVIOUS_ANNOTATION not in actions.sidecar["metadata"]["annotations"]


def test_suspending_takes_the_marker_and_the_sidecar_away() -> None:
    pod = worlds.pod("a", engine=SIDECAR)
    raw = worlds.deployment(suspend=True)
    target = worlds.workload(revision=REVISION)
    world = worlds.world(
        raw, target=target, marked=((resources.DEPLOYMENTS, target),), sidecar=SIDECAR, pods=(pod,)
    )
    actions = due(world)
    assert actions.delete_sidecar
    assert actions.unmark == ((resources.DEPLOYMENTS, target),)


def test_a_deleted_object_leaves_every_workload_that_it_had_marked() -> None:
    target = worlds.workload(revision=REVISION)
    marked = ((resources.DEPLOYMENTS, target),)
    actions = due(World(key=worlds.KEY, deployment=None, marked=marked))
    assert actions == Actions(unmark=marked)


def test_a_target_that_is_named_no_more_is_left() -> None:
    old = worlds.workload(revision=REVISION)
    old["metadata"] |= {"name": "api", "uid": "w-2"}
    world = settled((), marked=((resources.DEPLOYMENTS, old),))
    assert due(world).unmark == ((resources.DEPLOYMENTS, old),)


def test_a_marker_that_a_user_wrote_is_not_touched() -> None:
    target = worlds.workload(revision="mine")
    world = worlds.world(RIVER, target=target, sidecar=SIDECAR)
    assert due(world).mark is None


def test_on_delete_leaves_running_pods_to_the_user() -> None:
    raw = worlds.deployment(updateStrategy={"type": "OnDelete"})
    bigger = worlds.sidecar(raw, memory_gib=8)
    target = worlds.workload(revision=REVISION)
    pod = worlds.pod("a", engine=SIDECAR)
    world = worlds.world(raw, target=target, sidecar=SIDECAR, pods=(pod,), proposal=proposed(raw, bigger))
    actions = due(world)
    assert actions.sidecar == bigger
    assert actions.mark is None
    assert actions.evict is None


def missed(name: str, **known: Any) -> Raw:
    return worlds.pod(name, marked=REVISION, **known)


def test_one_pod_without_its_engine_is_replaced() -> None:
    actions = due(settled((missed("a"), missed("b"))))
    assert actions.evict is not None
    assert actions.evict.name == "a"


def test_a_pod_that_is_not_ready_anyway_is_replaced_first() -> None:
    actions = due(settled((missed("a"), missed("b", ready=False))))
    assert actions.evict is not None
    assert actions.evict.name == "b"


@pytest.mark.parametrize(
    ("pods", "why"),
    [
        pytest.param(
            (missed("a"), worlds.pod("b", engine=SIDECAR, ready=False)), "another is not ready", id="unready"
        ),
        pytest.param(
            (missed("a"), worlds.pod("b", engine=SIDECAR, terminating=True)),
            "another is going",
            id="terminating",
        ),
        pytest.param((missed("a", owned=False),), "nothing would make it again", id="bare pod"),
    ],
)
def test_no_healthy_pod_is_evicted_while(pods: tuple[Raw, ...], why: str) -> None:
    assert due(settled(pods)).evict is None, why


def test_no_pod_is_evicted_while_the_target_rolls() -> None:
    target = worlds.workload(revision=REVISION, rolling=True)
    assert due(settled((missed("a"),), target=target)).evict is None


def test_a_replacement_that_was_missed_as_well_is_not_replaced_again() -> None:
    older, newer = missed("a"), missed("b")
    beside = frozenset({"uid-a", "uid-gone"})
    assert due(settled((older,), evicted_beside=beside)).evict is not None
    assert due(settled((older, newer), evicted_beside=beside)).evict is None


def test_no_pod_is_evicted_before_the_engines_were_heard() -> None:
    assert due(settled((missed("a"),), asking=True)).evict is None
    assert due(settled((missed("a"),), asking=False)).evict is not None


def test_evictions_keep_their_distance() -> None:
    actions = due(settled((missed("a"),)), eviction_allowed_in=4.0)
    assert actions.evict is None
    assert actions.again_seconds == 4.0


def test_a_pods_condition_is_written_only_when_it_changes() -> None:
    pod = worlds.pod("a", engine=SIDECAR)
    serving = {"uid-a": worlds.serving(worlds.hashed(SIDECAR))}
    due_first = due(settled((pod,), engines=serving, models_serve={"uid-a": True}))
    assert due_first.pod_ready == ((pod, True),)
    pod["status"]["conditions"].append({"type": names.MODEL_READY_CONDITION, "status": "True"})
    assert due(settled((pod,), engines=serving, models_serve={"uid-a": True})).pod_ready == ()


def test_a_supervisors_source_that_is_gone_is_written_again() -> None:
    pod = worlds.pod("a", engine=SIDECAR)
    serving = {"uid-a": worlds.serving(worlds.hashed(SIDECAR))}
    assert due(settled((pod,), engines=serving, config_maps=frozenset())).config_map


def test_a_failure_of_another_spec_is_forgotten_when_the_old_one_is_back() -> None:
    failed = {
        **SIDECAR,
        "metadata": {
            **SIDECAR["metadata"],
            "annotations": {**SIDECAR["metadata"]["annotations"], FAILED_HASH_ANNOTATION: "of-another-spec"},
        },
    }
    pod = worlds.pod("a", engine=SIDECAR)
    serving = {"uid-a": worlds.serving(worlds.hashed(SIDECAR))}
    actions = due(settled((pod,), sidecar=failed, engines=serving))
    assert actions.sidecar is not None
    assert FAILED_HASH_ANNOTATION not in actions.sidecar["metadata"]["annotations"]


def test_a_gated_pod_is_let_go_when_its_model_is_gone() -> None:
    pod = worlds.pod("a", engine=SIDECAR)
    pod["spec"]["readinessGates"] = [{"conditionType": names.MODEL_READY_CONDITION}]
    world = World(key=worlds.KEY, deployment=None, pods=(pod,), models_serve={"uid-a": True})
    assert due(world).pod_ready == ((pod, True),)


def test_a_finished_pod_holds_up_no_replacement() -> None:
    done = worlds.pod("b", engine=SIDECAR, ready=False)
    done["status"]["phase"] = "Failed"
    assert due(settled((missed("a"), done))).evict is not None
