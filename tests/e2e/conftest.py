"""What do the end-to-end tests share? One kind cluster with Pillion on it, and a namespace for each test.

The namespaces hold pods to the restricted Pod Security Standard, so every engine of this lane is shown to
keep it. The cluster is made for the run and deleted after it, unless PILLION_E2E_KEEP is set. Where no kind
cluster can be had the lane is skipped and says why.
"""

from __future__ import annotations

import contextlib
import datetime
import os
import re
import secrets
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.cluster import ClusterError, kind
from tests.e2e.harness import installation
from tests.e2e.harness.application import Application
from tests.e2e.harness.cluster import KubectlError, Space
from tests.e2e.harness.models import Model
from tests.e2e.harness.waiting import NotYet, until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

NAME = "pillion-e2e"
HERE = Path(__file__).parent
TEST_SECONDS = 300

# Words of an operator that lacks a right, or that met what nobody thought of.
TROUBLE = re.compile(r"forbidden|traceback", re.IGNORECASE)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what lies here, and give each test its time; the clusters' own tests have theirs."""
    for item in items:
        if item.path.is_relative_to(HERE):
            item.add_marker(pytest.mark.e2e)
            if item.get_closest_marker("timeout") is None:
                # The first test pays for the cluster, in its fixtures.
                item.add_marker(pytest.mark.timeout(TEST_SECONDS, func_only=True))


@pytest.fixture(scope="session")
def say(request: pytest.FixtureRequest) -> Callable[[str], None]:
    """Print at once, whatever pytest does with output."""
    capture = request.config.pluginmanager.getplugin("capturemanager")

    def print_line(line: str) -> None:
        with capture.global_and_fixture_disabled() if capture else contextlib.nullcontext():
            print(f"\n{line}", end="", flush=True)

    return print_line


@pytest.fixture(scope="session")
def pillion(say: Callable[[str], None]) -> Iterator[installation.Installation]:
    """Pillion, installed by its chart on a kind cluster, with a stand-in for the engine."""
    if reason := kind.availability():
        pytest.skip(reason)
    obstacle = ""
    try:
        installed = installation.install(NAME, progress=say)
    except ClusterError as error:
        obstacle = str(error)
    if obstacle:  # said outside of the handler, which would show it twice
        pytest.fail(f"the cluster of the end-to-end tests did not come up: {obstacle}", pytrace=False)
    say(f"node image: {installed.kind.node_image_origin}; this host has cgroup v{kind.cgroup_version()}")
    yield installed
    if "PILLION_E2E_KEEP" in os.environ:
        say(f"PILLION_E2E_KEEP is set: `python -m tests.cluster down {NAME} --kind` deletes the cluster")
    else:
        kind.down(NAME, progress=say)


@pytest.fixture
def space(pillion: installation.Installation) -> Iterator[Space]:
    """A new namespace; when the test has ended the operator must have met no trouble."""
    with new_space(pillion) as made:
        yield made


@pytest.fixture(scope="module")
def module_space(pillion: installation.Installation) -> Iterator[Space]:
    """The same for all tests of a module that leave things as they find them."""
    with new_space(pillion) as made:
        yield made


@contextlib.contextmanager
def new_space(pillion: installation.Installation) -> Iterator[Space]:
    """A namespace for a while."""
    begun = datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    name = f"test-{secrets.token_hex(4)}"
    labels = {"pod-security.kubernetes.io/enforce": "restricted"}
    pillion.cluster.apply(
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}}
    )
    made = Space(cluster=pillion.cluster, namespace=name)

    def look() -> None:
        if made.get("serviceaccount", "default") is None:
            raise NotYet("no service account `default`")

    until("the namespace to take pods", look, seconds=20)
    try:
        yield made
    finally:
        with contextlib.suppress(KubectlError):
            pillion.cluster.kubectl("delete", "namespace", name, "--wait=false")
    lines = pillion.operator_log(since=begun).splitlines()
    # An earlier test's namespace may be on its way out still, and takes no events any more.
    troubled = [line for line in lines if TROUBLE.search(line) and "is being terminated" not in line]
    assert not troubled, "the operator met trouble:\n" + "\n".join(troubled[:20])


@pytest.fixture
def application(space: Space) -> Application:
    """The example application, already serving."""
    made = Application(space=space)
    made.deploy()
    return made


@pytest.fixture
def model(space: Space) -> Model:
    """A ModelDeployment named chat, not there yet."""
    return Model(space=space)
