"""What would a 4-bit checkpoint of a model look like, if somebody published one?

For tables that compare formats before a checkpoint is chosen. Nothing here enters a plan: those take checkpoints that
exist.
"""

import math
from dataclasses import replace
from typing import Final

from pillion.facts import ModelFacts, Quantization

__all__ = ["four_bit"]

GROUP_SIZE: Final = 128  # what almost all published AWQ and GPTQ checkpoints have
# A group has one scale in 16 bit and one zero point in 4 bit.
BYTES_PER_PARAMETER: Final = 4 / 8 + (16 + 4) / 8 / GROUP_SIZE


def four_bit(model: ModelFacts) -> ModelFacts | None:
    """The model as an AWQ checkpoint in groups of 128; None where it is quantized already, or has nothing to quantize.

    Linear layers are converted, embeddings, head and norms stay: what published checkpoints of this kind do.
    """
    shape = model.weights
    if model.quantization is not None or not shape.linear_parameters or not shape.plain_parameters:
        return None
    before_bytes = shape.plain_bytes * shape.linear_parameters // shape.plain_parameters
    after_bytes = math.ceil(shape.linear_parameters * BYTES_PER_PARAMETER)
    share = after_bytes / before_bytes
    quantization = Quantization(method="awq", scheme="AWQ", bits=4, calibrated=True, group_size=GROUP_SIZE)
    return replace(
        model,
        quantization=quantization,
        weights=replace(
            shape,
            stored_bytes=shape.stored_bytes - before_bytes + after_bytes,
            plain_parameters=shape.plain_parameters - shape.linear_parameters,
            plain_bytes=shape.plain_bytes - before_bytes,
            linear_parameters=0,
            linear_output_channels=0,
            kv_projection_bytes=math.ceil(shape.kv_projection_bytes * share),
            expert_bytes=math.ceil(shape.expert_bytes * share),
            exact=False,
        ),
    )
