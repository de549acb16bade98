"""The file as YAML: lines, duplicates, and what a broken or hostile one may cost."""

from __future__ import annotations

from pathlib import Path

import pytest

from typha.config.yaml_source import MAX_BYTES, YamlDocument, parse_yaml, read_yaml


def parsed(text: str) -> YamlDocument:
    document = YamlDocument("f.yaml")
    parse_yaml(text.encode(), document)
    return document


def first_problem(text: str) -> str:
    return str(parsed(text).problems[0])


def test_values_and_their_lines() -> None:
    document = parsed("a: 1\nb:\n  c: [x, y]\n  d: {e: true}\n")
    assert document.values == {"a": 1, "b": {"c": ["x", "y"], "d": {"e": True}}}
    assert document.place("b.d.e") == "f.yaml:4"
    assert document.place("b.c[1]") == "f.yaml:3"
    assert document.place("b.d.missing.below") == "f.yaml:4"
    assert document.place("nowhere") == "f.yaml"


@pytest.mark.parametrize("text", ["", "# nothing\n", "---\n"])
def test_empty_files_are_empty_configurations(text: str) -> None:
    document = parsed(text)
    assert document.values == {}
    # `---` alone is a document that holds null, which is no mapping.
    assert bool(document.problems) == (text == "---\n")


def test_duplicate_keys() -> None:
    document = parsed("feeds: {a: [x]}\nlisten: a\nlisten: b\ntls:\n  key: 1\n  key: 2\n")
    assert [str(each) for each in document.problems] == [
        "f.yaml:3: listen: stands here again; it stood in line 2 already (allowed: each key once)",
        "f.yaml:6: tls.key: stands here again; it stood in line 5 already (allowed: each key once)",
    ]


def test_what_is_not_yaml_names_the_line() -> None:
    assert first_problem("a: 1\nb: [1, 2\n").startswith("f.yaml:3: config: is not YAML: while parsing a flow sequence")
    assert first_problem("a: *nobody\n").startswith("f.yaml:1: config: is not YAML: found undefined alias")
    assert first_problem("a: \x00\n").startswith("f.yaml: config: is not YAML: unacceptable character")


def test_what_is_not_a_mapping() -> None:
    assert first_problem("- a\n") == "f.yaml:1: config: is not a mapping (allowed: key: value lines)"


def test_no_tag_runs_code() -> None:
    assert "has the tag tag:yaml.org,2002:python/object/apply:os.system" not in first_problem("a: !x 1\n")
    assert first_problem("a: !x 1\n") == "f.yaml:1: a = '1': has the tag !x (allowed: plain YAML values)"
    assert parsed("a: !!python/name:os.system ''\n").values == {"a": ""}


def test_dates_stay_text() -> None:
    assert parsed("life: 2026-01-02\n").values == {"life": "2026-01-02"}


def test_aliases_are_unfolded_but_not_without_end() -> None:
    assert parsed("a: &x [1]\nb: *x\n").values == {"a": [1], "b": [1]}
    assert (
        first_problem("a: &x [*x]\n") == "f.yaml:1: a[0]: contains itself through an alias (allowed: plain YAML values)"
    )
    bomb = "a0: &a0 [x]\n" + "".join(f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]\n" for i in range(1, 9))
    assert "unfolds to more than" in first_problem(bomb)


def test_deep_nesting_is_a_problem_not_a_crash() -> None:
    assert "is not YAML" in first_problem("a: " + "[" * 5000 + "]" * 5000)


def test_unreadable_and_too_large(tmp_path: Path) -> None:
    missing = tmp_path / "missing.yaml"
    assert str(read_yaml(missing).problems[0]) == (
        f"{missing}: config: cannot be read: No such file or directory (allowed: a readable YAML file)"
    )
    large = tmp_path / "large.yaml"
    large.write_bytes(b"#" * (MAX_BYTES + 1))
    assert "is too large" in str(read_yaml(large).problems[0])
