from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from typha.convert.calico.tier import Tiers, keys_of, order_of
from typha.convert.converter import ConversionError


def value(spec: Any) -> Any:
    [entry] = Tiers("crd.projectcalico.org").convert("t", json.dumps({"spec": spec}).encode())
    assert [entry.key] == list(keys_of("t")) == ["/calico/v1/policy/tier/t/metadata"]
    assert entry.attributes == ()
    return msgspec.msgpack.decode(entry.value)


@pytest.mark.parametrize("written", [None, "", "Deny", "pass", "PASS", "Allow", "Pass "])
def test_only_pass_passes(written: str | None) -> None:
    assert value({"defaultAction": written})["defaultAction"] == "Deny"


@pytest.mark.parametrize(
    ("written", "order"),
    [
        (None, 1_000_000),
        (0, 0),
        (1.0, 1),
        (-7, -7),
        (0.5, 0.5),
        (2**53 - 1, 2**53 - 1),
        (2.0**53, 2.0**53),
        (1e300, 1e300),
        (1e20, 1e20),
    ],
)
def test_orders(written: float | None, order: float) -> None:
    found = value({"order": written})["order"]
    assert found == order
    assert isinstance(found, int) == (order == int(order) and abs(order) < 2**53)


def test_no_order_of_a_policy_stays_none() -> None:
    assert order_of(None) is None


@pytest.mark.parametrize("order", ["1", [], True, "1e400"])
def test_orders_that_are_none(order: Any) -> None:
    with pytest.raises(ConversionError, match=r"spec\.order"):
        value({"order": order})


def test_the_form_knows_the_group() -> None:
    assert Tiers("crd.projectcalico.org").form != Tiers("projectcalico.org").form
    assert Tiers("crd.projectcalico.org").standing == ()
