"""Task, template, licence and the like, and what a repository without weights is told."""

from typing import Any

import pytest

from pillion.api.modeldeployment import Task
from pillion.api.reasons import Reason
from pillion.facts import FactsError, understanding, unloadable
from pillion.facts.documents import RepoFile
from tests.unit.facts import checkpoints


def found(config: dict[str, Any] | None = None, **more: Any) -> Any:
    config = config or checkpoints.LLAMA_8B
    return checkpoints.model(more.pop("repo", "a/model"), config, **more)


@pytest.mark.parametrize(
    ("architecture", "more", "expected"),
    [
        pytest.param("LlamaForCausalLM", {}, Task.TEXT_GENERATION, id="a causal model generates"),
        pytest.param(
            "Qwen3ForCausalLM",
            {"pipeline_tag": "text-ranking"},
            Task.RERANK,
            id="unless the page says ranking",
        ),
        pytest.param(
            "Qwen3ForCausalLM", {"pipeline_tag": "feature-extraction"}, Task.EMBEDDING, id="or embedding"
        ),
        pytest.param("BertModel", {}, Task.EMBEDDING, id="a bare encoder embeds"),
        pytest.param("BertForMaskedLM", {}, Task.EMBEDDING, id="so does one that fills in blanks"),
        pytest.param(
            "ChatGLMModel", {"pipeline_tag": "text-generation"}, Task.EMBEDDING, id="a bare decoder as well"
        ),
        pytest.param("GPT2LMHeadModel", {}, Task.TEXT_GENERATION, id="a head makes GPT-2 generate"),
        pytest.param("Qwen2VLForConditionalGeneration", {}, Task.TEXT_GENERATION, id="images in, text out"),
    ],
)
def test_task(architecture: str, more: dict[str, Any], expected: Task) -> None:
    assert found({**checkpoints.LLAMA_8B, "architectures": [architecture]}, **more).task is expected


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        pytest.param({"0": "LABEL_0"}, Task.RERANK, id="one label is a score"),
        pytest.param({"0": "no", "1": "yes", "2": "maybe"}, Task.CLASSIFICATION, id="several are classes"),
    ],
)
def test_task_of_a_classifier_follows_its_labels(labels: dict[str, str], expected: Task) -> None:
    config = {**checkpoints.LLAMA_8B, "architectures": ["BertForSequenceClassification"], "id2label": labels}
    assert found(config).task is expected


def test_a_template_in_a_file_of_its_own_counts() -> None:
    files = (
        RepoFile(name="model.safetensors", size_bytes=1),
        RepoFile(name="chat_template.jinja", size_bytes=1),
    )
    assert found(tokenizer_config={}).chat_template is False
    assert found(tokenizer_config={}, files=files).chat_template is True


def test_what_the_card_says_comes_along() -> None:
    facts = found(
        card={"license": "other", "license_name": "llama3.1", "base_model": ["meta-llama/Llama-3.1-8B"]}
    )
    assert (facts.license, facts.base_model) == ("llama3.1", "meta-llama/Llama-3.1-8B")


@pytest.mark.parametrize(
    ("repo", "instruct", "distilled"),
    [
        pytest.param("meta-llama/Llama-3.1-8B-Instruct", True, None, id="an instruct model says so"),
        pytest.param("Qwen/Qwen3-8B-Base", False, None, id="so does a base model"),
        pytest.param("deepseek-ai/DeepSeek-R1-Distill-Qwen-14B", None, True, id="and a distilled one"),
        pytest.param("Qwen/Qwen3-8B", None, None, id="otherwise nothing is known"),
    ],
)
def test_hints_of_a_name(repo: str, instruct: bool | None, distilled: bool | None) -> None:
    facts = found(repo=repo)
    assert (facts.instruct, facts.distilled) == (instruct, distilled)


def test_pytorch_files_are_computed_from_the_configuration_and_say_so() -> None:
    files = (RepoFile(name="pytorch_model.bin", size_bytes=497_764_107),)  # GPT-2's, in 32 bit
    config = {"n_layer": 12, "n_embd": 768, "n_head": 12, "vocab_size": 50_257, "model_type": "gpt2"}
    facts = understanding.facts(checkpoints.documents("openai-community/gpt2", config, None, files=files))
    assert facts.parameters == 124_439_808
    assert not facts.weights.exact
    assert "computed from config.json" in facts.notes[0]


@pytest.mark.parametrize(
    ("names", "card", "words"),
    [
        pytest.param(
            ["model-Q4_K_M.gguf"], {"base_model": "a/base"}, ["GGUF", "spec.model.repo to a/base"], id="GGUF"
        ),
        pytest.param(["model-Q4_K_M.gguf"], {}, ["GGUF", "safetensors"], id="GGUF of who knows what"),
        pytest.param(
            ["adapter_config.json", "adapter_model.safetensors"],
            {"base_model": "a/base"},
            ["adapter", "a/base"],
            id="LoRA",
        ),
        pytest.param(["README.md"], {}, ["no weights", "*.safetensors"], id="nothing at all"),
    ],
)
def test_without_weights_the_message_says_what_to_do(
    names: list[str], card: dict[str, str], words: list[str]
) -> None:
    files = tuple(RepoFile(name=name, size_bytes=1) for name in names)
    failure = unloadable.failure(checkpoints.documents("a/model", {}, None, files=files, card=card))
    assert failure.reason is Reason.FORMAT_UNSUPPORTED
    assert all(word in failure.message for word in words)


def test_a_configuration_without_dimensions_is_invalid() -> None:
    with pytest.raises(FactsError) as failure:
        understanding.facts(checkpoints.documents("a/model", {"architectures": ["LlamaForCausalLM"]}, ()))
    assert failure.value.reason is Reason.CONFIG_INVALID
    assert "num_hidden_layers" in failure.value.message


@pytest.mark.parametrize("length", [float("nan"), float("inf")])
def test_a_length_that_is_no_number_is_no_absent_one(length: float) -> None:
    config = {**checkpoints.LLAMA_8B, "max_position_embeddings": length}
    with pytest.raises(
        FactsError, match=r"max_position_embeddings is .*, where a number is expected"
    ) as failure:
        understanding.facts(checkpoints.documents("a/model", config, ()))
    assert failure.value.reason is Reason.CONFIG_INVALID


def test_a_bound_may_be_infinite() -> None:
    config = {**checkpoints.LLAMA_8B, "time_step_limit": [0.0, float("inf")], "clip": float("inf")}
    found = understanding.facts(checkpoints.documents("a/model", config, None))
    assert found.max_context_tokens == 131_072
