"""Which pods should have an engine and have none, or another one than they ask for?

The policy lets a pod be created without its engine rather than not at all, and a pod made right after its
ModelSidecar can come too early (seen 12 times in 60). So what was missed is looked for, and reported; whether
a pod is replaced is the controller's decision.
"""

import functools
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from pillion.api import names
from pillion.api.reasons import Reason
from pillion.injection import pods, sidecars
from pillion.injection.inject import why_not
from pillion.injection.pods import Raw

_OVER = ("Succeeded", "Failed")  # pod phases after which nothing runs any more


@dataclass(frozen=True, kw_only=True, slots=True)
class Missed:
    """A pod that the injection missed."""

    pod: Raw
    name: str
    uid: str
    reason: Reason  # EngineMissing or RevisionStale
    message: str  # with the way out, where the pod stays as it is
    replaceable: bool  # a controller will make another one in its place, and no work is lost by that


def missed_pods(candidates: Iterable[Mapping[str, Any]], sidecar: Mapping[str, Any]) -> list[Missed]:
    """The pods that a new pod in their place would do better than, by name.

    | the pod's marker            | no engine | an engine of that revision | an engine of another    |
    |-----------------------------|-----------|----------------------------|-------------------------|
    | the ModelSidecar's revision | missed    | fine                       | missed                  |
    | another revision            | missed    | the rollout replaces it    | the rollout replaces it |
    | whatever a user wrote       | missed    | fine                       | fine: never stale       |

    Pods that end, that are over, or that the policy leaves alone for good are not missed. A pod that ends by
    itself, as a Job's, is, while it runs; but it stays, because another one in its place would begin its work
    anew.
    """
    found = [_missed(dict(pod), sidecar) for pod in candidates]
    return sorted((miss for miss in found if miss is not None), key=lambda miss: miss.name)


def injected_revision(pod: Mapping[str, Any], model: str) -> str | None:
    """The revision in the instruction that admission stamped on the pod; None where none can be read."""
    text = pods.annotations(pod).get(names.engine_annotation(model))
    return _revision_in(text) if text else None


@functools.lru_cache(maxsize=256)  # the pods of a model carry the same instruction
def _revision_in(text: str) -> str | None:
    try:
        told = json.loads(text)
    except ValueError:
        return None
    found = told.get("revision") if isinstance(told, dict) else None
    return found if isinstance(found, str) else None


def _missed(pod: Raw, sidecar: Mapping[str, Any]) -> Missed | None:
    metadata = pod["metadata"]
    if "deletionTimestamp" in metadata or (pod.get("status") or {}).get("phase") in _OVER:
        return None
    model, wanted = sidecars.name(sidecar), sidecars.revision(sidecar)
    outcome = why_not(pod, sidecar)
    if outcome is None:
        reason = Reason.ENGINE_MISSING
        message = f"Pod {metadata['name']} has no engine for {model}, which its marker asks for."
    elif outcome is Reason.ALREADY_INJECTED:
        asked = pods.annotations(pod).get(names.model_annotation(model))
        has = injected_revision(pod, model)
        if asked != wanted or has == wanted:
            return None
        reason = Reason.REVISION_STALE
        given = has or "an unknown one"
        message = f"Pod {metadata['name']} asks for revision {wanted} of {model} and was given {given}."
    else:
        return None
    stays = _why_it_stays(pod)
    return Missed(
        pod=pod,
        name=metadata["name"],
        uid=metadata["uid"],
        reason=reason,
        message=f"{message} {stays}" if stays else message,
        replaceable=stays is None,
    )


def _why_it_stays(pod: Raw) -> str | None:
    """Why no other pod is made in its place, and what to do; None where one is."""
    policy = pods.spec(pod).get("restartPolicy")
    if pods.runs_to_completion(pods.spec(pod)):
        return (
            f"It stays as it is: its restartPolicy is {policy}, and pods are not restarted in the middle of their "
            f"work. The label {names.INJECT_LABEL}: {names.INJECT_REQUIRED} on its template makes the next ones wait "
            "for their engine."
        )
    if not any(owner.get("controller") for owner in pod["metadata"].get("ownerReferences") or []):
        return "It stays as it is, because no controller would make it again: delete it and create it anew."
    return None
