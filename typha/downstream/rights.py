"""Who may read what: rules by identity, read from the configuration and asked at each Hello. Pure.

Place: `handshake.plan` and `calico_session` ask `Rights` before anything is planned; `feeds.rules` reads the rules.

Invariants
1. Without rules everybody who is let in may read everything but Secrets. With the first rule what no rule allows is
   refused.
2. What a peer may read is what its rules allow together. A rule allows topics, by name or all of a feed's; where it
   has a ``where`` for a topic, only with that filter, however the topic was asked for.
3. A topic of Secrets is allowed by a rule that names the topic itself, never by a feed.
4. The status page shows objects of all topics (of Secrets no values): it is allowed by a rule with ``admin``, and by
   nothing else.
5. A refusal says what was asked, by whom, and what would be allowed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final, NamedTuple

from typha.downstream.identity import Peer
from typha.wire.errors import RefusedError
from typha.wire.identity import WantedName
from typha.wire.states import RefusalCode

__all__ = ["OWN_NODE", "Rights", "Rule", "listed"]

OWN_NODE: Final = "%node"
"""In a rule's ``where``: the name of the identity's own node."""

_SHOWN: Final = 20

Where = Mapping[str, Mapping[str, str]]


class Rule(NamedTuple):
    """One rule of the configuration; ``where``: topic -> attribute -> value that a filter must have; ``admin``: it may
    see the status page.
    """

    name: str
    identities: tuple[WantedName, ...]
    feeds: tuple[str, ...] = ()
    topics: tuple[str, ...] = ()
    where: Where = MappingProxyType({})
    admin: bool = False

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

    def check_page(self, peer: Peer) -> None:
        """Whether the peer may see the status page. Raises RefusedError (forbidden)."""
        if self.are_limited and not any(rule.admin and rule.is_for(peer) for rule in self._rules):
            reason = f"the status page for {peer}: no rule of `rights` with `admin: true` is for it"
            raise RefusedError(RefusalCode.FORBIDDEN, reason)

    def shown(self, peer: Peer, names: Sequence[str]) -> Sequence[str]:
        """Of the names of feeds or topics those that the peer's rules speak of; all where there are no rules."""
        if not self.are_limited:
            return names
        rules = [rule for rule in self._rules if rule.is_for(peer)]
        return [name for name in names if any(name in rule.feeds or name in rule.topics for rule in rules)]

    def allowed(self, peer: Peer) -> str:
        """What the peer's rules name, for a message."""
        rules = [rule for rule in self._rules if rule.is_for(peer)]
        feeds = sorted({feed for rule in rules for feed in rule.feeds})
        topics = sorted({topic for rule in rules for topic in rule.topics})
        said = [f"{kind} {listed(names)}" for kind, names in (("feeds", feeds), ("topics", topics)) if names]
        said += ["the status page"] if any(rule.admin for rule in rules) else []
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


def listed(names: Sequence[str]) -> str:
    """Names for a message, the first of many."""
    return ", ".join(names[:_SHOWN]) + (f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else "")
