"""What the admin pages are asked: the query of a URL, decoded and checked. Pure.

1. Every error names the parameter, what was wrong with it, and what is allowed; nothing is guessed.
2. What a question can cost is bounded here by count (results, characters), in `inquiries` by time.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Final, NamedTuple, Self
from urllib.parse import parse_qsl

from typha.cache.errors import FilterError
from typha.cache.filters import Filter
from typha.cache.topic import Topic
from typha.columns.calico_keys import TOPICS

# A table that somebody reads; a whole topic is what `typha get` is for.
LIMIT: Final = 50
MOST: Final = 200
# Kubernetes' longest names have 253 characters, Calico's keys of two of them some 600.
MOST_CHARACTERS: Final = 1000

SORTED_BY: Final = ("lag", "sent", "node", "connected")


class QueryError(ValueError):
    """A query that cannot be answered; the text is for the person who asked."""


class Parameters:
    """The parameters of one query, in the order of the URL."""

    def __init__(self, pairs: Sequence[tuple[str, str]]) -> None:
        self._pairs = tuple(pairs)

    @classmethod
    def parse(cls, query: str) -> Self:
        """Decode a URL's query. Raises QueryError."""
        try:
            return cls(parse_qsl(query, keep_blank_values=True, max_num_fields=32, errors="strict"))
        except ValueError as error:  # UnicodeDecodeError among them
            raise QueryError(f"the query cannot be decoded: {error}") from None

    def allow(self, *names: str) -> None:
        """Raises QueryError where there is any other, or one is too long."""
        for name, text in self._pairs:
            if name not in names:
                raise QueryError(f"unknown parameter {name[:64]!r}; there are: {', '.join(names)}")
            if len(text) > MOST_CHARACTERS:
                raise QueryError(f"{name} has {len(text)} characters; at most {MOST_CHARACTERS} are allowed")

    def text(self, name: str) -> str:
        """Its value, empty where it is not given. Raises QueryError where it is given twice."""
        found = self.all(name)
        if len(found) > 1:
            raise QueryError(f"{name} is given {len(found)} times")
        return found[0] if found else ""

    def all(self, name: str) -> list[str]:
        """Every value of it."""
        return [text for key, text in self._pairs if key == name]

    def flag(self, name: str) -> bool:
        """Whether it is there, and neither 0 nor false."""
        return any(text not in ("0", "false") for text in self.all(name))

    def number(self, name: str, default: int, *, most: int, least: int = 0) -> int:
        """Its value as a whole number. Raises QueryError."""
        text = self.text(name)
        if not text:
            return default
        if not (text.isascii() and text.isdecimal() and least <= int(text) <= most):
            raise QueryError(f"{name} is {text[:32]!r}; it is a number from {least} to {most}")
        return int(text)


class ObjectsQuery(NamedTuple):
    """Which entries are wanted: those of ``topics``, each with its filter, that have all ``words`` (in lower case)."""

    topics: tuple[tuple[str, Filter | None], ...]
    words: tuple[str, ...]
    in_values: bool
    limit: int


class SubscribersQuery(NamedTuple):
    """Which subscribers are wanted: those with all ``words`` of node, agent, address or session; ordered by ``by``."""

    words: tuple[str, ...]
    by: str
    limit: int


def parse_objects(query: Parameters, topics: Mapping[str, Topic], secret: Collection[str] = ()) -> ObjectsQuery:
    """``topic`` (a name, or calicoctl's; all without), ``q`` (words), ``where`` (NAME=VALUE), ``values``, ``limit``.

    Topics in ``secret`` have no ``where``: it would say what their values hold. Raises QueryError.
    """
    query.allow("topic", "q", "where", "values", "limit")
    asked = query.text("topic")
    wanted = named(asked, topics) if asked else list(topics)
    where = dict(_pair(text) for text in query.all("where"))
    if where and not asked:
        raise QueryError("where is of one topic; name it: topic=...")
    if where and any(name in secret for name in wanted):
        raise QueryError(f"{asked} are Secrets: they are found by name only")
    chosen = []
    for name in wanted:
        try:
            chosen.append((name, topics[name].parse_filter(where)))
        except FilterError as error:
            raise QueryError(f"where: {error}") from None
    return ObjectsQuery(
        tuple(chosen),
        words_of(query.text("q")),
        query.flag("values"),
        query.number("limit", LIMIT, most=MOST, least=1),
    )


def parse_object(query: Parameters, topics: Mapping[str, Topic]) -> tuple[str, str]:
    """``topic`` and ``key`` of one entry. Raises QueryError."""
    query.allow("topic", "key")
    name, key = query.text("topic"), query.text("key")
    if not name or not key:
        raise QueryError("one object is asked for by topic=... and key=...")
    if name not in topics:
        raise _unknown(name, topics)
    return name, key


def parse_subscribers(query: Parameters) -> SubscribersQuery:
    """``q`` (words), ``sort`` (one of SORTED_BY), ``limit``. Raises QueryError."""
    query.allow("q", "sort", "limit")
    by = query.text("sort") or SORTED_BY[0]
    if by not in SORTED_BY:
        raise QueryError(f"sort is {by[:64]!r}; it is one of {', '.join(SORTED_BY)}")
    return SubscribersQuery(words_of(query.text("q")), by, query.number("limit", LIMIT, most=MOST, least=1))


def named(name: str, topics: Mapping[str, Topic]) -> list[str]:
    """The topics that a name means: one called so, or those that calicoctl's name stands for. Raises QueryError."""
    if name in topics:
        return [name]
    meant = [each for each in TOPICS.get(name, ()) if each in topics]
    if not meant:
        raise _unknown(name, topics)
    return meant


def words_of(text: str) -> tuple[str, ...]:
    """What stands between white space, in lower case."""
    return tuple(text.lower().split())


def _unknown(name: str, topics: Iterable[str]) -> QueryError:
    return QueryError(f"there is no topic {name[:64]!r}; there are: {', '.join(topics)}")


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not name or not equals:
        raise QueryError(f"where is {text[:64]!r}; it is NAME=VALUE, e.g. node=node-1")
    return name, value
