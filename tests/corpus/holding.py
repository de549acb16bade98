"""What the topics hold, given what the API server serves: the lines of `NAME.lines.jsonl`.

Written apart from `typha.cache`, whose decision about claims is compared with this one: of two objects that want one
key, the one whose name sorts lower has it, and the other has no key at all.

A line is `{"topic", "key", "value"}`, with `where` (the filter attributes, labels only where they are not the value's
own) or `{"topic", "object", "quarantined": reason}`.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from tests.corpus.converters import CALICO, TopicRow, converter_of, rows_of
from tests.corpus.documents import CorpusError, read_lines, served_path, yaml_files
from tests.corpus.resources import CALICO_CRD, CALICO_V3, Json, Kind, kind_of, name_of
from typha.convert.converter import ConversionError, Converted, Converter


@functools.cache
def served_objects() -> dict[str, list[Json]]:
    """All objects of the corpus by plural and group (either of Calico's counts as `calico`)."""
    found: dict[str, list[Json]] = {}
    for path in filter(Path.exists, map(served_path, yaml_files())):
        for each in read_lines(path):
            kind = kind_of(each)
            group = CALICO if kind.group in {CALICO_CRD, CALICO_V3} else kind.group
            found.setdefault(f"{group}/{kind.plural}", []).append(each)
    return found


def listed(served: Json) -> bytes:
    """The object as an item of a list: without kind and apiVersion."""
    return json.dumps({key: value for key, value in served.items() if key not in {"kind", "apiVersion"}}).encode()


def watched(served: Json) -> bytes:
    """The object as a watch brings it."""
    return json.dumps(served).encode()


def held_lines(served: Sequence[Json], *, use_pod_cidr: bool = False, as_watched: bool = False) -> list[Json]:
    """All lines of these objects, sorted by topic and key. Raises CorpusError."""
    by_kind: dict[Kind, list[Json]] = {}
    for each in served:
        by_kind.setdefault(kind_of(each), []).append(each)
    lines: list[Json] = []
    # One topic may be made of both groups of Calico in a file; real clusters serve one of them.
    for kind, objects in by_kind.items():
        for row in rows_of(kind, use_pod_cidr=use_pod_cidr):
            converter = converter_of(row, kind.group, use_pod_cidr=use_pod_cidr)
            if converter is not None:
                raws = {name_of(each): watched(each) if as_watched else listed(each) for each in objects}
                lines += _topic_lines(row, converter, raws)
    return sorted(lines, key=_order)


def _topic_lines(row: TopicRow, converter: Converter, raws: dict[str, bytes]) -> list[Json]:
    lines: list[Json] = []
    owners: dict[str, str] = {}
    for name in sorted(raws):
        try:
            items = [item for item in converter.convert(name, raws[name]) if item.value]
        except ConversionError as error:
            lines.append(_quarantined(row, name, error.reason))
            continue
        taken = sorted((owners[item.key], item.key) for item in items if item.key in owners)
        if taken and not row.claims:
            raise CorpusError(f"topic {row.topic}: {name} and {taken[0][0]} both give {taken[0][1]}")
        if taken:
            owner, key = taken[0]
            lines.append(_quarantined(row, name, f"its key {key} belongs to {owner}"))
            continue
        for item in items:
            owners[item.key] = name
            lines.append(_line(row, converter, item))
    return lines


def _quarantined(row: TopicRow, name: str, reason: str) -> Json:
    return {"topic": row.topic, "object": name, "quarantined": reason}


def _line(row: TopicRow, converter: Converter, item: Converted) -> Json:
    value = msgspec.msgpack.decode(item.value)
    line: Json = {"topic": row.topic, "key": item.key, "value": value}
    where: Json = {}
    for name, attribute in zip(converter.attributes, item.attributes, strict=True):
        held: Any = attribute(item.value) if callable(attribute) else attribute
        if name != "labels" or dict(held or {}) != _own_labels(value):
            where[name] = dict(held) if isinstance(held, dict) else held
    if where:
        line["where"] = where
    return line


def _own_labels(value: Any) -> Json:
    if not isinstance(value, dict):
        return {}
    metadata = value.get("metadata")
    labels = value.get("labels") or (metadata.get("labels") if isinstance(metadata, dict) else None)
    return labels if isinstance(labels, dict) else {}


def _order(line: Json) -> tuple[str, str, str]:
    return line["topic"], line.get("key", ""), line.get("object", "")
