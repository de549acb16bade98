"""The settings of sections `tls` and `tokens`: who the server is to agents, and by what it knows them; see `model`."""

# ruff: noqa: RUF009 - `setting` is our own `field`

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from typha.config.identity_kinds import Audience, Names
from typha.config.kinds import File, Number
from typha.config.setting import setting


@dataclass(frozen=True, slots=True)
class TlsConfig:
    """TLS of the agents' port, from the first byte."""

    cert: Path | None = setting(
        None,
        File(),
        "Certificate chain (PEM) that agents are shown.",
        "None: loopback needs no TLS, other addresses do.",
    )
    key: Path | None = setting(None, File(), "Private key (PEM) of the certificate.", "Goes with `tls.cert`.")
    client_ca: Path | None = setting(
        None,
        File(),
        "CA (PEM) that must have signed an agent's certificate (mTLS).",
        "None: agents are not asked for a certificate.",
    )
    client_names: tuple[str, ...] = setting(
        (),
        Names(),
        "Who may connect: agents whose certificate has one of these names, as `cn:calico-node`, "
        "`uri:spiffe://cluster.local/ns/agents/*`, `dns:agent.example`.",
        "Empty: whoever `tls.client_ca` has signed.",
    )


@dataclass(frozen=True, slots=True)
class TokensConfig:
    """ServiceAccounts' tokens, which agents show in their Hello: each is reviewed by the API server (TokenReview)."""

    audience: str = setting(
        "",
        Audience(),
        "The audience that a token must be for. Set, it lets in who has such a token; with `tls.client_ca` too, "
        "a certificate or a token.",
        "Empty: tokens are not looked at. One of its own, so that no other service can use an agent's token here.",
    )
    review_interval_s: float = setting(
        300.0,
        Number(1, 86_400),
        "Tokens of connected agents are reviewed again after so long; a revoked one ends its connection.",
        "10,000 agents with a token each are 33 small requests a second to the API server.",
    )
