"""The memory that a framework sees: from dumps and logs where there are some, from below where there are none."""

import pytest

from pillion.hardware import gpus

GIB = 2**30


@pytest.mark.parametrize(
    ("product", "label_mib", "expected_gib"),
    [
        pytest.param("Tesla-T4", 15_360, 14.56, id="T4: 448 MiB that the driver keeps"),
        pytest.param("NVIDIA-L40S", 46_068, 44.39, id="L40S: 609 MiB"),
        pytest.param("NVIDIA-H100-80GB-HBM3", 81_559, 79.18, id="H100: 480 MiB, and 79.18 in logs"),
        pytest.param("NVIDIA-A100-SXM4-80GB", 81_920, 79.15, id="A100 80 GB: from a log"),
        pytest.param(
            "NVIDIA-A100-SXM4-80GB", 81_251, 78.50, id="an older driver's label: the same reserve from less"
        ),
    ],
)
def test_known_cards(product: str, label_mib: int, expected_gib: float) -> None:
    found = gpus.usable_memory(product, label_mib=label_mib)
    assert found.bytes / GIB == pytest.approx(expected_gib, abs=0.01)
    assert found.verified


@pytest.mark.parametrize(
    ("label_mib", "share"),
    [
        pytest.param(16_376, 0.97, id="a small card"),
        pytest.param(49_140, 0.985, id="a middle one"),
        pytest.param(95_830, 0.989, id="a large one"),
    ],
)
def test_unknown_cards_have_the_lowest_share_that_was_seen(label_mib: int, share: float) -> None:
    found = gpus.usable_memory("NVIDIA-From-Tomorrow", label_mib=label_mib)
    assert found.bytes == pytest.approx(label_mib * 2**20 * share, rel=1e-6)
    assert not found.verified


def test_a_slice_by_the_name_of_a_card_does_not_get_the_cards_memory() -> None:
    found = gpus.usable_memory("NVIDIA-A100-SXM4-40GB", label_mib=4_864)
    assert found.bytes < 4_864 * 2**20
    assert not found.verified


def test_never_more_than_the_label_and_never_the_marketing_number() -> None:
    for row in gpus.known():
        assert 0.9 * row.label_mib * 2**20 < gpus.usable_memory(row.product, label_mib=row.label_mib).bytes
        assert gpus.usable_memory(row.product, label_mib=row.label_mib).bytes < row.label_mib * 2**20


def test_every_row_has_a_source_and_no_name_twice() -> None:
    rows = gpus.known()
    assert all(row.source for row in rows)
    assert len({row.product for row in rows}) == len(rows)
    labels = [label for row in rows for label in row.cloud_labels]
    assert len(set(labels)) == len(labels)


def test_a_misspelt_name_has_neighbours() -> None:
    assert "NVIDIA-L40S" in gpus.nearest("NVIDIA-L40s")
