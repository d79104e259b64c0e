"""What does a pod look like with its engines in it, and what is told about the others?"""

from __future__ import annotations

import itertools
import os
from copy import deepcopy
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from pillion import injection
from pillion.api.reasons import Reason
from tests import corpus

if TYPE_CHECKING:
    from tests.corpus import Raw, Situation

GOLDEN = Path(__file__).parent / "golden"
AS_COPIED = "as in the ModelSidecar"
WRITE = "PILLION_WRITE_GOLDEN" in os.environ  # set by `make golden`


@pytest.mark.parametrize("situation", corpus.situations(), ids=lambda situation: situation.name)
def test_golden(situation: Situation) -> None:
    """The pod, why each engine that it names is left out, and what its owner is told."""
    named = [one for one in corpus.sidecars() if one["metadata"]["name"] in situation.models()]
    told = {
        one["metadata"]["name"]: [
            f"{reason}: {message}"
            for reason, message in [
                *injection.conflicts(situation.pod["spec"], one),
                *injection.notices(situation.pod["spec"], one),
            ]
        ]
        for one in named
    }
    reasons = {one["metadata"]["name"]: injection.why_not(situation.pod, one) for one in named}
    seen = {
        "question": situation.question,
        "left out": {name: str(reason) for name, reason in reasons.items() if reason is not None},
        "told": {name: sentences for name, sentences in told.items() if sentences},
        "pod": abbreviated(injection.inject(situation.pod, corpus.sidecars())),
    }
    path = GOLDEN / f"{situation.name}.yaml"
    if WRITE:
        path.parent.mkdir(exist_ok=True)
        path.write_text(yaml.dump(seen, Dumper=WithoutAliases, sort_keys=False, width=110), "utf-8")
    assert yaml.safe_load(path.read_text("utf-8")) == seen


def test_every_golden_file_has_its_situation() -> None:
    assert {path.stem for path in GOLDEN.glob("*.yaml")} == {one.name for one in corpus.situations()}


class WithoutAliases(yaml.SafeDumper):
    """YAML writes what stands in two places as an alias, which nobody can read."""

    def ignore_aliases(self, data: object) -> bool:  # noqa: ARG002 - the signature is PyYAML's
        return True


def abbreviated(pod: Raw) -> Raw:
    """The pod, where what was copied as it is in a ModelSidecar says so: what is left is what was decided."""
    result = deepcopy(pod)
    spec = result["spec"]
    for sidecar in corpus.sidecars():
        name, copied = sidecar["metadata"]["name"], sidecar["spec"]
        annotations = result["metadata"].get("annotations", {})
        key = f"engine.pillion.dev/{name}"
        if annotations.get(key) == copied["instruction"]:
            annotations[key] = AS_COPIED
        for field in ("containers", "initContainers"):
            for index, container in enumerate(spec.get(field, [])):
                if copied["container"].items() <= container.items():
                    rest = {k: v for k, v in container.items() if k not in copied["container"]}
                    spec[field][index] = {"name": container["name"], AS_COPIED: True, **rest}
        for index, volume in enumerate(spec.get("volumes", [])):
            if volume in copied.get("volumes", []):
                spec["volumes"][index] = {"name": volume["name"], AS_COPIED: True}
    return result


names = st.sampled_from(["app", "log", "proxy", "pillion-mine", "pillion-chat"])
variables = st.sampled_from(
    ["OPENAI_API_KEY", "OPENAI_MODEL", "PILLION_CHAT_MODEL", "PILLION_EMBED_BASE_URL", "PATH", "LEVEL"]
)
env = st.lists(variables, unique=True).map(lambda found: [{"name": name, "value": "mine"} for name in found])
containers = st.lists(
    st.fixed_dictionaries({"name": names, "image": st.just("app.example/app:1")}, optional={"env": env}),
    min_size=1,
    max_size=4,
    unique_by=lambda one: one["name"],
)
requirement = st.sampled_from(
    [
        {"key": "zone", "operator": "In", "values": ["a"]},
        {"key": "nvidia.com/gpu.product", "operator": "In", "values": ["NVIDIA-L4", "Tesla-T4"]},
    ]
)
terms = st.lists(
    st.fixed_dictionaries(
        {},
        optional={
            "matchExpressions": st.lists(requirement, min_size=1, max_size=2),
            "matchFields": st.just([{"key": "metadata.name", "operator": "In", "values": ["node-1"]}]),
        },
    ),
    min_size=1,
    max_size=3,
)
node_affinity = st.one_of(
    st.just({"preferredDuringSchedulingIgnoredDuringExecution": []}),
    terms.map(lambda found: {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": found}}),
)
affinity = st.fixed_dictionaries({}, optional={"nodeAffinity": node_affinity, "podAntiAffinity": st.just({})})
toleration = st.sampled_from(
    [{"operator": "Exists"}, {"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}]
)
specs = st.fixed_dictionaries(
    {"containers": containers},
    optional={
        "restartPolicy": st.sampled_from(["Always", "OnFailure", "Never"]),
        "affinity": affinity,
        "tolerations": st.lists(toleration, max_size=2),
        "volumes": st.lists(st.sampled_from(["data", "pillion-chat-cch"]), unique=True).map(
            lambda found: [{"name": name, "emptyDir": {}} for name in found]
        ),
        "initContainers": st.just([{"name": "fetch", "image": "app.example/fetch:1"}]),
        "readinessGates": st.just([{"conditionType": "pillion.dev/ModelReady"}]),
        "runtimeClassName": st.just("sandbox"),
        "hostNetwork": st.booleans(),
    },
)
models = st.lists(
    st.sampled_from(["chat", "embed", "first", "gated", "bare", "later", "nobody"]), unique=True
)
labels = st.sampled_from([{"pillion.dev/inject": "true"}, {"pillion.dev/inject": "required"}, {}])


@st.composite
def pods(draw: st.DrawFn) -> Raw:
    wanted = draw(models)
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": "any",
            "labels": draw(labels),
            "annotations": {f"model.pillion.dev/{name}": "" for name in wanted},
        },
        "spec": draw(specs),
    }


@settings(deadline=None)  # a busy machine is no mistake of ours
@given(pods())
def test_injecting_twice_equals_once(pod: Raw) -> None:
    once = injection.inject(pod, corpus.sidecars())
    assert injection.inject(once, corpus.sidecars()) == once


@settings(deadline=None)  # a busy machine is no mistake of ours
@given(pods())
def test_the_pod_that_was_given_stays_as_it_was(pod: Raw) -> None:
    before, sidecars = deepcopy(pod), corpus.sidecars()
    injection.inject(pod, sidecars)
    assert pod == before
    assert sidecars == corpus.sidecars()


@settings(deadline=None)  # a busy machine is no mistake of ours
@given(pods())
def test_the_applications_containers_change_by_added_variables_alone(pod: Raw) -> None:
    result = injection.inject(pod, corpus.sidecars())
    for field in ("containers", "initContainers"):
        before = pod["spec"].get(field, [])
        after = result["spec"].get(field, [])[: len(before)]
        for old, new in zip(before, after, strict=True):
            kept = old.get("env", [])
            assert {**new, "env": None} == {**old, "env": None}
            assert new.get("env", [])[len(new.get("env", [])) - len(kept) :] == kept
            if old["name"].startswith("pillion-") or field == "initContainers":
                assert new == old


@settings(deadline=None)  # a busy machine is no mistake of ours
@given(pods())
def test_no_name_comes_twice(pod: Raw) -> None:
    spec = injection.inject(pod, corpus.sidecars())["spec"]
    every = [*spec["containers"], *spec.get("initContainers", [])]
    for items in (every, spec.get("volumes", []), *(one.get("env", []) for one in every)):
        found = [item["name"] for item in items]
        assert len(found) == len(set(found))


@settings(deadline=None)  # a busy machine is no mistake of ours
@given(pods())
def test_the_plain_variables_come_as_one_set(pod: Raw) -> None:
    result = injection.inject(pod, corpus.sidecars())
    plain = {"OPENAI_BASE_URL", "OPENAI_API_KEY", "OPENAI_MODEL"}
    for old, new in zip(pod["spec"]["containers"], result["spec"]["containers"], strict=False):
        before = {one["name"] for one in old.get("env", [])} & plain
        after = {one["name"] for one in new.get("env", [])} & plain
        assert after == before or (not before and after == plain)


@settings(deadline=None)  # a busy machine is no mistake of ours
@given(pods(), st.randoms(use_true_random=False))
def test_the_order_of_model_sidecars_changes_only_the_order_of_what_is_added(pod: Raw, shuffler: Any) -> None:
    shuffled = corpus.sidecars()
    shuffler.shuffle(shuffled)
    one, other = (injection.inject(pod, sidecars) for sidecars in (corpus.sidecars(), shuffled))
    assert corpus.canonical(one, pod) == corpus.canonical(other, pod)


@settings(deadline=None)  # a busy machine is no mistake of ours
@given(pods())
def test_every_existing_term_is_narrowed_and_none_is_lost(pod: Raw) -> None:
    """Terms are alternatives: one without the requirement would let the pod onto a node without the accelerator."""
    pod["metadata"]["annotations"] = {"model.pillion.dev/chat": ""}
    sidecar = corpus.sidecar("chat")
    if injection.why_not(pod, sidecar) is not None:
        assert injection.inject(pod, [sidecar]) == pod
        return
    before, after = (terms_of(one) for one in (pod, injection.inject(pod, [sidecar])))
    assert len(after) == max(1, len(before))
    for term, old in itertools.zip_longest(after, before, fillvalue={"matchExpressions": [{}]}):
        empty = not old.get("matchExpressions") and not old.get("matchFields")
        required = [one in term.get("matchExpressions", []) for one in sidecar["spec"]["nodeRequirements"]]
        assert term == old if empty else all(required)
        assert term.get("matchFields") == old.get("matchFields")


def terms_of(pod: Raw) -> list[Raw]:
    required = "requiredDuringSchedulingIgnoredDuringExecution"
    found = pod["spec"].get("affinity", {}).get("nodeAffinity", {}).get(required, {})
    return list(found.get("nodeSelectorTerms", []))


def test_a_model_sidecar_of_another_namespace_is_not_meant() -> None:
    pod = corpus.situation("smallest").pod
    pod["metadata"]["namespace"] = "shop"
    assert injection.why_not(pod, corpus.sidecar("chat", "elsewhere")) is Reason.NOT_MARKED
