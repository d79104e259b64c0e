"""How much larger do an engine's kernels make the experts of a 4-bit checkpoint?

Kernels for MXFP4 want dimensions that are multiples of their tiles; gpt-oss's 2880 is none.
"""

from typing import Final

from pillion.facts import ModelFacts
from pillion.sizing.versions import Version

_HOPPER: Final = (9, 0)
_BLACKWELL: Final = 10
_CONSUMER_BLACKWELL: Final = 12
_TRITON_ON_AMPERE: Final = Version(0, 12)  # before, Marlin served compute capability 8


def expert_growth(model: ModelFacts, *, version: Version, capability: tuple[int, int] | None) -> float:
    """What padding adds to the experts' weights, as a share of them.

    | compute capability | kernel  | inner to | hidden to |
    | 8.x, 12.x          | Marlin  | 128      | 256       |
    | 8.x, from 0.12 on  | Triton  | 64       | -         |
    | 9.0                | Triton  | -        | 256       |
    | 10.x               | TRT-LLM | 128      | 256       |

    Source: vLLM 0.11.0, model_executor/layers/quantization/mxfp4.py; 0.33.0, fused_moe/oracle/mxfp4.py. Checked:
    gpt-oss-20b 13.47 GiB on Hopper and 12.88 on an RTX 3090, gpt-oss-120b 65.97 with Marlin, each within 1 %.
    """
    inner, hidden = model.expert_intermediate_size, model.hidden_size
    if model.quantization is None or model.quantization.scheme != "MXFP4" or not inner or capability is None:
        return 0.0
    if capability == _HOPPER:
        return _rounded(hidden, 256) - 1
    if capability[0] == _BLACKWELL:
        return _rounded(inner, 128) * _rounded(hidden, 256) - 1
    if version >= _TRITON_ON_AMPERE and capability[0] != _CONSUMER_BLACKWELL:
        return _rounded(inner, 64) - 1
    return _rounded(inner, 128) * _rounded(hidden, 256) - 1


def _rounded(value: int, tile: int) -> float:
    return -(-value // tile) * tile / value
