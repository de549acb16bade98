"""Selectors: Kubernetes' grammar on encoded objects."""

from __future__ import annotations

import msgspec
import pytest

from tests.simulation.api_client import pod
from typha.simulation.selectors import Selection, parse_selection
from typha.simulation.status import StatusError


def tail(**fields: object) -> bytes:
    return msgspec.json.encode(fields)[1:]


SUBJECT = tail(**pod("web-1", "shop", node="n1", phase="Running", app="web", tier="front"))


@pytest.mark.parametrize(
    ("labels", "matches"),
    [
        ("", True),
        ("app=web", True),
        ("app==web,tier=front", True),
        ("app=db", False),
        ("app!=db", True),
        ("missing!=x", True),
        ("app in (db, web)", True),
        ("app notin (db,web)", False),
        ("missing notin (a)", True),
        ("app", True),
        ("!app", False),
        ("!missing,tier", True),
        ("app=", False),
    ],
)
def test_label_selectors(labels: str, matches: bool) -> None:
    assert parse_selection("pods", labels, "").matches(SUBJECT) is matches


@pytest.mark.parametrize(
    ("fields", "matches"),
    [
        ("spec.nodeName=n1", True),
        ("spec.nodeName!=n1", False),
        ("status.phase=Running,metadata.namespace=shop", True),
        ("metadata.name==web-2", False),
    ],
)
def test_field_selectors(fields: str, matches: bool) -> None:
    assert parse_selection("pods", "", fields).matches(SUBJECT) is matches


@pytest.mark.parametrize(
    ("plural", "labels", "fields", "message"),
    [
        ("pods", "a=b=c", "", "unable to parse requirement"),
        ("pods", "", "spec.nodeName", "invalid selector"),
        ("nodes", "", "spec.nodeName=n1", "field label not supported: spec.nodeName"),
    ],
)
def test_selectors_that_cannot_be_read(plural: str, labels: str, fields: str, message: str) -> None:
    with pytest.raises(StatusError, match=message) as caught:
        parse_selection(plural, labels, fields)
    assert caught.value.code == 400


def test_objects_of_unknown_shape_are_selected_by_what_can_be_read() -> None:
    odd = tail(metadata={"name": "odd", "labels": {"app": "web"}}, spec=["not", "a", "map"])
    assert parse_selection("pods", "app=web", "").matches(odd)
    assert not parse_selection("pods", "", "spec.nodeName=n1").matches(odd)
    assert not parse_selection("pods", "app=web", "").matches(tail(metadata={"labels": 3}))


def test_an_empty_selection_decodes_nothing() -> None:
    assert Selection().matches(b"no JSON")
