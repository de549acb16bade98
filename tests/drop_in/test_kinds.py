"""Texts that Typha's parsers take and refuse."""

from __future__ import annotations

from pathlib import Path

import pytest

from typha.drop_in.kinds import (
    Authority,
    BadValueError,
    Bool,
    EndpointList,
    File,
    HostAddress,
    Int,
    Kind,
    OneOf,
    Seconds,
    Text,
)

PORT = Int(0, 65535)
COUNT = Int(1)


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        *((Bool(), text, True) for text in ("true", "TRUE", "1", "yes", "Y", "t")),
        *((Bool(), text, False) for text in ("false", "False", "0", "no", "N", "f")),
        (PORT, "0", 0),
        (PORT, "65535", 65535),
        (PORT, "+80", 80),
        (PORT, "0x10", 16),
        (PORT, "0X1f", 31),
        (PORT, "010", 8),
        (PORT, "0o17", 15),
        (PORT, "0b11", 3),
        (PORT, "1_000", 1000),
        (COUNT, "2147483647", 2147483647),
        (Seconds(), "10", 10.0),
        (Seconds(), "0.5", 0.5),
        (Seconds(), ".5", 0.5),
        (Seconds(), "5.", 5.0),
        (Seconds(), "1e2", 100.0),
        (Seconds(), "-3", -3.0),
        (Text(), "any thing", "any thing"),
        (OneOf("http", "https"), "HTTPS", "https"),
        (OneOf("DEBUG", "INFO"), "info", "INFO"),
        (File(), "/no/such/file", "/no/such/file"),
        (Authority(), "etcd.example:2379", "etcd.example:2379"),
        (HostAddress(), "::1", "::1"),
        (HostAddress(), "node-1.example", "node-1.example"),
        (HostAddress(), "a" * 64, "a" * 64),
        (EndpointList(), "https://a:1, https://b:2/,", ("https://a:1", "https://b:2/")),
        (EndpointList(), ",", ()),
    ],
)
def test_accepted(kind: Kind, text: str, value: object) -> None:
    assert kind.parse(text) == value


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        (Bool(), "on"),
        (Bool(), " true"),
        (PORT, "65536"),
        (PORT, "-1"),
        (PORT, "1.0"),
        (PORT, "ten"),
        (PORT, "08"),
        (PORT, "1__0"),
        (PORT, "_1"),
        (PORT, " 1"),
        (COUNT, "0"),
        (COUNT, "2147483648"),
        (Seconds(), "10s"),
        (Seconds(), "inf"),
        (Seconds(), "nan"),
        (Seconds(), "1e300"),
        (Seconds(), "1_0"),
        (Seconds(), "."),
        (Text(), "two\nlines"),
        (OneOf("http", "https"), "ftp"),
        (File(must_exist=True), "/no/such/file"),
        (Authority(), "etcd.example"),
        (Authority(), "a:b:1"),
        (HostAddress(), "a b"),
        (HostAddress(), "a" * 65),
        (HostAddress(), "localhost\n"),
        (EndpointList(), "http://a:1,https://b:2"),
        (EndpointList(), "http://a:1/path"),
        (EndpointList(), "http://me@a:1"),
        (EndpointList(), "http://[a:1"),
    ],
)
def test_refused(kind: Kind, text: str) -> None:
    with pytest.raises(BadValueError):
        kind.parse(text)


def test_an_existing_file_is_accepted(tmp_path: Path) -> None:
    file = tmp_path / "tls.key"
    file.write_text("")
    assert File(must_exist=True).parse(str(file)) == str(file)


@pytest.mark.parametrize(
    ("kind", "allowed"),
    [
        (PORT, "a whole number, 0 to 65535"),
        (COUNT, "a whole number, at least 1"),
        (OneOf("none", "kubernetes"), "none, kubernetes"),
        (File(must_exist=True), "an existing file"),
        (File(), "the path of a file"),
    ],
)
def test_allowed_is_said_in_words(kind: Kind, allowed: str) -> None:
    assert kind.allowed == allowed
