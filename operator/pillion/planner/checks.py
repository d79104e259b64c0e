"""Why is a candidate turned down?

An ordered row of small checks; the first that objects is the answer. Cheap ones come first, and each may count on
what those before it let through. How far down the row a candidate came says how near it was to fitting.
"""

from collections.abc import Callable

from pillion.planner import accelerator_checks, model_checks, node_checks
from pillion.planner.rejection import Rejection
from pillion.planner.trial import Trial

Check = Callable[[Trial], Rejection | None]

CHECKS: tuple[Check, ...] = (
    model_checks.architecture_served,
    model_checks.same_model,
    model_checks.task_possible,
    model_checks.settings_have_effect,
    model_checks.context_within_model,
    model_checks.quantization_allowed,
    model_checks.quantization_known,
    model_checks.cache_format_known,
    accelerator_checks.product_allowed,
    node_checks.a_node_is_open,
    accelerator_checks.engine_shares,
    accelerator_checks.vendor_has_image,
    accelerator_checks.driver_new_enough,
    accelerator_checks.gpu_computes_format,
    accelerator_checks.heads_divide,
    accelerator_checks.weights_fit,
    accelerator_checks.requests_fit,
    node_checks.a_node_can_take_it,
    node_checks.enough_for_all_pods,
)


def examine(trial: Trial) -> tuple[int, Rejection | None]:
    """How many checks a candidate passed, and what the next one objected; None: it fits."""
    for passed, check in enumerate(CHECKS):
        rejection = check(trial)
        if rejection is not None:
            return passed, rejection
    return len(CHECKS), None


def looked_at_memory(passed: int) -> bool:
    """Whether a candidate that passed so many checks came to those of memory."""
    return passed >= CHECKS.index(accelerator_checks.weights_fit)
