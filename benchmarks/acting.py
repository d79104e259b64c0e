"""What do users do in a scenario, what does the floor do beside it, and how long does each take?

Every ModelDeployment has a target of its own, a Deployment that is there before, with no replicas unless the scenario
is about pods: how long it takes until a target is marked does not depend on them, and simulated pods would take the
control plane's CPU. All are in one namespace and name one small model of a local Hub, which the operator has read
before the clock runs.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from benchmarks import floor, states
from benchmarks.api import (
    CONFIG_MAPS,
    DEPLOYMENTS,
    FLOOR_CAUSES,
    FLOOR_GROUP,
    MODEL_DEPLOYMENTS,
    MODEL_SIDECARS,
    Api,
    Raw,
    at_once,
)
from benchmarks.bench import FLOOR_NAMESPACE, NAMESPACE
from benchmarks.seeing import Sight, soon
from tests.hub import models
from tests.integration.operating import stage

if TYPE_CHECKING:
    from collections.abc import Awaitable, Iterable, Sequence

QUIET_SECONDS = 2.0  # no event of the operator's objects for so long: it has settled
WARM_SECONDS = 60.0
WARM = "warm"  # the ModelDeployment that went through before the others


@dataclass(frozen=True, kw_only=True, slots=True)
class Eyes:
    """Watches of everything that a scenario waits for."""

    models: Sight
    sidecars: Sight
    targets: Sight
    floor: Sight

    @classmethod
    def open(cls, api: Api, group: asyncio.TaskGroup) -> Eyes:
        """Begin to watch."""
        return cls(
            models=Sight.of(api, MODEL_DEPLOYMENTS, NAMESPACE, group),
            sidecars=Sight.of(api, MODEL_SIDECARS, NAMESPACE, group),
            targets=Sight.of(api, DEPLOYMENTS, NAMESPACE, group),
            floor=Sight.of(api, CONFIG_MAPS, FLOOR_NAMESPACE, group),
        )

    async def settled(self) -> float:
        """The time of the last change to what the operator writes, once nothing changes any more."""
        return max([await sight.quiet(QUIET_SECONDS) for sight in (self.models, self.sidecars, self.targets)])

    def close(self) -> None:
        """Stop watching."""
        for sight in (self.models, self.sidecars, self.targets, self.floor):
            sight.close()


@dataclass(frozen=True, kw_only=True, slots=True)
class Served:
    """When a ModelDeployment got what, in seconds since it was sent to the API server."""

    sidecar: float
    marked: float
    told: float  # its first full status


async def prepare(api: Api, eyes: Eyes, names: Sequence[str], *, replicas: int = 0) -> None:
    """Targets that have been there for a while, and one ModelDeployment that has been through before the others."""
    await add_targets(api, eyes, [WARM])
    await add_targets(api, eyes, names, replicas=replicas)
    async with asyncio.timeout(
        WARM_SECONDS
    ):  # an operator that serves nobody is soon told apart from a slow one
        await serve(api, eyes, WARM)
    await bare_loop(api, eyes, WARM)
    await eyes.settled()


async def add_targets(api: Api, eyes: Eyes, names: Sequence[str], *, replicas: int = 0) -> None:
    """Deployments that their own controller has seen."""
    await at_once(
        [api.create(DEPLOYMENTS, stage.web(NAMESPACE, name=name, replicas=replicas)) for name in names]
    )
    for name in names:
        await soon(
            eyes.targets.when(name, states.is_observed), f"Deployment {name} that its controller has seen"
        )


def model(
    name: str, *, repo: str = models.TINY_RIVER, target: str | None = None, spec: Raw | None = None
) -> Raw:
    """A ModelDeployment, with more of its spec where more is to be said; without a target pods opt in themselves."""
    return stage.model(NAMESPACE, repo, name=name, target=target, **(spec or {}))


async def serve(
    api: Api, eyes: Eyes, name: str, *, since: float | None = None, spec: Raw | None = None
) -> Served:
    """Create a ModelDeployment, and see what it gets. The clock starts with the request, or has started before."""
    loop = asyncio.get_running_loop()
    sidecar = eyes.sidecars.when(name, lambda _: True)
    marked = eyes.targets.when(name, lambda target: states.marker(target, name) is not None)
    told = eyes.models.when(name, states.is_told)
    started = loop.time() if since is None else since
    await api.create(MODEL_DEPLOYMENTS, model(name, target=name, spec=spec))
    return Served(
        sidecar=await soon(sidecar, f"ModelSidecar {name}") - started,
        marked=await soon(marked, f"marker on Deployment {name}") - started,
        told=await soon(told, f"status of ModelDeployment {name}") - started,
    )


async def serve_all(api: Api, eyes: Eyes, names: Iterable[str]) -> list[Served]:
    """The same for all at once, on one clock."""
    started = asyncio.get_running_loop().time()
    return await gather([serve(api, eyes, name, since=started) for name in names])


async def changed(api: Api, eyes: Eyes, name: str, spec: Raw) -> float:
    """Change a ModelDeployment; seconds until its ModelSidecar is another."""
    loop = asyncio.get_running_loop()
    generation = eyes.sidecars.objects[name]["metadata"]["generation"]
    other = eyes.sidecars.when(name, lambda sidecar: sidecar["metadata"]["generation"] > generation)
    started = loop.time()
    await api.patch(MODEL_DEPLOYMENTS, NAMESPACE, name, {"spec": spec})
    return await soon(other, f"other ModelSidecar {name}") - started


async def unmarked(api: Api, eyes: Eyes, name: str) -> float:
    """Delete a ModelDeployment; seconds until its target's pod template carries no marker of it."""
    loop = asyncio.get_running_loop()
    clean = eyes.targets.when(name, lambda target: states.marker(target, name) is None)
    started = loop.time()
    await api.delete(MODEL_DEPLOYMENTS, NAMESPACE, name)
    return await soon(clean, f"Deployment {name} without a marker") - started


async def at_rest(eyes: Eyes, name: str) -> None:
    """Its status is written, and the Deployment's own controller has followed: nobody works on it any more."""
    generation = eyes.models.objects[name]["metadata"]["generation"]
    await soon(
        eyes.models.when(
            name, lambda model: model["metadata"]["generation"] >= generation and states.is_told(model)
        ),
        f"status of ModelDeployment {name}",
    )
    await soon(eyes.targets.when(name, states.is_observed), f"Deployment {name} that its controller has seen")


# The floor


async def bare_loop(api: Api, eyes: Eyes, name: str, *, since: float | None = None) -> float:
    """Creation, for the floor: seconds until its one object is there."""
    loop = asyncio.get_running_loop()
    answered = eyes.floor.when(name, lambda _: True)
    body = stage.model(FLOOR_NAMESPACE, models.TINY_RIVER, name=name, target=name)
    started = loop.time() if since is None else since
    await api.create(FLOOR_CAUSES, {**body, "apiVersion": f"{FLOOR_GROUP}/v1alpha1"})
    return await soon(answered, f"answer of the floor to {name}") - started


async def bare_loops(api: Api, eyes: Eyes, names: Iterable[str]) -> list[float]:
    """The same for all at once, on one clock."""
    started = asyncio.get_running_loop().time()
    return await gather([bare_loop(api, eyes, name, since=started) for name in names])


async def bare_change(api: Api, eyes: Eyes, name: str, spec: Raw) -> float:
    """A change, for the floor: seconds until its one object says so."""
    loop = asyncio.get_running_loop()
    before = int(eyes.floor.objects[name]["data"][floor.GENERATION])
    answered = eyes.floor.when(name, lambda answer: int(answer["data"][floor.GENERATION]) > before)
    started = loop.time()
    await api.patch(FLOOR_CAUSES, FLOOR_NAMESPACE, name, {"spec": spec})
    return await soon(answered, f"answer of the floor to the change of {name}") - started


async def bare_end(api: Api, eyes: Eyes, name: str) -> float:
    """A deletion, for the floor: seconds until its one object is gone."""
    loop = asyncio.get_running_loop()
    answered = eyes.floor.gone(name)
    started = loop.time()
    await api.delete(FLOOR_CAUSES, FLOOR_NAMESPACE, name)
    return await soon(answered, f"answer of the floor to the end of {name}") - started


async def gather(work: Sequence[Awaitable[Any]]) -> list[Any]:
    """All at once."""
    return list(await asyncio.gather(*work))
