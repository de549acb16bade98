"""One object of the corpus made another one, or made wrong: for histories and for tests with any input.

Invariants
1. Name, namespace and what cannot change in an object's life stay: a pod stays on its node.
2. The choice is an argument (an index), so that hypothesis can shrink it.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any, Final

from tests.corpus.resources import Json

GARBAGE: Final[tuple[Any, ...]] = (
    None,
    True,
    0,
    -1,
    65536,
    2**63,
    10**40,
    0.5,
    1e300,
    "",
    "~",
    "a/b",
    "10.0.0.0/99",
    "has(",
    "é\u2028%2f",
    [],
    [None],
    [{}],
    ["10.0.0.1", 3],
    {},
    {"": None},
    {"a": {"b": "c"}},
)
# What an update cannot change (the API server refuses it), by plural.
_FIXED: Final = {"pods": ("nodeName", "hostNetwork", "serviceAccountName")}

Path = tuple[str | int, ...]


def paths_of(served: Json) -> list[Path]:
    """Every place in the object that a user or a controller can write, in order."""
    found = []
    for top in served:
        if top in {"apiVersion", "kind"}:
            continue
        if top == "metadata":
            for part in ("annotations", "labels"):
                if part in served["metadata"]:
                    found += list(_below(served["metadata"][part], ("metadata", part)))
        else:
            found += list(_below(served[top], (top,)))
    return found


def garbled(served: Json, path: Path, garbage: Any) -> Json:
    """The object with `garbage` at that place."""
    made = copy.deepcopy(served)
    held: Any = made
    for step in path[:-1]:
        held = held[step]
    held[path[-1]] = garbage
    return made


def in_place_of(served: Json, donor: Json, plural: str) -> Json:
    """The object `served` edited until it says what `donor` says."""
    metadata = {key: value for key, value in donor["metadata"].items() if key in {"annotations", "labels"}}
    kept = {key: served["metadata"][key] for key in ("name", "namespace", "uid") if key in served["metadata"]}
    made = copy.deepcopy({**donor, "metadata": {**metadata, **kept}})
    for field in _FIXED.get(plural, ()):
        made["spec"].pop(field, None)
        if field in served["spec"]:
            made["spec"][field] = served["spec"][field]
    return made


def is_fixed(path: Path, plural: str) -> bool:
    """Whether an update could not change that place."""
    fields = _FIXED.get(plural, ())
    return bool(fields) and (path == ("spec",) or (path[0] == "spec" and path[1] in fields))


def _below(value: Any, path: Path) -> Iterator[Path]:
    yield path
    if isinstance(value, dict):
        for key, each in value.items():
            yield from _below(each, (*path, key))
    elif isinstance(value, list):
        for index, each in enumerate(value):
            yield from _below(each, (*path, index))
