"""What stands between this node and a server, step by step: name, TCP, TLS, Hello, first sync.

Its place: beside the data path; ``python -m typha_client doctor`` prints what comes. It uses the agent's own parts
(session, client), so that what works here works there.

Invariants
1. Each step is told once; what cannot be asked after a failure is not asked.
2. A failure of TLS is told in the words of the agent's own errors (`typha_client.tls`); more may follow them.
3. Standard library and msgpack alone, as all of this package. Nothing secret is in any text.

Road not taken: parsing certificates here. Of one that is refused, OpenSSL itself tells the names: it is looked at once
more with the certificate itself as the only trusted one.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import time
from collections.abc import AsyncIterator, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from typha.version import __version__
from typha.wire.errors import RefusedError, WireError
from typha.wire.states import RefusalCode, TopicState
from typha_client.connect import connect
from typha_client.connection import LOCAL_NAME, resolve
from typha_client.endpoints import Server, socket_path
from typha_client.replica import Replicas
from typha_client.session import Session, Subscription
from typha_client.tls import CertificateRefusedError, ServerNotTrustedError, Tls, TlsError, explain

__all__ = ["Finding", "Question", "examine"]

OK: Final = "ok"
WARN: Final = "warn"
FAIL: Final = "fail"
# No feed may be called so: the refusal lists those that there are.
_NO_FEED: Final = "typha-doctor/which"
_THERE_ARE: Final = "there are: "
_READ_BYTES: Final = 65_536
# The first byte of a TLS record: handshake and alert.
_TLS_RECORDS: Final = (0x15, 0x16)


class Finding(NamedTuple):
    """One step: what was looked at, how it went (ok, warn, fail), what is the case, what to do."""

    check: str
    outcome: str
    what: str
    hint: str = ""


@dataclass(frozen=True, slots=True)
class Question:
    """What to ask for. ``tls`` None is plain TCP; its files must be ones that can be used (``Tls.source``)."""

    server: Server
    node: str
    feed: str | None = None
    topics: tuple[str, ...] = ()
    tls: Tls | None = None
    token: str | None = None
    timeout_s: float = 30.0


async def examine(question: Question) -> AsyncIterator[Finding]:
    """Findings as they are made; a failed step ends it."""
    server = question.server
    try:
        addresses = await resolve(server.host, server.port)
    except OSError as error:
        yield Finding(
            "name", FAIL, f"{server.host} does not resolve: {error}", "is the name right, and does DNS answer?"
        )
        return
    yield Finding("name", OK, f"{server.host} is {', '.join(addresses)}")
    reached = None
    for address in addresses:
        finding = await _connect(question, address)
        yield finding
        reached = reached or (address if finding.outcome == OK else None)
    if reached is None:
        return
    if question.tls is not None:
        finding = await _handshake(question, question.tls, reached)
        yield finding
        if finding.outcome == FAIL:
            return
    is_welcome = False
    async for finding in _hello(question, reached):
        yield finding
        is_welcome = finding.outcome != FAIL
    if is_welcome and (question.feed or question.topics):
        async for finding in _sync(question):
            yield finding


async def _connect(question: Question, address: str) -> Finding:
    started_at, where = time.monotonic(), f"{address} port {question.server.port}"
    if socket_path(address) is not None:
        where = address
    try:
        async with asyncio.timeout(question.timeout_s):
            _, writer = await _open(question, address, None)
    except TimeoutError:
        return Finding(
            "connect",
            FAIL,
            f"{where}: no answer within {question.timeout_s:g} s",
            "a NetworkPolicy or firewall drops it, or the host is down",
        )
    except OSError as error:
        return Finding("connect", FAIL, f"{where}: {error}", "is a server running there, on this port?")
    await _closed(writer)
    return Finding("connect", OK, f"{where}, in {_ms(started_at)}")


async def _open(
    question: Question, address: str, tls: ssl.SSLContext | None, named: str | None = None
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    path = socket_path(address)
    if path is not None:
        named = LOCAL_NAME if named is None and tls is not None else named
        return await asyncio.open_unix_connection(path, ssl=tls, server_hostname=named)
    named = question.server.host if named is None and tls is not None else named
    return await asyncio.open_connection(address, question.server.port, ssl=tls, server_hostname=named)


def _context(question: Question) -> ssl.SSLContext | None:
    return None if question.tls is None else question.tls.source().context()


async def _handshake(question: Question, tls: Tls, address: str) -> Finding:
    started_at = time.monotonic()
    try:
        async with asyncio.timeout(question.timeout_s):
            _, writer = await _open(question, address, _context(question))
    except ssl.SSLCertVerificationError as error:
        return _not_accepted(tls, error, await _presented(question, address))
    except (ssl.SSLError, OSError, TimeoutError) as error:
        text = str(error) or type(error).__name__
        if "WRONG_VERSION_NUMBER" in text or "RECORD_LAYER_FAILURE" in text:
            return Finding("TLS", FAIL, "the server speaks plain TCP on this port", "leave --tls* out")
        explained = explain(error)
        return Finding("TLS", FAIL, str(explained or f"the handshake failed: {text}"), _tls_hint(explained))
    shown = writer.get_extra_info("peercert") or {}
    version = (writer.get_extra_info("cipher") or ("", "TLS", 0))[1]
    await _closed(writer)
    try:
        tls.source().check_server(shown)
    except ServerNotTrustedError as error:
        return Finding("TLS", FAIL, str(error), "is it the right server, and are the names given with --server-name?")
    return Finding("TLS", OK, f"{version} in {_ms(started_at)}; {_described(shown)}")


def _not_accepted(tls: Tls, error: ssl.SSLCertVerificationError, shown: Mapping[str, Any] | None) -> Finding:
    what, said = str(explain(error)), error.verify_message
    if "ostname" in said or "IP address mismatch" in said:
        names = ", ".join(_names(shown or {})) or "none"
        hint = "connect to one of its names, have it issued with this one, or say with --server-name who it must be"
        return Finding("TLS", FAIL, f"{what}; its names are {names}", hint)
    if shown:
        what += f"; it is of {_described(shown)}"
    elif "expired" not in said:
        what += "; nothing more can be read of it"
    if "expired" in said:
        return Finding("TLS", FAIL, what, "renew the server's certificate; the server reads it anew")
    held = "; ".join(_name_of(each["subject"]) for each in _ca_certificates(tls)) or "none"
    hint = f"give the CA that signed it with --tls-ca; {tls.ca or 'the list of system CAs'} holds: {held}"
    return Finding("TLS", FAIL, what, hint)


def _tls_hint(explained: TlsError | None) -> str:
    """What to do about a handshake that the server ended."""
    if not isinstance(explained, CertificateRefusedError):
        return "the server's log says why"
    text = str(explained)
    if "none was shown" in text:
        return "give --tls-cert and --tls-key"
    if "expired" in text:
        return "renew the certificate of --tls-cert; agents read it anew"
    return "give a certificate that a CA of the server's tls.client_ca has signed; the server's log says more"


def _ca_certificates(tls: Tls) -> list[Any]:
    held = tls.source().context().get_ca_certs()
    return held if len(held) <= 10 else []  # the system's hundred are no help


async def _presented(question: Question, address: str) -> Mapping[str, Any] | None:
    """The fields of the certificate that the server shows; None where it cannot be had."""
    blind = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    blind.check_hostname = False
    blind.verify_mode = ssl.CERT_NONE
    try:
        async with asyncio.timeout(question.timeout_s):
            _, writer = await _open(question, address, blind, "")
            der = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
            await _closed(writer)
            pinned = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            pinned.check_hostname = False
            pinned.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
            pinned.load_verify_locations(cadata=der)
            _, writer = await _open(question, address, pinned, "")
            shown: Mapping[str, Any] = writer.get_extra_info("peercert")
            await _closed(writer)
    except (OSError, ssl.SSLError, ValueError, TimeoutError):
        return None
    return shown


def _described(shown: Mapping[str, Any]) -> str:
    names = ", ".join(_names(shown)) or "no names"
    return f"{names}, signed by {_name_of(shown.get('issuer', ()))}, valid until {shown.get('notAfter', '?')}"


def _names(shown: Mapping[str, Any]) -> list[str]:
    return [f"{kind} {name}" for kind, name in shown.get("subjectAltName", ())]


def _name_of(parts: Iterable[Iterable[tuple[str, str]]]) -> str:
    return ", ".join(f"{name}={value}" for group in parts for name, value in group) or "?"


async def _hello(question: Question, address: str) -> AsyncIterator[Finding]:
    """The conversation up to Welcome or Refused."""
    asked = bool(question.feed or question.topics)
    subscription = Subscription(
        node=question.node,
        feed=question.feed if asked else _NO_FEED,
        topics=question.topics,
        agent=f"typha-doctor/{__version__}",
        token=question.token,
    )
    session = Session(Replicas(wheres={}, verify=False), subscription, time.monotonic())
    started_at = time.monotonic()
    try:
        async with asyncio.timeout(question.timeout_s):
            first = await _converse(question, address, session)
    except TimeoutError:
        yield Finding("hello", FAIL, f"no Welcome within {question.timeout_s:g} s", "`typha status` at the server")
        return
    except (OSError, ssl.SSLError) as error:
        explained = explain(error)
        text = str(explained or f"the connection broke: {error or type(error).__name__}")
        yield Finding("hello", FAIL, text, _tls_hint(explained))
        return
    welcome, refusal = session.welcome, session.error
    if welcome is not None:
        yield Finding(
            "hello",
            OK,
            f"{welcome.server}, protocol {welcome.protocol}, cluster {welcome.cluster}, {welcome.connections} agents "
            f"connected, in {_ms(started_at)}",
        )
        if _series(welcome.server.rpartition("/")[2]) != _series(__version__):
            yield Finding(
                "versions",
                WARN,
                f"the server is {welcome.server}, this library typha/{__version__}",
                "one release apart is tested; upgrade the older of the two",
            )
    elif question.tls is None and first[:1] and first[0] in _TLS_RECORDS:
        yield Finding("hello", FAIL, "the server speaks TLS on this port", "give --tls, or --tls-ca FILE")
    elif isinstance(refusal, RefusedError) and not asked and refusal.code == RefusalCode.UNKNOWN_TOPIC:
        feeds = refusal.message.partition(_THERE_ARE)[2] or "none"
        yield Finding("hello", OK, f"a typha answers, in {_ms(started_at)}; its feeds: {feeds}")
    elif isinstance(refusal, RefusedError):
        yield Finding("hello", FAIL, f"refused with {refusal.code}: {refusal.message}", _REFUSALS.get(refusal.code, ""))
    elif not first:
        hint = "the server speaks TLS (--tls-ca), or something else than typha has the port; its log says what"
        if question.tls is not None:
            hint = "it asks for a client certificate (--tls-cert), or accepts another one than ours; its log says which"
        yield Finding("hello", FAIL, "the server closed the connection without a word", hint)
    else:
        yield Finding("hello", FAIL, f"what answers is no typha: {refusal}", "is the port right?")


_REFUSALS: Final[Mapping[str, str]] = {
    RefusalCode.PROTOCOL_VERSION: "upgrade the older of the two",
    RefusalCode.UNAUTHENTICATED: "give the certificate (--tls-cert, --tls-key) or token (--token-file) it asks for",
    RefusalCode.FORBIDDEN: "the server's rules give this identity no right to that",
    RefusalCode.UNKNOWN_TOPIC: "ask for one of those; the server's configuration has them",
    RefusalCode.OVERLOADED: "more replicas, or a higher limits.max_connections",
    RefusalCode.DRAINING: "it is going; another server should answer",
    RefusalCode.NOT_READY: "it is behind, or not in contact with the API server: `typha doctor` there",
}


async def _converse(question: Question, address: str, session: Session) -> bytes:
    """Until there is an answer or an end; the first bytes that came."""
    reader, writer = await _open(question, address, _context(question))
    first = b""
    try:
        while session.welcome is None and not session.is_closed:
            writer.write(session.data_to_send())
            await writer.drain()
            data = await reader.read(_READ_BYTES)
            first = first or data[:1]
            if not data:
                break
            session.receive_data(data, time.monotonic())
        session.close()
        writer.write(session.data_to_send())
    finally:
        await _closed(writer)
    return first


async def _sync(question: Question) -> AsyncIterator[Finding]:
    started_at = time.monotonic()
    client = connect(
        str(question.server),
        node=question.node,
        feed=question.feed,
        topics=question.topics,
        agent=f"typha-doctor/{__version__}",
        tls=question.tls,
        token=question.token,
    )
    async with client:
        try:
            await client.wait_synced(question.timeout_s)
        except TimeoutError:
            views = [client.topic(name) for name in client.topics]
            late = [f"{view.name} ({view.state}: {view.message})" for view in views if not view.is_synced]
            yield Finding(
                "sync",
                FAIL,
                f"not in sync after {question.timeout_s:g} s: {', '.join(late) or client.last_error}",
                "`typha doctor` where the server runs",
            )
            return
        except WireError as error:
            yield Finding("sync", FAIL, str(error), "ask for what this identity may have")
            return
        views = [client.topic(name) for name in client.topics]
        entries = sum(map(len, views))
        yield Finding("sync", OK, f"{len(views)} topics with {entries:,} entries, complete in {_ms(started_at)}")
        for view in views:
            if view.state is TopicState.ABSENT:
                yield Finding("topic", OK, f"{view.name}: its resource does not exist, empty and complete")
            elif view.is_stale:
                yield Finding(
                    "topic", WARN, f"{view.name} is stale: {view.message}", "see `typha status` at the server"
                )


async def _closed(writer: asyncio.StreamWriter) -> None:
    writer.close()
    with contextlib.suppress(OSError, ssl.SSLError, TimeoutError):
        await asyncio.wait_for(writer.wait_closed(), 1.0)


def _series(version: str) -> tuple[str, ...]:
    return tuple(version.split(".")[:2])


def _ms(started_at: float) -> str:
    return f"{(time.monotonic() - started_at) * 1000:.0f} ms"
