"""Does the admission policy make the same pod as the Python function? On a real API server, over the corpus."""

from __future__ import annotations

from copy import deepcopy
from typing import TYPE_CHECKING

import pytest

from pillion import injection
from pillion.api.reasons import Reason
from tests import corpus
from tests.integration.injection.conftest import eventually, with_sidecars

if TYPE_CHECKING:
    from tests.corpus import Raw, Situation
    from tests.integration.injection.conftest import Api

every_situation = pytest.mark.parametrize(
    "situation", corpus.situations(), ids=lambda situation: situation.name
)


def in_namespace(pod: Raw, namespace: str) -> Raw:
    copy = deepcopy(pod)
    copy["metadata"]["namespace"] = namespace
    return copy


def both_ways(api: Api, pod: Raw, namespace: str) -> tuple[Raw, Raw]:
    """What the API server makes of the pod by the policy, and of the pod that the function has injected already."""
    pod = in_namespace(pod, namespace)
    by_policy = api.create(pod, dry_run=True)
    by_function = api.create(injection.inject(pod, corpus.sidecars(namespace)), dry_run=True)
    return corpus.canonical(by_policy, pod), corpus.canonical(by_function, pod)


def added(pod: Raw, before: Raw) -> set[str]:
    """The names of the containers that came to a pod."""
    names = [
        {container["name"] for container in one["spec"]["containers"] + one["spec"].get("initContainers", [])}
        for one in (pod, before)
    ]
    return names[0] - names[1]


@every_situation
def test_policy_and_function_make_the_same_pod(installed: Api, shop: str, situation: Situation) -> None:
    by_policy, by_function = both_ways(installed, situation.pod, shop)
    assert by_policy == by_function


@every_situation
def test_why_not_knows_which_engines_the_policy_leaves_out(
    installed: Api, shop: str, situation: Situation
) -> None:
    pod = in_namespace(situation.pod, shop)
    wanted = [one for one in corpus.sidecars(shop) if injection.why_not(pod, one) is None]
    created = installed.create(pod, dry_run=True)
    assert added(created, pod) == {one["spec"]["container"]["name"] for one in wanted}


def test_the_order_of_model_sidecars_changes_only_the_order_of_what_is_added(
    installed: Api, shop: str
) -> None:
    """The API server's order is random, so several tries see several orders."""
    pod = in_namespace(corpus.situation("three-models-in-a-job").pod, shop)
    tries = [installed.create(pod, dry_run=True) for _ in range(20)]
    first = corpus.canonical(tries[0], pod)
    assert all(corpus.canonical(one, pod) == first for one in tries)


def test_a_pod_of_a_deployment_is_what_the_function_makes_of_its_template(
    installed: Api, namespace: str
) -> None:
    with_sidecars(installed, namespace)
    pod = corpus.situation("existing-environment").pod
    labels = {**pod["metadata"]["labels"], "app": "web"}
    metadata = {"labels": labels, "annotations": pod["metadata"]["annotations"]}
    installed.create(
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": "web", "namespace": namespace},
            "spec": {
                "replicas": 1,
                "selector": {"matchLabels": {"app": "web"}},
                "template": {"metadata": metadata, "spec": pod["spec"]},
            },
        }
    )
    assert eventually(lambda: installed.list("Pod", namespace, "app=web"))
    (made,) = installed.list("Pod", namespace, "app=web")
    (replica_set,) = installed.list("ReplicaSet", namespace, "app=web")
    template = replica_set["spec"]["template"]
    given = {key: made["metadata"][key] for key in ("generateName", "ownerReferences")}
    sent = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {**template["metadata"], **given},
        "spec": template["spec"],
    }

    by_policy, by_function = both_ways(installed, sent, namespace)

    live = corpus.canonical(made, sent)
    assert live["spec"] == by_policy["spec"] == by_function["spec"]
    assert live["metadata"] == by_policy["metadata"] == by_function["metadata"]


def test_a_job_completes_beside_its_engine(installed: Api, namespace: str) -> None:
    with_sidecars(installed, namespace)
    pod = corpus.situation("job-nobody-waits").pod
    annotations = {**pod["metadata"]["annotations"], "tests.pillion.dev/play": "complete"}
    metadata = {"labels": pod["metadata"]["labels"], "annotations": annotations}
    job = installed.create(
        {
            "apiVersion": "batch/v1",
            "kind": "Job",
            "metadata": {"name": "once", "namespace": namespace},
            "spec": {"template": {"metadata": metadata, "spec": pod["spec"]}},
        }
    )
    assert eventually(lambda: installed.get("Job", namespace, "once").get("status", {}).get("succeeded"))
    (made,) = installed.list("Pod", namespace, "job-name=once")
    assert added(made, job["spec"]["template"] | {"kind": "Pod"}) == {"pillion-bare"}
    assert [one["restartPolicy"] for one in made["spec"]["initContainers"]] == ["Always"]


def test_a_namespace_can_keep_engines_out(installed: Api, namespace: str) -> None:
    with_sidecars(installed, namespace)
    labels = {"pillion.dev/inject": "false"}
    body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace, "labels": labels}}
    installed.apply(body, "someone")
    pod = in_namespace(corpus.situation("smallest").pod, namespace)
    assert eventually(lambda: not added(installed.create(pod, dry_run=True), pod))


@pytest.mark.parametrize("excluded", ["kube-system", "pillion-system"])
def test_kube_system_and_the_operators_namespace_are_left_alone(
    installed: Api, namespace: str, excluded: str
) -> None:
    installed.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": excluded}}, "someone")
    sidecar = corpus.sidecar("bare", excluded)
    assert eventually(lambda: installed.apply(sidecar, "someone"))
    with_sidecars(
        installed, namespace
    )  # written later: when these are acted on, the one before could be as well
    pod = in_namespace(corpus.situation("bare-sidecar").pod, excluded)
    assert not added(installed.create(pod, dry_run=True), pod)
    assert injection.inject(pod, [sidecar]) == pod
    assert injection.why_not(pod, sidecar) is Reason.NAMESPACE_EXCLUDED


def test_a_large_pod_does_not_pass_the_cost_limit(installed: Api, shop: str) -> None:
    """Past the limit the policy would fail, and the pod go without its engine."""
    env = [{"name": f"VARIABLE_{n}", "value": "x" * 100} for n in range(200)]
    pod = corpus.situation("two-models").pod
    pod["spec"]["containers"] = [
        {"name": "app" if n == 0 else f"c{n}", "image": "app.example/app:1", "env": env} for n in range(30)
    ]
    pod["spec"]["volumes"] = [{"name": f"v{n}", "emptyDir": {}} for n in range(100)]
    by_policy, by_function = both_ways(installed, pod, shop)
    assert by_policy == by_function
    assert added(by_policy, pod) == {"pillion-chat", "pillion-embed"}
