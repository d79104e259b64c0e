"""How are a plan, a pod and what happens meanwhile shown?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pillion.planner import wording
from tests.e2e.harness.application import condition
from tests.e2e.harness.models import ALL_CONDITIONS
from tests.e2e.harness.waiting import NotYet, until

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tests.demo.telling import Teller
    from tests.e2e.harness.models import Model

Raw = dict[str, Any]

VARIABLES = ("OPENAI_BASE_URL", "OPENAI_API_KEY", "OPENAI_MODEL")
MEMORY = (
    ("weights", "Weights"),
    ("kvCache", "KV cache"),
    ("activation", "Activations"),
    ("other", "Other"),
    ("usable", "Usable"),
    ("headroom", "Headroom"),
    ("sixteenBit", "Weights in 16 bit"),
)


def conditions(progress: Callable[[str], None], model: Model, *, seconds: float) -> None:
    """Say what changes until the model is ready."""
    said: dict[str, str] = {}

    def look() -> None:
        found = model.object()
        generation = found["metadata"]["generation"]
        for kind in ALL_CONDITIONS:
            shown = condition(found, kind)
            if not shown or shown.get("observedGeneration") != generation:
                continue
            line = f"{kind}={shown['status']} ({shown['reason']}): {shown['message']}"
            if said.get(kind) != line:
                said[kind] = line
                if kind != "Ready":  # it repeats the first of the others
                    progress(line)
        ready = condition(found, "Ready")
        if ready.get("status") != "True" or ready.get("observedGeneration") != generation:
            raise NotYet("; ".join(said.values()) or "the operator has not looked at it yet")

    until("the model to be ready", look, seconds=seconds, more=model.space.circumstances)


def plan(tell: Teller, found: Raw) -> None:
    """What was chosen, its memory, and the candidates that were not."""
    status = found["status"]
    chosen, memory = status["plan"], status["plan"].get("memory", {})
    facts = status.get("model", {})
    rows = [
        ("Checkpoint", f"{chosen['checkpoint']} at {chosen['commit'][:12]}"),
        (
            "Model",
            f"{facts.get('architecture', '?')}, {facts.get('parameters', 0):,} parameters, {facts.get('task', '?')}",
        ),
        ("Quantization", f"{chosen['quantization']} ({chosen['bits']} bit)"),
        ("Device", str(chosen.get("accelerator") or chosen["device"])),
        (
            "Engine",
            f"{chosen['engine']} {chosen.get('engineVersion', 'of unknown version')}, {chosen['image']}",
        ),
        ("Room", wording.requests_of(chosen["concurrency"], chosen["contextLength"])),
        ("Memory", ", ".join(f"{words} {memory[key]}" for key, words in MEMORY if key in memory)),
        *((("Given up", chosen["givenUp"]),) if chosen.get("givenUp") else ()),
        *(("Warning", f"{each['reason']}: {each['message']}") for each in status.get("warnings", ())),
        *(
            ("Not chosen", f"{each.get('checkpoint', '')} {each.get('quantization', '')}: {each['message']}")
            for each in status.get("candidates", ())[:3]
        ),
    ]
    tell.table(("", ""), rows)


def pod(tell: Teller, before: Raw, after: Raw, *, model: str) -> None:
    """The pod, and that its container of the application is as it was."""
    containers = [*after["spec"].get("initContainers", ()), *after["spec"]["containers"]]
    statuses = {
        each["name"]: each
        for key in ("containerStatuses", "initContainerStatuses")
        for each in after["status"].get(key, ())
    }
    tell.line(f"Before: {before['metadata']['name']}. Now: {after['metadata']['name']}.")
    rows = [
        (
            each["name"],
            each["image"],
            "ready" if statuses.get(each["name"], {}).get("ready") else "not ready",
            str(statuses.get(each["name"], {}).get("restartCount", "")),
        )
        for each in containers
    ]
    tell.table(("container", "image", "state", "restarts"), rows)
    marker = after["metadata"]["annotations"].get(f"model.pillion.dev/{model}", "")
    tell.line(f"In the Deployment's pod template there is a label and an annotation more: {marker}.")


def environment(tell: Teller, variables: Mapping[str, str]) -> None:
    """What the application finds."""
    names = [*VARIABLES, *sorted(name for name in variables if name.startswith("PILLION_"))]
    tell.table(("variable", "value"), [(name, variables[name]) for name in names if name in variables])
