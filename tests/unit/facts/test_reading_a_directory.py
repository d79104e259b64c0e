"""What is read of a checkpoint in a directory, and what is said where it cannot be?"""

import json
import struct
from pathlib import Path
from typing import Any

import pytest

from pillion.api.reasons import Reason
from pillion.facts import FactsError, local
from tests.unit.facts import checkpoints

_CONFIG: dict[str, Any] = {
    "architectures": ["Qwen2ForCausalLM"],
    "model_type": "qwen2",
    "num_hidden_layers": 2,
    "hidden_size": 64,
    "intermediate_size": 128,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "vocab_size": 1000,
    "max_position_embeddings": 2048,
    "tie_word_embeddings": True,
    "torch_dtype": "bfloat16",
}
_LAYER = 64 * 64 * 2 + 64 * 32 * 2 + 64 + 32 * 2 + 3 * 64 * 128 + 2 * 64  # by hand, biases with it
_PARAMETERS = 1000 * 64 + 2 * _LAYER + 64


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A directory named after a model, with its config.json."""
    made = tmp_path / "small-instruct"
    made.mkdir()
    (made / "config.json").write_text(json.dumps(_CONFIG), encoding="utf-8")
    return made


def safetensors(file: Path, tensors: dict[str, tuple[str, list[int]]]) -> None:
    """A file with this header and without data."""
    header = {
        name: {"dtype": dtype, "shape": shape, "data_offsets": [0, 0]}
        for name, (dtype, shape) in tensors.items()
    }
    text = json.dumps({"__metadata__": {"format": "pt"}, **header}).encode()
    file.write_bytes(struct.pack("<Q", len(text)) + text)


def test_a_configuration_alone_gives_the_weights(folder: Path) -> None:
    facts = local.read(folder)
    assert facts.repo == "small-instruct"
    assert len(facts.commit) == 40
    assert facts.parameters == _PARAMETERS
    assert facts.weights.stored_bytes == 2 * _PARAMETERS
    assert not facts.weights.exact
    assert facts.download_bytes == 2 * _PARAMETERS + (folder / "config.json").stat().st_size
    assert facts.instruct is True


def test_headers_win_over_what_would_be_computed(folder: Path) -> None:
    safetensors(
        folder / "model.safetensors",
        {
            "model.embed_tokens.weight": ("F16", [1000, 64]),
            "model.layers.0.mlp.up_proj.weight": ("F16", [128, 64]),
        },
    )
    facts = local.read(folder)
    assert facts.weights.exact
    assert facts.weights.stored_bytes == 2 * (1000 * 64 + 128 * 64)
    assert facts.notes == ()


def test_small_files_beside_tell_the_rest(folder: Path) -> None:
    (folder / "tokenizer_config.json").write_text(
        json.dumps({"chat_template": "{{ messages }}"}), encoding="utf-8"
    )
    (folder / "hf_quant_config.json").write_text(
        json.dumps({"quantization": {"quant_algo": "FP8", "exclude_modules": ["lm_head"]}}), encoding="utf-8"
    )
    (folder / "README.md").write_text(
        "---\nlicense: apache-2.0\nbase_model: someone/small\n---\n# Small\n", encoding="utf-8"
    )
    facts = local.read(folder)
    assert facts.chat_template
    assert facts.quantization is not None
    assert facts.quantization.scheme == "FP8"
    assert (facts.license, facts.base_model) == ("apache-2.0", "someone/small")


def test_an_index_without_its_shards_decides_for_a_family_that_is_not_known(folder: Path) -> None:
    (folder / "config.json").write_text(
        json.dumps({**_CONFIG, "model_type": "nobody_knows"}), encoding="utf-8"
    )
    (folder / "model.safetensors.index.json").write_text(
        json.dumps({"metadata": {"total_size": 5_000_000}, "weight_map": {}}), encoding="utf-8"
    )
    facts = local.read(folder)
    assert facts.weights.stored_bytes == 5_000_000
    assert not facts.known_architecture


def test_the_same_file_gives_the_same_commit_and_another_one_another(folder: Path) -> None:
    before = local.read(folder).commit
    assert local.read(folder).commit == before
    (folder / "config.json").write_text(json.dumps({**_CONFIG, "vocab_size": 2000}), encoding="utf-8")
    assert local.read(folder).commit != before


@pytest.mark.parametrize(
    ("file", "content", "reason", "words"),
    [
        pytest.param("config.json", b"{", Reason.CONFIG_INVALID, "is no valid JSON", id="broken JSON"),
        pytest.param(
            "config.json", b"[" * 100_000, Reason.CONFIG_INVALID, "is no valid JSON", id="nested without end"
        ),
        pytest.param(
            "config.json", b"\xff\xfe\x00", Reason.CONFIG_INVALID, "is no valid JSON", id="not UTF-8"
        ),
        pytest.param("config.json", b"[]", Reason.CONFIG_INVALID, "holds no JSON object", id="a list"),
        pytest.param("config.json", b"{}", Reason.CONFIG_INVALID, "num_hidden_layers", id="empty"),
        pytest.param(
            "model.safetensors",
            b"version https://git-lfs.github.com/spec/v1\noid sha256:0",
            Reason.FORMAT_UNSUPPORTED,
            "pointer of Git LFS",
            id="a pointer instead of the file",
        ),
        pytest.param(
            "model.safetensors", b"", Reason.FORMAT_UNSUPPORTED, "no safetensors file", id="an empty file"
        ),
        pytest.param(
            "model.safetensors",
            struct.pack("<Q", 4) + b"[1]\n",
            Reason.FORMAT_UNSUPPORTED,
            "no safetensors file",
            id="a header of another form",
        ),
    ],
)
def test_a_broken_file_is_named(folder: Path, file: str, content: bytes, reason: Reason, words: str) -> None:
    (folder / file).write_bytes(content)
    with pytest.raises(FactsError) as caught:
        local.read(folder)
    assert caught.value.reason == reason
    assert words in caught.value.message


def test_a_directory_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(FactsError, match="does not exist; name the directory"):
        local.read(tmp_path / "nowhere")
    (tmp_path / "file").write_text("text", encoding="utf-8")
    with pytest.raises(FactsError, match="is a file; name the directory"):
        local.read(tmp_path / "file")


def test_a_directory_without_a_configuration(tmp_path: Path) -> None:
    with pytest.raises(FactsError, match=r"has no config\.json") as caught:
        local.read(tmp_path)
    assert caught.value.reason == Reason.CONFIG_INVALID


def test_a_directory_with_gguf_files_alone_names_the_model_to_use(tmp_path: Path) -> None:
    head = checkpoints.gguf(
        {
            "general.architecture": "llama",
            "general.size_label": "8B",
            "general.file_type": 7,
            "general.base_model.0.repo_url": "https://huggingface.co/someone/base",
        }
    )
    (tmp_path / "model-Q8_0.gguf").write_bytes(head)
    with pytest.raises(FactsError) as caught:
        local.read(tmp_path)
    assert caught.value.reason == Reason.FORMAT_UNSUPPORTED
    assert "its file says: 8B Q8_0 llama" in caught.value.message
    assert "set spec.model.repo to someone/base" in caught.value.message


def test_a_name_that_the_configuration_does_not_bear_out_is_noted(tmp_path: Path) -> None:
    folder = tmp_path / "small-AWQ"
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps(_CONFIG), encoding="utf-8")
    facts = local.read(folder)
    assert facts.quantization is None
    assert any("hints at AWQ" in note for note in facts.notes)
