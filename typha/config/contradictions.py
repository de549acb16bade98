"""What is wrong with settings that are right each for itself.

1. Every rule looks at the joined configuration, whatever the sources were, and names the key to change.
2. Rules about topics and feeds are `typha.feeds`' own: each topic and each feed is handed to it alone, so that all
   that is wrong is found at once.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from typha.config.identity_contradictions import find_identity_contradictions
from typha.config.kinds import HostPort
from typha.config.model import Config
from typha.config.problems import Problem, shown
from typha.wire import compression

Place = Callable[[str], str]
"""Where a path's value came from, in words that lead there."""


def find_contradictions(config: Config, place: Place) -> Iterator[Problem]:
    """All problems of the whole, in the order of the settings."""
    yield from _topics_and_feeds(config, place)
    yield from _built_in_feeds(config, place)
    yield from _exposure(config, place)
    yield from _ports(config, place)
    yield from _tls(config, place)
    yield from find_identity_contradictions(config, place)
    yield from _timing(config, place)
    if config.memory.compress_entries and not compression.is_available():
        key, reason = "memory.compress_entries", "needs zstd, which is not installed"
        yield Problem(key, place(key), "true", reason, "false, or `pip install 'typha[zstd]'`")


def _topics_and_feeds(config: Config, place: Place) -> Iterator[Problem]:
    if not config.topics and not config.feeds:
        return
    # Here, not above: feeds brings the converters, which `typha dump` and agents' tools never need.
    from typha.feeds import FeedsError, parse  # noqa: PLC0415

    def judge(topics: dict[str, Mapping[str, Any]], feeds: dict[str, tuple[str, ...]]) -> Problem | None:
        try:
            parse(topics, feeds)
        except FeedsError as error:
            value = "" if error.value is None else shown(error.key, error.value)
            return Problem(error.key, place(error.key), value, error.reason, error.allowed)
        return None

    known: dict[str, Mapping[str, Any]] = {}
    for name, definition in config.topics.items():
        if problem := judge({name: definition}, {}):
            yield problem
            # A feed that names a topic whose definition is wrong is not wrong itself.
            known[name] = {"resource": "v1/pods"}
            if judge(known, {}):  # its name is what is wrong
                del known[name]
        else:
            known[name] = definition
    for name, members in config.feeds.items():
        if problem := judge(known, {name: members}):
            yield problem


def _built_in_feeds(config: Config, place: Place) -> Iterator[Problem]:
    for name in config.feeds:
        if name in config.calico_feeds:
            reason = f"is a built-in feed, which `calico.feeds` serves ({place('calico.feeds')})"
            allowed = f"another name, or `calico.feeds` without {name}"
            yield Problem(f"feeds.{name}", place(f"feeds.{name}"), "", reason, allowed)


def _exposure(config: Config, place: Place) -> Iterator[Problem]:
    if config.insecure:
        return
    if not config.listen.is_loopback and config.tls.cert is None:
        yield Problem(
            "listen",
            place("listen"),
            str(config.listen),
            "is reachable from outside this machine, and agents would be served without TLS",
            "tls: {cert: ..., key: ...}, a loopback address, or `insecure: true`",
        )


def _overlap(one: HostPort, other: HostPort) -> bool:
    # localhost and 127.0.0.1 are the same place; 127.0.0.1 and 127.0.0.2 are not.
    named = {one.host, other.host} <= {"localhost", "127.0.0.1", "::1"} and "localhost" in (one.host, other.host)
    return one.port == other.port != 0 and (one.shares_host_with(other) or named)


def _ports(config: Config, place: Place) -> Iterator[Problem]:
    taken: list[tuple[str, HostPort]] = []
    for key, address in (("listen", config.listen), ("health", config.health), ("admin", config.admin)):
        if address is None:
            continue
        for other_key, other in taken:
            if _overlap(address, other):
                reason = f"is the port of `{other_key}` ({other}, {place(other_key)}) too"
                yield Problem(key, place(key), str(address), reason, "a port of its own")
        taken.append((key, address))


def _tls(config: Config, place: Place) -> Iterator[Problem]:
    tls = config.tls
    for key, path, other_key, other in (
        ("tls.cert", tls.cert, "tls.key", tls.key),
        ("tls.key", tls.key, "tls.cert", tls.cert),
        ("tls.client_ca", tls.client_ca, "tls.cert", tls.cert),
        ("tls.client_names", ", ".join(tls.client_names) or None, "tls.client_ca", tls.client_ca),
    ):
        if path is not None and other is None:
            yield Problem(key, place(key), str(path), f"needs `{other_key}`, which is not set", "both or neither")
    unreadable = False
    for key, path in (("tls.cert", tls.cert), ("tls.key", tls.key), ("tls.client_ca", tls.client_ca)):
        if path is not None and (reason := _unreadable(path)):
            unreadable = True
            yield Problem(key, place(key), str(path), reason, "a readable PEM file")
    if unreadable or tls.cert is None or tls.key is None:
        return
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        # No password: a key that asks for one would otherwise stop the server at a prompt nobody sees.
        context.load_cert_chain(tls.cert, tls.key, password="")
    except (ssl.SSLError, ValueError, OSError) as error:
        mismatch = isinstance(error, ssl.SSLError) and error.reason == "KEY_VALUES_MISMATCH"
        reason = "is not the certificate of `tls.key`" if mismatch else f"cannot be loaded with `tls.key`: {error}"
        yield Problem("tls.cert", place("tls.cert"), str(tls.cert), reason, "a PEM chain and its unencrypted PEM key")
    if tls.client_ca is not None:
        try:
            context.load_verify_locations(tls.client_ca)
        except (ssl.SSLError, OSError) as error:
            reason = f"holds no CA certificate: {error}"
            yield Problem("tls.client_ca", place("tls.client_ca"), str(tls.client_ca), reason, "a PEM file")


def _unreadable(path: Path) -> str:
    try:
        with path.open("rb") as file:
            file.read(1)
    except OSError as error:
        return f"cannot be read: {error.strerror or error}"
    return ""


def _timing(config: Config, place: Place) -> Iterator[Problem]:
    timing, upstream = config.timing, config.upstream
    for key, value, below_key, below, why in (
        (
            "timing.ping_interval_s",
            timing.ping_interval_s,
            "timing.bookmark_interval_s",
            timing.bookmark_interval_s,
            "agents are promised a bookmark every ping interval",
        ),
        (
            "timing.stale_after_s",
            timing.stale_after_s,
            "upstream.probe_after_s",
            upstream.probe_after_s,
            "a topic would be stale before its silent watch was ever probed",
        ),
        (
            "upstream.replace_after_s",
            upstream.replace_after_s,
            "upstream.probe_after_s",
            upstream.probe_after_s,
            "a silent watch is probed before it is replaced",
        ),
        (
            "upstream.backoff_max_s",
            upstream.backoff_max_s,
            "upstream.backoff_min_s",
            upstream.backoff_min_s,
            "the longest pause would be shorter than the first",
        ),
    ):
        if value < below:
            reason = f"is below `{below_key}` ({below:g}, {place(below_key)}): {why}"
            yield Problem(key, place(key), f"{value:g}", reason, f"at least {below:g}")
