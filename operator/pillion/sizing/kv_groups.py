"""Which layers share a table of blocks?

An engine gives blocks of one size to groups of layers. Layers that need the same tokens are of a kind; kinds are cut
into groups of as many layers as the rarest kind has, so that one block holds a page of each layer of any group.
Source: vLLM, get_kv_cache_groups and what it calls, in the versions of `kv_rules`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from pillion.facts.model import CacheKind
from pillion.sizing.kv_rules import Rules


@dataclass(frozen=True, kw_only=True, slots=True)
class Pages:
    """Layers whose pages are alike."""

    kind: CacheKind
    positions: tuple[int, ...]
    block_tokens: int
    page_bytes: int
    window: int | None = None
    states: int = 0  # that a request holds, of recurrent layers

    @property
    def bucket(self) -> tuple[CacheKind, int | None, int, int]:
        """What has to be the same for layers to share groups."""
        return self.kind, self.window, self.block_tokens, self.page_bytes


@dataclass(frozen=True, kw_only=True, slots=True)
class Group:
    """Layers that share one table of blocks."""

    pages: Pages
    members: tuple[tuple[int, int], ...]  # decoder layer, bytes of its page


def groups(pages: Sequence[Pages], rules: Rules) -> tuple[Group, ...]:
    """The groups that layers form."""
    if _alike(pages):
        members = tuple((layer, page.page_bytes) for page in pages for layer in page.positions)
        return (Group(pages=pages[0], members=members),)
    buckets: dict[tuple[CacheKind, int | None, int, int], list[Pages]] = {}
    for page in _of_one_size(pages):
        buckets.setdefault(page.bucket, []).append(page)
    kinds = [
        (bucket[0], sorted(layer for page in bucket for layer in page.positions))
        for bucket in buckets.values()
    ]
    numbers = [len(layers) for _, layers in kinds]
    size = min(numbers)
    if max(numbers) < size * rules.one_group_within:
        size = max(numbers)
    return tuple(
        Group(pages=page, members=tuple((layer, page.page_bytes) for layer in layers[start::number]))
        for page, layers in kinds
        for number in [_ceil_div(len(layers), size)]
        for start in range(number)
    )


def _alike(pages: Sequence[Pages]) -> bool:
    """Whether all layers need the same tokens, so that one table serves them whatever their pages' sizes."""
    if len({(page.kind, page.window, page.block_tokens) for page in pages}) > 1:
        return False
    return pages[0].kind is not CacheKind.STATE or len({page.page_bytes for page in pages}) == 1


def _of_one_size(pages: Sequence[Pages]) -> list[Pages]:
    """Pages made equally large: smaller ones hold more tokens, or are padded where that does not come out even."""
    largest = max(page.page_bytes for page in pages)
    return [
        replace(
            page,
            block_tokens=page.block_tokens * (largest // page.page_bytes),
            page_bytes=largest,
        )
        if largest % page.page_bytes == 0 and page.kind is not CacheKind.STATE
        else replace(page, page_bytes=largest)
        for page in pages
    ]


def _ceil_div(value: int, divisor: int) -> int:
    return -(-value // divisor)
