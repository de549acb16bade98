"""--where on the command line."""

from __future__ import annotations

import pytest

from typha.cli.exits import USAGE, CliError
from typha.cli.where import parse_where


def test_topics_attributes_and_selectors() -> None:
    texts = ["pods.node=n1", "pods.labels=app=web,tier!=db", "profiles.namespaces.name=a.b"]
    assert parse_where(texts) == {
        "pods": {"node": "n1", "labels": "app=web,tier!=db"},
        "profiles.namespaces": {"name": "a.b"},
    }


@pytest.mark.parametrize("text", ["", "pods", "pods.node", "pods.node=", "=n1", ".node=n1", "pods.=n1", "node=n1"])
def test_what_is_no_filter(text: str) -> None:
    with pytest.raises(CliError, match=r"is not TOPIC\.ATTRIBUTE=VALUE") as caught:
        parse_where([text])
    assert caught.value.code == USAGE


def test_one_attribute_twice() -> None:
    with pytest.raises(CliError, match=r"pods.node is filtered by 'n1' already"):
        parse_where(["pods.node=n1", "pods.node=n2"])
