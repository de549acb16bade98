"""What is wrong between who is let in, how the way there is protected, and what they may read.

1. A token is never taken over a way that others can read.
2. Rules need somebody whom they could be for: certificates or tokens.
3. A topic of Secrets needs TLS and a rule that names it.
4. The status page beyond loopback is for somebody who can be known, and whom a rule allows it where there are rules.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from typha.config.kinds import HostPort
from typha.config.model import Config
from typha.config.problems import Problem
from typha.wire.identity import CERTIFICATE_KINDS, SERVICE_ACCOUNT


def find_identity_contradictions(config: Config, place: Callable[[str], str]) -> Iterator[Problem]:
    """All problems; ``place``: where a path's value came from."""
    if config.tokens.audience and config.tls.cert is None and not config.listen.is_loopback:
        yield Problem(
            "tokens.audience",
            place("tokens.audience"),
            config.tokens.audience,
            "would have agents send their tokens in plain text to where others can read them",
            "tls: {cert: ..., key: ...}, or a loopback address",
        )
    if config.admin is not None and not config.admin.is_loopback and not config.insecure:
        yield from _admin(config, config.admin, place)
    if config.rights or config.topics:
        yield from _rights(config, place)


def _admin(config: Config, admin: HostPort, place: Callable[[str], str]) -> Iterator[Problem]:
    if config.tls.cert is None:
        reason = (
            "is reachable from outside this machine, and it would name nodes and objects to whoever asks, without TLS"
        )
        allowed = "`tls` with `tls.client_ca` or `tokens.audience`"
    elif config.tls.client_ca is None and not config.tokens.audience:
        reason = "is reachable from outside this machine, and nobody who asks could be known"
        allowed = "`tls.client_ca` or `tokens.audience`"
    elif config.rights and not any(rule.get("admin") is True for rule in config.rights.values()):
        reason = "is reachable from outside this machine, and no rule of `rights` lets anybody see it"
        allowed = "a rule with `admin: true`"
    else:
        return
    yield Problem(
        "admin", place("admin"), str(admin), reason, f"{allowed}, a loopback address, off, or `insecure: true`"
    )


def _rights(config: Config, place: Callable[[str], str]) -> Iterator[Problem]:
    # Here, not above: feeds brings the converters, which agents' tools never need.
    from typha import feeds  # noqa: PLC0415

    try:
        served = feeds.of(config)
    except feeds.FeedsError:
        return  # said already
    named: set[str] = set()
    for name, rule in config.rights.items():
        try:
            (parsed,) = feeds.parse_rules({name: rule}, served)
        except feeds.RightsError as error:
            yield Problem(error.key, place(error.key), "", error.reason, error.allowed)
            continue
        named.update(parsed.topics)
        kinds = {identity.text.partition(":")[0] for identity in parsed.identities}
        if kinds.intersection(CERTIFICATE_KINDS) and config.tls.client_ca is None:
            yield _nobody(name, place, "certificates, but agents are not asked for one", "tls.client_ca")
        if SERVICE_ACCOUNT in kinds and not config.tokens.audience:
            yield _nobody(name, place, "ServiceAccounts, but tokens are not looked at", "tokens.audience")
    for topic in feeds.secret_topics(served):
        key = f"topics.{topic}"
        if config.tls.cert is None:
            reason = "holds Secrets, and agents are served without TLS"
            yield Problem(key, place(key), "", reason, "tls: {cert: ..., key: ...}")
        if topic not in named:
            reason = "holds Secrets, and no rule of `rights` names it"
            allowed = f"a rule with topics: [{topic}] for who may read them (a feed that has it is not enough)"
            yield Problem(key, place(key), "", reason, allowed)


def _nobody(rule: str, place: Callable[[str], str], what: str, setting: str) -> Problem:
    key = f"rights.{rule}.identities"
    return Problem(key, place(key), "", f"are names of {what}: the rule is for nobody", f"`{setting}`")
