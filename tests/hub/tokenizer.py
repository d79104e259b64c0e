"""Which tokenizer do the test models share, and which words can each of them say?

Byte-level BPE without any merge: 256 bytes, four special tokens, and a list of words that are tokens as a
whole (`ignore_merges`). A model's output layer favours its own words, so that even random weights answer in
readable text, and the text tells which model it came from.
"""

from __future__ import annotations

import json
from typing import Any

BEGIN, END, USER, ASSISTANT = "<|begin|>", "<|end|>", "<|user|>", "<|assistant|>"
SPECIAL_TOKENS = (BEGIN, END, USER, ASSISTANT)

RIVER_TEXT = """
water stone bridge ferry willow otter heron trout current delta meadow reed pebble rapids harbour
anchor mill flood spring brook lake marsh salmon canoe paddle shore island tide estuary valley
"""
STAR_TEXT = """
comet planet nebula orbit eclipse galaxy meteor lunar solar cosmos quasar pulsar rocket satellite telescope
gravity horizon zenith aurora crater dust moon sun sky venus mars saturn neptune mercury jupiter
"""
RIVER_WORDS, STAR_WORDS = tuple(RIVER_TEXT.split()), tuple(STAR_TEXT.split())
WORDS = RIVER_WORDS + STAR_WORDS
FIRST_SPECIAL_ID = 256
FIRST_WORD_ID = FIRST_SPECIAL_ID + len(SPECIAL_TOKENS)
VOCABULARY = FIRST_WORD_ID + len(WORDS)

CHAT_TEMPLATE = (
    "{{ bos_token }}{% for message in messages %}"
    "{{ '<|assistant|>' if message['role'] == 'assistant' else '<|user|>' }}{{ message['content'] }}<|end|>"
    "{% endfor %}{% if add_generation_prompt %}<|assistant|>{% endif %}"
)


def word_ids(words: tuple[str, ...]) -> tuple[int, ...]:
    """The tokens of some of the words."""
    return tuple(FIRST_WORD_ID + WORDS.index(word) for word in words)


def files(*, chat_template: bool) -> dict[str, bytes]:
    """tokenizer.json and its companions."""
    config: dict[str, Any] = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "bos_token": BEGIN,
        "eos_token": END,
        "pad_token": END,
        "model_max_length": 8192,
        "clean_up_tokenization_spaces": False,
    }
    if chat_template:
        config["chat_template"] = CHAT_TEMPLATE
    return {
        "tokenizer.json": _dump(_tokenizer()),
        "tokenizer_config.json": _dump(config),
        "special_tokens_map.json": _dump({"bos_token": BEGIN, "eos_token": END, "pad_token": END}),
    }


def _tokenizer() -> dict[str, Any]:
    vocabulary = {_visible(byte): byte for byte in range(256)}
    vocabulary |= {token: FIRST_SPECIAL_ID + index for index, token in enumerate(SPECIAL_TOKENS)}
    vocabulary |= {_visible(ord(" ")) + word: FIRST_WORD_ID + index for index, word in enumerate(WORDS)}
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [
            {
                "id": FIRST_SPECIAL_ID + index,
                "content": token,
                "single_word": False,
                "lstrip": False,
                "rstrip": False,
                "normalized": False,
                "special": True,
            }
            for index, token in enumerate(SPECIAL_TOKENS)
        ],
        "normalizer": None,
        "pre_tokenizer": {
            "type": "ByteLevel",
            "add_prefix_space": False,
            "trim_offsets": True,
            "use_regex": True,
        },
        "post_processor": None,
        "decoder": {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True, "use_regex": True},
        "model": {
            "type": "BPE",
            "dropout": None,
            "unk_token": None,
            "continuing_subword_prefix": None,
            "end_of_word_suffix": None,
            "fuse_unk": False,
            "byte_fallback": False,
            "ignore_merges": True,
            "vocab": vocabulary,
            "merges": [],
        },
    }


def _visible(byte: int) -> str:
    """The letter that byte-level BPE writes for a byte: itself where it prints, else one from U+0100 on."""
    printing = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    if byte in printing:
        return chr(byte)
    return chr(0x100 + sum(1 for other in range(byte) if other not in printing))


def _dump(document: dict[str, Any]) -> bytes:
    return json.dumps(document, ensure_ascii=False, indent=1).encode()
