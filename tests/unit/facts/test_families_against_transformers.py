"""Has each family the parameters that transformers' own classes create, whatever its settings?

Configurations are small and drawn at random: heads, widths, biases, ties and experts of some 80 families. Totals come
from tools/family_totals.py. What may differ is told in the table of exceptions; it is below a hundredth of small
models, and nothing of large ones.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from pillion.facts import blueprint, class_defaults
from tests import corpus

_LINES = [
    json.loads(line)
    for line in (Path(corpus.__file__).parent / "families.jsonl").read_text("utf-8").splitlines()
]
_EXCEPTIONS = {
    "apertus": "two numbers of its activation in each layer",
    "deepseek_v2": "biases of latent projections that no published model has",
    "ernie4_5_moe": "biases of shared experts that no published model has",
    "gemma3n_text": "biases of attention that no published model has",
    "gemma4_text": "a scale for each layer, which the class does not call a parameter",
    "lfm2_moe": "corrections of experts, which are optional",
    "minicpm3": "biases of latent projections that no published model has",
    "mistral4": "corrections of experts, which its class does not have",
    "persimmon": "biases of query norms",
}


def _id(line: Mapping[str, Any]) -> str:
    settings = line["config"]
    return "-".join([settings["model_type"], *(key for key, value in settings.items() if value is True)])


@pytest.mark.parametrize("line", _LINES, ids=_id)
def test_parameters_are_those_of_the_class(line: Mapping[str, Any]) -> None:
    found = blueprint.blueprint(class_defaults.filled(line["config"]))
    parameters = sum(part.elements for part in found.parts)
    allowed = 0.01 if line["config"]["model_type"] in _EXCEPTIONS else 0.0
    assert parameters == pytest.approx(line["parameters"], rel=allowed, abs=0)
    assert found.known


def test_each_line_has_a_source() -> None:
    assert len(_LINES) > 250
    assert all("transformers 5." in line["source"] for line in _LINES)
