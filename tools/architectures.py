"""Which architectures does the pinned engine serve, going by its own registry?

    python -m tools.architectures vllm-0.33.0-cp38-abi3-manylinux_2_28_x86_64.whl            write them
    python -m tools.architectures vllm-0.33.0-cp38-abi3-manylinux_2_28_x86_64.whl --check    fail where they differ

reads the registry out of a wheel (`pip download vllm==0.33.0 --no-deps`), without running it, and writes its names
into the engine's profile. Draft models, and the names behind which transformers' own code is run, are left out.
"""

import argparse
import ast
import textwrap
import zipfile
from pathlib import Path

PROFILE = (
    Path(__file__).resolve().parent.parent / "operator" / "pillion" / "engines" / "vllm" / "profile.yaml"
)
_REGISTRY = "vllm/model_executor/models/registry.py"
_LEFT_OUT = frozenset({"_SPECULATIVE_DECODING_MODELS", "_TRANSFORMERS_BACKEND_MODELS"})
_ALL = "_VLLM_MODELS"
_GONE = "_PREVIOUSLY_SUPPORTED_MODELS"
_OUTSIDE = "_OOT_SUPPORTED_MODELS"  # served by a plugin, which the image does not have


class RegistryError(ValueError):
    """The registry is not of the form that this program reads; a new release may have changed it."""


def architectures(registry: str) -> tuple[set[str], set[str]]:
    """What a registry's source serves, and what it served once.

    Raises:
        RegistryError: it lacks the tables.
    """
    tables: dict[str, ast.Dict] = {}
    for node in ast.parse(registry).body:
        match node:
            case ast.Assign(targets=[ast.Name(id=name)], value=ast.Dict() as table):
                tables[name] = table
            case ast.AnnAssign(target=ast.Name(id=name), value=ast.Dict() as table):
                tables[name] = table
    missing = {_ALL, _GONE} - set(tables)
    if missing:
        raise RegistryError(f"the registry has no {', '.join(sorted(missing))}; look at what replaced them")
    groups = [value.id for value in tables[_ALL].values if isinstance(value, ast.Name)]
    served = {name for group in groups if group not in _LEFT_OUT for name in _keys(tables[group])}
    drafts = {name for group in _LEFT_OUT for name in _keys(tables[group])}
    gone = _keys(tables[_GONE]) | (_keys(tables[_OUTSIDE]) if _OUTSIDE in tables else set())
    return served - drafts, gone - served


def block(version: str, served: set[str], gone: set[str]) -> str:
    """The part of a profile that names architectures."""
    return (
        "architectures:\n"
        f'  source: "vllm {version}, model_executor/models/registry.py, all groups but draft models '
        '(tools/architectures.py)"\n'
        f"  served: [\n{_lines(served)}]\n"
        f"  gone: [\n{_lines(gone)}]\n"
    )


def replaced(profile: str, new: str) -> str:
    """A profile with another part on architectures, which is its last."""
    before, found, _ = profile.partition("\narchitectures:\n")
    if not found:
        raise RegistryError("the profile has no part `architectures`, which is its last")
    return f"{before}\n{new}"


def _keys(table: ast.Dict) -> set[str]:
    return {str(key.value) for key in table.keys if isinstance(key, ast.Constant)}


def _lines(names: set[str]) -> str:
    return textwrap.fill(
        ", ".join(sorted(names)), 118, initial_indent="    ", subsequent_indent="    ", break_long_words=False
    )


def main() -> int:
    """Write the profile's part, or say whether it is what the wheel would give."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("wheel", type=Path)
    parser.add_argument("--check", action="store_true")
    given = parser.parse_args()
    with zipfile.ZipFile(given.wheel) as archive:
        served, gone = architectures(archive.read(_REGISTRY).decode())
    old = PROFILE.read_text("utf-8")
    new = replaced(old, block(given.wheel.name.split("-")[1], served, gone))
    if given.check:
        return 0 if new == old else 1
    PROFILE.write_text(new, "utf-8")
    print(f"{len(served)} served, {len(gone)} gone")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
