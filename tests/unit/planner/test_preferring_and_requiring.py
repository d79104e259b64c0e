"""Unset is a preference, set is a requirement."""

import pytest

from pillion.api.reasons import Reason
from pillion.api.status import PlanStatus
from pillion.facts.model import CacheKind
from pillion.planner import wishes
from pillion.sizing import kv_cache
from tests.unit.planner import worlds
from tests.unit.planner.worlds import A100, H100, L4, PLAIN, T4

# One token of this cache is one byte in one block of 16, so that rooms read as tokens.
LAYOUT = kv_cache.KvLayout(
    block_tokens=16,
    block_bytes=16,
    groups=(kv_cache.TableGroup(kind=CacheKind.FULL, block_tokens=16),),
)


def wanted(
    *, context: int | None = None, concurrency: int | None = None, limit: int = 40_960
) -> wishes.Wishes:
    model = worlds.smaller(worlds.QWEN3_8B, max_context_tokens=limit)
    serving = {"contextLength": context, "concurrency": concurrency}
    given = {key: value for key, value in serving.items() if value is not None}
    return wishes.wishes(worlds.spec(model, serving=given), model, wishes.Device.GPU)


@pytest.mark.parametrize(
    ("wish", "room", "expected"),
    [
        pytest.param(wanted(), 8 * 8192, (8192, 8), id="all that is preferred"),
        pytest.param(wanted(), 10**9, (8192, 8), id="no more than preferred"),
        pytest.param(wanted(), 8 * 8192 - 1, (8192, 7), id="first fewer requests"),
        pytest.param(wanted(), 8192, (8192, 1), id="down to one"),
        pytest.param(wanted(), 8191, (7936, 1), id="then a shorter context, in even steps"),
        pytest.param(wanted(), 4096, (4096, 1), id="down to 4,096"),
        pytest.param(wanted(), 4095, None, id="and no further"),
        pytest.param(
            wanted(concurrency=4), 4 * 8192, (8192, 4), id="required requests of the preferred length"
        ),
        pytest.param(wanted(concurrency=4), 4 * 6000, (5888, 4), id="required requests shorten the context"),
        pytest.param(wanted(concurrency=4), 4 * 4096 - 1, None, id="required requests do not become fewer"),
        pytest.param(
            wanted(context=16_384), 3 * 16_384, (16_384, 3), id="a required length has fewer requests"
        ),
        pytest.param(wanted(context=16_384), 16_383, None, id="a required length does not become shorter"),
        pytest.param(wanted(context=2048, concurrency=2), 2 * 2048, (2048, 2), id="both required, and there"),
        pytest.param(
            wanted(context=2048, concurrency=2), 2 * 2048 - 1, None, id="both required, and not there"
        ),
        pytest.param(wanted(limit=1024), 8 * 1024, (1024, 8), id="a model with short requests"),
        pytest.param(wanted(limit=1024), 1023, None, id="whose own length is the floor"),
    ],
)
def test_what_is_granted(wish: wishes.Wishes, room: int, expected: tuple[int, int] | None) -> None:
    granted = wishes.granted(wish, LAYOUT, room_bytes=room + 16)  # one block is never usable
    assert (granted and (granted.context_tokens, granted.concurrency)) == expected


def test_a_shorter_context_is_the_greater_loss() -> None:
    wish = wanted()
    one_request = wishes.Granted(context_tokens=8192, concurrency=1).shortfall(wish)
    shorter = wishes.Granted(context_tokens=8191, concurrency=8).shortfall(wish)
    assert one_request < shorter


def test_status_says_what_was_given_up() -> None:
    plan = worlds.planned(worlds.QWEN3_8B, on=[T4]).plan
    assert plan.given_up == "8 requests of 8,192 tokens are preferred, and 3 fit."
    assert plan.to_status()["givenUp"] == plan.given_up


def test_status_says_for_which_length_the_requests_were_counted() -> None:
    shown = worlds.planned(worlds.QWEN3_8B, on=[L4], quantization={"method": "None"}).plan.to_status()
    assert (shown["concurrency"], shown["concurrencyLength"]) == (3, 8192)
    assert shown["contextLength"] > 8192
    assert PlanStatus.model_validate(shown).concurrency_length == 8192


@pytest.mark.parametrize(
    ("granted", "words"),
    [
        pytest.param((8192, 3), "8 requests of 8,192 tokens are preferred, and 3 fit.", id="fewer"),
        pytest.param((8192, 1), "8 requests of 8,192 tokens are preferred, and 1 fits.", id="one"),
        pytest.param(
            (4096, 1),
            "8 requests of 8,192 tokens are preferred, and 1 request of 4,096 tokens fits.",
            id="a shorter one",
        ),
    ],
)
def test_what_was_given_up_reads_as_a_sentence(granted: tuple[int, int], words: str) -> None:
    context_tokens, concurrency = granted
    found = wishes.Granted(context_tokens=context_tokens, concurrency=concurrency)
    assert found.given_up(wanted()) == words


def test_nothing_is_given_up_where_all_fits() -> None:
    plan = worlds.planned(worlds.QWEN3_8B, on=[H100]).plan
    assert plan.given_up is None
    assert "givenUp" not in plan.to_status()


def test_an_unset_length_is_raised_to_what_one_request_can_have() -> None:
    assert worlds.planned(worlds.QWEN3_8B, on=[A100]).plan.context_tokens == 40_960
    plan = worlds.planned(worlds.LLAMA_8B, on=[L4]).plan
    assert 8192 < plan.context_tokens < 131_072
    one_request = plan.context_tokens * 131_072
    room = plan.memory.kv_cache + plan.memory.headroom
    assert 0.9 * room < one_request < 0.99 * room  # a margin below what the engine is expected to have


def test_a_set_length_stays() -> None:
    plan = worlds.planned(worlds.QWEN3_8B, on=[A100], serving={"contextLength": 6000}).plan
    assert (plan.context_tokens, plan.promised_context_tokens) == (6000, 6000)


def test_on_cpu_one_request_of_4096_is_preferred_and_the_cache_is_that_large() -> None:
    plan = worlds.planned(worlds.TINY, on=[PLAIN]).plan
    assert (plan.context_tokens, plan.concurrency) == (4096, 1)
    assert plan.kv_cache_bytes == plan.memory.kv_cache == (4096 // 128 + 1) * 128 * 4 * 2 * 2 * 64 * 2


def test_more_sequences_than_concurrency_share_the_cache() -> None:
    plan = worlds.planned(worlds.QWEN3_8B, on=[H100]).plan
    assert plan.max_num_seqs == 128
    assert worlds.planned(
        worlds.QWEN3_8B, on=[H100], serving={"concurrency": 200, "contextLength": 256}
    ).plan.max_num_seqs == (256)


def test_sequences_are_fewer_where_their_peak_would_cost_requests() -> None:
    fewer = worlds.planned(worlds.QWEN3_8B, on=[T4]).plan
    assert 8 < fewer.max_num_seqs < 128  # no fewer than that takes
    assert fewer.concurrency == 3


@pytest.mark.parametrize(
    ("serving", "words"),
    [
        pytest.param({"contextLength": 100_000}, "40,960", id="longer than the model was made for"),
        pytest.param(
            {"concurrency": 64},
            "spec.serving.concurrency: ",
            id="more requests than fit, with the number that does",
        ),
        pytest.param(
            {"contextLength": 40_960, "concurrency": 4},
            "spec.serving.concurrency: 2",
            id="both, with what would fit",
        ),
    ],
)
def test_a_requirement_that_cannot_be_met_is_refused_with_numbers(
    serving: dict[str, int], words: str
) -> None:
    refusal = worlds.refused(worlds.QWEN3_8B, on=[L4], serving=serving)
    assert words in refusal.message
    assert refusal.reason in {Reason.NO_ACCELERATOR_FITS, Reason.CONTEXT_EXCEEDS_MODEL}
