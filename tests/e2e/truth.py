"""A LIST of the API server as a topic should show it: the truth that agents and `typha dump` are compared with.

Written anew and not taken from `typha.convert`: both would be wrong together.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

Json = dict[str, Any]
Contents = dict[str, Json]
"""Key -> value."""


def contents_of(listed: Json, fields: Sequence[str] | None = None) -> Contents:
    """What a topic holds after this LIST: keys `namespace/name` or `name`, values as documented for the topic."""
    kind, api_version = listed["kind"].removesuffix("List"), listed["apiVersion"]
    contents = {}
    for item in listed["items"]:
        metadata = {name: value for name, value in item["metadata"].items() if name != "managedFields"}
        whole = {**item, "metadata": metadata}
        value = whole if fields is None else projection(whole, fields)
        contents[key_of(item)] = {**value, "kind": kind, "apiVersion": api_version}
    return contents


def key_of(item: Json) -> str:
    metadata = item["metadata"]
    return f"{metadata['namespace']}/{metadata['name']}" if "namespace" in metadata else str(metadata["name"])


def projection(value: Json, fields: Sequence[str]) -> Json:
    """The dotted paths of `value` with their nesting; `name[]` is each item of a list. Absent fields are left out."""
    found: Json = {}
    for path in fields:
        _pick(value, path.split("."), found)
    return found


def _pick(value: Json, path: list[str], into: Json) -> None:
    name, *rest = path
    plain = name.removesuffix("[]")
    if plain not in value or (rest and value[plain] is None):
        return  # what would be below null is absent
    if not rest:
        into[plain] = value[plain]
    elif name.endswith("[]"):
        items = into.setdefault(plain, [{} for _ in value[plain]])
        for item, picked in zip(value[plain], items, strict=True):
            _pick(item, rest, picked)
    else:
        below: Json = into.get(plain, {})
        _pick(value[plain], rest, below)
        if below:
            into[plain] = below


def matching(contents: Contents, condition: Callable[[Json], bool] | None) -> Contents:
    """The entries whose value meets the condition: a filter's view."""
    return contents if condition is None else {key: value for key, value in contents.items() if condition(value)}


def difference(found: Mapping[str, Json], expected: Mapping[str, Json]) -> str:
    """What is wrong with `found`, in a few words; "" where they are equal."""
    missing, extra = sorted(expected.keys() - found.keys()), sorted(found.keys() - expected.keys())
    other = [key for key in expected.keys() & found.keys() if expected[key] != found[key]]
    parts = [
        f"{len(keys)} {what}: {', '.join(keys[:3])}"
        for what, keys in (("missing", missing), ("too many", extra), ("other values", sorted(other)))
        if keys
    ]
    if other:
        parts.append(f"{other[0]} is {found[other[0]]}, should be {expected[other[0]]}")
    return "; ".join(parts)
