"""CPU, memory, disk and time of the engine's container."""

import dataclasses

import pytest

from pillion import planner
from pillion.api.engine import EngineResources
from tests.unit.hardware import nodes
from tests.unit.planner import worlds
from tests.unit.planner.worlds import A100, H100, L4, LLAMA_8B, PLAIN, QWEN3_8B, TINY

GIB = 2**30
KIND = nodes.node("kind", cpu="2", memory="8Gi")


def test_a_toy_on_a_small_node_asks_for_little() -> None:
    plan = worlds.planned(TINY, on=[KIND]).plan
    assert plan.cpu_request_millis == 250
    assert plan.cpu_limit_millis == 2000  # as many threads as the node has cores
    assert plan.memory_request_bytes <= 3 * GIB
    assert plan.memory_limit_bytes == 6 * GIB
    assert plan.ephemeral_request_bytes <= GIB


def test_a_limit_on_cpu_holds_what_is_needed_and_more() -> None:
    plan = worlds.planned(worlds.QWEN3_8B_AWQ, on=[nodes.node("n", memory="64Gi", cpu="32")]).plan
    needed = plan.memory.weights + plan.memory.kv_cache + plan.memory.activation + plan.memory.other
    assert plan.memory_request_bytes >= needed
    assert plan.memory_limit_bytes >= 1.25 * needed + plan.shm_bytes + 1.5 * GIB
    assert plan.memory.headroom == plan.memory_limit_bytes - needed


def test_models_of_one_class_of_accelerator_have_containers_of_one_size() -> None:
    sizes = {
        (plan.cpu_request_millis, plan.memory_limit_bytes, plan.shm_bytes)
        for plan in (worlds.planned(model, on=[H100]).plan for model in (TINY, QWEN3_8B, LLAMA_8B))
    }
    assert len(sizes) == 1


def test_a_model_on_several_accelerators_gets_more_shared_memory_within_its_limit() -> None:
    two = nodes.gpu_node("two", "NVIDIA-L4", 2)
    pair = worlds.planned(QWEN3_8B, on=[two], quantization={"method": "None"}, hardware={"maxPerPod": 2}).plan
    one = worlds.planned(QWEN3_8B, on=[two]).plan
    assert pair.count == 2
    assert one.shm_bytes < pair.shm_bytes < pair.memory_limit_bytes


def test_weights_on_the_users_own_claim_take_no_disk_of_the_node() -> None:
    claimed = worlds.planned(
        QWEN3_8B, on=[A100], cache={"persistentVolumeClaim": {"claimName": "models"}}
    ).plan
    own = worlds.planned(QWEN3_8B, on=[A100]).plan
    assert claimed.ephemeral_request_bytes < GIB < own.ephemeral_request_bytes
    assert own.ephemeral_limit_bytes >= own.cache_bytes >= QWEN3_8B.download_bytes


def test_pods_keep_their_sizes_where_they_suffice() -> None:
    before = worlds.planned(TINY, on=[PLAIN]).plan
    roomy = dataclasses.replace(
        before, memory_limit_bytes=8 * GIB, memory_request_bytes=6 * GIB, cache_bytes=50 * GIB
    )
    after = worlds.planned(TINY, on=[PLAIN], previous=roomy).plan
    assert (after.memory_limit_bytes, after.memory_request_bytes, after.cache_bytes) == (
        8 * GIB,
        6 * GIB,
        50 * GIB,
    )


def test_pods_get_larger_sizes_where_they_have_to() -> None:
    before = worlds.planned(TINY, on=[PLAIN]).plan
    tight = dataclasses.replace(before, memory_limit_bytes=GIB)
    assert worlds.planned(TINY, on=[PLAIN], previous=tight).plan.memory_limit_bytes == 6 * GIB


def test_a_guaranteed_pod_stays_guaranteed() -> None:
    plan = worlds.planned(TINY, on=[PLAIN], target=planner.TargetShape(pods=1, guaranteed=True)).plan
    assert plan.cpu_request_millis == plan.cpu_limit_millis
    assert plan.memory_request_bytes == plan.memory_limit_bytes


@pytest.mark.parametrize(
    ("model", "seconds"),
    [
        pytest.param(TINY, 601, id="a toy: compilation alone"),
        pytest.param(LLAMA_8B, 600 + 307, id="16 GB at 50 MiB a second"),
    ],
)
def test_time_to_load_follows_the_weights(model: object, seconds: int) -> None:
    assert worlds.planned(model, on=[H100]).plan.startup_timeout_seconds == seconds  # type: ignore[arg-type]


def test_the_users_own_limit_of_time_is_taken() -> None:
    assert worlds.planned(TINY, on=[L4], startupTimeoutSeconds=42).plan.startup_timeout_seconds == 42


def test_the_users_own_image_is_taken() -> None:
    image = "registry.example.com/vllm:1"
    assert worlds.planned(TINY, on=[L4], engine={"image": image}).plan.image == image
    assert worlds.planned(TINY, on=[L4]).plan.image == "vllm/vllm-openai:v0.33.0"
    assert worlds.planned(TINY, on=[PLAIN]).plan.image == "vllm/vllm-openai-cpu:v0.33.0"


@pytest.mark.parametrize(
    ("wanted", "memory"),
    [
        pytest.param({}, (2.75, 6), id="nothing: as computed"),
        pytest.param({"requests": {"memory": "1Gi"}}, (1, 6), id="a request"),
        pytest.param({"requests": {"memory": "8Gi"}}, (8, 8), id="a request above the computed limit"),
        pytest.param({"limits": {"memory": "8Gi"}}, (8, 8), id="a limit, which is its own request"),
        pytest.param({"requests": {"memory": "1Gi"}, "limits": {"memory": "2Gi"}}, (1, 2), id="both"),
        pytest.param({"requests": {"cpu": "4"}}, (2.75, 6), id="of something else"),
    ],
)
def test_the_users_own_memory_stands_in_place_of_the_computed(
    wanted: dict[str, dict[str, str]], memory: tuple[float, float]
) -> None:
    answer = worlds.planned(TINY, on=[PLAIN], engine={"resources": wanted})
    sizes = planner.container_sizes(answer.plan, EngineResources.model_validate(wanted))
    assert (sizes.memory_request_bytes / GIB, sizes.memory_limit_bytes / GIB) == memory


def test_the_plan_keeps_what_it_computed_so_that_the_users_own_can_be_taken_back() -> None:
    own = {"requests": {"memory": "1Gi", "cpu": "1", "ephemeral-storage": "9Gi"}}
    asked = worlds.planned(TINY, on=[PLAIN], engine={"resources": own}).plan
    assert asked == worlds.planned(TINY, on=[PLAIN]).plan
    sizes = planner.container_sizes(asked, EngineResources.model_validate(own))
    assert (sizes.cpu_request_millis, sizes.ephemeral_request_bytes) == (1000, 9 * GIB)
