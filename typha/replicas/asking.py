"""Asks one server for its load: one connection to the agents' port, one question, one answer (`wire.question`).

A peer speaks for itself over the same TLS as agents: who cannot be an agent here cannot say how loaded it is.
"""

from __future__ import annotations

import asyncio
import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from typha.replicas.peers import Peer, PeerState
from typha.wire import messages as m
from typha.wire.codec import encode_message
from typha.wire.errors import RefusedError, RemoteProtocolError
from typha.wire.question import Question
from typha.wire.states import CloseCode, RefusalCode

# A healthy server answers within a turn of its loop; one that takes longer is no place to send agents to.
TIMEOUT_S: Final = 5.0


@dataclass(frozen=True, slots=True)
class PeerTls:
    """How servers are spoken to: the CA of their certificates (None: the system's), and our own certificate."""

    ca: Path | None
    cert: Path
    key: Path
    server_name: str = ""
    """What their certificates must name; "": the host that was found."""

    def context(self) -> ssl.SSLContext:
        """Made anew at each look, so that files that were replaced count. Raises OSError (ssl.SSLError is one)."""
        context = ssl.create_default_context(cafile=self.ca)
        context.load_cert_chain(self.cert, self.key)
        return context


async def ask(
    host: str, port: int, question: Question, tls: ssl.SSLContext | None, server_name: str, timeout_s: float = TIMEOUT_S
) -> m.Welcome:
    """Raises RefusedError, RemoteProtocolError, OSError (ssl.SSLError, TimeoutError and a lost connection are)."""
    async with asyncio.timeout(timeout_s):
        name = (server_name or host) if tls is not None else None
        reader, writer = await asyncio.open_connection(host, port, ssl=tls, server_hostname=name)
        try:
            writer.write(question.data)
            while data := await reader.read(4096):
                if (welcome := question.receive_data(data)) is not None:
                    writer.write(encode_message(m.Close(CloseCode.DONE, "")))
                    return welcome
            raise ConnectionResetError("the connection ended before an answer came")
        finally:
            writer.close()


async def look_at(
    address: str,
    host: str,
    port: int,
    *,
    question: Question,
    tls: ssl.SSLContext | None,
    server_name: str,
    own_prefix: str,
) -> Peer | None:
    """What one server answers; None where it is this very one (its sessions' ids begin with ``own_prefix``)."""
    try:
        welcome = await ask(host, port, question, tls, server_name)
    except RefusedError as refusal:
        going = refusal.code == RefusalCode.DRAINING
        return Peer(address, PeerState.GOING if going else PeerState.NOT_READY, 0, str(refusal)[:200])
    except (RemoteProtocolError, OSError) as error:
        reason = f"{type(error).__name__}: {error}".rstrip(": ")
        return Peer(address, PeerState.UNREACHABLE, 0, reason[:200])
    if welcome.session.startswith(f"{own_prefix}-"):
        return None
    return Peer(address, PeerState.READY, welcome.connections)
