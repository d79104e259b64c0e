"""What users and labels call an accelerator, and what is meant."""

import pytest

from pillion import hardware
from pillion.hardware import gpus, mig, products

GIB = 2**30


@pytest.mark.parametrize(
    ("name", "product"),
    [
        pytest.param("NVIDIA-L4", "NVIDIA-L4", id="the label"),
        pytest.param("L4", "NVIDIA-L4", id="without the maker"),
        pytest.param("nvidia-l40s", "NVIDIA-L40S", id="in any case"),
        pytest.param("RTX 4090", "NVIDIA-GeForce-RTX-4090", id="without the brand, with a space"),
        pytest.param("T4", "Tesla-T4", id="Tesla"),
        pytest.param("H100", "NVIDIA-H100-80GB-HBM3", id="the usual one of several"),
        pytest.param("A100-40GB", "NVIDIA-A100-SXM4-40GB", id="told apart by memory"),
        pytest.param("MI300X", "AMD_Instinct_MI300X_OAM", id="AMD"),
        pytest.param("L4-SHARED", "NVIDIA-L4-SHARED", id="a share"),
        pytest.param("DGX Spark (GB10)", "NVIDIA-GB10", id="behind the machine's name"),
        pytest.param("Arc Pro B70 (32 GiB)", "Arc_Pro_B70", id="before a remark"),
        pytest.param(
            "A100-40GB-MIG-1g.5gb", "NVIDIA-A100-SXM4-40GB-MIG-1g.5gb", id="a slice of a card's short name"
        ),
        pytest.param(
            "NVIDIA-A100-SXM4-40GB-MIG-1g.5gb+me",
            "NVIDIA-A100-SXM4-40GB-MIG-1g.5gb.me",
            id="a slice with media engines",
        ),
        pytest.param("Gaudi 3", "Gaudi3", id="Intel's, with a space"),
        pytest.param(
            "RTX 4080 SUPER", "NVIDIA-GeForce-RTX-4080-SUPER", id="not the card of the shorter name"
        ),
        pytest.param("RTX 4060 Ti", "NVIDIA-GeForce-RTX-4060-Ti", id="the smaller of two"),
        pytest.param("RTX 5000 Ada", "NVIDIA-RTX-5000-Ada-Generation", id="without its generation"),
        pytest.param("A800", "NVIDIA-A800-SXM4-80GB", id="the one of its name"),
        pytest.param("A100", None, id="two cards with different memory"),
        pytest.param("NVIDIA-L4-MIG-1g.5gb", None, id="a card that has no slices"),
        pytest.param("", None, id="nothing"),
    ],
)
def test_finding_a_product(name: str, product: str | None) -> None:
    found = gpus.find(name)
    assert (found.product if found else None) == product


def test_a_slice_has_the_memory_that_its_label_would_show() -> None:
    # 4.75 GiB: what torch reports of such a slice, and its label's 4,864 MiB.
    found = gpus.find("NVIDIA-A100-SXM4-40GB-MIG-1g.5gb")
    assert found is not None
    assert found.sliced
    assert not found.verified
    assert gpus.usable_bytes(found) == pytest.approx(4.75 * GIB)


@pytest.mark.parametrize("card", ["MI250X", "Max_1550"])
def test_a_card_of_two_devices_is_told_as_one_of_them(card: str) -> None:
    found = gpus.find(card)
    assert found is not None
    assert gpus.usable_bytes(found) <= 64 * GIB


def test_a_name_of_two_cards_is_answered_with_both() -> None:
    offered = " ".join(gpus.nearest("A100"))
    assert "40GB" in offered
    assert "80GB" in offered


def test_a_share_shows_the_whole_card() -> None:
    whole, share = gpus.find("NVIDIA-L4"), gpus.find("NVIDIA-L4-SHARED")
    assert whole is not None
    assert share is not None
    assert share.shared
    assert gpus.usable_bytes(share) == gpus.usable_bytes(whole)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        pytest.param("A100", "NVIDIA-A100-SXM4-40GB", id="too short a name has those it could mean"),
        pytest.param("H1000", "NVIDIA-H100-80GB-HBM3", id="a misspelt one has its neighbours"),
        pytest.param(
            "A100-40GB-MIG-9g.9gb",
            "NVIDIA-A100-SXM4-40GB-MIG-1g.5gb",
            id="an impossible slice has possible ones",
        ),
    ],
)
def test_names_that_are_near(name: str, expected: str) -> None:
    near = gpus.nearest(name)
    assert expected in near
    assert 0 < len(near) <= 3
    assert all(gpus.find(each) is not None for each in near)


def test_every_short_name_means_one_card() -> None:
    for row in gpus.known():
        for name in (row.product, *row.aliases):
            found = gpus.find(name)
            assert found is not None, name
            assert found.product == row.product


def test_every_card_that_is_cut_is_known() -> None:
    for profile in mig.known():
        assert profile.cards
        for card in profile.cards:
            row = gpus.by_product(card)
            assert row is not None, card
            assert profile.label_mib <= row.label_mib


def test_a_products_name_in_parts_and_whole_again() -> None:
    name = "NVIDIA-A100-SXM4-40GB-MIG-1g.5gb-SHARED"
    parts = products.parsed(name)
    assert (parts.card, parts.profile, parts.shared) == ("NVIDIA-A100-SXM4-40GB", "1g.5gb", True)
    assert parts.name == name


@pytest.mark.parametrize("product", ["L4", "A100-40GB-MIG-3g.20gb", "MI300X", "L4-SHARED", "Max_1550"])
def test_imagined_accelerators_are_as_the_table_says(product: str) -> None:
    expected = gpus.find(product)
    assert expected is not None
    stock = hardware.imagined(product, gpus_per_node=4, nodes=2)
    (pool,) = stock.accelerators
    assert (pool.product, pool.total, pool.free) == (expected.product, 8, 8)
    assert pool.memory_bytes == gpus.usable_bytes(expected)
    assert pool.compute_capability == expected.compute_capability
    assert (pool.shared, pool.sliced) == (expected.shared, expected.sliced)


def test_an_unknown_product_cannot_be_imagined() -> None:
    with pytest.raises(hardware.UnknownProductError, match="NVIDIA-L40S"):
        hardware.imagined("L40X", gpus_per_node=1)


def test_a_name_of_several_is_said_to_be_one() -> None:
    with pytest.raises(hardware.UnknownProductError, match="'A100' may be several accelerators; name one"):
        hardware.imagined("A100", gpus_per_node=1)


@pytest.mark.parametrize(("count", "nodes"), [(0, 1), (1, 0), (-1, 1)])
def test_numbers_below_one_are_refused(count: int, nodes: int) -> None:
    with pytest.raises(ValueError, match="1 or more"):
        hardware.imagined("L4", gpus_per_node=count, nodes=nodes)
