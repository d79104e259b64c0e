"""Which candidate is chosen, and what is said of the others?

A pure function of the request: the same question has the same answer, whatever the order of nodes. Where pods run
already, their kind of accelerator is taken again as long as it fits, so that they need not be replaced.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from pillion import engines
from pillion.api.modeldeployment import EngineName, Method
from pillion.api.reasons import Reason
from pillion.facts import ModelFacts
from pillion.hardware import gpus
from pillion.planner import candidates as listing
from pillion.planner import checks, lifted, node_checks, plans, policies, remedies, wording
from pillion.planner import warnings as warning
from pillion.planner.model import NotPlanned, Outcome, Plan, Planned, PlanRequest, Rejected
from pillion.planner.placement import Places
from pillion.planner.rejection import Rejection
from pillion.planner.trial import Trial

_ENGINES = {EngineName.AUTO: "vLLM", EngineName.VLLM: "vLLM", EngineName.TGI: "TGI"}


@dataclass(frozen=True, kw_only=True, slots=True)
class _Turned:
    """A candidate that was turned down, and how far it came."""

    trial: Trial
    passed: int
    rejection: Rejection


def plan(request: PlanRequest) -> Outcome:
    """The best candidate that fits as a plan, or why none does and what would help."""
    profile = engines.profile(_ENGINES[request.spec.engine.name])
    fitting, turned = _sorted_out(request, profile)
    if not fitting:
        return _not_planned(request, turned)
    policy = request.spec.quantization.policy
    ordered = sorted(fitting, key=lambda trial: policies.key(policy, trial))
    chosen = next((trial for trial in ordered if trial.same_class_as_previous), ordered[0])
    made = plans.made(chosen)
    later = [trial for trial in ordered if trial is not chosen]
    return Planned(
        plan=made,
        rejected=(*(_ordered_after(trial, chosen) for trial in later), *_rejected(turned)),
        warnings=warning.found(chosen, made),
        accelerators_total=chosen.placement.accelerators_total,
        accelerators_free=chosen.placement.accelerators_free,
    )


def fits(request: PlanRequest) -> Plan | None:
    """The plan, without a word on the others; for questions of what would help."""
    fitting, _ = _sorted_out(request, engines.profile(_ENGINES[request.spec.engine.name]))
    policy = request.spec.quantization.policy
    best = min(fitting, key=lambda trial: policies.key(policy, trial), default=None)
    return plans.made(best) if best is not None else None


def _sorted_out(request: PlanRequest, profile: engines.Profile) -> tuple[list[Trial], list[_Turned]]:
    fitting: list[Trial] = []
    turned: list[_Turned] = []
    places = Places(request, profile)
    for candidate in listing.candidates(request, profile):
        trial = Trial(candidate, request, profile, places)
        passed, rejection = checks.examine(trial)
        if rejection is None:
            fitting.append(trial)
        else:
            turned.append(_Turned(trial=trial, passed=passed, rejection=rejection))
    return fitting, turned


def _not_planned(request: PlanRequest, turned: Sequence[_Turned]) -> NotPlanned:
    if not turned:
        return _nothing_to_try(request)
    nearest = _nearest_first(turned)[0]
    reason = _reason(nearest)
    match nearest.rejection.reason:
        case Reason.QUANTIZATION_NOT_ALLOWED:
            message = _pin_impossible(request)
        case Reason.PRODUCT_NOT_ALLOWED:
            message = _product_missing(request)
        case _:
            message = nearest.rejection.message
    remedy = remedies.nearest(
        request,
        fits,
        missing_memory=reason is Reason.NO_ACCELERATOR_FITS or _lacks_memory(nearest),
        missing_number=reason is Reason.INSUFFICIENT_ACCELERATORS,
    )
    if remedy is None and _lacks_memory(nearest) and nearest.trial.candidate.pool is not None:
        remedy = (
            "Not even eight of the largest accelerators that are known would do: a smaller model might, or a quantized "
            "checkpoint in spec.model.variants."
        )
    if remedy is None and reason is Reason.NO_NODE_FITS:
        remedy = lifted.way_in(request, fits) or node_checks.node_that_would_do(nearest.trial)
    return NotPlanned(
        reason=reason,
        message=f"{message} {remedy}" if remedy else message,
        rejected=_rejected(turned),
    )


# What a condition says where the nearest candidate was turned down for this; everything else is the accelerators'.
_REASONS = {
    Reason.ARCHITECTURE_UNSUPPORTED: Reason.ARCHITECTURE_UNSUPPORTED,
    Reason.REMOTE_CODE_REQUIRED: Reason.REMOTE_CODE_REQUIRED,
    Reason.TASK_UNSUPPORTED: Reason.TASK_UNSUPPORTED,
    Reason.CONTEXT_EXCEEDS_MODEL: Reason.CONTEXT_EXCEEDS_MODEL,
    Reason.QUANTIZATION_NOT_ALLOWED: Reason.PIN_IMPOSSIBLE,
    Reason.QUANTIZATION_UNSUPPORTED: Reason.QUANTIZATION_UNSUPPORTED,
    Reason.PRODUCT_NOT_ALLOWED: Reason.NO_ACCELERATORS,
    Reason.SHARED_ACCELERATOR: Reason.SHARED_ACCELERATOR,
    Reason.ENGINE_IMAGE_MISSING: Reason.ENGINE_IMAGE_MISSING,
    Reason.DRIVER_TOO_OLD: Reason.DRIVER_TOO_OLD,
    Reason.INSUFFICIENT_ACCELERATORS: Reason.INSUFFICIENT_ACCELERATORS,
    Reason.NO_NODE_FITS: Reason.NO_NODE_FITS,
}
_ABOUT_MEMORY = frozenset(
    {Reason.WEIGHTS_EXCEED_MEMORY, Reason.CONTEXT_DOES_NOT_FIT, Reason.CONCURRENCY_DOES_NOT_FIT}
)


def _reason(nearest: _Turned) -> Reason:
    if _lacks_memory(nearest) and nearest.trial.candidate.pool is None:
        return Reason.NO_NODE_FITS
    return _REASONS.get(nearest.rejection.reason, Reason.NO_ACCELERATOR_FITS)


def _lacks_memory(turned: _Turned) -> bool:
    return turned.rejection.reason in _ABOUT_MEMORY


def _nothing_to_try(request: PlanRequest) -> NotPlanned:
    """Not even a candidate: the spec leaves no device, or nobody knows which accelerators there are."""
    hardware = request.spec.hardware
    if request.inventory.any_accelerator:
        return NotPlanned(
            reason=Reason.ACCELERATOR_UNKNOWN,
            message=f"No accelerator of the cluster can be planned with: {_first(request.inventory.notes)}. CPU is "
            "taken by itself only where there is no accelerator at all; spec.hardware.accelerator: CPU asks for it.",
        )
    if hardware.products:
        message = f"{_product_missing(request)} Remove it to run the model on CPU."
    else:
        message = (
            "spec.hardware.accelerator is GPU, and no node offers one; add a node that does, or "
            "set it to CPU or Auto."
        )
    return NotPlanned(reason=Reason.NO_ACCELERATORS, message=message)


def _first(notes: Sequence[str], *, told: int = 3) -> str:
    more = f"; and {len(notes) - told} more" if len(notes) > told else ""
    return "; ".join(notes[:told]) + more


def _product_missing(request: PlanRequest) -> str:
    """No node has what spec.hardware.products names; what there is, or what was meant."""
    named = request.spec.hardware.products
    there = [pool.product for pool in request.inventory.accelerators]
    if there:
        rest = f"the nodes have {wording.listed(sorted(set(there)))}"
    else:
        unknown = [product for product in named if gpus.by_product(product) is None]
        meant = sorted({near for product in unknown for near in gpus.nearest(product)})
        rest = "no node has an accelerator" + (f" (near it in spelling: {', '.join(meant)})" if meant else "")
    return f"spec.hardware.products asks for {wording.listed(named, last='or')}; {rest}."


def _pin_impossible(request: PlanRequest) -> str:
    """What is asked for of the weights, what there is, and which checkpoint would do."""
    wanted, checkpoints = request.spec.quantization, request.checkpoints
    there = sorted({_weights(model) for model in checkpoints})
    repos = wording.listed([model.repo for model in checkpoints])
    have = "has" if len(checkpoints) == 1 else "have"
    made = ""
    if any(model.quantization is None for model in checkpoints):
        profile = engines.profile(_ENGINES[request.spec.engine.name])
        forms = [form for form in listing.MADE_WHILE_LOADING if form in profile.on_the_fly]
        made = f", of which {profile.name} can make {wording.listed(forms, last='or')} while loading"
    if wanted.method is not Method.AUTO:
        form = f"{wording.weights_name(wanted.method.value)} weights"
        asked = f"spec.quantization.method: {wanted.method.value} asks for {form}"
    else:
        form = f"weights of {wanted.min_bits} to {wanted.max_bits} bits"
        asked = f"spec.quantization allows {form}"
    return (
        f"{asked}; {repos} {have} {wording.listed(there)}{made}. Name a checkpoint with {form} in "
        "spec.model.variants."
    )


def _weights(model: ModelFacts) -> str:
    """The form of a checkpoint's weights, with their bits where the name does not tell them."""
    stored = model.quantization
    name = wording.weights_name("None" if stored is None else stored.scheme)
    return f"{name} weights" + ("" if stored is None or stored.bits is None else f" ({stored.bits} bits)")


def _ordered_after(trial: Trial, chosen: Trial) -> Rejected:
    first = chosen.candidate
    of_it = f" of {first.model.repo}" if first.model.repo != trial.model.repo else ""
    policy = trial.request.spec.quantization.policy
    if chosen.same_class_as_previous and not trial.same_class_as_previous:
        why = "the pods that run have its accelerators already"
    else:
        why = policies.why_first(policy, chosen, trial)
    return _as_rejected(
        trial,
        Rejection(
            reason=Reason.ORDERED_AFTER,
            message=f"{_holds(trial)}{_cache_words(trial)}; {first.form}{of_it} on "
            f"{wording.device(first.count, first.product)} comes first by the policy {policy.value}: {why}.",
        ),
    )


def _holds(trial: Trial) -> str:
    """What requests a candidate that fits would hold, and of how many; its memory is the reason where these are few."""
    granted, wanted, share = trial.share.granted, trial.wishes, trial.share
    if granted is None or share.layout is None:
        return f"Fits with {wording.gib(share.division.weights)} of weights"
    holds = f"Holds {wording.requests_of(granted.concurrency, granted.context_tokens)}"
    if granted.shortfall(wanted) == (0, 0):
        return holds
    same_length = granted.context_tokens == wanted.context_tokens
    all_of_them = (
        f"{wanted.concurrency:,}"
        if same_length
        else wording.requests_of(wanted.concurrency, wanted.context_tokens)
    )
    room, weights = wording.gib(max(0, share.division.room)), wording.gib(share.division.weights)
    return f"{holds}, {all_of_them} wanted, in {room} of KV cache beside {weights} of weights"


def _cache_words(trial: Trial) -> str:
    return " with an FP8 KV cache" if trial.candidate.kv_cache_quantized else ""


def _rejected(turned: Sequence[_Turned]) -> tuple[Rejected, ...]:
    return tuple(_as_rejected(each.trial, each.rejection) for each in _nearest_first(turned))


def _nearest_first(turned: Sequence[_Turned]) -> list[_Turned]:
    """Those that came furthest first; among equals fewer accelerators, then the policy's own last word, names."""
    return sorted(
        turned,
        key=lambda each: (
            -each.passed,
            each.trial.candidate.count,
            _missing_bytes(each),
            each.trial.candidate.names,
        ),
    )


def _missing_bytes(turned: _Turned) -> int:
    """How much more memory it would have taken, where memory was looked at."""
    if not checks.looked_at_memory(turned.passed):
        return 0
    return turned.trial.kv_cache_bytes - turned.trial.share.division.room


def _as_rejected(trial: Trial, rejection: Rejection) -> Rejected:
    candidate = trial.candidate
    return Rejected(
        checkpoint=candidate.model.repo,
        quantization=candidate.quantization,
        product=candidate.product,
        count=candidate.count,
        reason=rejection.reason,
        message=rejection.message,
    )
