"""QoS annotations: what the corpus (pods/qos-*) shows by example, for any text."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from typha.convert.calico.qos import Direction, QosControls, controls

NOTHING = Direction(None, None, None, None, None, None, None, None)
NUMBERS = st.integers(-10, 10**17).map(str) | st.sampled_from(["1k", "2M", "3G", "4Gi", "1.5M", "1P", "1E"])
TEXTS = st.none() | NUMBERS | st.text(max_size=8)
DIRECTIONS = st.builds(Direction, TEXTS, TEXTS, TEXTS, TEXTS, TEXTS, TEXTS, TEXTS, TEXTS)


def test_nothing_is_none() -> None:
    assert controls(NOTHING, NOTHING, None) is None


def test_zero_is_written_for_dscp_alone() -> None:
    assert msgspec.to_builtins(controls(NOTHING, NOTHING, "0")) == {"dscp": 0}


@pytest.mark.parametrize(
    ("text", "dscp"),
    [
        *[(str(number), number) for number in (0, 1, 9, 10, 63)],
        *[(name.lower(), name) for name in ("DF", "EF")],
        *[(f"Af{high}{low}", f"AF{high}{low}") for high in (1, 2, 3, 4) for low in (1, 2, 3)],
        *[(f"cS{number}", f"CS{number}") for number in range(7)],
        ("\tCS1\n", "\tCS1\n"),
    ],
)
def test_dscp(text: str, dscp: int | str) -> None:
    assert controls(NOTHING, NOTHING, text) == QosControls(dscp=dscp)


@pytest.mark.parametrize(
    "text", ["", "64", "255", "256", "-0", "1.0", "AF", "AF1", "AF10", "AF14", "AF51", "CS7", "CS", "²"]
)
def test_no_dscp(text: str) -> None:
    assert controls(NOTHING, NOTHING, text) is None


@given(DIRECTIONS, DIRECTIONS, TEXTS)
def test_directions_do_not_touch_each_other(ingress: Direction, egress: Direction, dscp: str | None) -> None:
    both = _fields(controls(ingress, egress, dscp))
    assert both == _fields(controls(ingress, NOTHING, dscp)) | _fields(controls(NOTHING, egress, dscp))
    swapped = {name.replace("ingress", "I").replace("egress", "ingress").replace("I", "egress") for name in both}
    assert swapped == set(_fields(controls(egress, ingress, dscp)))


@given(DIRECTIONS)
def test_what_needs_another_value_has_it(ingress: Direction) -> None:
    found = controls(ingress, NOTHING, None) or QosControls()
    assert bool(found.ingress_burst) == bool(found.ingress_bandwidth)
    assert bool(found.ingress_packet_burst) == bool(found.ingress_packet_rate)
    assert not found.ingress_peakrate or found.ingress_peakrate > found.ingress_bandwidth > 0
    assert not found.ingress_minburst or found.ingress_peakrate
    for value, low, high in (
        (found.ingress_bandwidth, 1_000, 10**15),
        (found.ingress_burst, 1_000, 34_359_738_360),
        (found.ingress_peakrate, 1_010, 1_010_000_000_000_000),
        (found.ingress_minburst, 1_000, 100_000_000),
        (found.ingress_packet_rate, 1, 10_000),
        (found.ingress_packet_burst, 1, 10_000),
        (found.ingress_max_connections, 1, 4_294_967_295),
    ):
        assert not value or low <= value <= high


def _fields(found: QosControls | None) -> dict[str, object]:
    fields: dict[str, object] = msgspec.to_builtins(found) if found else {}
    return fields
