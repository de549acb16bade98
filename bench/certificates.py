"""Certificates for mTLS on loopback: a folder with the CA, one certificate of the server and one of all agents."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from pathlib import Path


def issue(folder: Path) -> Mapping[str, str]:
    """Fill the folder (P-256 keys); gives the server's setting ``tls``."""
    import trustme  # noqa: PLC0415 - the agents' process reads files, and should be as light as it can be

    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(folder / "ca.pem"))
    for name in ("server", "agent"):
        issued = authority.issue_cert("127.0.0.1" if name == "server" else name)
        issued.private_key_pem.write_to_path(str(folder / f"{name}.key"))
        issued.cert_chain_pems[0].write_to_path(str(folder / f"{name}.pem"))
    return {
        "cert": str(folder / "server.pem"),
        "key": str(folder / "server.key"),
        "client_ca": str(folder / "ca.pem"),
    }


def agent_context(folder: Path) -> ssl.SSLContext:
    """An agent's side."""
    context = ssl.create_default_context(cafile=str(folder / "ca.pem"))
    context.check_hostname = False  # it is the CA that is checked: sockets are wrapped without a name
    context.load_cert_chain(folder / "agent.pem", folder / "agent.key")
    return context
