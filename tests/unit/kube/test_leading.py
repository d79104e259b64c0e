"""Only the holder of the lease acts, and one that cannot renew it stops."""

from __future__ import annotations

import asyncio
import contextlib
import selectors
from typing import Any

import pytest

from pillion.kube import election
from pillion.kube.client import Conflict, KubeError, NotFound

Raw = dict[str, Any]


class Time:
    """A clock that only sleeping moves; whoever sleeps lets everybody else work first."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        for _ in range(10):
            await asyncio.sleep(0)
        self.now += seconds


class Leases:
    """The API server's part: one lease, its versions, and faults."""

    def __init__(self, lease: Raw | None = None) -> None:
        self.lease = lease
        self.fails_until = 0.0
        self.time = Time()

    async def get(self, *_: object) -> Raw:
        self._answer()
        if self.lease is None:
            raise NotFound(404, "no lease")
        return self.lease

    async def create(self, _: object, body: Raw, **__: object) -> Raw:
        self._answer()
        if self.lease is not None:
            raise Conflict(409, "exists")
        self.lease = {**body, "metadata": {**body["metadata"], "resourceVersion": "1"}}
        return self.lease

    async def patch(self, _: object, __: str, ___: str, patch: Any, **____: object) -> Raw:
        self._answer()
        assert self.lease is not None
        version = self.lease["metadata"]["resourceVersion"]
        if isinstance(patch, list):
            assert patch[0]["value"] == self.lease["spec"]["holderIdentity"]
            spec = {key: value for key, value in self.lease["spec"].items() if key != "holderIdentity"}
        elif patch["metadata"]["resourceVersion"] != version:
            raise Conflict(409, "another version")
        else:
            spec = self.lease["spec"] | patch["spec"]
        self.lease = {**self.lease, "metadata": {"resourceVersion": str(int(version) + 1)}, "spec": spec}
        return self.lease

    @property
    def holder(self) -> str | None:
        return self.lease["spec"].get("holderIdentity") if self.lease is not None else None

    def _answer(self) -> None:
        if self.time.now < self.fails_until:
            raise KubeError(0, "the API server did not answer")


def held_by(holder: str) -> Raw:
    return {
        "metadata": {"resourceVersion": "7"},
        "spec": {"holderIdentity": holder, "leaseDurationSeconds": 15, "renewTime": "some time"},
    }


async def lead(leases: Leases, run: Any) -> None:
    await election.lead(
        leases,  # type: ignore[arg-type] # what of a cluster an election needs
        namespace="ns",
        name="lease",
        identity="me",
        run=run,
        clock=leases.time,
        sleep=leases.time.sleep,
    )


async def test_whoever_comes_first_leads_and_gives_the_lease_back_at_the_end() -> None:
    leases = Leases()
    seen = []

    async def run() -> None:
        seen.append(leases.holder)

    await lead(leases, run)
    assert seen == ["me"]
    assert leases.holder is None


async def test_a_lease_that_was_given_back_is_taken_at_once() -> None:
    released = held_by("another")
    del released["spec"]["holderIdentity"]
    leases = Leases(released)
    seen = []

    async def run() -> None:
        seen.append((leases.holder, leases.time.now))

    await lead(leases, run)
    assert seen == [("me", 1000.0)]


async def test_the_lease_of_one_that_renews_no_more_is_taken_after_its_duration() -> None:
    leases = Leases(held_by("another"))
    seen = []

    async def run() -> None:
        seen.append((leases.holder, leases.time.now))

    await lead(leases, run)
    [(holder, when)] = seen
    assert holder == "me"
    assert 1015.0 <= when <= 1017.0


async def test_nobody_leads_beside_one_that_renews() -> None:
    leases = Leases(held_by("another"))

    async def renewed(seconds: float) -> None:
        await leases.time.__class__.sleep(leases.time, seconds)
        assert leases.lease is not None
        leases.lease = {
            "metadata": {"resourceVersion": str(int(leases.lease["metadata"]["resourceVersion"]) + 1)},
            "spec": {**leases.lease["spec"], "renewTime": str(leases.time.now)},
        }

    async def run() -> None:
        raise AssertionError("two lead")

    leases.time.sleep = renewed  # type: ignore[method-assign]
    task = asyncio.create_task(lead(leases, run))
    while leases.time.now < 1100.0:
        await asyncio.sleep(0)
        assert not task.done()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert leases.holder == "another"


@pytest.mark.parametrize(
    ("outage_seconds", "survives"),
    [
        pytest.param(6, True, id="an API server that is away for less than the deadline"),
        pytest.param(60, False, id="an API server that is away for longer"),
    ],
)
async def test_a_leader_that_cannot_renew_ends(outage_seconds: float, survives: bool) -> None:
    leases = Leases()
    ended = []

    async def run() -> None:
        leases.fails_until = leases.time.now + outage_seconds
        try:
            while leases.time.now < 1100.0:
                await asyncio.sleep(0)
        finally:
            ended.append(leases.time.now)

    if survives:
        await lead(leases, run)
        assert leases.holder is None
    else:
        with pytest.raises(election.LeaseLostError, match="was not renewed for 10 s"):
            await lead(leases, run)
        # Before another one may take it over, 15 s after the last renewal.
        assert ended[0] <= 1010.0


async def test_a_leader_renews_every_four_seconds_and_after_a_failure_every_second() -> None:
    leases = Leases()
    asked = []
    patch = leases.patch

    async def noting(*args: Any, **kwargs: object) -> Raw:
        asked.append(leases.time.now)
        return await patch(*args, **kwargs)

    async def run() -> None:
        leases.patch = noting  # type: ignore[method-assign]
        while leases.time.now < 1008.0:
            await asyncio.sleep(0)
        leases.fails_until = 1013.5
        while leases.time.now < 1020.0:
            await asyncio.sleep(0)

    await lead(leases, run)
    assert asked[:5] == [1004.0, 1008.0, 1012.0, 1014.0, 1018.0]


async def test_a_leader_that_finds_another_name_in_the_lease_ends_at_once() -> None:
    leases = Leases()

    async def run() -> None:
        leases.lease = held_by("another")
        await asyncio.Event().wait()

    with pytest.raises(election.LeaseLostError):
        await lead(leases, run)
    assert leases.holder == "another"
    assert leases.time.now < 1010.0


async def test_an_error_of_the_work_is_the_callers() -> None:
    leases = Leases()

    async def run() -> None:
        raise RuntimeError("broken")

    with pytest.raises(RuntimeError, match="broken"):
        await lead(leases, run)


class Selector(selectors.DefaultSelector):
    """Whoever would wait for a time has it passed at once."""

    passed = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        assert timeout is not None, "nothing will ever happen"
        self.passed += timeout
        return super().select(0)


class Loop(asyncio.SelectorEventLoop):
    """An event loop whose time passes only where everybody waits; so even timeouts take no time."""

    def __init__(self) -> None:
        self.waits = Selector()
        super().__init__(self.waits)

    def time(self) -> float:
        return self.waits.passed


class SlowLeases(Leases):
    """An API server whose every answer takes a while, by the loop's time, and then is lost or not."""

    def __init__(self) -> None:
        super().__init__()
        self.takes_seconds = 0.0
        self.loses_answers = False
        self.renewed: list[float] = []  # when requests that were answered were sent

    async def get(self, *args: object) -> Raw:
        await asyncio.sleep(self.takes_seconds)
        return await super().get(*args)

    async def create(self, *args: Any, **kwargs: object) -> Raw:
        return await self._written(super().create(*args, **kwargs))

    async def patch(self, *args: Any, **kwargs: object) -> Raw:
        return await self._written(super().patch(*args, **kwargs))

    async def _written(self, write: Any) -> Raw:
        sent = asyncio.get_running_loop().time()
        answer: Raw = await write
        await asyncio.sleep(self.takes_seconds)
        if self.loses_answers:
            await asyncio.Event().wait()
        self.renewed.append(sent)
        return answer


@pytest.mark.parametrize(
    ("before", "after"),
    [
        pytest.param(0.0, 60.0, id="one that answered at once and now hangs"),
        pytest.param(2.4, 60.0, id="one that was slow from the beginning and now hangs"),
        pytest.param(1.0, 4.999, id="one that is too slow to be read and written in one attempt"),
    ],
)
@pytest.mark.parametrize("led_for", [0.1, 1.9, 7.3])
def test_a_leader_stops_within_the_deadline_of_its_last_renewal_with_an_api_server_like(
    before: float, after: float, led_for: float
) -> None:
    leases, ended = SlowLeases(), []

    async def run() -> None:
        loop = asyncio.get_running_loop()
        try:
            await asyncio.sleep(led_for)
            leases.takes_seconds, leases.loses_answers = after, True
            await asyncio.sleep(1000)
        finally:
            ended.append(loop.time())

    async def lose() -> None:
        leases.takes_seconds = before
        with contextlib.suppress(election.LeaseLostError):
            await election.lead(
                leases,  # type: ignore[arg-type] # what of a cluster an election needs
                namespace="ns",
                name="lease",
                identity="me",
                run=run,
                clock=asyncio.get_running_loop().time,
            )

    with asyncio.Runner(loop_factory=Loop) as runner:
        runner.run(lose())

    (end,) = ended
    assert end - max(leases.renewed) <= election.RENEW_DEADLINE_SECONDS + 0.01
    assert election.RENEW_DEADLINE_SECONDS + 0.01 < election.LEASE_SECONDS


async def test_a_renewal_whose_answer_was_lost_does_not_cost_the_lease() -> None:
    leases = Leases()
    lost = []
    patch = leases.patch

    async def losing(*args: Any, **kwargs: object) -> Raw:
        answer = await patch(*args, **kwargs)
        if not lost:
            lost.append(leases.time.now)
            raise KubeError(0, "the connection broke")
        return answer

    async def run() -> None:
        leases.patch = losing  # type: ignore[method-assign]
        while leases.time.now < 1100.0:
            await asyncio.sleep(0)

    await lead(leases, run)
    assert lost
    assert leases.holder is None
