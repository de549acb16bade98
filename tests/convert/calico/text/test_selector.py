from __future__ import annotations

import hypothesis.strategies as st
import pytest
from hypothesis import given

from typha.convert.calico.text.selector import (
    MAX_LENGTH,
    MAX_NESTING,
    Call,
    Comparison,
    Has,
    Joined,
    Membership,
    Node,
    Not,
    SelectorError,
    is_label_name,
    parse,
    prefixed,
    render,
)
from typha.convert.converter import ConversionError


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("", "all()"),
        (" \t ", "all()"),
        ("all()", "all()"),
        ("all( \t)", "all()"),
        ("global( )", "global()"),
        ("has(a)", "has(a)"),
        ("has( a\t)", "has(a)"),
        ("!has(a)", "!has(a)"),
        ("! has(a)", "!has(a)"),
        ("!!has(a)", "has(a)"),
        ("! ! !has(a)", "!has(a)"),
        ("!(!has(a))", "!!has(a)"),
        ("team == 'blue'", 'team == "blue"'),
        ('team=="blue"', 'team == "blue"'),
        ("team == 'say \"hi\"'", "team == 'say \"hi\"'"),
        ('team == "it\'s"', 'team == "it\'s"'),
        ("a == ''", 'a == ""'),
        ("a == '\n'", 'a == "\n"'),
        ("a != 'b'", 'a != "b"'),
        ("!a == 'b'", '!a == "b"'),
        ("a contains 'b'", 'a contains "b"'),
        ("a contains'b'", 'a contains "b"'),
        ("a starts with 'b'", 'a starts with "b"'),
        ("a starts \t with 'b'", 'a starts with "b"'),
        ("a startswith 'b'", 'a starts with "b"'),
        ("a ends with 'b'", 'a ends with "b"'),
        ("a endswith 'b'", 'a ends with "b"'),
        ("a in {'b', 'a', 'b'}", 'a in {"a", "b"}'),
        ("a in{'b' ,\t'a',}", 'a in {"a", "b"}'),
        ("a in {}", "a in {}"),
        ("a in { 'x\"y', 'b' }", 'a in {"b", \'x"y\'}'),
        ("a not in {'b'}", 'a not in {"b"}'),
        ("a notin {'b'}", 'a not in {"b"}'),
        ("a not  \t in {}", "a not in {}"),
        ("a == 'b' && c == 'd' && has(e)", '(a == "b" && c == "d" && has(e))'),
        ("a == 'b'||c == 'd'||has(e)", '(a == "b" || c == "d" || has(e))'),
        ("has(a) || has(b) && has(c)", "(has(a) || (has(b) && has(c)))"),
        ("has(a) && has(b) || has(c)", "((has(a) && has(b)) || has(c))"),
        ("(has(a) || has(b)) && has(c)", "((has(a) || has(b)) && has(c))"),
        ("(has(a) && has(b)) && has(c)", "((has(a) && has(b)) && has(c))"),
        ("((has(a)))", "has(a)"),
        ("!(has(a) || has(b))", "!(has(a) || has(b))"),
        # Words are operators behind a label only, and functions before a parenthesis only.
        ("in in {'in'}", 'in in {"in"}'),
        ("contains contains 'contains'", 'contains contains "contains"'),
        ("has == 'all'", 'has == "all"'),
        ("hash == 'x'", 'hash == "x"'),
        ("all == 'x' && global != 'y'", '(all == "x" && global != "y")'),
        ("example.com/A_b-1.c == 'x'", 'example.com/A_b-1.c == "x"'),
        ("-._/ == 'x'", '-._/ == "x"'),
    ],
)
def test_canonical_text(text: str, canonical: str) -> None:
    assert render(parse(text)) == canonical


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("team ==", "selector: expected a text in quotes at character 8"),
        ("team == blue", "selector: expected a text in quotes at character 9"),
        ("team == 'blue", "selector: expected a text in quotes at character 9"),
        ("team = 'blue'", "selector: expected ==, !=, in, not in, contains, starts with or ends with at character 6"),
        ("team", "selector: expected ==, !=, in, not in, contains, starts with or ends with at character 5"),
        ("team not 'blue'", "selector: expected ==, !=, in, not in, contains, starts with or ends with at character 6"),
        ("team starts 'b'", "selector: expected ==, !=, in, not in, contains, starts with or ends with at character 6"),
        ("a in 'b'", "selector: expected { at character 6"),
        ("a in {'b' 'c'}", "selector: expected a text in quotes, a comma or } at character 11"),
        ("a in {,}", "selector: expected a text in quotes, a comma or } at character 7"),
        ("a in {'b'", "selector: expected a text in quotes, a comma or } at character 10"),
        ("has(a", "selector: expected has(LABEL), all() or global() at character 1"),
        ("has()", "selector: expected has(LABEL), all() or global() at character 1"),
        ("all(a)", "selector: expected has(LABEL), all() or global() at character 1"),
        (" global(", "selector: expected has(LABEL), all() or global() at character 2"),
        ("has (a)", "selector: expected ==, !=, in, not in, contains, starts with or ends with at character 5"),
        ("(has(a)", "selector: expected ) at character 8"),
        ("has(a))", "selector: expected && or || or the end at character 7"),
        ("has(a) has(b)", "selector: expected && or || or the end at character 8"),
        ("has(a) & has(b)", "selector: expected && or || or the end at character 8"),
        ("has(a) &&", "selector: expected a label, has(), all(), global(), ! or ( at character 10"),
        ("()", "selector: expected a label, has(), all(), global(), ! or ( at character 2"),
        ("!", "selector: expected a label, has(), all(), global(), ! or ( at character 2"),
        ("'a' == 'b'", "selector: expected a label, has(), all(), global(), ! or ( at character 1"),
        ("has(a)\n", "selector: expected && or || or the end at character 7"),
        ("ä == 'b'", "selector: expected a label, has(), all(), global(), ! or ( at character 1"),
    ],
)
def test_what_does_not_parse(text: str, reason: str) -> None:
    with pytest.raises(SelectorError) as caught:
        parse(text)
    assert caught.value.reason == reason
    assert reason.endswith(f" {caught.value.position}")


def test_errors_name_the_field_and_quarantine() -> None:
    with pytest.raises(ConversionError, match=r"^spec\.selector: expected"):
        parse("team ==", "spec.selector")


def test_a_text_breaking_out_of_its_parentheses_does_not_parse() -> None:
    with pytest.raises(SelectorError):
        parse("a == 'x') || (all()")


def test_nesting_is_limited() -> None:
    deepest = "(" * MAX_NESTING + "has(a)" + ")" * MAX_NESTING
    assert render(parse(deepest)) == "has(a)"
    with pytest.raises(SelectorError, match=f"more than {MAX_NESTING} parentheses inside each other"):
        parse(f"({deepest})")


def test_groups_beside_each_other_are_not_nested() -> None:
    groups = " && ".join(["(has(a))"] * (MAX_NESTING + 1))
    assert render(parse(groups)).count("has(a)") == MAX_NESTING + 1


def test_groups_before_do_not_raise_the_limit() -> None:
    deepest = "(" * MAX_NESTING + "has(a)" + ")" * MAX_NESTING
    assert render(parse(f"(has(a)) && {deepest}")) == "(has(a) && has(a))"
    with pytest.raises(SelectorError, match="parentheses inside each other"):
        parse(f"(has(a)) && ({deepest})")


def test_negations_in_every_group_convert() -> None:
    node = parse("!(has(b) && " * MAX_NESTING + "has(a)" + ")" * MAX_NESTING)
    assert render(prefixed(node, "p.")).count("!") == MAX_NESTING


def test_length_is_limited() -> None:
    longest = "!" * (MAX_LENGTH - 5) + "all()"
    assert render(parse(longest)) == "!all()"
    with pytest.raises(SelectorError, match=rf"^f: longer than {MAX_LENGTH} characters, cut it") as caught:
        parse(longest + " ", "f")
    assert caught.value.position == MAX_LENGTH + 1


@pytest.mark.parametrize(
    ("text", "with_prefix"),
    [
        ("team == 'blue'", 'pcns.team == "blue"'),
        ("has(a) && !b in {'c'}", '(has(pcns.a) && !pcns.b in {"c"})'),
        ("all() || global()", "(all() || global())"),
        ("pcns.a != 'b'", 'pcns.pcns.a != "b"'),
    ],
)
def test_prefixes_go_before_every_label(text: str, with_prefix: str) -> None:
    node = parse(text)
    assert render(prefixed(node, "pcns.")) == with_prefix
    assert node == parse(text)


def test_the_tree() -> None:
    assert parse("a == 'b' || !(has(c) && d not in {'f', 'e'}) || all()") == Joined(
        "||",
        (
            Comparison("a", "==", "b"),
            Not(Joined("&&", (Has("c"), Membership("d", "not in", ("e", "f"))))),
            Call("all"),
        ),
    )


@pytest.mark.parametrize(("name", "is_one"), [("a.b/c_d-E1", True), ("", False), ("a b", False), ("a\n", False)])
def test_label_names(name: str, is_one: bool) -> None:
    assert is_label_name(name) is is_one


_labels = st.from_regex(r"[a-zA-Z0-9_./-]{1,9}", fullmatch=True)
_values = st.text(max_size=9).filter(lambda text: not ("'" in text and '"' in text))
_leaves: st.SearchStrategy[Node] = st.one_of(
    st.builds(Comparison, _labels, st.sampled_from(["==", "!=", "contains", "starts with", "ends with"]), _values),
    st.builds(
        Membership,
        _labels,
        st.sampled_from(["in", "not in"]),
        st.sets(_values, max_size=3).map(lambda values: tuple(sorted(values))),
    ),
    st.builds(Has, _labels),
    st.builds(Call, st.sampled_from(["all", "global"])),
)


def _grown(inner: st.SearchStrategy[Node]) -> st.SearchStrategy[Node]:
    several = st.lists(inner, min_size=2, max_size=3).map(tuple)
    # `!!` reads as nothing: the one canonical text that is not its own.
    negatable = inner.filter(lambda node: not isinstance(node, Not))
    return st.one_of(
        st.builds(Not, negatable),
        st.builds(Joined, st.sampled_from(["&&", "||"]), several),
    )


@given(st.recursive(_leaves, _grown, max_leaves=8))
def test_a_tree_reads_back_from_its_text(node: Node) -> None:
    assert parse(render(node)) == node


@given(st.text("ab'\"(){}!=&|, \tin", max_size=30) | st.text(max_size=30))
def test_any_text_parses_or_is_refused(text: str) -> None:
    position = 1
    try:
        canonical = render(parse(text))
    except SelectorError as error:
        canonical, position = "", error.position
    assert 1 <= position <= len(text) + 1
    settled = render(parse(canonical)) if canonical else ""
    assert not canonical or render(parse(settled)) == settled
    assert settled.replace("!", "") == canonical.replace("!", "")
