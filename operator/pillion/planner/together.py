"""How are several models of one target planned, when only one can be planned at a time?

Each leaves room in its pods for those that are still to come, where any node has that: a model that took the nodes with
one accelerator would leave none for its neighbour. Where no node has room for all, it is planned as if it were alone.
"""

from dataclasses import replace

from pillion.planner import choose
from pillion.planner.model import NotPlanned, Outcome, Planned, PlanRequest


def plan(request: PlanRequest) -> Outcome:
    """The best candidate that fits as a plan, with room for the models that are to come where that is possible."""
    target = request.target
    if target is None or not target.awaited:
        return _with_neighbours(choose.plan(request), request)
    outcome = choose.plan(request)
    if isinstance(outcome, Planned):
        return outcome
    return _with_neighbours(choose.plan(replace(request, target=replace(target, awaited=0))), request)


def _with_neighbours(outcome: Outcome, request: PlanRequest) -> Outcome:
    """What might help a model that fits nowhere beside the ones that were planned before it."""
    target = request.target
    if not isinstance(outcome, NotPlanned) or target is None or not target.beside or not outcome.about_nodes:
        return outcome
    others = ", ".join(f"ModelDeployment {name}" for name in target.beside)
    return replace(
        outcome,
        message=f"{outcome.message} It shares its pods with {others}, planned before it: the annotation "
        "pillion.dev/replan there has both planned for the same nodes.",
    )
