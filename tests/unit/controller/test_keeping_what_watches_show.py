"""Does the store know the newest version, and who has to look again?"""

import pytest

from pillion import injection
from pillion.controller.queue import WorkQueue
from pillion.controller.store import Key, Store
from pillion.controller.watching import Watching
from pillion.kube import resources
from tests.unit.controller import worlds

RIVER = worlds.deployment()
SIDECAR = worlds.sidecar(RIVER)


def version(obj: dict[str, object], number: str) -> dict[str, object]:
    metadata = obj["metadata"]
    assert isinstance(metadata, dict)
    return {**obj, "metadata": {**metadata, "resourceVersion": number}}


def test_the_echo_of_an_own_write_changes_nothing() -> None:
    store = Store()
    assert store.put(resources.MODEL_SIDECARS, SIDECAR)
    assert not store.put(resources.MODEL_SIDECARS, SIDECAR)


def test_a_late_event_does_not_bring_an_old_version_back() -> None:
    store = Store()
    store.put(resources.MODEL_SIDECARS, version(SIDECAR, "12"))
    assert not store.put(resources.MODEL_SIDECARS, version(SIDECAR, "9"))
    kept = store.get(resources.MODEL_SIDECARS, *worlds.KEY)
    assert kept is not None
    assert kept["metadata"]["resourceVersion"] == "12"


def test_the_end_of_an_earlier_object_does_not_remove_its_successor() -> None:
    store = Store()
    successor = {**RIVER, "metadata": {**RIVER["metadata"], "uid": "another"}}
    store.put(resources.MODEL_DEPLOYMENTS, successor)
    assert not store.remove(resources.MODEL_DEPLOYMENTS, RIVER)
    assert store.get(resources.MODEL_DEPLOYMENTS, *worlds.KEY) is successor


def test_a_pod_concerns_the_models_of_its_marker() -> None:
    pod = worlds.pod("a", engine=SIDECAR)
    assert set(Store().interested(resources.PODS, pod)) == {worlds.KEY}


def test_a_workload_concerns_its_markers_and_whoever_names_it() -> None:
    store = Store()
    other = {**RIVER, "metadata": {**RIVER["metadata"], "name": "draft"}}
    store.put(resources.MODEL_DEPLOYMENTS, other)
    workload = worlds.workload(revision=injection.revision(SIDECAR))
    assert set(store.interested(resources.DEPLOYMENTS, workload)) == {worlds.KEY, Key("shop", "draft")}


def test_a_model_that_changes_its_target_is_found_by_the_new_one_alone() -> None:
    store = Store()
    store.put(resources.MODEL_DEPLOYMENTS, RIVER)
    moved = version({**RIVER, "spec": {**RIVER["spec"], "targetRef": {"name": "api"}}}, "2")
    store.put(resources.MODEL_DEPLOYMENTS, moved)
    assert store.keys_for_target("shop", "Deployment", "web") == set()
    assert store.keys_for_target("shop", "Deployment", "api") == {worlds.KEY}


def test_marked_workloads_are_found_by_model() -> None:
    store = Store()
    workload = worlds.workload(revision=injection.revision(SIDECAR))
    store.put(resources.DEPLOYMENTS, workload)
    assert store.marked_with(worlds.KEY) == [(resources.DEPLOYMENTS, workload)]
    assert store.marked_with(Key("shop", "other")) == []


def test_the_late_answer_to_a_write_does_not_bring_an_ended_object_back() -> None:
    store = Store()
    store.put(resources.MODEL_SIDECARS, SIDECAR)
    assert store.remove(resources.MODEL_SIDECARS, version(SIDECAR, "99"))
    assert not store.put(resources.MODEL_SIDECARS, version(SIDECAR, "98"))
    assert store.get(resources.MODEL_SIDECARS, *worlds.KEY) is None


def test_a_workload_that_is_marked_again_is_known_again() -> None:
    store = Store()
    marked = worlds.workload(revision=injection.revision(SIDECAR))
    store.put(resources.DEPLOYMENTS, version(marked, "10"))
    # Without its label it leaves the watch's selector, which looks like its end.
    assert store.remove(resources.DEPLOYMENTS, version(marked, "11"))
    assert store.put(resources.DEPLOYMENTS, version(marked, "12"))
    assert store.marked_with(worlds.KEY)


def test_what_a_new_list_lacks_ended_unseen_and_wakes_whom_it_concerns() -> None:
    store, queue = Store(), WorkQueue(lambda: 0.0)
    sibling = {**RIVER, "metadata": {**RIVER["metadata"], "name": "draft", "uid": "draft"}}
    younger = version({**RIVER, "metadata": {**RIVER["metadata"], "name": "late", "uid": "late"}}, "50")
    for obj in (RIVER, sibling, younger):
        store.put(resources.MODEL_DEPLOYMENTS, obj)
    Watching(store, queue).listed(resources.MODEL_DEPLOYMENTS, [sibling], 40)
    assert [obj["metadata"]["name"] for obj in store.all(resources.MODEL_DEPLOYMENTS)] == ["draft", "late"]
    assert len(queue) == 3  # the one that ended, and both that were beside it


def test_a_supervisors_source_concerns_the_models_that_mount_it() -> None:
    store = Store()
    store.put(resources.MODEL_SIDECARS, SIDECAR)
    config_map = injection.config_map("shop")
    assert store.interested(resources.CONFIG_MAPS, config_map) == {worlds.KEY}


def test_an_event_that_comes_before_the_answer_to_the_write_waits_for_it_and_wakes_nobody() -> None:
    store, queue = Store(), WorkQueue(lambda: 0.0)
    watching = Watching(store, queue)
    with store.writing(resources.MODEL_SIDECARS, *worlds.KEY):
        watching.changed(resources.MODEL_SIDECARS, SIDECAR)
        assert store.get(resources.MODEL_SIDECARS, *worlds.KEY) is None
        store.put(resources.MODEL_SIDECARS, SIDECAR)
    assert len(queue) == 0


def test_somebody_elses_change_during_a_write_is_not_lost() -> None:
    store, queue = Store(), WorkQueue(lambda: 0.0)
    watching = Watching(store, queue)
    with store.writing(resources.MODEL_SIDECARS, *worlds.KEY):
        watching.changed(resources.MODEL_SIDECARS, version(SIDECAR, "12"))
        store.put(resources.MODEL_SIDECARS, version(SIDECAR, "9"))
    kept = store.get(resources.MODEL_SIDECARS, *worlds.KEY)
    assert kept is not None
    assert kept["metadata"]["resourceVersion"] == "12"
    assert len(queue) == 1


def test_a_change_that_the_writes_answer_has_in_it_already_still_wakes_somebody() -> None:
    store, queue = Store(), WorkQueue(lambda: 0.0)
    watching = Watching(store, queue)
    store.put(resources.MODEL_DEPLOYMENTS, version(RIVER, "10"))
    with store.writing(resources.MODEL_DEPLOYMENTS, *worlds.KEY):
        watching.changed(resources.MODEL_DEPLOYMENTS, version(RIVER, "11"))  # a user's edit
        store.put(resources.MODEL_DEPLOYMENTS, version(RIVER, "12"))  # our status, and the edit
    watching.changed(resources.MODEL_DEPLOYMENTS, version(RIVER, "12"))
    assert len(queue) == 1


def test_the_echo_alone_wakes_nobody() -> None:
    store, queue = Store(), WorkQueue(lambda: 0.0)
    watching = Watching(store, queue)
    store.put(resources.MODEL_DEPLOYMENTS, version(RIVER, "10"))
    with store.writing(resources.MODEL_DEPLOYMENTS, *worlds.KEY):
        watching.changed(resources.MODEL_DEPLOYMENTS, version(RIVER, "12"))
        store.put(resources.MODEL_DEPLOYMENTS, version(RIVER, "12"))
    assert len(queue) == 0


def test_what_went_while_it_was_first_written_does_not_come_back_with_the_answer() -> None:
    store = Store()
    watching = Watching(store, WorkQueue(lambda: 0.0))
    with store.writing(resources.MODEL_SIDECARS, *worlds.KEY):
        watching.changed(resources.MODEL_SIDECARS, version(SIDECAR, "11"))
        watching.ended(resources.MODEL_SIDECARS, version(SIDECAR, "12"))
        store.put(resources.MODEL_SIDECARS, version(SIDECAR, "11"))
    assert store.get(resources.MODEL_SIDECARS, *worlds.KEY) is None


def test_what_ended_unseen_does_not_come_back_with_the_answer_to_an_older_write() -> None:
    store = Store()
    watching = Watching(store, WorkQueue(lambda: 0.0))
    store.put(resources.MODEL_DEPLOYMENTS, version(RIVER, "10"))
    with store.writing(resources.MODEL_DEPLOYMENTS, *worlds.KEY):
        watching.listed(resources.MODEL_DEPLOYMENTS, [], 20)
        store.put(resources.MODEL_DEPLOYMENTS, version(RIVER, "12"))
    assert store.get(resources.MODEL_DEPLOYMENTS, *worlds.KEY) is None


def test_a_list_that_is_older_does_not_hide_a_newer_event() -> None:
    store = Store()
    watching = Watching(store, WorkQueue(lambda: 0.0))
    store.put(resources.MODEL_DEPLOYMENTS, version(RIVER, "10"))
    with store.writing(resources.MODEL_DEPLOYMENTS, *worlds.KEY):
        watching.changed(resources.MODEL_DEPLOYMENTS, version(RIVER, "13"))
        watching.listed(resources.MODEL_DEPLOYMENTS, [version(RIVER, "12")], 12)
        store.put(resources.MODEL_DEPLOYMENTS, version(RIVER, "12"))
    kept = store.get(resources.MODEL_DEPLOYMENTS, *worlds.KEY)
    assert kept is not None
    assert kept["metadata"]["resourceVersion"] == "13"


def test_a_write_that_fails_gives_the_event_free() -> None:
    store, queue = Store(), WorkQueue(lambda: 0.0)
    watching = Watching(store, queue)

    def fail() -> None:
        with store.writing(resources.MODEL_SIDECARS, *worlds.KEY):
            watching.changed(resources.MODEL_SIDECARS, SIDECAR)
            raise RuntimeError("the API server went away")

    with pytest.raises(RuntimeError):
        fail()
    assert len(queue) == 1


@pytest.mark.parametrize(
    ("change", "pods", "wakes"),
    [
        pytest.param(
            {"status": {"observedGeneration": 2}}, 0, False, id="its controller's progress without pods"
        ),
        pytest.param(
            {"status": {"observedGeneration": 2}}, 1, True, id="its controller's progress with a pod"
        ),
        pytest.param({"generation": 7}, 0, True, id="its spec"),
        pytest.param({"labels": {"pillion.dev/marked": "true", "a": "b"}}, 0, True, id="its labels"),
        pytest.param({"annotations": {"team": "a"}}, 0, True, id="its annotations"),
        pytest.param(
            {"annotations": {"deployment.kubernetes.io/revision": "2"}},
            0,
            False,
            id="its controller's counter",
        ),
    ],
)
def test_a_workload_wakes_its_models_where_it_makes_a_difference(
    change: dict[str, object], pods: int, wakes: bool
) -> None:
    store, queue = Store(), WorkQueue(lambda: 0.0)
    before = worlds.workload(revision=injection.revision(SIDECAR))
    store.put(resources.DEPLOYMENTS, before)
    for number in range(pods):
        store.put(resources.PODS, worlds.pod(f"a{number}", engine=SIDECAR))
    status = {"status": change["status"]} if "status" in change else {}
    metadata = {} if "status" in change else change
    after = {**before, **status, "metadata": {**before["metadata"], **metadata}}
    Watching(store, queue).changed(resources.DEPLOYMENTS, version(after, "999"))
    assert (len(queue) == 1) is wakes


def test_who_wrote_which_field_is_not_kept_except_where_markers_are_found_by_it() -> None:
    store = Store()
    fields = [{"manager": "pillion/river", "operation": "Apply"}]
    store.put(
        resources.MODEL_SIDECARS, {**SIDECAR, "metadata": {**SIDECAR["metadata"], "managedFields": fields}}
    )
    kept = store.get(resources.MODEL_SIDECARS, *worlds.KEY)
    assert kept is not None
    assert "managedFields" not in kept["metadata"]
    workload = worlds.workload(revision=injection.revision(SIDECAR))
    store.put(resources.DEPLOYMENTS, workload)
    assert store.marked_with(worlds.KEY) == [(resources.DEPLOYMENTS, workload)]
