"""What of a repository an engine needs, and what is left on the Hub."""

import pytest

from pillion.facts import files
from pillion.facts.documents import RepoFile


def listed(*names: str) -> tuple[RepoFile, ...]:
    return tuple(RepoFile(name=name, size_bytes=10) for name in names)


def names(found: tuple[RepoFile, ...]) -> list[str]:
    return [file.name for file in found]


@pytest.mark.parametrize(
    ("there", "chosen"),
    [
        pytest.param(
            ["model.safetensors", "pytorch_model.bin"], ["model.safetensors"], id="safetensors before PyTorch"
        ),
        pytest.param(
            [
                "model-00001-of-00002.safetensors",
                "model-00002-of-00002.safetensors",
                "consolidated.safetensors",
            ],
            ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"],
            id="Mistral's own file repeats the shards",
        ),
        pytest.param(
            ["consolidated.safetensors"], ["consolidated.safetensors"], id="and counts where it is alone"
        ),
        pytest.param(
            ["pytorch_model.bin", "training_args.bin"], ["pytorch_model.bin"], id="PyTorch's weights alone"
        ),
        pytest.param(
            ["original/consolidated.00.pth", "onnx/model.safetensors"], [], id="folders hold other forms"
        ),
        pytest.param(["adapter_model.safetensors"], [], id="an adapter is no model"),
    ],
)
def test_weights(there: list[str], chosen: list[str]) -> None:
    assert names(files.weight_files(listed(*there))) == chosen


def test_small_files_come_along_and_other_formats_do_not() -> None:
    needed = files.needed_files(
        listed(
            "README.md",
            "config.json",
            "model.safetensors",
            "model.safetensors.index.json",
            "pytorch_model.bin.index.json",
            "tokenizer.json",
            "chat_template.jinja",
            "1_Pooling/config.json",
            "onnx/config.json",
            "model-Q4.gguf",
        )
    )
    assert names(needed) == [
        "1_Pooling/config.json",
        "chat_template.jinja",
        "config.json",
        "model.safetensors",
        "model.safetensors.index.json",
        "tokenizer.json",
    ]


def test_shards_are_one_pattern() -> None:
    shards = [f"model-{number:05}-of-00160.safetensors" for number in range(1, 161)]
    assert files.patterns(listed("config.json", *shards)) == ("config.json", "model-*-of-00160.safetensors")
