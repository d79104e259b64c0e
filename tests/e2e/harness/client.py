"""What does an application hear that never stops asking its model, while the model comes, changes and dies?"""

from __future__ import annotations

import json
import subprocess
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self

from tests.e2e.harness.waiting import NotYet, until

if TYPE_CHECKING:
    from collections.abc import Sequence

# Asks without a pause, as fast as answers come; one line of JSON each. It ends when nobody reads any more.
ASK_ALL_THE_TIME = """
import json, sys, time
sys.path.insert(0, "/app")
import app
while True:
    begun = time.time()
    try:
        said = {"answer": app.ask("Who are you?")["answer"]}
    except app.ModelError as error:
        said = {"error": str(error)}
    print(json.dumps({"begun": begun, "ended": time.time(), **said}), flush=True)
    time.sleep(0.02)
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Request:
    """One request of the application to its model. Times are seconds since the epoch."""

    begun: float
    ended: float
    answer: str = ""
    error: str = ""


@dataclass(slots=True)
class Client:
    """A client that never stops asking. As a context: it has had an answer when the body runs."""

    command: Sequence[str]
    _requests: list[Request] = field(default_factory=list)
    _process: subprocess.Popen[str] | None = None
    _reader: threading.Thread | None = None

    def __enter__(self) -> Self:
        """Begin, and wait for the first answer."""
        self._process = subprocess.Popen(
            list(self.command), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        try:
            self.wait_for_answer(begun_after=0.0)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        """Stop asking."""
        assert self._process is not None
        assert self._reader is not None
        self._process.terminate()
        self._process.wait()
        self._reader.join()
        assert self._process.stdout is not None
        self._process.stdout.close()

    @property
    def requests(self) -> list[Request]:
        """What was asked so far, in order."""
        return list(self._requests)

    def wait_for_answer(self, *, begun_after: float, seconds: float = 30) -> Request:
        """The first answer to a question that was asked after a time."""

        def look() -> Request:
            for request in self.requests:
                if request.answer and request.begun > begun_after:
                    return request
            raise NotYet(f"of {len(self._requests)} requests, the last: {self._requests[-1:]}")

        return until("an answer to the client that asks all the time", look, seconds=seconds)

    def silence(self) -> tuple[float, float] | None:
        """When requests began and ceased to fail; None where none did."""
        failed = [request for request in self.requests if request.error]
        return (failed[0].begun, failed[-1].ended) if failed else None

    def _read(self) -> None:
        assert self._process is not None
        assert self._process.stdout is not None
        for line in self._process.stdout:
            told = json.loads(line)
            self._requests.append(
                Request(
                    begun=told["begun"],
                    ended=told["ended"],
                    answer=told.get("answer", ""),
                    error=told.get("error", ""),
                )
            )
