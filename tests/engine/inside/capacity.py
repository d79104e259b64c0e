"""How large does the engine say its KV cache is? Runs in the engine's Python; see asking.py.

A job has `id`, `folder` (with a config.json) and `engine` (arguments of vllm.LLM). The engine really starts: it builds
the model with random weights, profiles it and allocates the cache. Each job is a fork, which saves importing torch.
"""

from __future__ import annotations

import json
import os
import sys
import traceback
from typing import Any

from vllm import LLM


def capacity(folder: str, engine: dict[str, Any]) -> dict[str, Any]:
    started = LLM(model=folder, load_format="dummy", enforce_eager=True, seed=0, **engine)
    cache = started.llm_engine.vllm_config.cache_config
    return {
        "tokens": cache.kv_cache_size_tokens or 0,
        "blocks": cache.num_gpu_blocks,
        "block_tokens": cache.block_size,
        "concurrency": cache.kv_cache_max_concurrency or 0,
        "prefix_caching": bool(cache.enable_prefix_caching),
    }


for line in sys.stdin.read().splitlines():
    job = json.loads(line)
    child = os.fork()
    if child == 0:
        try:
            answer = capacity(job["folder"], job["engine"])
        except BaseException as error:
            traceback.print_exc()
            answer = {"error": f"{type(error).__name__}: {error}"}
        print("ANSWER " + json.dumps({"id": job["id"], **answer}), flush=True)
        os._exit(0)
    os.waitpid(child, 0)
