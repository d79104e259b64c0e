"""How is the cluster spoken to? By kubectl, as its users do, with JSON in and out.

A `Space` is one namespace of it, in which one test or one demonstration lives.
"""

from __future__ import annotations

import json
import subprocess
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

import yaml

from tests.cluster import ClusterError, binaries, cache
from tests.e2e.harness.waiting import NotYet, TookTooLong, until

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

Raw = dict[str, Any]

COMMAND_SECONDS = 120


class KubectlError(ClusterError):
    """kubectl refused, with its own words."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Cluster:
    """A cluster and its administrator's way in."""

    kubeconfig: Path

    def command(self, *arguments: str) -> list[str]:
        """The words of a kubectl command."""
        program = binaries.ensure(["kubectl"]) / "kubectl"
        return [
            str(program),
            f"--kubeconfig={self.kubeconfig}",
            f"--cache-dir={cache.root() / 'kubectl'}",
            *arguments,
        ]

    def kubectl(self, *arguments: str, stdin: str | None = None, seconds: float = COMMAND_SECONDS) -> str:
        """What kubectl prints.

        Raises:
            KubectlError: it failed, or said nothing for too long.
        """
        try:
            done = subprocess.run(
                self.command(*arguments),
                input=stdin,
                capture_output=True,
                text=True,
                check=False,
                timeout=seconds,
            )
        except subprocess.TimeoutExpired as error:
            raise KubectlError(f"kubectl {' '.join(arguments)} took more than {seconds:.0f} s") from error
        if done.returncode:
            raise KubectlError(f"kubectl {' '.join(arguments)}: {done.stderr.strip() or done.stdout.strip()}")
        return done.stdout

    def apply(self, *objects: Mapping[str, Any], namespace: str | None = None) -> None:
        """`kubectl apply`, as a user does it."""
        where = [f"--namespace={namespace}"] if namespace else []
        self.kubectl(*where, "apply", "--filename=-", stdin=yaml.safe_dump_all(objects))

    def get(self, kind: str, name: str, *, namespace: str | None = None) -> Raw | None:
        """One object, or None where there is none."""
        where = [f"--namespace={namespace}"] if namespace else []
        text = self.kubectl(*where, "get", kind, name, "--output=json", "--ignore-not-found")
        return None if not text.strip() else json.loads(text)

    def all(self, kind: str, *, labels: str = "", namespace: str | None = None) -> list[Raw]:
        """The objects of a kind, by name."""
        where = [f"--namespace={namespace}"] if namespace else []
        text = self.kubectl(*where, "get", kind, "--output=json", f"--selector={labels}")
        items: list[Raw] = json.loads(text)["items"]
        return items

    def rolled_out(self, kind: str, name: str, *, namespace: str, seconds: float) -> None:
        """Wait until a workload has rolled out."""
        try:
            self.kubectl(
                *(f"--namespace={namespace}", "rollout", "status", f"{kind}/{name}"),
                f"--timeout={seconds:.0f}s",
                seconds=seconds + 10,
            )
        except KubectlError as error:
            raise TookTooLong(
                f"{kind} {name} has not rolled out after {seconds:.0f} s: {error}\n"
                + Space(cluster=self, namespace=namespace).circumstances()
            ) from error


@dataclass(frozen=True, kw_only=True, slots=True)
class Space:
    """One namespace of a cluster."""

    cluster: Cluster
    namespace: str

    def kubectl(self, *arguments: str, stdin: str | None = None, seconds: float = COMMAND_SECONDS) -> str:
        """What kubectl prints in this namespace."""
        return self.cluster.kubectl(f"--namespace={self.namespace}", *arguments, stdin=stdin, seconds=seconds)

    def apply(self, *objects: Mapping[str, Any]) -> None:
        """`kubectl apply`."""
        self.cluster.apply(*objects, namespace=self.namespace)

    def get(self, kind: str, name: str) -> Raw | None:
        """One object, or None."""
        return self.cluster.get(kind, name, namespace=self.namespace)

    def the(self, kind: str, name: str) -> Raw:
        """One object that has to be there."""
        found = self.get(kind, name)
        assert found is not None, f"there is no {kind} {name} in {self.namespace}"
        return found

    def all(self, kind: str, *, labels: str = "") -> list[Raw]:
        """The objects of a kind."""
        return self.cluster.all(kind, labels=labels, namespace=self.namespace)

    def delete(self, kind: str, name: str, *, wait: bool = True) -> None:
        """Delete one object."""
        self.kubectl("delete", kind, name, f"--wait={str(wait).lower()}")

    def patch(self, kind: str, name: str, patch: Mapping[str, Any]) -> None:
        """A merge patch of one object."""
        self.kubectl("patch", kind, name, "--type=merge", f"--patch={json.dumps(patch)}")

    def run_python(self, pod: str, container: str, source: str, *arguments: str, seconds: float = 60) -> str:
        """What a Python program prints that runs in a container."""
        return self.kubectl(
            *("exec", pod, f"--container={container}", "--", "python3", "-c", source, *arguments),
            seconds=seconds,
        )

    def events(self, *, about: str, name: str) -> list[Raw]:
        """The events about one object, of kind `about`."""
        text = self.kubectl(
            *("get", "events.events.k8s.io", "--output=json"),
            f"--field-selector=regarding.kind={about},regarding.name={name}",
        )
        items: list[Raw] = json.loads(text)["items"]
        return items

    def watch(self, kind: str, *, labels: str = "", name: str = "") -> Watch:
        """Everything that happens to objects of a kind, from the present state on."""
        selection = [name] if name else [f"--selector={labels}"]
        return Watch(
            self.cluster.command(
                f"--namespace={self.namespace}", "get", kind, *selection, "--watch", "--output=json"
            )
        )

    def circumstances(self) -> str:
        """What a person would look at when something in this namespace does not come."""
        looks = (
            ("get", "modeldeployments.pillion.dev,modelsidecars.pillion.dev,all", "--output=wide"),
            ("describe", "modeldeployments.pillion.dev"),
            ("get", "events", "--sort-by=.lastTimestamp"),
            ("describe", "pods"),
            ("logs", "--selector=app=web", "--all-containers", "--prefix", "--tail=60"),
            ("logs", "--namespace=pillion-system", "deployment/pillion", "--tail=40"),
        )
        shown = (f"$ kubectl {' '.join(look)}\n{self._tried(*look)}" for look in looks)
        # The kubelet's probes of the application say nothing, once a second.
        return "\n".join(line for each in shown for line in each.splitlines() if '"GET / HTTP' not in line)

    def _tried(self, *arguments: str) -> str:
        try:
            return self.kubectl(*arguments, seconds=30)
        except KubectlError as error:
            return f"({error})"


@dataclass(frozen=True, kw_only=True, slots=True)
class Sight:
    """One state of an object, and when it was seen (seconds since the epoch)."""

    at: float
    object: Raw


@dataclass(slots=True)
class Watch:
    """A watch that remembers. As a context: it has begun when the body runs, and has ended after it."""

    command: Sequence[str]
    _sights: list[Sight] = field(default_factory=list)
    _process: subprocess.Popen[str] | None = None
    _reader: threading.Thread | None = None

    def __enter__(self) -> Self:
        """Begin, and wait for the first sight."""
        self._process = subprocess.Popen(
            list(self.command), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        try:
            until("the watch to begin", self._begun, seconds=20)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        """End."""
        assert self._process is not None
        assert self._reader is not None
        self._process.terminate()
        self._process.wait()
        self._reader.join()
        assert self._process.stdout is not None
        self._process.stdout.close()

    @property
    def sights(self) -> list[Sight]:
        """All states so far, in order."""
        return list(self._sights)

    def first(self, wanted: Iterable[Sight]) -> Sight:
        """The first of some sights.

        Raises:
            NotYet: there is none.
        """
        for sight in wanted:
            return sight
        last = json.dumps(self._sights[-1].object.get("status"))[:2000] if self._sights else "nothing"
        raise NotYet(f"{len(self._sights)} states, the last with status {last}")

    def _begun(self) -> None:
        if not self._sights:
            raise NotYet("no object")

    def _read(self) -> None:
        assert self._process is not None
        assert self._process.stdout is not None
        decoder, rest = json.JSONDecoder(), ""
        for line in self._process.stdout:
            rest += line
            if not line.startswith("}"):  # an object's last line; kubectl indents all others
                continue
            found, _ = decoder.raw_decode(rest.lstrip())
            rest = ""
            self._sights.append(Sight(at=time.time(), object=found))
