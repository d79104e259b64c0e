"""How many parameters do transformers' own classes create for small configurations of each family?

    some/python tools/family_totals.py

with an interpreter that has torch and transformers (the image of the e2e-vllm lane has them) builds each configuration
of tests/corpus/families.jsonl on torch's meta device, where tensors have shapes and no memory, and writes their
totals and the version beside them. Nothing of Pillion is needed.
"""

import json
from pathlib import Path
from typing import Any

FILE = Path(__file__).resolve().parent.parent / "tests" / "corpus" / "families.jsonl"
_BUFFERS = ("correction_bias",)  # saved with a checkpoint, though no parameters of the class


def main() -> None:
    """Write all totals anew."""
    import transformers  # type: ignore[import-not-found,unused-ignore] # noqa: PLC0415 (not a dependency)

    transformers.logging.set_verbosity_error()
    lines = [json.loads(line) for line in FILE.read_text("utf-8").splitlines()]
    source = (
        f"classes of transformers {transformers.__version__} on torch's meta device (tools/family_totals.py)"
    )
    counted = [
        {"config": line["config"], "parameters": total(line["config"]), "source": source} for line in lines
    ]
    FILE.write_text("".join(json.dumps(line) + "\n" for line in counted), "utf-8")


def total(settings: dict[str, Any]) -> int:
    """The parameters of the class that a configuration names, or of its family's language model."""
    import torch  # type: ignore[import-not-found,unused-ignore] # noqa: PLC0415 (not a dependency)
    import transformers  # type: ignore[import-not-found,unused-ignore] # noqa: PLC0415 (not a dependency)
    from transformers.models.auto import (  # type: ignore[import-not-found,unused-ignore] # noqa: PLC0415
        modeling_auto,
    )

    config = transformers.CONFIG_MAPPING[settings["model_type"]].from_dict(dict(settings))
    named = getattr(transformers, (settings.get("architectures") or [""])[0], None)
    mappings = (
        modeling_auto.MODEL_FOR_CAUSAL_LM_MAPPING,
        modeling_auto.MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING,
        modeling_auto.MODEL_MAPPING,
    )
    made = named or next(mapping[type(config)] for mapping in mappings if type(config) in mapping)
    with torch.device("meta"):
        model = made(config)
        model.tie_weights()
    parameters = {name: tensor for name, tensor in model.named_parameters() if tensor is not None}
    saved = {name: tensor for name, tensor in model.named_buffers() if name.endswith(_BUFFERS)}
    return sum(tensor.numel() for tensor in (parameters | saved).values())


if __name__ == "__main__":
    main()
