"""Accelerators from the labels of different installers and clouds."""

import pytest

from pillion.hardware import clouds, described, drivers, gpus, labels, tables
from tests.unit.hardware import label_sets as sets

NVIDIA, AMD = "nvidia.com/gpu", "amd.com/gpu"
MIB = 2**20


def read(found: dict[str, str], resource: str = NVIDIA, total: int = 1) -> described.Described:
    answer = labels.describe(resource, labels.relevant(found), total=total)
    assert isinstance(answer, described.Described), answer
    return answer


def unread(found: dict[str, str], resource: str = NVIDIA, total: int = 1) -> str:
    answer = labels.describe(resource, labels.relevant(found), total=total)
    assert isinstance(answer, described.Unreadable), answer
    return answer.why


@pytest.mark.parametrize(
    ("found", "resource", "product", "naming"),
    [
        pytest.param(sets.GFD_L4, NVIDIA, "NVIDIA-L4", "nvidia.com/gpu.product", id="GPU Feature Discovery"),
        pytest.param(
            sets.GFD_OLD_NAME, NVIDIA, "A100-SXM4-80GB", "nvidia.com/gpu.product", id="an older driver's name"
        ),
        pytest.param(sets.GKE_L4, NVIDIA, "NVIDIA-L4", "cloud.google.com/gke-accelerator", id="GKE"),
        pytest.param(
            sets.EKS_KARPENTER,
            NVIDIA,
            "NVIDIA-A10G",
            "karpenter.k8s.aws/instance-gpu-name",
            id="EKS, Karpenter",
        ),
        pytest.param(
            sets.EKS_KARPENTER_A100,
            NVIDIA,
            "NVIDIA-A100-SXM4-80GB",
            "karpenter.k8s.aws/instance-gpu-name",
            id="EKS, a name that two cards have, told apart by memory",
        ),
        pytest.param(
            sets.EKS_AUTO_MODE,
            NVIDIA,
            "NVIDIA-L40S",
            "eks.amazonaws.com/instance-gpu-name",
            id="EKS Auto Mode",
        ),
        pytest.param(
            sets.EKS_CLUSTER_AUTOSCALER,
            NVIDIA,
            "Tesla-T4",
            "k8s.amazonaws.com/accelerator",
            id="EKS, the cluster autoscaler's label",
        ),
        pytest.param(
            sets.EKS_NODE_GROUP,
            NVIDIA,
            "NVIDIA-H100-80GB-HBM3",
            "node.kubernetes.io/instance-type",
            id="EKS, a managed node group: the machine's type",
        ),
        pytest.param(
            sets.AKS,
            NVIDIA,
            "NVIDIA-A100-80GB-PCIe",
            "node.kubernetes.io/instance-type",
            id="AKS: the VM's size",
        ),
        pytest.param(
            sets.AKS_KARPENTER, NVIDIA, "Tesla-T4", "karpenter.azure.com/sku-gpu-name", id="AKS, Karpenter"
        ),
        pytest.param(
            sets.AMD_MI300X, AMD, "AMD_Instinct_MI300X_OAM", "amd.com/gpu.product-name", id="AMD's labeller"
        ),
        pytest.param(
            sets.AMD_VIRTUAL, AMD, "AMD_Instinct_MI300X_OAM", "amd.com/gpu.device-id", id="AMD without a name"
        ),
        pytest.param(
            sets.AMD_OLD, AMD, "Instinct_MI210", "beta.amd.com/gpu.device-id.740f", id="AMD's oldest labeller"
        ),
        pytest.param(
            {"node.kubernetes.io/instance-type": "Standard_ND96isr_MI300X_v5"},
            AMD,
            "AMD_Instinct_MI300X_OAM",
            "node.kubernetes.io/instance-type",
            id="AMD on AKS",
        ),
        pytest.param(
            sets.INTEL_MAX, "gpu.intel.com/i915", "Max_1550", "gpu.intel.com/product", id="Intel's labels"
        ),
        pytest.param(
            {key: value for key, value in sets.INTEL_MAX.items() if not key.endswith("product")},
            "gpu.intel.com/xe",
            "Max_1550",
            "gpu.intel.com/device-id.0380-0bd5.present",
            id="Intel without a name",
        ),
    ],
)
def test_a_products_name(found: dict[str, str], resource: str, product: str, naming: str) -> None:
    answer = read(found, resource)
    assert (answer.product, answer.shared, answer.sliced) == (product, False, False)
    assert answer.naming[0] == (naming, found[naming])


def test_memory_and_capability_of_a_card() -> None:
    answer = read(sets.GFD_L4)
    assert answer.memory.bytes == 22_589 * MIB  # what a start-up log shows
    assert answer.memory.verified
    assert answer.compute_capability == (8, 9)


def test_an_older_drivers_name_is_the_same_card() -> None:
    assert read(sets.GFD_OLD_NAME).memory.bytes == (81_251 - (81_920 - 81_049)) * MIB


def test_compute_capability_of_a_known_card_without_its_label() -> None:
    without = {key: value for key, value in sets.GFD_L4.items() if "compute" not in key}
    assert read(without).compute_capability == (8, 9)


@pytest.mark.parametrize(
    ("found", "gibibytes"),
    [
        pytest.param(sets.AMD_MI300X, 192, id="as the labeller says it"),
        pytest.param(sets.AMD_VIRTUAL, 191, id="a virtual function's"),
        pytest.param(sets.AMD_OLD, 64, id="in the key"),
        pytest.param({**sets.AMD_MI300X, "amd.com/gpu.vram": "196608"}, 192, id="in MiB"),
    ],
)
def test_memory_of_amds_cards(found: dict[str, str], gibibytes: int) -> None:
    answer = read(found, AMD)
    # The lowest share that was seen of any large card, because no log of these has been compared.
    assert answer.memory.bytes == pytest.approx(gibibytes * 2**30 * 0.989, rel=1e-6)
    assert not answer.memory.verified
    assert answer.compute_capability is None


@pytest.mark.parametrize(
    ("found", "resource", "replicas", "product"),
    [
        pytest.param(sets.GFD_TIME_SLICED, NVIDIA, 4, "NVIDIA-L4-SHARED", id="time-slicing"),
        pytest.param(sets.GFD_MPS, NVIDIA, 8, "NVIDIA-L4-SHARED", id="MPS"),
        pytest.param(
            {**sets.GFD_TIME_SLICED, "nvidia.com/gpu.product": "NVIDIA-L4"},
            "nvidia.com/gpu.shared",
            4,
            "NVIDIA-L4-SHARED",
            id="a renamed resource keeps the product's name",
        ),
        pytest.param(
            {"nvidia.com/gpu.product": "NVIDIA-L4-SHARED"},
            NVIDIA,
            2,
            "NVIDIA-L4-SHARED",
            id="among a number that is not said",
        ),
        pytest.param(sets.GKE_L4_SHARED, NVIDIA, 4, "NVIDIA-L4-SHARED", id="GKE's time-sharing"),
        pytest.param(
            {**sets.GFD_MIG_MIXED, "nvidia.com/mig-1g.10gb.replicas": "2"},
            "nvidia.com/mig-1g.10gb.shared",
            2,
            "NVIDIA-A100-80GB-PCIe-MIG-1g.10gb-SHARED",
            id="a slice that is shared too",
        ),
        pytest.param(
            sets.INTEL_MAX, "gpu.intel.com/i915", 5, "Max_1550-SHARED", id="Intel: more of them than devices"
        ),
    ],
)
def test_shares(found: dict[str, str], resource: str, replicas: int, product: str) -> None:
    answer = read(found, resource, total=10 if "intel" in resource else 1)
    assert (answer.product, answer.replicas, answer.shared) == (product, replicas, True)


def test_a_share_shows_the_whole_cards_memory() -> None:
    assert read(sets.GFD_TIME_SLICED).memory.bytes == read(sets.GFD_L4).memory.bytes
    assert read(sets.GKE_L4_SHARED).memory.bytes == read(sets.GFD_L4).memory.bytes


@pytest.mark.parametrize(
    ("found", "resource", "product", "mib"),
    [
        pytest.param(
            sets.GFD_MIG_SINGLE, NVIDIA, "NVIDIA-A100-SXM4-40GB-MIG-1g.5gb", 4864, id="strategy single"
        ),
        pytest.param(
            sets.GFD_MIG_MIXED,
            "nvidia.com/mig-2g.20gb",
            "NVIDIA-A100-80GB-PCIe-MIG-2g.20gb",
            19968,
            id="strategy mixed",
        ),
        pytest.param(
            sets.GFD_MIG_MIXED_OLD,
            "nvidia.com/mig-1g.10gb",
            "NVIDIA-A100-80GB-PCIe-MIG-1g.10gb",
            9728,
            id="without labels of its own: from the table",
        ),
        pytest.param(
            {**sets.GFD_MIG_MIXED_OLD, "nvidia.com/gpu.product": "NVIDIA-A100-SXM4-40GB"},
            "nvidia.com/mig-1g.5gb.me",
            "NVIDIA-A100-SXM4-40GB-MIG-1g.5gb.me",
            4864,
            id="with media engines",
        ),
        pytest.param(
            sets.GKE_A100_SLICED, NVIDIA, "NVIDIA-A100-SXM4-40GB-MIG-1g.5gb", 4864, id="GKE's partitions"
        ),
    ],
)
def test_slices(found: dict[str, str], resource: str, product: str, mib: int) -> None:
    answer = read(found, resource)
    assert (answer.product, answer.sliced, answer.shared) == (product, True, False)
    assert answer.memory.bytes == mib * MIB
    assert not answer.memory.verified
    assert answer.compute_capability == (8, 0)


def test_the_one_that_looked_is_believed_and_the_difference_told() -> None:
    both = {**sets.GFD_L4, **sets.GKE_L4, "cloud.google.com/gke-accelerator": "nvidia-tesla-t4"}
    answer = read(both)
    assert answer.product == "NVIDIA-L4"
    assert labels.disagreement(answer, labels.relevant(both)) == (
        "nvidia.com/gpu.product=NVIDIA-L4 and cloud.google.com/gke-accelerator=nvidia-tesla-t4 name different cards; "
        "the first is believed"
    )
    assert [naming[0][0] for naming in labels.namings(answer, labels.relevant(both))] == [
        "nvidia.com/gpu.product"
    ]


def test_where_both_agree_the_clouds_label_comes_first() -> None:
    both = {**sets.GFD_L4, **sets.GKE_L4}
    answer = read(both)
    assert labels.disagreement(answer, labels.relevant(both)) is None
    assert [naming[0][0] for naming in labels.namings(answer, labels.relevant(both))] == [
        "cloud.google.com/gke-accelerator",
        "nvidia.com/gpu.product",
    ]


@pytest.mark.parametrize(
    ("found", "resource", "total", "words"),
    [
        pytest.param({}, NVIDIA, 1, "GPU Feature Discovery", id="no label at all"),
        pytest.param({}, AMD, 1, "amd.com/gpu.product-name", id="no label of AMD's"),
        pytest.param({}, "gpu.intel.com/xe", 1, "gpu.intel.com/product", id="no label of Intel's"),
        pytest.param(
            {"cloud.google.com/gke-accelerator": "nvidia-x1"},
            NVIDIA,
            1,
            "nvidia-x1",
            id="a product nobody knows",
        ),
        pytest.param(
            {"nvidia.com/gpu.product": "NVIDIA-X1"}, NVIDIA, 1, "nvidia.com/gpu.memory", id="no memory of it"
        ),
        pytest.param(
            sets.GFD_L4,
            NVIDIA,
            3,
            "tell of 1 (NVIDIA-L4)",
            id="a node with other cards beside those of the labels",
        ),
        pytest.param(
            {**sets.GFD_MIG_SINGLE, "nvidia.com/gpu.product": "NVIDIA-A100-SXM4-40GB-MIG-INVALID"},
            NVIDIA,
            1,
            "not all alike",
            id="slices that the strategy single cannot offer",
        ),
        pytest.param(
            {}, "nvidia.com/mig-1g.5gb", 1, "nvidia.com/gpu.product", id="slices of an unknown card"
        ),
        pytest.param(
            {"nvidia.com/gpu.product": "NVIDIA-X1"},
            "nvidia.com/mig-1g.5gb",
            1,
            "nvidia.com/mig-1g.5gb.memory",
            id="slices of unknown size",
        ),
        pytest.param(
            {"beta.amd.com/gpu.device-id.740f": "2", "beta.amd.com/gpu.device-id.74a1": "2"},
            AMD,
            4,
            "different products",
            id="two of AMD's in one node",
        ),
        pytest.param(
            {"amd.com/gpu.device-id": "1586"}, AMD, 1, "1586", id="a device of AMD's that nobody knows"
        ),
        pytest.param(
            sets.INTEL_IGPU, "gpu.intel.com/i915", 1, "0300-9a78", id="an integrated one of Intel's"
        ),
        pytest.param(
            {"gpu.intel.com/product": "Flex_170"},
            "gpu.intel.com/i915",
            1,
            "Flex_170",
            id="Intel's, not in the table",
        ),
        pytest.param(
            {"node.kubernetes.io/instance-type": "Standard_NV6ads_A10_v5"},
            NVIDIA,
            1,
            "no label",
            id="a machine with a part of a card",
        ),
    ],
)
def test_what_is_missing_is_named(found: dict[str, str], resource: str, total: int, words: str) -> None:
    assert words in unread(found, resource, total)


@pytest.mark.parametrize(
    ("found", "major", "version", "cuda"),
    [
        pytest.param(sets.GFD_L4, 580, "580.126.16", (13, 0), id="today's labels"),
        pytest.param(sets.GFD_MIG_MIXED, 515, "515", (11, 7), id="their older names"),
        pytest.param(
            {"nvidia.com/cuda.runtime-version.major": "12", "nvidia.com/cuda.runtime-version.minor": "4"},
            None,
            "for CUDA 12.4",
            (12, 4),
            id="the newest CUDA alone",
        ),
    ],
)
def test_a_nodes_driver(
    found: dict[str, str], major: int | None, version: str, cuda: tuple[int, int]
) -> None:
    answer = drivers.driver(found)
    assert answer is not None
    assert (answer.major, answer.version, answer.cuda) == (major, version, cuda)
    assert found[answer.label[0]] == answer.label[1]


@pytest.mark.parametrize(
    ("found", "runs"),
    [
        pytest.param({"nvidia.com/cuda.driver-version.major": "580"}, True, id="the oldest that does"),
        pytest.param({"nvidia.com/cuda.driver-version.major": "595"}, True, id="a newer one"),
        pytest.param({"nvidia.com/cuda.driver-version.major": "575"}, False, id="an older one"),
        pytest.param({"nvidia.com/cuda.driver-version.major": "1000"}, True, id="numbers, not words"),
        pytest.param(
            {"nvidia.com/cuda.runtime-version.major": "13"}, True, id="CUDA of the same major version"
        ),
        pytest.param({"nvidia.com/cuda.runtime-version.major": "12"}, False, id="CUDA of an older one"),
    ],
)
def test_drivers_that_run_cuda_13(found: dict[str, str], runs: bool) -> None:
    answer = drivers.driver(found)
    assert answer is not None
    assert answer.runs(minimum_major=580, cuda=(13, 2)) is runs


def test_a_node_that_says_nothing_of_its_driver() -> None:
    assert drivers.driver(sets.GKE_L4) is None


@pytest.mark.parametrize("name", ["instance_types.csv", "pci_devices.csv"])
def test_every_product_of_the_tables_is_known(name: str) -> None:
    for row in tables.rows(name):
        assert gpus.by_product(row["product"]) is not None, row


@pytest.mark.parametrize(
    ("selector", "product", "known"),
    [
        pytest.param({"cloud.google.com/gke-accelerator": "nvidia-l4"}, "NVIDIA-L4", True, id="GKE"),
        pytest.param({"cloud.google.com/gke-accelerator": "nvidia-l4"}, "Tesla-T4", False, id="another card"),
        pytest.param(
            {"node.kubernetes.io/instance-type": "g6.xlarge"}, "NVIDIA-L4", True, id="the machine's type"
        ),
        pytest.param(
            {"nvidia.com/gpu.product": "NVIDIA-L4"}, "NVIDIA-L4", False, id="a label of the node's own"
        ),
    ],
)
def test_selectors_that_an_autoscaler_understands(
    selector: dict[str, str], product: str, known: bool
) -> None:
    assert clouds.selects(selector, product) is known
