"""A ``where``, checked against the attributes that a topic declares.

Invariant: equal filters compare and hash equal, so that all who ask for the same share one log and its frames.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from typha.cache.errors import FilterError
from typha.cache.log import Entry
from typha.cache.selector import Requirement, parse_selector

LABELS: Final = "labels"
"""The attribute whose value is a map and whose wanted value is a Kubernetes label selector."""

NODE: Final = "node"
"""The attribute by which agents on nodes filter."""


class Filter(NamedTuple):
    """Wanted attributes, by place in the topic's attributes: texts to equal, selectors to satisfy."""

    texts: tuple[tuple[int, str], ...] = ()
    selectors: tuple[tuple[int, tuple[Requirement, ...]], ...] = ()

    @property
    def index_key(self) -> tuple[int, str] | None:
        """(place, value) where this is one text to equal: such filters have an index of their own."""
        return self.texts[0] if len(self.texts) == 1 and not self.selectors else None

    def matches(self, entry: Entry) -> bool:
        """Whether the entry is in the filter."""
        attributes = entry.attributes
        for place, wanted in self.texts:
            if attributes[place] != wanted:
                return False
        for place, requirements in self.selectors:
            labels = attributes[place]
            if callable(labels):
                labels = labels(entry.value)
            held: Mapping[str, str] = labels if isinstance(labels, Mapping) else {}
            if not all(requirement.matches(held) for requirement in requirements):
                return False
        return True


def parse_filter(topic: str, attributes: Sequence[str], where: Mapping[str, str]) -> Filter | None:
    """The Filter of a where; None where it is empty. Raises FilterError."""
    texts: list[tuple[int, str]] = []
    selectors: list[tuple[int, tuple[Requirement, ...]]] = []
    for name, wanted in sorted(where.items()):
        if name not in attributes:
            allowed = f"it can be filtered by {', '.join(attributes)}" if attributes else "it declares no filters"
            raise FilterError(f"topic {topic} has no filter {name[:64]!r}; {allowed}")
        place = attributes.index(name)
        if name == LABELS:
            selectors.append((place, parse_selector(wanted)))
        else:
            texts.append((place, wanted))
    return Filter(tuple(texts), tuple(selectors)) if texts or selectors else None
