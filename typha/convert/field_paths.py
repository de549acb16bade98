r"""Field paths as operators write them, and trees of them.

Place: `projection` builds decoders from a tree, `feeds` checks the paths of the configuration with `parse_path`.

    metadata.labels                          the whole map
    metadata.annotations.example\.com/x      `\.` is a dot inside a name, `\\` a backslash
    spec.containers[].image                  the image of each item of a list

Invariants
1. `parse_path` takes a path or raises `FieldPathError` that names the place; nothing is guessed.
2. In a tree a path swallows the longer ones below it: `spec` makes `spec.nodeName` superfluous.

Road not taken: JSONPath. Of it, fields and "each item" are what a projection can keep the nesting of.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final, NamedTuple

__all__ = ["FieldPathError", "Segment", "Tree", "parse_path", "tree_of"]

# Names split at dots that no backslash precedes; a backslash covers exactly the next character.
_SEGMENT: Final = re.compile(r"((?:[^.\\]|\\.)*)(\.|$)")
_ESCAPE: Final = re.compile(r"\\(.)")
# Deeper than any Kubernetes type nests; a bound on what one decoder can recurse into.
_MAX_SEGMENTS: Final = 32


class FieldPathError(ValueError):
    """A field path that cannot be read, or two that contradict each other."""

    def __init__(self, path: str, reason: str) -> None:
        self.path = path
        self.reason = reason
        super().__init__(f"field path {path!r}: {reason}")


class Segment(NamedTuple):
    """One name of a path; `each` where it is a list whose items the rest of the path goes into."""

    name: str
    each: bool = False


# Field name -> (is a list of what follows, what follows); an empty tree is a leaf: the whole field.
Tree = dict[str, tuple[bool, "Tree"]]


def parse_path(path: str) -> tuple[Segment, ...]:
    """The segments of `path`. Raises FieldPathError."""
    if not path:
        raise FieldPathError(path, "is empty; write for example spec.nodeName")
    if path.startswith("."):
        raise FieldPathError(path, "starts with a dot; paths begin at the object: metadata.name")
    segments: list[Segment] = []
    position = 0
    while True:
        found = _SEGMENT.match(path, position)
        if found is None:
            raise FieldPathError(path, r"ends in a backslash; write \\ for a backslash in a name")
        segments.append(_segment(path, found[1]))
        position = found.end()
        if not found[2]:
            break
    if len(segments) > _MAX_SEGMENTS:
        raise FieldPathError(path, f"has {len(segments)} parts; at most {_MAX_SEGMENTS}")
    return tuple(segments)


def tree_of(paths: Iterable[str]) -> Tree:
    """All `paths` in one tree. Raises FieldPathError where one is unreadable or uses a field in two ways."""
    root: Tree = {}
    for path in paths:
        segments = parse_path(path)
        tree = root
        for index, (name, each) in enumerate(segments):
            last = index == len(segments) - 1
            held = tree.get(name)
            if last:
                tree[name] = (False, {})  # `containers[]` at the end is the whole list, as `containers`
            elif held is None:
                below: Tree = {}
                tree[name] = (each, below)
                tree = below
                continue
            elif not held[1]:
                pass  # a shorter path has taken the whole field
            elif held[0] != each:
                raise FieldPathError(path, f"{name!r} is used as a list ({name}[]) here and as a map elsewhere")
            else:
                tree = held[1]
                continue
            break
    return root


def _segment(path: str, text: str) -> Segment:
    each = text.endswith("[]") and not text.endswith(r"\[]")
    name = _ESCAPE.sub(r"\1", text[:-2] if each else text)
    if not name:
        raise FieldPathError(path, r"has an empty part; a dot inside a name is written \.")
    if "[" in name and "\\[" not in text:
        raise FieldPathError(path, f"{text!r}: only [] (each item) at the end of a name is understood, no index")
    return Segment(name, each)
