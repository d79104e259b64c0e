"""What does the control plane alone cost? A bare loop: one watch, and one write for each object that it shows.

It watches a kind with the very schema of a ModelDeployment (under another group, so that the operator does not see
it), and writes one ConfigMap of that name: created for an object that came, patched for one that changed, deleted for
one that went. Its writes do not wait for one another. A program of its own, so that it competes for the cores as the
operator does:

    python -m benchmarks.floor KUBECONFIG NAMESPACE
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from benchmarks.api import CONFIG_MAPS, FLOOR_CAUSES, Api, Event

READY = "watching"
GENERATION = "generation"


async def answer(api: Api, namespace: str, event: Event) -> None:
    """The one write."""
    metadata = event.object["metadata"]
    if event.type == "DELETED":
        await api.delete(CONFIG_MAPS, namespace, metadata["name"])
        return
    data = {GENERATION: str(metadata["generation"])}
    if event.type == "ADDED":
        body = {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": metadata["name"], "namespace": namespace},
            "data": data,
        }
        await api.create(CONFIG_MAPS, body)
    else:
        await api.patch(CONFIG_MAPS, namespace, metadata["name"], {"data": data})


async def run(kubeconfig: Path, namespace: str) -> None:
    """Watch and write until the process ends."""
    api = Api.connect(kubeconfig)
    writes: set[asyncio.Task[None]] = set()
    _, version = await api.list(FLOOR_CAUSES, namespace)
    print(READY, flush=True)
    async for event in api.watch(FLOOR_CAUSES, namespace, version):
        write = asyncio.create_task(answer(api, namespace, event))
        writes.add(write)
        write.add_done_callback(writes.discard)


if __name__ == "__main__":
    asyncio.run(run(Path(sys.argv[1]), sys.argv[2]))
