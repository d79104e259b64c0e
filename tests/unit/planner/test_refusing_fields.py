"""Fields whose effect is not built are refused with their path, and nothing else is."""

from typing import Any

import pytest

from pillion import planner
from pillion.api.modeldeployment import ModelDeploymentSpec

REPO = {"repo": "Qwen/Qwen3-8B"}


@pytest.mark.parametrize(
    ("spec", "path", "words"),
    [
        pytest.param(
            {"model": {"persistentVolumeClaim": {"claimName": "models"}}},
            "spec.model.persistentVolumeClaim",
            "spec.model.repo",
            id="a model on a claim",
        ),
        pytest.param(
            {"model": {"image": {"reference": "a/b:1"}}},
            "spec.model.image",
            "spec.model.repo",
            id="in an image",
        ),
        pytest.param(
            {"model": REPO, "engine": {"name": "TGI"}}, "spec.engine.image", "starts for root alone", id="TGI"
        ),
        pytest.param(
            {"model": REPO, "quantization": {"method": "BitsAndBytes"}},
            "spec.quantization.method",
            "does not load BitsAndBytes",
            id="a method that the engine dropped",
        ),
        pytest.param(
            {"model": REPO, "serving": {"toolCalls": "hermess"}},
            "spec.serving.toolCalls",
            "hermes",
            id="a misspelt parser",
        ),
        pytest.param(
            {"model": REPO, "serving": {"reasoning": "qwen"}},
            "spec.serving.reasoning",
            "qwen3",
            id="a reasoning parser",
        ),
    ],
)
def test_refused(spec: dict[str, Any], path: str, words: str) -> None:
    found = dict(planner.unsupported(ModelDeploymentSpec.model_validate(spec)))
    assert list(found) == [path]
    assert words in found[path]


@pytest.mark.parametrize(
    "spec",
    [
        pytest.param({"model": REPO}, id="the smallest spec"),
        pytest.param(
            {"model": REPO, "serving": {"toolCalls": "hermes", "reasoning": "None"}},
            id="parsers that there are",
        ),
        pytest.param(
            {"model": REPO, "engine": {"name": "vLLM"}, "quantization": {"method": "NVFP4"}},
            id="vLLM and a pin",
        ),
        pytest.param(
            {"model": REPO, "cache": {"persistentVolumeClaim": {"claimName": "models"}}},
            id="a cache on a claim",
        ),
    ],
)
def test_not_refused(spec: dict[str, Any]) -> None:
    assert planner.unsupported(ModelDeploymentSpec.model_validate(spec)) == []


def test_several_at_once() -> None:
    spec = {"model": {"image": {"reference": "a/b:1"}}, "engine": {"name": "TGI"}}
    assert len(planner.unsupported(ModelDeploymentSpec.model_validate(spec))) == 2
