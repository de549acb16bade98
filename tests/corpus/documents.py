"""The corpus' files: rooms, YAML documents with what stands beside the object, and lines of JSON.

Invariants
1. A document that cannot be used is an error that names file, document and what to do.
2. YAML's own dates stay text: Kubernetes knows no other.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

import yaml

from tests.corpus.resources import KINDS, Json, Kind, name_of

FOLDER: Final = Path(__file__).parent
SAMPLES: Final = "samples"
ROOMS: Final = (
    SAMPLES,
    "pods",
    "profiles",
    "kubernetes-policies",
    "cluster-policies",
    "calico-policies",
    "sets-and-hosts",
    "nodes",
    "pools-and-blocks",
    "bgp",
    "services",
    "config",
    "migrations",
)
_BESIDE: Final = ("x-rule", "x-why", "x-delete", "x-unservable")


class CorpusError(Exception):
    """A file of the corpus is not as it should be; the text says where and what to do."""


class Case(NamedTuple):
    """One document. `rules` are lines of rules.txt (one document may show two)."""

    rules: tuple[str, ...]
    why: str
    written: Json
    kind: Kind
    is_deleted: bool
    is_unservable: bool

    @property
    def name(self) -> str:
        """`namespace/name` or `name`."""
        return name_of(self.written)


class _Loader(yaml.CSafeLoader):
    """YAML as Kubernetes reads it: times stay text."""


_Loader.yaml_implicit_resolvers = {
    letter: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for letter, resolvers in yaml.CSafeLoader.yaml_implicit_resolvers.items()
}


def yaml_files(rooms: Sequence[str] = ()) -> list[Path]:
    """The rooms' YAML files (none named: all that exist). Raises CorpusError for a room that does not exist."""
    found: list[Path] = []
    for room in rooms or [room for room in ROOMS if any((FOLDER / room).glob("*.yaml"))]:
        folder, _, only = room.partition("/")
        files = sorted((FOLDER / folder).glob(f"{only.removesuffix('.yaml') or '*'}.yaml"))
        if not files:
            raise CorpusError(
                f"{room}: no such room, or no YAML file in it. What to do: name a room ({', '.join(ROOMS)}) or one file"
                " of it (pods/addresses)"
            )
        found += files
    return found


def served_path(path: Path) -> Path:
    """The objects as the API server serves them, one line each."""
    return path.with_suffix(".served.jsonl")


def lines_path(path: Path) -> Path:
    """What the topics hold, one line a key."""
    return path.with_suffix(".lines.jsonl")


def uses_pod_cidr(path: Path) -> bool:
    """Files named so hold what the topics hold with the setting use_pod_cidr."""
    return "use-pod-cidr" in path.name


def read_cases(path: Path) -> list[Case]:
    """The documents of a YAML file. Raises CorpusError."""
    try:
        documents = [each for each in yaml.load_all(path.read_text(), _Loader) if each is not None]
    except yaml.YAMLError as error:
        raise CorpusError(f"{path}: is not YAML: {error}") from None
    cases = [
        _case(f"{path.parent.name}/{path.name} document {index}", each, is_sample=path.parent.name == SAMPLES)
        for index, each in enumerate(documents, 1)
    ]
    names: set[tuple[str, str]] = set()
    for case in cases:
        if (name := (case.kind.resource, case.name)) in names:
            raise CorpusError(f"{path}: {name[0]} {name[1]} is there twice. What to do: give one another name")
        names.add(name)
    return cases


def _case(where: str, document: Any, *, is_sample: bool) -> Case:
    if not isinstance(document, dict):
        raise CorpusError(f"{where}: is no map. What to do: write an object with apiVersion, kind and metadata")
    beside = {key: document[key] for key in document if str(key).startswith("x-")}
    if unknown := sorted(set(beside) - set(_BESIDE)):
        raise CorpusError(f"{where}: {unknown[0]} is unknown. What to do: use {', '.join(_BESIDE)}")
    written = {key: value for key, value in document.items() if key not in beside}
    kind = KINDS.get((str(written.get("apiVersion")), str(written.get("kind"))))
    if kind is None:
        raise CorpusError(
            f"{where}: apiVersion {written.get('apiVersion')!r} kind {written.get('kind')!r} is unknown."
            " What to do: correct it, or add the kind to tests/corpus/resources.py"
        )
    metadata = written.get("metadata")
    if not isinstance(metadata, dict) or not isinstance(metadata.get("name"), str):
        raise CorpusError(f"{where}: metadata.name is missing or no text. What to do: name the object")
    if kind.namespaced != bool(metadata.get("namespace")):
        wanted = "needs metadata.namespace" if kind.namespaced else "has no namespace"
        raise CorpusError(f"{where}: a {kind.kind} {wanted}. What to do: change metadata.namespace")
    # The samples are a recording: what they show is that nothing differs.
    recorded = "recorded from Calico" if is_sample else None
    rule, why = beside.get("x-rule", recorded), beside.get("x-why", recorded)
    for key, value in (("x-rule", rule), ("x-why", why)):
        if value is None:
            raise CorpusError(f"{where}: {key} is missing. What to do: say which rule the case shows, and what of it")
    return Case(
        tuple(each.strip() for each in str(rule).split(",")),
        str(why),
        written,
        kind,
        is_deleted=bool(beside.get("x-delete")),
        is_unservable=bool(beside.get("x-unservable")),
    )


def read_lines(path: Path) -> list[Json]:
    """JSON lines. Raises CorpusError."""
    if not path.exists():
        command = "record" if path.name.endswith(".served.jsonl") else "expect"
        raise CorpusError(f"{path} is missing. What to do: python -m tests.corpus {command} {path.parent.name}")
    # Not splitlines(): U+2028 inside a value is no end of line.
    return [json.loads(line) for line in path.read_text().split("\n") if line]


def write_lines(path: Path, lines: Iterable[Json]) -> None:
    """JSON lines with sorted keys: a change shows as the change of one line."""
    path.write_text("".join(json.dumps(line, sort_keys=True, ensure_ascii=False) + "\n" for line in lines))
