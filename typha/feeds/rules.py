"""Rules of rights as the operator writes them in the configuration file, checked.

Place: `config` hands over the map of the file and judges what is wrong; `app` gives the rules to `downstream.rights`.

Invariant: what can be wrong without an agent is wrong here, with the key, the reason and what is allowed. A rule that
could never hold (a feed that is not served, a filter that no topic has) is an error, not a rule for nobody.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from typha.downstream.rights import OWN_NODE, Rule, listed
from typha.feeds.topics import Feeds
from typha.wire.identity import CERTIFICATE_KINDS, SERVICE_ACCOUNT, parse_wanted

__all__ = ["RightsError", "parse_rules", "secret_topics"]

IDENTITY_KINDS: Final = (*CERTIFICATE_KINDS, SERVICE_ACCOUNT)
_RULE_KEYS: Final = ("identities", "feeds", "topics", "where", "admin")


class RightsError(ValueError):
    """``key`` (dotted, as in the file) is wrong; ``reason`` says why, ``allowed`` what would be right."""

    def __init__(self, key: str, reason: str, allowed: str) -> None:
        self.key = key
        self.reason = reason
        self.allowed = allowed
        super().__init__(f"{key}: {reason}; allowed: {allowed}")


def secret_topics(feeds: Feeds) -> tuple[str, ...]:
    """Topics made of Secrets, whatever of them they hold."""
    return tuple(name for name, spec in feeds.topics.items() if spec.source.resource.is_secret)


def parse_rules(rights: Mapping[str, Mapping[str, Any]], feeds: Feeds) -> tuple[Rule, ...]:
    """The configuration's ``rights``. Raises RightsError, for the first thing that is wrong."""
    attributes = {name: spec.attributes for name, spec in feeds.topics.items()}
    return tuple(_parse_rule(f"rights.{name}", name, rule, feeds.feeds, attributes) for name, rule in rights.items())


def _parse_rule(
    key: str,
    name: str,
    rule: Mapping[str, Any],
    feeds: Mapping[str, Sequence[str]],
    attributes: Mapping[str, Sequence[str]],
) -> Rule:
    for each in rule:
        if each not in _RULE_KEYS:
            raise RightsError(f"{key}.{each}", "is not a setting of a rule", ", ".join(_RULE_KEYS))
    identities = _texts(f"{key}.identities", rule.get("identities"), "a list of names, as [cn:agent]")
    if not identities:
        raise RightsError(f"{key}.identities", "is missing", "a list of names, as [cn:agent]")
    wanted = []
    for index, text in enumerate(identities):
        try:
            wanted.append(parse_wanted(text, IDENTITY_KINDS))
        except ValueError as error:
            allowed = ", ".join(f"{kind}:NAME" for kind in IDENTITY_KINDS) + ", a * only at the end"
            raise RightsError(f"{key}.identities[{index}]", str(error), allowed) from None
    own_feeds = _known(f"{key}.feeds", rule.get("feeds"), feeds, "feed")
    own_topics = _known(f"{key}.topics", rule.get("topics"), attributes, "topic")
    is_admin = rule.get("admin", False)
    if not isinstance(is_admin, bool):
        raise RightsError(f"{key}.admin", "is neither true nor false", "true: its identities may see the status page")
    if not own_feeds and not own_topics and not is_admin:
        raise RightsError(key, "allows nothing", "`feeds`, `topics`, `admin: true`, or several of them")
    covered = {*own_topics, *(topic for feed in own_feeds for topic in feeds[feed])}
    where = _parse_where(key, rule.get("where"), covered, attributes)
    return Rule(name, tuple(wanted), own_feeds, own_topics, where, is_admin)


def _parse_where(
    key: str, raw: object, covered: set[str], attributes: Mapping[str, Sequence[str]]
) -> dict[str, dict[str, str]]:
    allowed = f"a map TOPIC: {{ATTRIBUTE: value}}, where {OWN_NODE} is the identity's own node"
    if raw is None:
        return {}
    if not isinstance(raw, Mapping):
        raise RightsError(f"{key}.where", "is not a map", allowed)
    for topic, filters in raw.items():
        if topic not in covered:
            raise RightsError(f"{key}.where.{topic}", "is no topic that this rule allows", ", ".join(sorted(covered)))
        if not isinstance(filters, Mapping) or not filters:
            raise RightsError(f"{key}.where.{topic}", "is not a map of attributes", allowed)
        for name, value in filters.items():
            if name not in attributes[topic]:
                there = ", ".join(attributes[topic]) or "the topic has none"
                raise RightsError(f"{key}.where.{topic}.{name}", "is no filter of that topic", there)
            if not isinstance(value, str) or not value:
                raise RightsError(f"{key}.where.{topic}.{name}", "is not text", f"a value, or {OWN_NODE}")
    return {topic: dict(filters) for topic, filters in raw.items()}


def _known(key: str, raw: object, there: Mapping[str, object], kind: str) -> tuple[str, ...]:
    names = _texts(key, raw, f"a list of {kind}s")
    for index, name in enumerate(names):
        if name not in there:
            raise RightsError(f"{key}[{index}]", f"{name!r} is no {kind} that is served", listed(list(there)))
    return names


def _texts(key: str, raw: object, allowed: str) -> tuple[str, ...]:
    if raw is None:
        return ()
    if not isinstance(raw, list | tuple) or not all(isinstance(item, str) for item in raw):
        raise RightsError(key, "is not a list of texts", allowed)
    return tuple(raw)
