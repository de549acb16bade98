"""Every case is complete, shows a rule, and converts into the lines that stand beside it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.corpus.converters import TOPICS
from tests.corpus.crds import calico_kinds
from tests.corpus.documents import (
    FOLDER,
    ROOMS,
    SAMPLES,
    lines_path,
    read_cases,
    read_lines,
    served_path,
    uses_pod_cidr,
    yaml_files,
)
from tests.corpus.holding import held_lines
from tests.corpus.recording import CREATED, stable_uid
from tests.corpus.resources import CALICO_V3, name_of
from tests.corpus.rules import read_rules, rule_name

FILES = yaml_files()
every_file = pytest.mark.parametrize("path", FILES, ids=[f"{path.parent.name}/{path.stem}" for path in FILES])


def lost(written: Any, served: Any, path: str = "") -> list[str]:
    """Places where `served` does not say what `written` says. The API server adds defaults and drops what is empty."""
    if isinstance(written, dict) and isinstance(served, dict):
        return [place for key, each in written.items() for place in lost(each, served.get(key), f"{path}.{key}")]
    if isinstance(written, list) and isinstance(served, list) and len(served) >= len(written):
        return [place for n, each in enumerate(written) for place in lost(each, served[n], f"{path}[{n}]")]
    return [] if written == served or (not written and served is None) else [path]


@every_file
def test_each_document_has_been_served(path: Path) -> None:
    cases, served = read_cases(path), read_lines(served_path(path))
    written = [(case.kind.api_version, case.kind.kind, case.name) for case in cases]
    assert written == [(each["apiVersion"], each["kind"], name_of(each)) for each in served]
    for case, each in zip(cases, served, strict=True):
        assert each["metadata"]["uid"] == stable_uid(each)
        assert each["metadata"]["creationTimestamp"] == CREATED
        assert "managedFields" not in each["metadata"]
        assert ("deletionTimestamp" in each["metadata"]) == case.is_deleted
        drawn = {f".metadata.{name}" for name in ("uid", "creationTimestamp", "generation")}
        assert not set(lost(case.written, each)) - drawn, f"{case.name}: record it again, or mark it x-unservable"


@every_file
def test_each_case_names_a_rule(path: Path) -> None:
    if path.parent.name == SAMPLES:
        return
    rules = read_rules()
    for case in read_cases(path):
        for cited in case.rules:
            assert rule_name(cited) in rules, f"{case.name}: x-rule {cited} is not in rules.txt"
        assert len(case.why.split()) >= 3, f"{case.name}: x-why says too little"


@every_file
def test_objects_of_a_list_convert_into_the_lines(path: Path) -> None:
    assert held_lines(read_lines(served_path(path)), use_pod_cidr=uses_pod_cidr(path)) == read_lines(lines_path(path))


@every_file
def test_objects_of_a_watch_convert_into_the_lines(path: Path) -> None:
    found = held_lines(read_lines(served_path(path)), use_pod_cidr=uses_pod_cidr(path), as_watched=True)
    assert found == read_lines(lines_path(path))


def test_every_rule_has_a_case() -> None:
    rules = read_rules()
    shown = {
        rule_name(cited) for path in FILES if path.parent.name != SAMPLES for c in read_cases(path) for cited in c.rules
    }
    missing = [f"{rule.name} {rule.text}" for rule in rules.values() if not rule.shown_by and rule.name not in shown]
    assert not missing, f"rules without a case: {missing}"


def test_rules_without_a_case_have_a_test() -> None:
    for rule in read_rules().values():
        assert not rule.shown_by or (FOLDER / rule.shown_by).exists(), f"{rule.name}: {rule.shown_by} does not exist"


def test_every_topic_has_a_case() -> None:
    held = {line["topic"] for path in FILES for line in read_lines(lines_path(path)) if "value" in line}
    assert held == {row.topic for row in TOPICS}


def test_every_room_is_used() -> None:
    assert {path.parent.name for path in FILES} == set(ROOMS)


def test_natively_served_v3_has_a_case_in_each_room_that_needs_it() -> None:
    """The two groups differ in metadata only, so one object each of a global and of a namespaced kind will do."""
    namespaced = {
        case.kind.namespaced for path in FILES for case in read_cases(path) if case.kind in calico_kinds(CALICO_V3)
    }
    assert namespaced == {True, False}


def test_topics_here_are_those_of_the_built_in_feeds() -> None:
    from typha.feeds.calico import calico_feeds

    for use_pod_cidr in (False, True):
        rows = {row.topic for row in TOPICS if row.pod_cidr is None or row.pod_cidr == use_pod_cidr}
        assert set(calico_feeds(use_pod_cidr=use_pod_cidr).topics) == rows
