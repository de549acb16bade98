"""The agent's library: copies of topics that keep themselves up to date, over one TCP connection.

    async with connect("typha.kube-system:5473", feed="inventory", node="node-17") as client:
        await client.wait_synced()
        pod = client.get("pods", "default/web-0")

Data walks: socket -> connection -> session -> topic_stream -> replica -> client -> handlers. Here belongs what an
agent runs; of typha it may use ``typha.wire``, ``file_stamps`` and the version, beyond that the standard library and
msgpack.
Forbidden: any server dependency, and I/O or clocks in session, topic_stream, replica, endpoints, coalescing, health.
"""

from typha.version import __version__
from typha.wire.errors import RefusedError, RemoteProtocolError, WireError
from typha.wire.states import TopicState
from typha_client.change_stream import ChangeStream
from typha_client.changes import Change
from typha_client.client import Client
from typha_client.connect import connect
from typha_client.discovery import Discover
from typha_client.endpoint_slices import endpoint_slices
from typha_client.endpoints import Found
from typha_client.events import Bookmarked
from typha_client.handlers import StatusReport
from typha_client.tls import CertificateRefusedError, ServerNotTrustedError, Tls, TlsError
from typha_client.topic_view import Entry, TopicView

__all__ = [
    "connect",
    "Tls",
    "endpoint_slices",
    "Discover",
    "Found",
    "Client",
    "TopicView",
    "Entry",
    "ChangeStream",
    "Change",
    "StatusReport",
    "Bookmarked",
    "TopicState",
    "RefusedError",
    "RemoteProtocolError",
    "WireError",
    "TlsError",
    "ServerNotTrustedError",
    "CertificateRefusedError",
    "__version__",
]
