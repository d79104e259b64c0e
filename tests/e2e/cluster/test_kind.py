"""Do containers really run in a kind cluster, and does its network do what Pillion leans on?"""

from __future__ import annotations

import json
import subprocess
import time
from typing import TYPE_CHECKING

import pytest
import yaml

from tests.cluster import binaries, images, kind, python_layers

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(2400)]

IMAGE = "localhost/pillion-echo:test"
# A Service's rules follow its endpoints by a moment.
ASK = ("curl", "--silent", "--max-time", "5", "--retry", "20", "--retry-all-errors", "--retry-delay", "1")
PROGRAM = """\
import http.server, os

class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.0"

    def do_GET(self):
        body = f"{os.environ['HOSTNAME']} {os.getuid()}".encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments):
        pass

http.server.ThreadingHTTPServer(("", 8080), Handler).serve_forever()
"""


@pytest.fixture(scope="module")
def cluster() -> Iterator[kind.KindCluster]:
    if reason := kind.availability():
        pytest.skip(reason)
    up = kind.up("pillion-test")
    print(f"node image: {up.node_image_origin}; cgroup v{kind.cgroup_version()}")
    yield up
    kind.down("pillion-test")


@pytest.fixture(scope="module")
def archive(cluster: kind.KindCluster, tmp_path_factory: pytest.TempPathFactory) -> Path:
    del cluster  # an archive is of use where a cluster is
    folder = tmp_path_factory.mktemp("images")
    root = python_layers.python_root()
    tree = images.Tree().file("srv/echo.py", PROGRAM.encode())
    layer = images.Layer(digest=tree.write(folder / "layer.tar"), tar=folder / "layer.tar")
    image = images.Image(
        names=[IMAGE], layers=[root, layer], entrypoint=["python3", "/srv/echo.py"], user="65532:65532"
    )
    images.write(folder / "echo.tar", [image])
    return folder / "echo.tar"


def kubectl(cluster: kind.KindCluster, *arguments: str, stdin: str | None = None) -> str:
    program = binaries.ensure(["kubectl"]) / "kubectl"
    command = [str(program), "--kubeconfig", str(cluster.kubeconfig), *arguments]
    done = subprocess.run(command, input=stdin, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"kubectl {' '.join(arguments)}: {done.stderr}"
    return done.stdout


def echo_deployment() -> str:
    container = {
        "name": "echo",
        "image": IMAGE,
        "ports": [{"containerPort": 8080}],
        "readinessProbe": {"httpGet": {"path": "/", "port": 8080}, "periodSeconds": 1},
        "securityContext": {"readOnlyRootFilesystem": True, "runAsNonRoot": True},
    }
    labels = {"app": "echo"}
    deployment = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "echo"},
        "spec": {
            "replicas": 2,
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": {"containers": [container]}},
        },
    }
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "echo"},
        "spec": {"selector": labels, "ports": [{"port": 80, "targetPort": 8080}]},
    }
    return yaml.safe_dump_all([deployment, service])


def test_the_cluster_is_up_with_the_version_that_was_asked_for(cluster: kind.KindCluster) -> None:
    version = json.loads(kubectl(cluster, "version", "--output", "json"))["serverVersion"]["gitVersion"]

    assert version.rsplit(".", 1)[0] == binaries.DEFAULT_KUBERNETES_VERSION.rsplit(".", 1)[0]
    assert [found.name for found in kind.status() if found.name == cluster.name] == [cluster.name]


def test_a_second_up_is_the_same_cluster_at_once(cluster: kind.KindCluster) -> None:
    started = time.monotonic()

    again = kind.up(cluster.name)

    assert again == cluster
    assert time.monotonic() - started < 5


def test_another_number_of_nodes_is_refused_while_it_is_up(cluster: kind.KindCluster) -> None:
    with pytest.raises(kind.KindError, match="1 node"):
        kind.up(cluster.name, nodes=2)


def test_a_loaded_image_runs_as_non_root_behind_a_service_with_two_endpoints(
    cluster: kind.KindCluster, archive: Path
) -> None:
    assert cluster.load(archive) == [IMAGE]
    kubectl(cluster, "apply", "-f", "-", stdin=echo_deployment())
    kubectl(cluster, "rollout", "status", "deployment/echo", "--timeout=120s")
    address = kubectl(cluster, "get", "service", "echo", "--output", "jsonpath={.spec.clusterIP}")

    # One endpoint can work where two do not: the rule that spreads them needs a match module of its own.
    # A request may be lost while its rules are still being written.
    answers = {cluster.node_exec(*ASK, f"http://{address}/").stdout for _ in range(40)} - {""}

    assert len({answer.split()[0] for answer in answers}) == 2
    assert {answer.split()[1] for answer in answers} == {"65532"}


def test_a_pod_finds_a_service_by_its_name(cluster: kind.KindCluster, archive: Path) -> None:
    cluster.load(archive)
    kubectl(cluster, "apply", "-f", "-", stdin=echo_deployment())
    kubectl(cluster, "rollout", "status", "deployment/echo", "--timeout=120s")
    kubectl(cluster, "--namespace=kube-system", "rollout", "status", "deployment/coredns", "--timeout=120s")

    asking = (
        "import urllib.request as u; print(u.urlopen('http://echo.default/', timeout=10).read().decode())"
    )
    answer = kubectl(cluster, "exec", "deployment/echo", "--", "python3", "-c", asking)

    assert answer.startswith("echo-")


def test_an_image_that_the_node_has_is_not_loaded_again(cluster: kind.KindCluster, archive: Path) -> None:
    cluster.load(archive)
    said: list[str] = []

    cluster.load(archive, progress=said.append)

    assert said == []


def test_pods_on_two_nodes_reach_each_other(archive: Path) -> None:
    two = kind.up("pillion-two", nodes=2)
    try:
        two.load(archive)
        deployment, service = yaml.safe_load_all(echo_deployment())
        constraint = {
            "maxSkew": 1,
            "topologyKey": "kubernetes.io/hostname",
            "whenUnsatisfiable": "DoNotSchedule",
            "labelSelector": deployment["spec"]["selector"],
        }
        # The first node of a cluster with workers is tainted.
        pod = deployment["spec"]["template"]["spec"]
        pod |= {"topologySpreadConstraints": [constraint], "tolerations": [{"operator": "Exists"}]}
        kubectl(two, "apply", "-f", "-", stdin=yaml.safe_dump_all([deployment, service]))
        kubectl(two, "rollout", "status", "deployment/echo", "--timeout=120s")
        address = kubectl(two, "get", "service", "echo", "--output", "jsonpath={.spec.clusterIP}")

        placed = kubectl(two, "get", "pods", "--output", "jsonpath={.items[*].spec.nodeName}").split()
        assert sorted(placed) == sorted(two.nodes)
        for node in two.nodes:
            # One may be lost while the node's rules for the Service are still being written.
            answers = {two.node_exec(*ASK, f"http://{address}/", node=node).stdout for _ in range(40)} - {""}
            assert len(answers) == 2, f"from {node}: {answers}"
    finally:
        kind.down("pillion-two")
