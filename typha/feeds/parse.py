"""Topics and feeds as the operator names them in the configuration file, checked.

Place: `config` hands over the two maps of the file; what comes out is `Feeds`, the built-in ones among them.

Invariants
1. What can be wrong without asking the API server is wrong here, with the key, the value and what is allowed.
2. A name is one topic: the file cannot declare one that is built in and served.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from typha.convert.field_paths import FieldPathError, parse_path
from typha.convert.passthrough import Passthrough
from typha.feeds.topics import CustomTopic, Feeds, TopicSpec
from typha.upstream.resources import ResourceName, Source, parse_resource_name

__all__ = ["FeedsError", "parse"]

_NOTHING: Final = Feeds({}, {})

# Dots join a topic's name (profiles.namespaces); the last one in `topic.attribute` of a filter ends it.
_NAME: Final = re.compile(r"[a-z0-9]([-a-z0-9.]{0,61}[a-z0-9])?")
_ATTRIBUTE: Final = re.compile(r"[a-zA-Z][-_a-zA-Z0-9]{0,62}")
_NAMESPACE: Final = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
_NAME_RULE: Final = "lower-case letters, digits, '-' and '.', at most 63 characters"

_TOPIC_KEYS: Final = ("resource", "fields", "filters", "namespace", "labelSelector", "fieldSelector")


class FeedsError(ValueError):
    """`key` (dotted, as in the file) holds `value`; `reason` says why that is wrong, `allowed` what would be right."""

    def __init__(self, key: str, value: Any, reason: str, allowed: str) -> None:
        self.key = key
        self.value = value
        self.reason = reason
        self.allowed = allowed
        super().__init__(f"{key}: {value!r} {reason}; allowed: {allowed}")


def parse(
    topics: Mapping[str, Mapping[str, Any]], feeds: Mapping[str, Sequence[str]], built_in: Feeds = _NOTHING
) -> Feeds:
    """Check the configuration's `topics` and `feeds`, and put them beside the built-in ones that are served.

    Raises FeedsError for the first thing that is wrong.
    """
    _expect_map("topics", topics, "a map of topic names to their settings")
    _expect_map("feeds", feeds, "a map of feed names to lists of topics")
    for kind, own, taken in (("topics", topics, built_in.topics), ("feeds", feeds, built_in.feeds)):
        for name in own:
            if name in taken:
                raise FeedsError(
                    f"{kind}.{name}", own[name], "has the name of a built-in one", "another name, or calico.feeds: []"
                )
    specs: dict[str, TopicSpec] = dict(built_in.topics)
    specs.update((name, _parse_topic(name, settings)) for name, settings in topics.items())
    own_feeds = {name: _parse_feed(name, members, specs) for name, members in feeds.items()}
    return Feeds(specs, {**built_in.feeds, **own_feeds})


def _parse_topic(name: Any, settings: Any) -> CustomTopic:
    key = f"topics.{name}"
    _check_name(key, name)
    _expect_map(key, settings, f"a map with the keys {', '.join(_TOPIC_KEYS)}")
    for each in settings:
        if each not in _TOPIC_KEYS:
            raise FeedsError(
                f"{key}.{each}",
                settings[each],
                f"is not a setting of topics{_hint(each, _TOPIC_KEYS)}",
                ", ".join(_TOPIC_KEYS),
            )
    if "resource" not in settings:
        raise FeedsError(f"{key}.resource", None, "is missing", "[group/]version/plural, for example v1/pods")
    source = Source(
        _parse_resource(f"{key}.resource", settings["resource"]),
        _parse_namespace(f"{key}.namespace", settings.get("namespace")),
        _text(
            f"{key}.labelSelector", settings.get("labelSelector"), "a label selector, for example app=web,tier!=test"
        ),
        _text(
            f"{key}.fieldSelector", settings.get("fieldSelector"), "a field selector, for example status.phase=Running"
        ),
    )
    return CustomTopic(
        name,
        source,
        _parse_fields(f"{key}.fields", settings.get("fields")),
        _parse_filters(f"{key}.filters", settings.get("filters")),
    )


def _parse_resource(key: str, value: Any) -> ResourceName:
    allowed = "[group/]version/plural, version optional: v1/pods, pods, apps/deployments, example.com/v1/certs"
    if not isinstance(value, str):
        raise FeedsError(key, value, "is not text", allowed)
    try:
        return parse_resource_name(value)
    except ValueError as error:
        raise FeedsError(key, value, f"is not a resource: {error}", allowed) from None


def _parse_namespace(key: str, value: Any) -> str:
    allowed = "the name of one namespace; leave it out for all (several namespaces are several topics)"
    text = _text(key, value, allowed)
    if text and not _NAMESPACE.fullmatch(text):
        raise FeedsError(key, value, "is not the name of a namespace", allowed)
    return text


def _parse_fields(key: str, value: Any) -> tuple[str, ...] | None:
    allowed = (
        "a list of field paths, for example [metadata.labels, spec.containers[].image]; left out: the whole object"
    )
    if value is None:
        return None
    if not _is_list(value):
        raise FeedsError(key, value, "is not a list", allowed)
    if not value:
        raise FeedsError(key, value, "is empty", allowed)
    for index, path in enumerate(value):
        _check_path(f"{key}[{index}]", path, allowed)
        if list(value).index(path) != index:
            raise FeedsError(f"{key}[{index}]", path, "is there twice", allowed)
    try:
        # Compiles them together: two paths may contradict each other.
        Passthrough("", "", value)
    except FieldPathError as error:
        raise FeedsError(key, error.path, error.reason, allowed) from None
    return tuple(value)


def _parse_filters(key: str, value: Any) -> dict[str, str]:
    allowed = "a map of attribute names to field paths, for example {node: spec.nodeName}"
    if value is None:
        return {}
    _expect_map(key, value, allowed)
    for name, path in value.items():
        if not isinstance(name, str) or not _ATTRIBUTE.fullmatch(name):
            raise FeedsError(
                key, name, "is not the name of an attribute", "a letter, then letters, digits, '-' and '_'"
            )
        _check_path(f"{key}.{name}", path, allowed)
        if any(segment.each for segment in parse_path(path)):
            raise FeedsError(
                f"{key}.{name}", path, "goes through a list, but an object has one value per attribute", allowed
            )
    return dict(value)


def _parse_feed(name: Any, members: Any, specs: Mapping[str, TopicSpec]) -> tuple[str, ...]:
    key = f"feeds.{name}"
    _check_name(key, name)
    known = ", ".join(specs) or "no topic is declared"
    if not _is_list(members) or not members:
        raise FeedsError(key, members, "is not a list of topics", known)
    for index, member in enumerate(members):
        if not isinstance(member, str) or member not in specs:
            raise FeedsError(f"{key}[{index}]", member, f"is no declared topic{_hint(member, specs)}", known)
        if list(members).index(member) != index:
            raise FeedsError(f"{key}[{index}]", member, "is there twice", "each topic once")
    return tuple(members)


def _check_name(key: str, name: Any) -> None:
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise FeedsError(key, name, "is not a usable name", _NAME_RULE)


def _check_path(key: str, path: Any, allowed: str) -> None:
    if not isinstance(path, str):
        raise FeedsError(key, path, "is not text", allowed)
    try:
        parse_path(path)
    except FieldPathError as error:
        raise FeedsError(key, path, error.reason, allowed) from None


def _text(key: str, value: Any, allowed: str) -> str:
    if value is None:
        return ""
    if not isinstance(value, str) or not value.strip():
        raise FeedsError(key, value, "is not text", f"{allowed}; or leave it out")
    return value.strip()


def _expect_map(key: str, value: Any, allowed: str) -> None:
    if not isinstance(value, Mapping):
        raise FeedsError(key, value, "is not a map", allowed)


def _is_list(value: Any) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str | bytes)


def _hint(word: Any, known: Any) -> str:
    close = difflib.get_close_matches(str(word), list(known), n=1)
    return f" (did you mean {close[0]}?)" if close else ""
