"""How are numbers and names written for people?"""

from collections.abc import Sequence

from pillion.sizing.constants import GIB, MIB

_FOR_SEVERAL = {"does": "do", "has": "have", "is": "are", "lacks": "lack", "needs": "need", "runs": "run"}


def gib(amount: int) -> str:
    """Bytes as GiB with two digits; as MiB below 100 MiB, as TiB from 1024 GiB."""
    if abs(amount) < 100 * MIB:
        return f"{amount / MIB:.1f} MiB"
    if abs(amount) >= 1024 * GIB:
        return f"{amount / (1024 * GIB):.2f} TiB"
    return f"{amount / GIB:.2f} GiB"


def quantity(amount: int) -> str:
    """Bytes as a Kubernetes quantity in GiB, for status."""
    return f"{amount / GIB:.2f}Gi"


def count(number: int, singular: str, plural: str | None = None) -> str:
    """A number with its noun: 1 pod, 3 pods."""
    return f"{number:,} {singular if number == 1 else plural or singular + 's'}"


def doing(number: int, noun: str, verb: str) -> str:
    """A number of nouns with its verb, which is given for one: 1 node lacks, 3 nodes lack."""
    return f"{count(number, noun)} {verb if number == 1 else _FOR_SEVERAL[verb]}"


def cores(millis: int) -> str:
    """CPU as cores, with as many digits as it takes: 8 cores, 0.25 cores."""
    return f"{millis / 1000:g} {'core' if millis == 1000 else 'cores'}"


def requests_of(concurrency: int, context_tokens: int) -> str:
    """Requests with their length: 3 requests of 8,192 tokens."""
    return f"{count(concurrency, 'request')} of {context_tokens:,} tokens"


def weights_name(quantization: str) -> str:
    """What the weights are called in a sentence."""
    return "16 bit" if quantization == "None" else quantization


def device(number: int, product: str | None) -> str:
    """What an engine computes on: NVIDIA-L4, 2 x NVIDIA-L4, or CPU where there is no product."""
    if product is None:
        return "CPU"
    return product if number == 1 else f"{number} x {product}"


def listed(names: Sequence[str], *, last: str = "and") -> str:
    """Names as a sentence has them: A, B and C."""
    if len(names) < 2:
        return "".join(names)
    return f"{', '.join(names[:-1])} {last} {names[-1]}"
