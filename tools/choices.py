"""What does the planner choose for well-known models on well-known accelerators, under each policy?

The page is made by the planner itself, from shapes that stand in ten_models.yaml: nobody keeps such tables true by
hand.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from pillion import hardware, planner
from pillion.api.modeldeployment import ModelDeploymentSpec, Policy
from pillion.facts import understanding
from pillion.facts.documents import Documents
from pillion.planner import wording

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pillion.facts import ModelFacts

SHAPES = Path(__file__).parent / "ten_models.yaml"
POLICIES = (Policy.BALANCED, Policy.QUALITY, Policy.ECONOMY)
PER_NODE = 8  # accelerators, all of which a pod may take
# A node without accelerators, as large as machines for such a purpose are.
CPU_NODE: Mapping[str, Any] = {
    "metadata": {"name": "cpu", "labels": {}},
    "status": {
        "allocatable": {"cpu": "64", "memory": "256Gi", "ephemeral-storage": "2Ti", "pods": "110"},
    },
}
# No image for AMD is pinned: the plans go by an image that the user names.
OWN_IMAGE = {"amd": "registry.example/vllm-rocm:v0.33.0"}

INTRODUCTION = """\
# What is chosen

Ten models on nine kinds of nodes, under each policy: what the planner answers for one pod with a node of its own, which
has eight accelerators of one kind (the CPU node has 64 cores and 256 GiB), and `spec.hardware.maxPerPod: 8`. All else
is at its default: 8 requests of 8,192 tokens are preferred, on CPU one of 4,096, and 4 bit is the lowest.
[Planning](../planning.md) says how the choice is made.

A cell has the form of the weights, how many accelerators, and how many requests of which length the KV cache holds at
once. `*` is made while loading, `KV8` an 8-bit KV cache; `†` marks an estimate that no start-up log or driver has
confirmed on that accelerator (`EstimateUnverified` in status). A reason in place of a plan is what `Planned` would say.

Beside the models themselves the planner was given the checkpoints in italics; with `checkpoints: TrustedPublishers` it
finds more on the Hub. Nodes of AMD are planned with an image that the user names (`spec.engine.image` and
`spec.hardware.products`): none is pinned. The shapes, with their sources, stand in `tools/ten_models.yaml`.

"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Model:
    """A model, with the checkpoints of it that the planner is given."""

    name: str
    checkpoints: tuple[ModelFacts, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Node:
    """A kind of node."""

    name: str
    product: str | None  # None: no accelerator
    inventory: hardware.Inventory

    @property
    def vendor(self) -> str:
        """Who made its accelerators."""
        pools = self.inventory.accelerators
        return pools[0].vendor if pools else ""


def models() -> tuple[Model, ...]:
    """The models of the page."""
    return tuple(_model(row) for row in _rows()["models"])


def nodes() -> tuple[Node, ...]:
    """The kinds of nodes of the page."""
    return tuple(_node(row) for row in _rows()["hardware"])


def answer(model: Model, node: Node, policy: Policy) -> planner.Outcome:
    """What the planner says to one cell's question."""
    image = OWN_IMAGE.get(node.vendor)
    named = {} if image is None else {"products": [pool.product for pool in node.inventory.accelerators]}
    spec = ModelDeploymentSpec.model_validate(
        {
            "model": {"repo": model.checkpoints[0].repo},
            "quantization": {"policy": policy.value},
            "hardware": {"maxPerPod": PER_NODE, **named},
            **({} if image is None else {"engine": {"image": image}}),
        }
    )
    return planner.plan(
        planner.PlanRequest(
            spec=spec,
            name="chat",
            checkpoints=model.checkpoints,
            inventory=node.inventory,
            target=planner.TargetShape(pods=1),
        )
    )


def page() -> str:
    """The page of the reference."""
    there = nodes()
    return INTRODUCTION + "\n".join(_section(model, there) for model in models())


def _section(model: Model, there: tuple[Node, ...]) -> str:
    base, *also = model.checkpoints
    parameters = (
        f"{base.parameters / 1e9:.1f} billion parameters" if base.parameters else "parameters unknown"
    )
    stored = wording.weights_name(base.quantization.scheme) if base.quantization else "16 bit"
    if base.dtype == "float32":
        stored = "32 bit, held in 16"
    others = "".join(f", *{other.repo}*" for other in also)
    lines = [
        f"## {model.name}\n",
        f"`{base.repo}`: {parameters}, published in {stored}{others}.\n",
        "| node | " + " | ".join(policy.value for policy in POLICIES) + " |",
        "|---|" + "---|" * len(POLICIES),
        *(_row(model, node) for node in there),
        "",
    ]
    return "\n".join(lines)


def _row(model: Model, node: Node) -> str:
    cells = [_cell(answer(model, node, policy)) for policy in POLICIES]
    return f"| {node.name} | " + " | ".join(cells) + " |"


def _cell(outcome: planner.Outcome) -> str:
    if isinstance(outcome, planner.NotPlanned):
        return f"`{outcome.reason.value}`"
    plan = outcome.plan
    form = wording.weights_name(plan.quantization) + ("*" if plan.on_the_fly else "")
    cache = ", KV8" if plan.kv_cache_dtype and plan.kv_cache_dtype.startswith("fp8") else ""
    where = f", {plan.count} GPU{'s' if plan.count > 1 else ''}" if plan.count else ""
    mark = " †" if plan.memory.unverified else ""
    return f"{form}{cache}{where}: {plan.concurrency} x {plan.promised_context_tokens:,}{mark}"


def _model(row: Mapping[str, Any]) -> Model:
    rows = [row, *({**other, "shape": {**row["shape"], **other["shape"]}} for other in row.get("also", ()))]
    return Model(name=row["name"], checkpoints=tuple(_facts(each) for each in rows))


def _facts(row: Mapping[str, Any]) -> ModelFacts:
    if not str(row["source"]).strip():
        raise ValueError(f"the shape of {row['repo']} has no source")
    return understanding.facts(
        Documents(
            repo=row["repo"],
            commit="0" * 40,
            config=row["shape"],
            files=(),
            tokenizer_config={"chat_template": "{{ messages }}"},
            without_weights=True,
        )
    )


def _node(row: Mapping[str, Any]) -> Node:
    product = row["product"]
    there = hardware.inventory([CPU_NODE], ()) if product is None else hardware.imagined(product, PER_NODE)
    return Node(name=row["name"], product=product, inventory=there)


def _rows() -> Mapping[str, Any]:
    rows: Mapping[str, Any] = yaml.safe_load(SHAPES.read_text("utf-8"))
    return rows
