from __future__ import annotations

import pytest

from typha.cache.errors import FilterError
from typha.cache.selector import parse_selector

LABELS = {"app": "web", "tier": "front", "empty": "", "example.com/role": "a.b_c-d"}


@pytest.mark.parametrize(
    ("selector", "matches"),
    [
        ("app=web", True),
        ("app==web", True),
        (" app = web ", True),
        ("app=db", False),
        ("app!=db", True),
        ("missing!=db", True),
        ("missing=db", False),
        ("app in (web, db)", True),
        ("app in(web)", True),
        ("app notin (web,db)", False),
        ("missing notin (web)", True),
        ("app", True),
        ("!app", False),
        ("! missing", True),
        ("missing", False),
        ("empty=", True),
        ("empty in ()", True),
        ("app=web,tier=front", True),
        ("app=web , !tier", False),
        ("example.com/role=a.b_c-d", True),
        ("in=x,notin!=y", False),
    ],
)
def test_as_kubectl_takes_it(selector: str, *, matches: bool) -> None:
    assert all(term.matches(LABELS) for term in parse_selector(selector)) == matches


@pytest.mark.parametrize(
    "selector", ["", ",", "a=b,", "=b", "a=b c", "a in b", "a in (b", "-a", "a=-b", "a>1", "a=b;c"]
)
def test_what_is_wrong_names_the_place(selector: str) -> None:
    with pytest.raises(FilterError, match=r"is wrong at character \d+; expected terms like"):
        parse_selector(selector)


def test_place_is_that_of_the_first_faulty_term() -> None:
    with pytest.raises(FilterError, match="character 5"):
        parse_selector("a=b,=")


def test_hostile_selector_is_refused_in_linear_time() -> None:
    """What a client may send is bounded in length, not in kind."""
    for text in ("a in (" + " " * 400 + ",!", "a" * 500 + "!", "a in (" + "b," * 200 + "("):
        with pytest.raises(FilterError):
            parse_selector(text)
