from __future__ import annotations

import msgspec
import pytest

from typha.convert.calico.reading import reader_of
from typha.convert.converter import ConversionError


class Inner(msgspec.Struct):
    number: int = 7
    texts: list[str | None] = []


class Outer(msgspec.Struct):
    inner: Inner = msgspec.field(default_factory=Inner)
    inners: list[Inner] = []
    text: str = "-"


def read(raw: bytes) -> Outer:
    """Made anew each time: mutmut sees what a test runs, not what stands ready."""
    return reader_of(Outer)(raw)


def test_null_is_as_good_as_not_given() -> None:
    found = read(b'{"inner":{"number":null,"texts":null},"inners":[{"number":null},{"number":1}],"text":null,"x":null}')
    assert found == Outer(Inner(), [Inner(), Inner(1)], "-")


def test_nulls_in_lists_have_places() -> None:
    assert read(b'{"text":null,"inner":{"texts":["a",null]}}').inner.texts == ["a", None]
    with pytest.raises(ConversionError, match=r"\$\.inners\[0\]"):
        read(b'{"inners":[null]}')


@pytest.mark.parametrize(
    "raw", [b"", b"{", b"[]", b"null", b'{"text":1}', b'{"text":"\xff"}', b'{"inner":{"number":"1"}}']
)
def test_what_does_not_decode(raw: bytes) -> None:
    with pytest.raises(ConversionError, match=r"^does not decode: "):
        read(raw)


def test_deep_nesting_is_an_error() -> None:
    with pytest.raises(ConversionError):
        read(b'{"text":null,"x":' + b"[" * 100_000 + b"]" * 100_000 + b"}")
