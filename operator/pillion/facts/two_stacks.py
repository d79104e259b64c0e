"""Does a model read with one stack of layers and write with another?

Encoder-decoders (T5, BART, Whisper) keep keys and values of what was read beside those of what was written, and each
layer that writes attends to both. Few engines run them.

Source of the keys: transformers 5.16, models/{t5,bart,whisper}/configuration_*.py, and `is_encoder_decoder` in
configuration_utils.py.
"""

from pillion.facts.documents import Json
from pillion.facts.reading import first

# Families whose classes say it where their files do not.
_BY_CLASS = frozenset(
    {"bart", "blenderbot", "fsmt", "led", "longt5", "m2m_100", "marian", "mbart", "mt5", "mvp", "nllb-moe", "pegasus"}
    | {"pegasus_x", "plbart", "prophetnet", "seamless_m4t", "switch_transformers", "t5", "t5gemma", "umt5", "whisper"}
)  # fmt: skip


def has_two(config: Json) -> bool:
    """Whether a configuration is that of an encoder-decoder."""
    told = config.get("is_encoder_decoder")
    if isinstance(told, bool):
        return told
    if str(config.get("model_type")) in _BY_CLASS or first(config, "num_decoder_layers"):
        return True
    return bool(first(config, "decoder_layers") and first(config, "encoder_layers", "num_encoder_layers"))


def encoder_layers(config: Json, *, decoder_layers: int) -> int:
    """Layers of the stack that reads; as many as the other has where nothing is said, none in a model of one stack."""
    if not has_two(config):
        return 0
    named = first(config, "encoder_layers", "num_encoder_layers", "num_layers", "num_hidden_layers")
    return named or decoder_layers
