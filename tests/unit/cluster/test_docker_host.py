"""Does a container runtime get by without capabilities that the host lacks, and is Docker's litter told from
other people's rules?
"""

from __future__ import annotations

import ipaddress
import json
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.cluster import host, runtime

if TYPE_CHECKING:
    from pathlib import Path

ALL = (1 << len(runtime.CAPABILITIES)) - 1
SYS_RESOURCE = 1 << 24  # linux/capability.h


@pytest.mark.parametrize(
    ("bounding_set", "expected"),
    [
        pytest.param(ALL, [], id="a host with all of them lacks none"),
        pytest.param(ALL & ~SYS_RESOURCE, ["CAP_SYS_RESOURCE"], id="a sandbox without SYS_RESOURCE"),
        pytest.param(ALL & ~1, ["CAP_CHOWN"], id="the first bit is CHOWN"),
    ],
)
def test_lacking_capabilities_are_read_from_the_bounding_set(bounding_set: int, expected: list[str]) -> None:
    assert runtime.lacking_capabilities(bounding_set) == expected


@pytest.mark.parametrize(
    ("asked", "arguments"),
    [
        pytest.param("config.json", ["create", "--bundle", "{folder}", "id"], id="create reads the bundle"),
        pytest.param(
            "process.json", ["exec", "--process", "{folder}/process.json", "id"], id="exec reads a file"
        ),
    ],
)
@pytest.mark.parametrize(
    "capabilities",
    [
        pytest.param(["CAP_SYS_RESOURCE", "CAP_CHOWN"], id="it is the first"),
        pytest.param(["CAP_CHOWN", "CAP_SYS_RESOURCE"], id="it is the last"),
    ],
)
def test_the_runtime_is_not_asked_for_what_the_host_lacks(
    tmp_path: Path, asked: str, arguments: list[str], capabilities: list[str]
) -> None:
    (tmp_path / asked).write_text(
        json.dumps({"capabilities": {"bounding": capabilities}}, separators=(",", ":"))
    )
    script = tmp_path / "wrapper"
    script.write_text(runtime.runc_wrapper(lacking=["CAP_SYS_RESOURCE"], runc="echo"))
    words = [word.format(folder=tmp_path) for word in arguments]

    said = subprocess.run(["sh", script, *words], capture_output=True, text=True, check=True).stdout

    assert said.split() == words
    assert json.loads((tmp_path / asked).read_text()) == {"capabilities": {"bounding": ["CAP_CHOWN"]}}


def test_other_commands_go_to_the_runtime_as_they_are(tmp_path: Path) -> None:
    script = tmp_path / "wrapper"
    script.write_text(runtime.runc_wrapper(lacking=[], runc="echo"))

    said = subprocess.run(
        ["sh", script, "kill", "id", "9"], capture_output=True, text=True, check=True
    ).stdout

    assert said.split() == ["kill", "id", "9"]


@pytest.mark.parametrize(
    ("rule", "bridge", "docker"),
    [
        pytest.param("-A FORWARD -j DOCKER-USER", False, True, id="a jump to a chain of Docker's"),
        pytest.param("-A DOCKER-USER -j RETURN", False, True, id="a rule in a chain of Docker's"),
        pytest.param(
            "-A POSTROUTING -s 172.18.0.0/16 ! -o pillion-0 -j MASQUERADE", True, False, id="our bridge"
        ),
        pytest.param("-A FORWARD -o pillion-0 -j DOCKER", True, True, id="our bridge in Docker's chain"),
        pytest.param(
            "-A POSTROUTING -s 172.18.0.2/32 -d 172.18.0.2/32 -j MASQUERADE", True, False, id="behind it"
        ),
        pytest.param("-A POSTROUTING -s 172.19.0.2/32 -j MASQUERADE", False, False, id="another subnet"),
        pytest.param(
            "-A INPUT -s 0.0.0.0/0 -j ACCEPT", False, False, id="everywhere is not behind our bridge"
        ),
        pytest.param(
            "-A FORWARD -o pillion-01 -j ACCEPT", False, False, id="a longer name than our bridge's"
        ),
        pytest.param("-A FORWARD -i br-0123456789ab -j ACCEPT", False, False, id="another daemon's bridge"),
        pytest.param(
            "-A INPUT -m comment --comment DOCKERS -j ACCEPT", False, False, id="somebody's comment"
        ),
        pytest.param("-A INPUT -p tcp --dport 22 -j ACCEPT", False, False, id="somebody's rule for ssh"),
        pytest.param("-N DOCKER", False, False, id="a chain is no rule"),
    ],
)
def test_a_daemons_rules_are_told_from_others(rule: str, bridge: bool, docker: bool) -> None:
    assert host.names_bridge(rule, "pillion-0", ipaddress.IPv4Network("172.18.0.0/16")) is bridge
    assert host.names_docker(rule) is docker
