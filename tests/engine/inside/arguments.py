"""What does the engine's own parser make of a command line? Runs in the engine's Python; see asking.py.

A job has `id` and `argv`, the command line without `vllm serve`. The answer has what the parser understood as `parsed`
(values that JSON knows), or `error`. The job `registries` asks for the names that other arguments are checked against.
"""

from __future__ import annotations

import contextlib
import io
import json
import sys
from typing import Any

from vllm.entrypoints.launchers.cli_args import make_arg_parser, validate_parsed_serve_args
from vllm.model_executor.layers.quantization import QUANTIZATION_METHODS
from vllm.reasoning import ReasoningParserManager
from vllm.tool_parsers import ToolParserManager
from vllm.utils.argparse_utils import FlexibleArgumentParser


def plain(value: object) -> object:
    return value if isinstance(value, str | int | float | bool | list | dict) or value is None else str(value)


def parsed(argv: list[str]) -> dict[str, Any]:
    parser = make_arg_parser(FlexibleArgumentParser(prog="vllm serve"))
    words = io.StringIO()
    with contextlib.redirect_stderr(words):
        try:
            arguments = parser.parse_args(argv)
            validate_parsed_serve_args(arguments)
        except SystemExit:
            return {"error": words.getvalue()[-1000:]}
        except Exception as error:
            return {"error": f"{type(error).__name__}: {error}"}
    return {"parsed": {key: plain(value) for key, value in vars(arguments).items()}}


def registries() -> dict[str, Any]:
    return {
        "tool_parsers": sorted(ToolParserManager.list_registered()),
        "reasoning_parsers": sorted(ReasoningParserManager.list_registered()),
        "quantizations": sorted(QUANTIZATION_METHODS),
    }


for line in sys.stdin.read().splitlines():
    job = json.loads(line)
    answer = registries() if job["id"] == "registries" else parsed(job["argv"])
    print("ANSWER " + json.dumps({"id": job["id"], **answer}), flush=True)
