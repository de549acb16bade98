"""What every converter reads and writes with."""

from __future__ import annotations

import msgspec
import pytest

from typha.convert.calico.values import decoder_of, encode, labels_of, whole
from typha.convert.converter import ConversionError


class Thing(msgspec.Struct, omit_defaults=True):
    number: int = 0


def test_objects_are_read() -> None:
    assert decoder_of(Thing)(b'{"number":7,"unknown":1}') == Thing(7)


@pytest.mark.parametrize("raw", [b"", b"{", b"[]", b'{"number":"7"}', b'{"number":"\xff"}', b'{"x":' * 100_000])
def test_what_does_not_decode(raw: bytes) -> None:
    with pytest.raises(ConversionError, match=r"^does not decode: .") as caught:
        decoder_of(Thing)(raw)
    assert caught.value.__cause__ is None


def test_zeros_are_left_out() -> None:
    assert encode(Thing()) == b"\x80"


def test_labels_at_the_top_of_a_value() -> None:
    assert labels_of(encode({"nets": ["x"], "labels": {"a": "b"}})) == {"a": "b"}
    assert labels_of(encode({"labels": None})) == {}
    assert labels_of(encode({"metadata": {"labels": {"a": "b"}}})) == {}


@pytest.mark.parametrize(("number", "written"), [(None, "null"), (1000.0, "1000"), (-0.5, "-0.5"), (0.0, "0")])
def test_whole_numbers_are_integers(number: float | None, written: str) -> None:
    assert msgspec.json.encode(whole(number)).decode() == written
