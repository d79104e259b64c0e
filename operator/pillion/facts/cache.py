"""Which facts were read already?

What a commit holds never changes, so nothing here grows stale; the oldest use makes room when it is full. Which commit
a branch stood at is remembered for when the Hub cannot be asked.
"""

import threading
from collections import OrderedDict

from pillion.facts.model import ModelFacts

Key = tuple[str, str, str, str]  # endpoint, repository, commit, for whom
Place = tuple[str, str, str, str]  # endpoint, repository, branch or tag, for whom


class FactsCache:
    """A bounded map from commits to facts, for several threads."""

    def __init__(self, max_entries: int = 256) -> None:
        if max_entries < 1:
            raise ValueError("a cache holds at least one entry")
        self._max_entries = max_entries
        self._entries: OrderedDict[Key, ModelFacts] = OrderedDict()
        self._commits: OrderedDict[Place, str] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: Key) -> ModelFacts | None:
        """The facts, where they are known."""
        with self._lock:
            found = self._entries.get(key)
            if found is not None:
                self._entries.move_to_end(key)
            return found

    def put(self, key: Key, facts: ModelFacts) -> None:
        """Keep facts, and forget what was not asked for the longest time where there is no room."""
        with self._lock:
            self._entries[key] = facts
            self._entries.move_to_end(key)
            while len(self._entries) > self._max_entries:
                self._entries.popitem(last=False)

    def remember(self, place: Place, commit: str) -> None:
        """Keep the commit that a branch stands at."""
        with self._lock:
            self._commits[place] = commit
            self._commits.move_to_end(place)
            while len(self._commits) > self._max_entries:
                self._commits.popitem(last=False)

    def latest(self, place: Place) -> ModelFacts | None:
        """The facts of the commit that a branch stood at when it was last asked for."""
        endpoint, repo, _, whose = place
        with self._lock:
            commit = self._commits.get(place)
        return self.get((endpoint, repo, commit, whose)) if commit is not None else None

    def __len__(self) -> int:
        with self._lock:
            return len(self._entries)
