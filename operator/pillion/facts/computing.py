"""What do a checkpoint's weights add up to where no headers of its tensors are at hand?

Its configuration gives the tensors of a family that is known, and a quantizer's configuration says how they are
stored. Files that are there check that, and decide for families that are not known.
"""

import math
from dataclasses import dataclass, replace

from pillion.facts import blueprint, class_defaults, packing, quantized, tensors, two_stacks
from pillion.facts.documents import Documents
from pillion.facts.model import Quantization, WeightsShape
from pillion.facts.shapes import Shape

_DTYPE_BYTES = {"float32": 4, "float16": 2, "bfloat16": 2}
_AGREES = 0.03  # files hold a little more: extra prediction layers, heads that engines leave out
_FAR_OFF = 0.5


@dataclass(frozen=True, kw_only=True, slots=True)
class Computed:
    """What was computed, and how far it can be trusted."""

    tally: tensors.Tally
    known: bool  # whether the family's tensors are known
    notes: tuple[str, ...]


def computed(
    documents: Documents,
    shape: Shape,
    quantization: Quantization | None,
    *,
    dtype: str | None,
    file_bytes: int | None,
) -> Computed:
    """The weights that follow from a configuration.

    Args:
        documents: of the checkpoint; its configuration is read.
        shape: what the configuration describes.
        quantization: how the weights are stored.
        dtype: of what is not quantized; None where nothing says so.
        file_bytes: of the weight files together; None where there are none.
    """
    # Where nothing names a type, the size of the files tells 16 bit from 32.
    tried = [dtype] if dtype or file_bytes is None else ["bfloat16", "float32"]
    all_found = [_from_configuration(documents, shape, quantization, each) for each in tried]
    encoder_layers = two_stacks.encoder_layers(documents.config, decoder_layers=shape.all_layers)
    # The usual build has one stack: of a family that is not known, it would leave the other out.
    candidates = [each for each in all_found if each is not None and (each.known or not encoder_layers)]
    if not candidates:
        return _from_files(shape, dtype, file_bytes, encoder_layers=encoder_layers)
    if file_bytes is None:
        return candidates[0]
    found = min(candidates, key=lambda each: abs(each.tally.weights.stored_bytes - file_bytes))
    stored = found.tally.weights.stored_bytes
    off = abs(file_bytes - stored) / max(file_bytes, 1)
    if off <= _AGREES:
        return found
    if not found.known or off > _FAR_OFF:
        return _from_files(shape, dtype, file_bytes)
    note = f"the files hold {file_bytes:,} bytes, where the configuration gives {stored:,}; the larger one is used"
    if file_bytes < stored:
        return replace(found, notes=(*found.notes, note))
    weights = replace(found.tally.weights, stored_bytes=file_bytes, exact=False)
    return replace(found, tally=replace(found.tally, weights=weights), notes=(*found.notes, note))


def _from_configuration(
    documents: Documents, shape: Shape, quantization: Quantization | None, dtype: str | None
) -> Computed | None:
    config = class_defaults.filled(documents.config)
    try:
        plan = blueprint.blueprint(config)
    except (blueprint.MissingSettingError, ArithmeticError, LookupError, TypeError, ValueError):
        return None  # a setting is missing, or is not of the kind that its family has
    stored = packing.tensors(plan.parts, config, modelopt=documents.quantization_config, dtype=dtype)
    tally = tensors.tally(
        stored,
        layers=shape.all_layers,
        tied_embeddings=shape.tied_embeddings,
        bits=quantization.bits if quantization else None,
        given_up=quantized.given_up(documents.config),
    )
    weights = replace(tally.weights, exact=False)
    experts = sum(part.elements for part in plan.parts if tensors.is_expert(part.name))
    return Computed(
        tally=replace(
            tally,
            weights=weights,
            parameters=sum(part.elements for part in plan.parts),
            expert_parameters=experts,
        ),
        known=plan.known,
        notes=(_note(config.get("model_type"), known=plan.known),),
    )


def _note(model_type: object, *, known: bool) -> str:
    if known:
        return "weights are computed from config.json, because no headers of safetensors files are at hand"
    return (
        f"the family {model_type!r} is not known: its weights are estimated as Llama's with the same dimensions, "
        "and may be off; safetensors files or a repository on the Hub would tell"
    )


def _from_files(
    shape: Shape, dtype: str | None, file_bytes: int | None, *, encoder_layers: int = 0
) -> Computed:
    """An estimate from the files' size, or from the dimensions alone: all but the embeddings are linear."""
    width = _DTYPE_BYTES.get(dtype or "bfloat16", 2)
    embeddings = shape.vocab_size * shape.hidden_size * (1 if shape.tied_embeddings else 2)
    if file_bytes is None:
        # Beside an encoder each layer attends to what was read as well.
        crossing = _usual_attention(shape) if encoder_layers else 0
        layers = shape.all_layers * (_usual_layer(shape) + crossing) + encoder_layers * _usual_layer(shape)
        parameters = embeddings + layers
        stored, basis = (
            parameters * width,
            "the configuration's dimensions, as a family of the usual build has them",
        )
    else:
        parameters, stored = file_bytes // width, file_bytes
        basis = "the weight files' sizes, because there are no safetensors headers"
    linear = max(0, parameters - embeddings)
    weights = WeightsShape(
        stored_bytes=stored,
        plain_parameters=parameters,
        plain_bytes=stored,
        linear_parameters=linear,
        linear_output_channels=math.ceil(linear / shape.hidden_size),
        replicated_bytes=0,
        kv_projection_bytes=0,
        exact=False,
        embedding_bytes=min(stored, shape.vocab_size * shape.hidden_size * width),
        head_bytes=0 if shape.tied_embeddings else min(stored, shape.vocab_size * shape.hidden_size * width),
    )
    return Computed(
        tally=tensors.Tally(weights=weights, parameters=parameters, expert_parameters=0),
        known=False,
        notes=(f"parameters are estimated from {basis}",),
    )


def _usual_layer(shape: Shape) -> int:
    """Parameters of one layer with full attention and a gated feed-forward for each expert."""
    feed_forward = 3 * shape.hidden_size * shape.intermediate_size * max(1, shape.experts)
    return _usual_attention(shape) + feed_forward


def _usual_attention(shape: Shape) -> int:
    """Parameters of attention where all heads have keys and values of their own: never too little."""
    width = shape.attention.heads * max(shape.attention.key_head_dim, shape.attention.value_head_dim)
    return 4 * shape.hidden_size * max(shape.hidden_size, width)
