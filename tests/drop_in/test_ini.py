"""Typha's file: only keys and values count."""

from __future__ import annotations

import pytest

from typha.drop_in.ini import IniError, parse_ini


def values(content: str) -> dict[str, str]:
    return {entry.name: entry.text for entry in parse_ini(content, "typha.cfg").entries.values()}


def test_sections_are_ignored_and_all_keys_are_one_table() -> None:
    content = "HealthPort = 1\n[global]\nLogFilePath=none\n[other]\nClientCN: felix\n"
    assert values(content) == {"HealthPort": "1", "LogFilePath": "none", "ClientCN": "felix"}


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ("A = 1 # why", "1"),
        ("A = 1 ; why", "1"),
        ("A = 1#2", "1#2"),
        ("A = '1 # 2'", "1 # 2"),
        ('A = "1"', "1"),
        ("A = `x=y`", "x=y"),
        ("A =", ""),
        ("A = # nothing", ""),
        ("A = one \\\n  two", "one two"),
        ("A = b=c", "b=c"),
        ("\ufeffA = 1", "1"),
        ("A = one \\", "one"),
    ],
)
def test_values(line: str, text: str) -> None:
    assert values(line) == {"A": text}


def test_comments_and_empty_lines_are_nothing() -> None:
    assert values("# A = 1\n; B = 2\n\n   \n") == {}


def test_a_key_that_stands_twice_is_told_and_the_later_counts() -> None:
    ini = parse_ini("HealthPort = 1\n[x]\nhealthport = 2\n", "typha.cfg")
    assert ini.entries["healthport"].text == "2"
    assert ini.notes == ("typha.cfg:3: healthport stands in line 1 too; this one counts",)


@pytest.mark.parametrize(("content", "said"), [("[open\n", "closing"), ("A = 1\nnonsense\n", "typha.cfg:2")])
def test_a_line_that_cannot_be_read_is_named(content: str, said: str) -> None:
    with pytest.raises(IniError, match=said):
        parse_ini(content, "typha.cfg")
