"""Who may read what: rules by identity, read from the configuration and asked at each Hello. Pure.

Place: `handshake.plan` and `calico_session` ask `Rights` before anything is planned; `config` has the rules judged.

Invariants
1. Without rules everybody who is let in may read everything but Secrets. With the first rule what no rule allows is
   refused.
2. What a peer may read is what its rules allow together. A rule allows topics, by name or all of a feed's; where it
   has a ``where`` for a topic, only with that filter, however the topic was asked for.
3. A topic of Secrets is allowed by a rule that names the topic itself, never by a feed.
4. A refusal says what was asked, by whom, and what would be allowed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from typha.downstream.identity import Peer
from typha.wire.errors import RefusedError
from typha.wire.identity import CERTIFICATE_KINDS, SERVICE_ACCOUNT, WantedName, parse_wanted
from typha.wire.states import RefusalCode

__all__ = ["OWN_NODE", "Rights", "RightsError", "Rule", "parse_rules"]

OWN_NODE: Final = "%node"
"""In a rule's ``where``: the name of the identity's own node."""

IDENTITY_KINDS: Final = (*CERTIFICATE_KINDS, SERVICE_ACCOUNT)
_RULE_KEYS: Final = ("identities", "feeds", "topics", "where")
_SHOWN: Final = 20

Where = Mapping[str, Mapping[str, str]]


class RightsError(ValueError):
    """``key`` (dotted, as in the file) is wrong; ``reason`` says why, ``allowed`` what would be right."""

    def __init__(self, key: str, reason: str, allowed: str) -> None:
        self.key = key
        self.reason = reason
        self.allowed = allowed
        super().__init__(f"{key}: {reason}; allowed: {allowed}")


class Rule(NamedTuple):
    """One rule of the configuration; ``where``: topic -> attribute -> value that a filter must have."""

    name: str
    identities: tuple[WantedName, ...]
    feeds: tuple[str, ...] = ()
    topics: tuple[str, ...] = ()
    where: Where = MappingProxyType({})

    def is_for(self, peer: Peer) -> bool:
        """Whether one of its identities is the peer's."""
        return any(identity.is_met_by(peer.names) for identity in self.identities)


class Rights:
    """``feeds``: the topics of each; ``secrets``: topics made of Secrets."""

    def __init__(
        self, rules: Sequence[Rule] = (), feeds: Mapping[str, Sequence[str]] | None = None, secrets: Sequence[str] = ()
    ) -> None:
        self._rules = tuple(rules)
        self._feeds = feeds or {}
        self._secrets = frozenset(secrets)

    @property
    def are_limited(self) -> bool:
        """Whether there are rules."""
        return bool(self._rules)

    def check(self, peer: Peer, topics: Sequence[str], where: Where) -> None:
        """Whether the peer may read these topics with these filters. Raises RefusedError (forbidden)."""
        if not self.are_limited and not self._secrets.intersection(topics):
            return
        rules = [rule for rule in self._rules if rule.is_for(peer)]
        for topic in topics:
            if why_not := self._why_not(peer, rules, topic, where.get(topic, {})):
                raise RefusedError(RefusalCode.FORBIDDEN, f"topic {topic!r} for {peer}: {why_not}")

    def check_feed(self, peer: Peer, feed: str) -> None:
        """Whether the peer may read a whole feed, which its language cannot filter. Raises RefusedError."""
        if self.are_limited:
            self.check(peer, self._feeds[feed], {})

    def allowed(self, peer: Peer) -> str:
        """What the peer's rules name, for a message."""
        rules = [rule for rule in self._rules if rule.is_for(peer)]
        feeds = sorted({feed for rule in rules for feed in rule.feeds})
        topics = sorted({topic for rule in rules for topic in rule.topics})
        said = [f"{kind} {_listed(names)}" for kind, names in (("feeds", feeds), ("topics", topics)) if names]
        return " and ".join(said)

    def _why_not(self, peer: Peer, rules: Sequence[Rule], topic: str, asked: Mapping[str, str]) -> str:
        granting = [rule for rule in rules if self._grants(rule, topic)]
        if not granting:
            if topic in self._secrets:
                return "it holds Secrets, and no rule of `rights` names it in `topics` for this identity"
            allowed = self.allowed(peer)
            return f"no rule of `rights` allows it; allowed: {allowed}" if allowed else "no rule of `rights` is for it"
        reasons = []
        for rule in granting:
            wanted = {
                name: peer.node if value == OWN_NODE else value for name, value in rule.where.get(topic, {}).items()
            }
            if all(value and asked.get(name) == value for name, value in wanted.items()):
                return ""
            reasons.append(self._filter_reason(rule, topic, wanted))
        filters = ", ".join(f"{name}={value}"[:100] for name, value in asked.items()) or "no filter"
        return f"{'; '.join(reasons)}; asked was {filters}"

    def _grants(self, rule: Rule, topic: str) -> bool:
        if topic in rule.topics:
            return True
        return topic not in self._secrets and any(topic in self._feeds.get(feed, ()) for feed in rule.feeds)

    @staticmethod
    def _filter_reason(rule: Rule, topic: str, wanted: Mapping[str, str]) -> str:
        said = ", ".join(f"{name}={value or OWN_NODE}" for name, value in wanted.items())
        reason = f"rule {rule.name!r} allows it only where {said}"
        if not all(wanted.values()):
            reason += (
                f" ({OWN_NODE}: this identity has no node; a certificate of cn:system:node:NAME and a token bound to a "
                "pod have one)"
            )
        return reason


def parse_rules(
    rights: Mapping[str, Mapping[str, Any]],
    *,
    feeds: Mapping[str, Sequence[str]],
    attributes: Mapping[str, Sequence[str]],
) -> tuple[Rule, ...]:
    """The configuration's ``rights``. ``attributes``: the filters of each topic. Raises RightsError, for the first."""
    return tuple(_parse_rule(f"rights.{name}", name, rule, feeds, attributes) for name, rule in rights.items())


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
    if not own_feeds and not own_topics:
        raise RightsError(key, "allows nothing", "`feeds`, `topics`, or both")
    covered = {*own_topics, *(topic for feed in own_feeds for topic in feeds[feed])}
    return Rule(name, tuple(wanted), own_feeds, own_topics, _parse_where(key, rule.get("where"), covered, attributes))


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
            raise RightsError(f"{key}[{index}]", f"{name!r} is no {kind} that is served", _listed(list(there)))
    return names


def _texts(key: str, raw: object, allowed: str) -> tuple[str, ...]:
    if raw is None:
        return ()
    if not isinstance(raw, list | tuple) or not all(isinstance(item, str) for item in raw):
        raise RightsError(key, "is not a list of texts", allowed)
    return tuple(raw)


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:_SHOWN]) + (f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else "")
