"""Parameters and bytes from tensor lists, against published totals."""

import dataclasses

import pytest

from pillion.facts import tensors, understanding
from pillion.facts.documents import Tensor
from tests.unit.facts import checkpoints

PARAMETERS_LLAMA_8B = 8_030_261_248  # as the Hub counts it
PARAMETERS_QWEN3_8B = 8_190_735_360 - 36 * 2 * 128  # as the Hub counts it, less the norms of queries and keys


def test_a_plain_checkpoint_has_two_bytes_a_parameter() -> None:
    found = checkpoints.llama_8b()
    assert found.parameters == PARAMETERS_LLAMA_8B
    assert found.weights_bytes == 2 * PARAMETERS_LLAMA_8B
    assert found.active_parameters == found.parameters


def test_packed_weights_count_as_the_parameters_that_they_stand_for() -> None:
    found = checkpoints.qwen3_8b_awq()
    assert found.parameters == PARAMETERS_QWEN3_8B
    # 4-bit weights with a scale and a zero point for each 128, embeddings and head in 16 bit
    linear, rest = 6_945_767_424, PARAMETERS_QWEN3_8B - 6_945_767_424
    assert found.weights_bytes == pytest.approx(linear * (0.5 + 2.5 / 128) + 2 * rest, rel=1e-6)


def test_8_bit_weights_have_one_byte_and_a_scale_for_each_block() -> None:
    found = checkpoints.qwen3_8b_fp8()
    assert found.parameters == PARAMETERS_QWEN3_8B
    # engines report 8.80 GiB for this checkpoint, of which 10 MiB are the table of rotary positions
    assert found.weights_bytes / 2**30 == pytest.approx(8.79, abs=0.01)


def test_embeddings_head_and_norms_are_not_converted_while_loading() -> None:
    weights = checkpoints.llama_8b().weights
    embeddings = 2 * 128_256 * 4096
    norms = (2 * 32 + 1) * 4096
    assert weights.linear_parameters == PARAMETERS_LLAMA_8B - embeddings - norms
    assert weights.replicated_bytes == 2 * norms
    assert weights.kv_projection_bytes == 2 * 32 * 2 * (8 * 128) * 4096


def tally(*found: Tensor, layers: int = 2, tied: bool = False, bits: int | None = None) -> tensors.Tally:
    return tensors.tally(found, layers=layers, tied_embeddings=tied, bits=bits)


def matrix(name: str, *shape: int, dtype: str = "BF16") -> Tensor:
    return Tensor(name=name, dtype=dtype, shape=shape)


def test_prediction_layers_beyond_the_model_are_left_out() -> None:
    inside = matrix("model.layers.1.mlp.up_proj.weight", 8, 4)
    beyond = matrix("model.layers.2.mlp.up_proj.weight", 8, 4)
    named = matrix("mtp.layers.0.mlp.up_proj.weight", 8, 4)
    assert tally(inside, beyond, named).parameters == 32


def test_a_second_copy_of_tied_embeddings_is_left_out() -> None:
    embeddings, head = matrix("model.embed_tokens.weight", 10, 4), matrix("lm_head.weight", 10, 4)
    assert tally(embeddings, head, tied=True).parameters == 40
    assert tally(embeddings, head, tied=False).parameters == 80


def test_an_encoders_output_layers_are_no_head() -> None:
    assert tally(matrix("encoder.layer.0.output.dense.weight", 8, 4), tied=True).parameters == 32


def test_routed_experts_are_told_from_shared_ones_and_the_router() -> None:
    found = tally(
        matrix("model.layers.0.mlp.experts.0.up_proj.weight", 8, 4),
        matrix("model.layers.0.mlp.shared_experts.up_proj.weight", 8, 4),
        matrix("model.layers.0.mlp.gate.weight", 2, 4),
    )
    assert found.expert_parameters == 32
    assert found.weights.linear_parameters == 64
    assert found.weights.replicated_bytes == 16  # the router is whole on each accelerator


def test_half_of_the_experts_used_are_half_of_their_parameters_active() -> None:
    config = {
        **checkpoints.LLAMA_8B,
        "num_hidden_layers": 2,
        "num_local_experts": 4,
        "num_experts_per_tok": 2,
    }
    dense = checkpoints.decoder_tensors(config)
    experts = tuple(
        matrix(f"model.layers.0.block_sparse_moe.experts.{number}.w1.weight", 100, 4096)
        for number in range(4)
    )
    found = understanding.facts(checkpoints.documents("a/moe", config, dense + experts))
    assert found.parameters is not None
    assert found.active_parameters == found.parameters - 2 * 100 * 4096


def test_a_vision_tower_is_whole_on_each_accelerator() -> None:
    found = tally(matrix("vision_tower.blocks.0.mlp.fc1.weight", 8, 4), layers=0)
    assert (found.weights.replicated_bytes, found.weights.linear_parameters) == (64, 0)


def test_an_unknown_dtype_counts_as_four_bytes() -> None:
    assert tensors.stored_bytes(matrix("x", 3, dtype="C64")) == 12


def test_shape_of_the_weights_is_marked_as_exact() -> None:
    assert dataclasses.asdict(checkpoints.tiny().weights)["exact"] is True
