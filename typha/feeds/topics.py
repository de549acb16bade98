"""What a topic is made of: where its objects come from, what makes entries of them, and what its keys follow from.

Place: `app` makes a topic of each `TopicSpec` and a reflector of each `Source` in `Feeds.sources`; discovery's answer
goes back through `TopicSpec.make_converter`.

Invariants
1. Topics of equal source share one reflector. Namespaces and selectors make sources differ: one watch orders one topic.
2. What decides a topic's contents is in its `form`: another setting, another form.

Road not taken: feeds with rules of their own. A feed is a list of topics; an agent may also name topics itself.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from typha.cache.topic import own_name
from typha.convert.converter import Converter
from typha.convert.passthrough import Passthrough, form_of_passthrough
from typha.upstream.resources import Resource, Source

__all__ = ["CustomTopic", "Feeds", "KeyRule", "TopicSpec"]


def _never(object_name: str, key: str) -> bool:
    return False


class KeyRule(NamedTuple):
    """What a topic's keys follow from: see `typha.cache.topic.Topic`."""

    keys_of: Callable[[str], Sequence[str]] | None = own_name
    may_be_contested: Callable[[str, str], bool] = _never


class TopicSpec(ABC):
    """One topic."""

    __slots__ = ()

    name: str
    source: Source

    @property
    @abstractmethod
    def attributes(self) -> tuple[str, ...]:
        """Names of the filter attributes, in the order in which converted objects carry their values."""

    @property
    @abstractmethod
    def form(self) -> str:
        """The converter's form; provisional where the version is left to discovery (the reflector replaces it)."""

    @property
    @abstractmethod
    def keys(self) -> KeyRule:
        """What the keys follow from."""

    @abstractmethod
    def make_converter(self, resource: Resource) -> Converter:
        """The converter for what discovery has found."""


@dataclass(frozen=True, slots=True)
class CustomTopic(TopicSpec):
    """One of the configuration file; `fields` None is the whole object, `filters` attribute name -> field path."""

    name: str
    source: Source
    fields: tuple[str, ...] | None = None
    filters: Mapping[str, str] = field(default_factory=dict)

    @property
    def attributes(self) -> tuple[str, ...]:
        """See TopicSpec."""
        return tuple(self.filters)

    @property
    def form(self) -> str:
        """See TopicSpec."""
        name = self.source.resource
        api_version = "/".join(part for part in (name.group, name.version) if part)
        return form_of_passthrough(api_version, self.fields, self.filters, self._selection())

    @property
    def keys(self) -> KeyRule:
        """The object's name."""
        return KeyRule()

    def make_converter(self, resource: Resource) -> Converter:
        """See TopicSpec."""
        return Passthrough(resource.kind, resource.api_version, self.fields, self.filters, self._selection())

    def _selection(self) -> dict[str, str]:
        source = self.source
        return {
            "group": source.resource.group,
            "plural": source.resource.plural,
            "namespace": source.namespace,
            "labelSelector": source.label_selector,
            "fieldSelector": source.field_selector,
        }


@dataclass(frozen=True, slots=True)
class Feeds:
    """All topics by name, and the topics of each feed, in the order in which they were declared."""

    topics: Mapping[str, TopicSpec]
    feeds: Mapping[str, tuple[str, ...]]

    def sources(self) -> dict[Source, tuple[TopicSpec, ...]]:
        """The watches that the topics need; an agent may subscribe to any topic, so those of no feed count."""
        found: dict[Source, list[TopicSpec]] = {}
        for spec in self.topics.values():
            found.setdefault(spec.source, []).append(spec)
        return {source: tuple(specs) for source, specs in found.items()}
