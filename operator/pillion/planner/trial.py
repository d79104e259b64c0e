"""What does one candidate need, and what would it get?

Everything about a candidate is computed once, when a check first asks for it.
"""

import functools
import math
from dataclasses import dataclass

from pillion import engines
from pillion.api.modeldeployment import Modalities, Task
from pillion.facts import ModelFacts
from pillion.hardware import NodeRoom
from pillion.planner import images, memory, number_formats, resources, sequences
from pillion.planner import placement as placing
from pillion.planner import wishes as wishing
from pillion.planner.candidates import Candidate
from pillion.planner.model import Device, PlanRequest
from pillion.sizing import (
    budget,
    defaults,
    kv_cache,
    tgi,
    unverified,
    versions,
    weights,
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Share:
    """Memory with one choice of sequences, and what requests it grants; None: less than is required."""

    demand: budget.Demand
    division: budget.Division
    layout: kv_cache.KvLayout | None
    granted: wishing.Granted | None


class Trial:
    """A candidate under examination."""

    def __init__(
        self, candidate: Candidate, request: PlanRequest, profile: engines.Profile, places: placing.Places
    ) -> None:
        self.candidate = candidate
        self.request = request
        self.profile = profile
        self.places = places

    @property
    def model(self) -> ModelFacts:
        """The checkpoint."""
        return self.candidate.model

    @functools.cached_property
    def task(self) -> Task:
        """What the model is used for."""
        asked = self.request.spec.model.task
        return self.model.task if asked is Task.AUTO else asked

    @property
    def image(self) -> str:
        """The engine's image: the user's, the operator's own for the device, or the pinned one."""
        if self.request.spec.engine.image is not None:
            return self.request.spec.engine.image
        device = self.candidate.device.value
        return self.request.images.get(device) or self.profile.image(device)

    @functools.cached_property
    def told_version(self) -> str | None:
        """The engine's version as the image's name tells it; None: it does not."""
        return images.told_version(self.image, self.profile)

    @property
    def planned_version(self) -> str:
        """The version that all judgements of the image go by: the one that is told, or else the profile's."""
        return self.told_version or self.profile.version

    @functools.cached_property
    def sized_as(self) -> versions.Version:
        """The same as the rules of memory count versions."""
        if self.profile.name == memory.TGI:
            return versions.PINNED  # what is counted by the other engine's version is counted alike here
        return versions.parse(self.planned_version) or versions.PINNED

    @functools.cached_property
    def unverified(self) -> str | None:
        """Why nothing has confirmed the estimate of memory of this model on this accelerator; None where logs have."""
        pool = self.candidate.pool
        if pool is None:
            return None
        if self.profile.name == memory.TGI:
            return f"the memory of {memory.TGI} follows its own formula, which one log confirms"
        hardware = unverified.hardware(pool.product)
        if hardware is not None:
            return f"no start-up log of {hardware} has been compared with the memory model"
        kind = self.model.architecture or "a model that names no architecture"
        if not self.model.known_architecture:
            return f"the tensors of {kind} are not known, and its weights are estimated"
        if self.profile.knows_architecture(kind) is None:
            # Headers may give the weights exactly; what the engine takes beside them is then still a guess.
            return f"{self.profile.name} {self.profile.version} does not list {kind}, of which no log has been compared"
        return None if pool.memory_verified else f"its memory is {pool.memory_source}, which no log has shown"

    @functools.cached_property
    def wishes(self) -> wishing.Wishes:
        """What requests it shall hold."""
        return wishing.wishes(self.request.spec, self.model, self.candidate.device)

    @functools.cached_property
    def utilization(self) -> float:
        """The engine's share of one accelerator; of a shared one its part alone."""
        pool = self.candidate.pool
        replicas = 1 if pool is None else pool.replicas
        return math.floor(self.profile.default_utilization / replicas * 100) / 100

    @functools.cached_property
    def total_bytes(self) -> int:
        """Memory of one accelerator, or what the largest node could give to a pod."""
        if self.candidate.pool is not None:
            return self.candidate.pool.memory_bytes
        if self.cpu_node is None:
            return 0
        own = self.request.target.memory_bytes if self.request.target else 0
        return max(0, self.cpu_node.allocatable_memory_bytes - own)

    @functools.cached_property
    def cpu_node(self) -> NodeRoom | None:
        """The node with the most memory, for an engine on CPU."""
        return self.places.open_to(None).largest

    @functools.cached_property
    def share(self) -> Share:
        """The memory with the number of sequences that serves the wishes best; more of them where equal."""
        best: tuple[tuple[int, int], Share] | None = None
        numbers = sequences.to_try(
            self.wishes.concurrency,
            on_cpu=self.candidate.device is Device.CPU,
            usable_bytes=math.floor(self.total_bytes * self.utilization),
            vocab_size=self.model.vocab_size,
        )
        for number in numbers:
            share = self._share(number)
            if share.granted is None:
                continue
            shortfall = share.granted.shortfall(self.wishes)
            if best is None or shortfall < best[0]:
                best = (shortfall, share)
            if not any(shortfall):
                break
        return share if best is None else self._no_more_than_states(best[1])

    def _no_more_than_states(self, share: Share) -> Share:
        """The same with fewer sequences, where each needs a state of its own and there is not room for so many."""
        layout, granted = share.layout, share.granted
        if layout is None or granted is None or not layout.recurrent_groups:
            return share
        held = layout.concurrency(context_tokens=1, room_bytes=max(0, share.division.room))
        fewer = max(granted.concurrency, held)
        return self._share(fewer) if fewer < share.demand.max_num_seqs else share

    @functools.cached_property
    def sizes(self) -> resources.Sizes:
        """Requests and limits of the container, with what the user set in their place."""
        return resources.as_asked(self.computed_sizes, self.request.spec.engine.resources)

    @functools.cached_property
    def computed_sizes(self) -> resources.Sizes:
        """The same as the plan computes them."""
        candidate, target = self.candidate, self.request.target
        claims_cache = self.request.spec.cache is not None
        if candidate.pool is not None:
            sizes = resources.on_accelerators(
                candidate.pool,
                count=candidate.count,
                download_bytes=self.model.download_bytes,
                target=target,
                claims_cache=claims_cache,
            )
        else:
            needed, limit = self.cpu_container
            sizes = resources.on_cpu(
                needed_bytes=needed,
                limit_bytes=limit,
                parameters=self.model.active_parameters,
                download_bytes=self.model.download_bytes,
                node_cpu_millis=self.cpu_node.allocatable_cpu_millis if self.cpu_node else 0,
                target=target,
                claims_cache=claims_cache,
            )
        return resources.kept(sizes, self.request.previous, same_class=self.same_class_as_previous)

    @functools.cached_property
    def cpu_container(self) -> tuple[int, int]:
        """Memory of the container on CPU: what it needs, and its limit."""
        return budget.cpu_container_bytes(
            self.share.demand,
            kv_cache_bytes=self.kv_cache_bytes,
            shm_bytes=resources.shared_memory_bytes(tensor_parallel=1),
        )

    @functools.cached_property
    def kv_cache_bytes(self) -> int:
        """What the requests that it grants, or where it grants none the fewest that would do, need."""
        layout, granted, wanted = self.share.layout, self.share.granted, self.wishes
        if layout is None:
            return 0
        if granted is not None:
            return layout.bytes_for(context_tokens=granted.context_tokens, concurrency=granted.concurrency)
        return layout.bytes_for(
            context_tokens=wanted.context_floor,
            concurrency=wanted.concurrency if wanted.concurrency_required else 1,
        )

    @functools.cached_property
    def placement(self) -> placing.Placement:
        """Where the pods can go."""
        candidate = self.candidate
        return self.places.placement(candidate.pool, count=candidate.count, needs=self.sizes.needs)

    @functools.cached_property
    def same_class_as_previous(self) -> bool:
        """Whether running pods could take the plan: same accelerator, same number."""
        previous, candidate = self.request.previous, self.candidate
        return previous is not None and previous.class_key == (
            candidate.device.value,
            candidate.product,
            candidate.pool.resource if candidate.pool else None,
            candidate.count,
        )

    @property
    def _text_only(self) -> bool:
        return self.request.spec.serving.modalities is Modalities.TEXT

    @property
    def _samples(self) -> bool:
        return self.task is Task.TEXT_GENERATION

    def _batched_tokens(self, at_once: int) -> int:
        pool = self.candidate.pool
        if self.profile.name == memory.TGI:
            return round(tgi.PREFILL_TOKENS.value)
        usual = defaults.batched_tokens(
            self.sized_as,
            device_bytes=pool.memory_bytes if pool else 0,
            product=pool.product if pool else "",
            capability=self.candidate.capability,
        )
        wanted = self.wishes
        if not self._samples:
            # Computed in one piece: a batch holds one request at least.
            return max(usual, wanted.context_tokens)
        # No more than all sequences can have (vLLM 0.33.0, engine/arg_utils.py).
        return min(
            usual, at_once * (wanted.context_tokens if wanted.context_required else wanted.model_limit)
        )

    def _share(self, at_once: int) -> Share:
        on_cpu = self.candidate.device is Device.CPU
        demand = budget.Demand(
            model=self.model,
            tensor_parallel=max(1, self.candidate.count),
            loading=weights.Loading(
                plain_bytes=number_formats.plain_bytes(self.candidate),
                online=self.candidate.quantization if self.candidate.on_the_fly else None,
                version=self.sized_as,
                capability=self.candidate.capability,
            ),
            kv_element_bytes=number_formats.cache_bytes(self.candidate, self.sized_as),
            max_num_seqs=at_once,
            batched_tokens=self._batched_tokens(at_once),
            samples=self._samples,
            text_only=self._text_only,
            graphs=not on_cpu,
            context_tokens=self.wishes.context_tokens if self.wishes.context_required else None,
            version=self.sized_as,
            capability=self.candidate.capability,
            block_tokens=kv_cache.CPU_BLOCK_TOKENS if on_cpu else kv_cache.GPU_BLOCK_TOKENS,
        )
        layout = memory.layout(demand, engine=self.profile.name)
        division = (
            memory.on_cpu(demand, total_bytes=self.total_bytes)
            if on_cpu
            else memory.on_accelerator(
                demand,
                engine=self.profile.name,
                total_bytes=self.total_bytes,
                utilization=self.utilization,
            )
        )
        return Share(
            demand=demand,
            division=division,
            layout=layout,
            granted=wishing.granted(self.wishes, layout, room_bytes=division.room),
        )
