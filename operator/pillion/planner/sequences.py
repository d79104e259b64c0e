"""How many sequences shall an engine compute at once?

As many as share the cache well, unless the sampler's peak for them takes too much of a small accelerator.
"""

from typing import Final

from pillion.sizing import overheads

_USUAL: Final = 128
_FEWEST: Final = 8
_ON_CPU: Final = 16
_SAMPLER_SHARE: Final = 0.04  # of usable memory; ASSUMED, keeps the peak below 1 GiB on a 24 GB card


def to_try(wanted: int, *, on_cpu: bool, usable_bytes: int, vocab_size: int) -> tuple[int, ...]:
    """Numbers of sequences to try, most first; powers of two, none below what is wanted at once."""
    least = _power_of_two(wanted)
    if on_cpu:
        return (max(_ON_CPU, least),)
    usual = _USUAL
    allowed = usable_bytes * _SAMPLER_SHARE
    while (
        usual > _FEWEST and overheads.sampler_peak_bytes(max_num_seqs=usual, vocab_size=vocab_size) > allowed
    ):
        usual //= 2
    most, fewest = max(usual, least), max(_FEWEST, least)
    return tuple(most >> halvings for halvings in range((most // fewest).bit_length()))


def _power_of_two(number: int) -> int:
    """The next power of two, at least the number itself."""
    return 1 << (number - 1).bit_length()
