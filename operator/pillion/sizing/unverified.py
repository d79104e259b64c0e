"""Which part of an estimate has no start-up log confirmed?"""

from typing import Final

from pillion.hardware import gpus
from pillion.sizing import budget, constants, formats, served_versions, settings, tgi, versions
from pillion.sizing.request import TGI, EstimateRequest

# Makers of whose accelerators no log is compared, by the names of the table of accelerators and in a sentence.
_NO_LOG_OF: Final = {"amd": "AMD accelerators", "intel": "Intel accelerators", "habana": "Intel Gaudi"}
# The same by parts of a product's name, which tell more, and all that is told of one that is in no table.
_NO_LOG: Final = {
    "mi2": "AMD Instinct",
    "mi3": "AMD Instinct",
    "radeon": "AMD Radeon",
    "amd": "AMD accelerators",
    "intel": "Intel accelerators",
    "gaudi": "Intel Gaudi",
    "arc": "Intel Arc",
    "cpu": "engines on CPU",
    "-mig-": "MIG slices",
    "mig-": "MIG slices",
}


def hardware(product: str | None) -> str | None:
    """What hardware is meant that no log covers; None: one of which there are logs, or of which nothing is known."""
    if product is None:
        return None
    name, row = product.lower(), gpus.find(product)
    named = next((what for part, what in _NO_LOG.items() if part in name), None)
    if row is None:
        return named
    if row.vendor not in _NO_LOG_OF:
        return _NO_LOG["-mig-"] if row.sliced else None
    return named or _NO_LOG_OF[row.vendor]


def notes(
    request: EstimateRequest, found: settings.Settings, division: budget.Division | None
) -> tuple[str, ...]:
    """What to know about an estimate, in sentences."""
    said = []
    what = hardware(request.product)
    if what is not None:
        said.append(f"Unverified: no start-up log of {what} confirms the memory model.")
    if settings.has_unified_memory(request.product):
        said.append("Unverified: memory is shared with other programs, whose part is not known.")
    if request.engine == TGI:
        said.append("Unverified: the formula is TGI's own; one log confirms it.")
    else:
        said += _of_another_version(request.engine_version)
    if request.model.quantization is None and request.quantization in formats.CHECKPOINT_LABELS:
        said.append(
            f"{request.quantization} is not made while loading: sized as a checkpoint of the model in that form."
        )
    if request.engine_version is None and request.engine != TGI:
        architecture = request.model.architecture
        last = served_versions.last(architecture)
        if last is not None:
            said.append(
                f"vLLM {found.version}, which plans are made for, does not serve {architecture} any more: a plan "
                f"refuses it, and this is about vLLM up to {last}."
            )
        said.append(
            f"No engine version: the KV cache is divided as by vLLM {found.version}, and as small as the versions from "
            f"{served_versions.oldest_meant(request.model.architecture)} on leave it."
        )
    if not request.model.known_architecture:
        said.append("Unverified: the architecture is not known, and its weights are estimated.")
    elif request.standing in {served_versions.Standing.UNLISTED, served_versions.Standing.NEEDS_A_CLASS}:
        engine = f"TGI {tgi.LAST_VERSION}" if request.engine == TGI else f"vLLM {versions.PINNED}"
        named = request.model.architecture or "the architecture"
        said.append(f"Unverified: {engine} does not list {named}, and may not serve it.")
    if division is not None:
        said.append(
            f"The promise leaves {division.margin / constants.GIB:.2f} GiB unspent on each accelerator: 0.3 % of "
            "weights in 16 bit and 1.5 % of others, 15 % of activations, 40 % of CUDA graphs, and how engines differ."
        )
    return tuple(said)


def _of_another_version(written: str | None) -> tuple[str, ...]:
    """That vLLM's version is none whose rules are known; any number is taken, as builds of tomorrow's versions are."""
    version = versions.parse(written)
    oldest, newest = versions.V1_ENGINE, versions.PINNED
    if version is None or oldest <= version <= newest:
        return ()
    than = "older" if version < oldest else "newer"
    return (
        f"Unverified: the memory model has the rules of vLLM {oldest} to {newest}, and {written} is {than}: it may "
        "divide memory otherwise.",
    )
