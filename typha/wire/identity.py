"""Who a peer is, and who it must be: one rule for both ends, on a certificate whose chain is good already.

Place: a server asks it of agents, the client of servers, `drop_in` with Calico's two names; rights are given by it.

1. An identity is a set of names, each with its kind before it: ``cn:`` (common name), ``uri:`` (SPIFFE and others),
   ``dns:``, and ``serviceaccount:NAMESPACE/NAME`` where a token said so.
2. A wanted name is met by an equal one. Where it ends in ``*`` (`parse_wanted`) by every one that begins so, and is
   longer. Of several wanted names one suffices.
3. The common name is the last one in the subject, as Go gives it; letters' case counts.
4. Nothing here raises on what a certificate holds.

Not taken: wildcards inside a name. A rule that takes two looks to read is one that somebody gets wrong.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple

COMMON_NAME: Final = "cn"
URI: Final = "uri"
DNS: Final = "dns"
SERVICE_ACCOUNT: Final = "serviceaccount"

CERTIFICATE_KINDS: Final = (COMMON_NAME, URI, DNS)
"""The kinds of names that a certificate has."""

# The common name that Kubernetes gives a node's own certificate (its Node authorizer reads it).
_NODE_PREFIX: Final = "system:node:"
_SHOWN: Final = 400


class WantedName(NamedTuple):
    """A name that a peer must have: ``text`` with its kind, all of it or (``is_prefix``) its beginning."""

    text: str
    is_prefix: bool = False

    def __str__(self) -> str:
        return f"{self.text}*" if self.is_prefix else self.text

    def is_met_by(self, names: Iterable[str]) -> bool:
        """Whether one of the names is it."""
        if self.is_prefix:
            return any(name.startswith(self.text) and len(name) > len(self.text) for name in names)
        return self.text in names


def parse_wanted(text: str, kinds: Sequence[str] = CERTIFICATE_KINDS) -> WantedName:
    """``cn:typha``, ``uri:spiffe://cluster/ns/x/*``. Raises ValueError that says what is allowed."""
    kind, colon, name = text.partition(":")
    if not colon or kind not in kinds:
        raise ValueError(f"{text!r} has no kind before it; write {', '.join(f'{each}:NAME' for each in kinds)}")
    if not name:
        raise ValueError(f"{text!r} has no name after its kind")
    if "*" in name[:-1]:
        raise ValueError(f"{text!r} has a * that is not its last letter")
    if kind == SERVICE_ACCOUNT and name != "*" and name.count("/") != 1:
        raise ValueError(f"{text!r} is no ServiceAccount; write {SERVICE_ACCOUNT}:NAMESPACE/NAME")
    return WantedName(text[:-1], is_prefix=True) if name.endswith("*") else WantedName(text)


def names_of(certificate: Mapping[str, Any] | None) -> tuple[str, ...]:
    """The names of a certificate, as ``ssl.SSLObject.getpeercert()`` gives it; none without a certificate."""
    if not certificate:
        return ()
    common_names = [
        str(value) for part in certificate.get("subject", ()) for name, value in part if name == "commonName"
    ]
    others = certificate.get("subjectAltName", ())
    uris = [f"{URI}:{value}" for kind, value in others if kind == "URI"]
    hosts = [f"{DNS}:{value}" for kind, value in others if kind == "DNS"]
    return (*(f"{COMMON_NAME}:{name}" for name in common_names[-1:]), *uris, *hosts)


def node_of(names: Iterable[str]) -> str:
    """The node whose own certificate this is (common name system:node:NAME), "" where it is none."""
    prefix = f"{COMMON_NAME}:{_NODE_PREFIX}"
    return next((name.removeprefix(prefix) for name in names if name.startswith(prefix)), "")


def shown(names: Sequence[str]) -> str:
    """Names for a message: what a peer made up may be long."""
    text = ", ".join(names)
    return f"{text[:_SHOWN]}..." if len(text) > _SHOWN else text or "no name"


def refusal_of(certificate: Mapping[str, Any] | None, wanted: Sequence[WantedName]) -> str:
    """Why a peer with that certificate is not who it must be, "" where it is. Nothing wanted: anybody with one."""
    if not certificate:
        return "no certificate, or one that no trusted CA has signed"
    names = names_of(certificate)
    if not wanted or any(name.is_met_by(names) for name in wanted):
        return ""
    return f"the certificate is of {shown(names)}; wanted is {' or '.join(map(str, wanted))}"
