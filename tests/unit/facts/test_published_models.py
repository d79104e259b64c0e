"""Do the configurations of published models parse into facts, with the parameters that they are known to have?"""

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from pillion.facts import ModelFacts, local
from tests.corpus import models

Read = Callable[[Mapping[str, Any]], ModelFacts]
_LINES = models.lines()
# Totals of safetensors on the Hub's pages, of models whose lines have none; gpt-oss and DeepSeek by their papers.
_TOTALS = {
    "EleutherAI/gpt-j-6b": 6_050_882_784,
    "Qwen/Qwen-7B-Chat": 7_721_324_544,
    "Qwen/Qwen1.5-MoE-A2.7B": 14_315_784_192,
    "baichuan-inc/Baichuan2-7B-Chat": 7_505_973_248,
    "deepseek-ai/DeepSeek-V2-Lite": 15_706_484_224,
    "deepseek-ai/DeepSeek-V3": 671_026_419_200,
    "internlm/internlm2-chat-7b": 7_737_708_544,
    "microsoft/Phi-3.5-MoE-instruct": 41_873_153_344,
    "microsoft/phi-2": 2_779_683_840,
    "openai-community/gpt2": 124_439_808,
    "openai/gpt-oss-120b": 116_829_156_672,
    "openai/gpt-oss-20b": 20_914_757_184,
}
# Dimensions of these lines lack what the real file has beside them, so that an estimate stands in.
_INCOMPLETE = frozenset(
    {
        "nvidia/Llama-3_3-Nemotron-Super-49B-v1",  # the list of its layers, each found by a search
    }
)


@pytest.fixture(scope="module")
def read(tmp_path_factory: pytest.TempPathFactory) -> Read:
    """Reads a line's directory once for all that is asked of it."""
    found: dict[str, ModelFacts] = {}

    def reading(line: Mapping[str, Any]) -> ModelFacts:
        name = str(line["model"])
        if name not in found:
            found[name] = local.read(models.write(line, tmp_path_factory.mktemp("model")))
        return found[name]

    return reading


def _id(line: Mapping[str, Any]) -> str:
    return str(line["model"])


def test_the_corpus_is_whole() -> None:
    assert sum(line.get("verbatim", True) for line in _LINES) == 172
    assert sum("parameters" in line for line in _LINES) == 84
    assert all(line["source"] for line in _LINES)


@pytest.mark.parametrize("line", [line for line in _LINES if "parameters" not in line], ids=_id)
def test_a_published_configuration_parses(line: Mapping[str, Any], read: Read) -> None:
    facts = read(line)
    assert facts.known_architecture == (line["model"] not in _INCOMPLETE)
    assert facts.parameters is not None
    assert facts.parameters > 100_000_000
    assert facts.weights.stored_bytes > 0
    assert not facts.weights.exact
    assert facts.notes
    assert 0 < (facts.active_parameters or 0) <= facts.parameters


@pytest.mark.parametrize("line", [line for line in _LINES if "parameters" in line], ids=_id)
def test_parameters_equal_the_published_total(line: Mapping[str, Any], read: Read) -> None:
    facts = read(line)
    assert facts.parameters == line["parameters"]
    assert facts.known_architecture


@pytest.mark.parametrize(("model", "parameters"), _TOTALS.items(), ids=_TOTALS)
def test_parameters_equal_those_of_the_models_page(model: str, parameters: int, read: Read) -> None:
    line = next(line for line in _LINES if line["model"] == model)
    assert read(line).parameters == parameters


@pytest.mark.parametrize("line", _LINES, ids=_id)
def test_parts_of_the_weights_fit_into_the_whole(line: Mapping[str, Any], read: Read) -> None:
    weights = read(line).weights
    parts = weights.embedding_bytes + weights.head_bytes + weights.vision_bytes + weights.expert_bytes
    assert weights.embedding_bytes > 0
    assert parts <= weights.stored_bytes
    assert weights.plain_bytes <= weights.stored_bytes
    assert weights.linear_parameters <= weights.plain_parameters
