"""What can be said to the test clusters on the command line?

up NAME [--nodes N] [--kubernetes-version V]          a control plane out of processes, KWOK plays the nodes
up NAME --kind [--nodes N] [--kubernetes-version V]   a kind cluster, where containers really run
down, status, kubeconfig                              of either
binaries                                              build all programs now rather than when they are needed
"""

from __future__ import annotations

import argparse
import sys
import time
from typing import TYPE_CHECKING

from tests.cluster import ClusterError, binaries, controlplane, debian, dockerd, kind, registry

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

DEFAULT_NAME = "pillion"

EXPECTED = (ClusterError, kind.KindError, dockerd.DockerError, debian.PackageError)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command. Exit status: 0 it did what it was asked, 1 it could not, 2 it did not understand."""
    options = _parser().parse_args(arguments)
    command: Callable[[argparse.Namespace], int] = options.run
    try:
        return command(options)
    except EXPECTED as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted; what was half started is stopped", file=sys.stderr)
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tests.cluster", description="Test clusters: started, listed and stopped."
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def command(name: str, run: Callable[[argparse.Namespace], int], words: str) -> argparse.ArgumentParser:
        added = commands.add_parser(name, help=words, description=words)
        added.set_defaults(run=run)
        return added

    def named(added: argparse.ArgumentParser) -> None:
        added.add_argument(
            "name", nargs="?", default=DEFAULT_NAME, metavar="NAME", help="default: %(default)s"
        )
        added.add_argument("--kind", action="store_true", help="a kind cluster, where containers really run")

    up = command("up", _up, "Start a cluster, or say that it is up.")
    named(up)
    up.add_argument("--nodes", type=int, default=1, metavar="N", help="default: %(default)s")
    for each in (up, command("binaries", _binaries, "Build all programs of both kinds of cluster.")):
        each.add_argument(
            "--kubernetes-version",
            default=binaries.DEFAULT_KUBERNETES_VERSION,
            metavar="V",
            help="default: %(default)s",
        )
    named(command("down", _down, "Stop a cluster and remove its data. Its logs are kept."))
    named(command("kubeconfig", _kubeconfig, "Print the path of a cluster's kubeconfig."))
    command("status", _status, "List the clusters that were started here.")
    return parser


def _up(options: argparse.Namespace) -> int:
    started = time.monotonic()
    if options.kind:
        made = kind.up(
            options.name, nodes=options.nodes, kubernetes_version=options.kubernetes_version, progress=_say
        )
        kubeconfig, what = made.kubeconfig, f"kind cluster with {made.node_image_origin}"
    else:
        kubeconfig, what = _control_plane(options).kubeconfig, "control plane"
    print(f"{options.name} is up: {what}, {time.monotonic() - started:.1f} s")
    print(f"  export KUBECONFIG={kubeconfig}")
    print(f"  python -m tests.cluster down {options.name}{' --kind' if options.kind else ''}")
    return 0


def _control_plane(options: argparse.Namespace) -> controlplane.ControlPlane:
    state = registry.read(options.name)
    if state and not state.gone() and not state.abandoned():
        _say(f"{options.name} runs already, with Kubernetes {state.kubernetes_version}")
        return controlplane.load(options.name)
    return controlplane.start(
        options.name,
        nodes=options.nodes,
        kubernetes_version=options.kubernetes_version,
        survive=True,
        progress=_say,
    )


def _down(options: argparse.Namespace) -> int:
    if options.kind:
        stopped = kind.down(options.name, progress=_say)
        logs = kind.logs_folder(options.name)
    else:
        stopped = controlplane.stop(options.name)
        logs = registry.layout(options.name).logs
    if not stopped:
        print(f"No {_sort(options)} is named {options.name}; nothing to stop.{_other(options)}")
        return 0
    print(f"{options.name} is stopped; its logs are in {logs}")
    return 0


def _kubeconfig(options: argparse.Namespace) -> int:
    if not options.kind:
        print(controlplane.load(options.name).kubeconfig)
        return 0
    found = kind.found(options.name)
    if found is None:
        print(f"No kind cluster is named {options.name}.{_other(options)}", file=sys.stderr)
        return 1
    print(found.kubeconfig)
    return 0


def _status(options: argparse.Namespace) -> int:
    del options
    rows = [("NAME", "SORT", "KUBERNETES", "NODES", "STATE", "AGE", "KUBECONFIG")]
    rows += [_control_plane_row(name) for name in registry.names()]
    rows += [
        (each.name, "kind", each.node_image, str(len(each.nodes)), "up", "", str(each.kubeconfig))
        for each in kind.status()
    ]
    if len(rows) == 1:
        print("No clusters. `python -m tests.cluster up` starts a control plane, with --kind a kind cluster.")
        return 0
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
    return 0


def _control_plane_row(name: str) -> tuple[str, str, str, str, str, str, str]:
    state = registry.read(name)
    if state is None:
        return (name, "control plane", "", "", "of another version of this tool: down stops it", "", "")
    age, kubeconfig = f"{time.time() - state.created:.0f} s", str(registry.layout(name).admin_kubeconfig)
    if state.gone():
        how, nodes = "leftover: down removes it", ""
    elif dead := state.dead():
        how, nodes = f"has lost {', '.join(dead)}", ""
    elif not state.complete:
        how, nodes = "starting", ""
    else:
        how, nodes = "up", str(controlplane.load(name).node_count())
    return (name, "control plane", state.kubernetes_version, nodes, how, age, kubeconfig)


def _binaries(options: argparse.Namespace) -> int:
    started = time.monotonic()
    folder = binaries.ensure(kubernetes_version=options.kubernetes_version, progress=_say)
    print(f"{len(binaries.EVERYTHING)} programs are in {folder}, {time.monotonic() - started:.1f} s")
    for name, version in binaries.versions(options.kubernetes_version).items():
        print(f"  {name:<24} {version:<9} {(folder / name).stat().st_size / 2**20:6.1f} MiB")
    return 0


def _sort(options: argparse.Namespace) -> str:
    return "kind cluster" if options.kind else "control plane"


def _other(options: argparse.Namespace) -> str:
    """A hint where the name is that of the other sort of cluster."""
    if options.kind and registry.read(options.name):
        return " A control plane has that name: leave out --kind."
    if not options.kind and any(each.name == options.name for each in kind.status()):
        return " A kind cluster has that name: add --kind."
    return ""


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
