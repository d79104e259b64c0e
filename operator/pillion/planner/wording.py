"""How are numbers and names written for people?"""

from pillion.sizing.constants import GIB, MIB


def gib(amount: int) -> str:
    """Bytes as GiB with two digits, or as MiB below 100 MiB."""
    if abs(amount) < 100 * MIB:
        return f"{amount / MIB:.1f} MiB"
    return f"{amount / GIB:.2f} GiB"


def quantity(amount: int) -> str:
    """Bytes as a Kubernetes quantity in GiB, for status."""
    return f"{amount / GIB:.2f}Gi"


def count(number: int, singular: str, plural: str | None = None) -> str:
    """A number with its noun: 1 pod, 3 pods."""
    return f"{number:,} {singular if number == 1 else plural or singular + 's'}"


def requests_of(concurrency: int, context_tokens: int) -> str:
    """Requests with their length: 3 requests of 8,192 tokens."""
    return f"{count(concurrency, 'request')} of {context_tokens:,} tokens"


def weights_name(quantization: str) -> str:
    """What the weights are called in a sentence."""
    return "16 bit" if quantization == "None" else quantization


def accelerators(number: int, product: str) -> str:
    """2 x NVIDIA-L4, or NVIDIA-L4 for one."""
    return product if number == 1 else f"{number} x {product}"
