"""A plan and the facts of a tiny model, as the planner would give them."""

from pillion import planner
from pillion.api.modeldeployment import Task
from pillion.facts import AttentionKind, AttentionShape, ModelFacts, WeightsShape

MIB = 2**20
COMMIT = "0123456789abcdef0123456789abcdef01234567"


def cpu_plan(checkpoint: str = "pillion-test/tiny-river") -> planner.Plan:
    """A plan on CPU with round numbers."""
    return planner.Plan(
        checkpoint=checkpoint,
        commit=COMMIT,
        quantization="None",
        bits=16,
        calibrated=True,
        on_the_fly=None,
        device=planner.Device.CPU,
        product=None,
        resource=None,
        count=0,
        tensor_parallel=1,
        kv_cache_dtype=None,
        dtype=None,
        context_tokens=512,
        promised_context_tokens=512,
        concurrency=1,
        max_num_seqs=4,
        max_num_batched_tokens=None,
        gpu_memory_utilization=None,
        kv_cache_bytes=16 * MIB,
        engine="vLLM",
        engine_version="0.33.0",
        image="localhost/engine:1",
        memory=planner.MemoryBudget(
            total=2048 * MIB,
            usable=2048 * MIB,
            weights=4 * MIB,
            kv_cache=16 * MIB,
            activation=MIB,
            graphs=0,
            other=1024 * MIB,
            headroom=1003 * MIB,
            sixteen_bit_weights=4 * MIB,
        ),
        cpu_request_millis=100,
        cpu_limit_millis=2000,
        memory_request_bytes=2048 * MIB,
        memory_limit_bytes=2048 * MIB,
        shm_bytes=256 * MIB,
        ephemeral_request_bytes=1024 * MIB,
        ephemeral_limit_bytes=2048 * MIB,
        cache_bytes=1024 * MIB,
        node_requirements=(),
        tolerations=(),
        startup_timeout_seconds=300,
        given_up=None,
    )


def tiny_facts(repo: str = "pillion-test/tiny-river") -> ModelFacts:
    """Facts of a Llama of a few MB."""
    return ModelFacts(
        repo=repo,
        commit=COMMIT,
        architecture="LlamaForCausalLM",
        model_type="llama",
        task=Task.TEXT_GENERATION,
        parameters=1_000_000,
        active_parameters=1_000_000,
        weights=WeightsShape(
            stored_bytes=2_000_000,
            plain_parameters=1_000_000,
            plain_bytes=2_000_000,
            linear_parameters=800_000,
            linear_output_channels=1000,
            replicated_bytes=1000,
            kv_projection_bytes=1000,
            exact=True,
        ),
        download_bytes=2_100_000,
        files=("*.safetensors", "*.json"),
        dtype="bfloat16",
        quantization=None,
        attention=AttentionShape(
            kind=AttentionKind.GROUPED, layers=2, heads=4, kv_heads=2, key_head_dim=16, value_head_dim=16
        ),
        hidden_size=64,
        intermediate_size=128,
        vocab_size=512,
        max_context_tokens=512,
        chat_template=True,
        license="apache-2.0",
    )
