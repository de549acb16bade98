"""What is in the PEM files of TLS, and what is wrong with them, in words: names, expiry, and which CA did not match.

Place: beside the data path. `doctor` prints the findings; the server's reload takes the expiries for its metrics.

Invariants
1. Pure but for `examine`, which reads the files: bytes in, findings out; the time comes in as Unix seconds.
2. Nothing here lets anybody in: OpenSSL alone does, at the handshake. This says in advance what it will find, and why.
3. No finding holds a key or any part of one.

Road not taken: OpenSSL's own words. "certificate verify failed" names neither the file nor the CA.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import pairwise
from pathlib import Path
from typing import Final, TypeVar

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from typha.outcome import Outcome

__all__ = [
    "Certificate",
    "Finding",
    "PemError",
    "Report",
    "Use",
    "examine",
    "explain",
    "explain_issuer",
    "read_certificates",
]

_Extension = TypeVar("_Extension", bound=x509.ExtensionType)

# When operators are told to be woken: two weeks are enough for a renewal that needs people.
EXPIRES_SOON_S: Final = 14 * 86_400.0
# A chain longer than this is no chain: public ones have three certificates.
_MAX_CHAIN: Final = 10


class PemError(ValueError):
    """A file that cannot be read, or that holds no certificate (or key) in PEM; the message names it."""


class Use(StrEnum):
    """Whom a certificate is for: what its extended key usage must allow."""

    SERVER = "server"
    CLIENT = "client"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at. ``hint`` says what to do, "" where there is nothing to do."""

    outcome: Outcome
    file: Path
    what: str
    hint: str = ""


@dataclass(frozen=True, slots=True)
class Certificate:
    """What one certificate says. Names as RFC 4514 writes them; times are Unix seconds; ``uses`` None: for anything."""

    subject: str
    issuer: str
    common_name: str
    uris: tuple[str, ...]
    dns: tuple[str, ...]
    addresses: tuple[str, ...]
    not_before_at: float
    not_after_at: float
    is_ca: bool
    is_self_signed: bool
    uses: frozenset[Use] | None
    parsed: x509.Certificate

    def __str__(self) -> str:
        """Its names, as a log line or a finding needs them."""
        named = [self.subject or "no subject"]
        named += [f"URI {uri}" for uri in self.uris] + [f"DNS {name}" for name in self.dns]
        named += [f"IP {address}" for address in self.addresses]
        return ", ".join(named)


@dataclass(frozen=True, slots=True)
class Report:
    """``chain``: the own certificate first; ``trusted``: the CA file's."""

    chain: tuple[Certificate, ...] = ()
    trusted: tuple[Certificate, ...] = ()
    findings: tuple[Finding, ...] = ()

    @property
    def is_usable(self) -> bool:
        """Nothing failed."""
        return all(finding.outcome is not Outcome.FAIL for finding in self.findings)

    @property
    def expires_at(self) -> float | None:
        """When the first certificate of the own chain ends, Unix seconds."""
        return min((each.not_after_at for each in self.chain), default=None)

    @property
    def trust_expires_at(self) -> float | None:
        """When the first trusted CA ends, Unix seconds."""
        return min((each.not_after_at for each in self.trusted), default=None)


def read_certificates(pem: bytes, file: Path) -> tuple[Certificate, ...]:
    """Every certificate of a PEM text, in its order. Raises PemError with ``file``'s name."""
    try:
        return tuple(_certificate(each) for each in x509.load_pem_x509_certificates(pem))
    except ValueError as error:
        raise PemError(f"{file} holds no PEM certificate: {_first_line(error)}") from None


def examine(
    *, cert: Path | None = None, key: Path | None = None, ca: Path | None = None, use: Use, now: float
) -> Report:
    """Read the files and explain them; what cannot be read is a finding. ``ca`` is what the *peer* is checked with."""
    findings: list[Finding] = []
    chain = _read(cert, findings)
    trusted = _read(ca, findings)
    key_pem = None
    if key is not None:
        try:
            key_pem = key.read_bytes()
        except OSError as error:
            findings.append(_unreadable(key, error))
    findings += explain(chain, trusted, cert=cert, key=key, key_pem=key_pem, ca=ca, use=use, now=now)
    return Report(chain, trusted, tuple(findings))


def explain(
    chain: Sequence[Certificate],
    trusted: Sequence[Certificate],
    *,
    cert: Path | None,
    key: Path | None = None,
    key_pem: bytes | None = None,
    ca: Path | None,
    use: Use,
    now: float,
) -> Iterator[Finding]:
    """Findings about an own chain with its key, and about the CAs that peers are checked with; see `examine`."""
    if cert is not None and chain:
        yield from _explain_leaf(chain[0], cert, use, now)
        for number, above in enumerate(chain[1:], 2):
            yield from _explain_time(above, cert, f"certificate {number} of the chain", now)
        yield from _explain_order(chain, cert)
        if key is not None and key_pem is not None:
            yield _explain_key(chain[0], key, key_pem, cert)
    if ca is not None:
        some_hold = any(each.not_before_at <= now < each.not_after_at for each in trusted)
        for each in trusted:
            yield from _explain_ca(each, ca, now, some_hold=some_hold)


def explain_issuer(chain: Sequence[Certificate], trusted: Sequence[Certificate], ca: Path) -> Finding:
    """Whether a peer that trusts ``trusted`` (of file ``ca``) accepts this chain, and if not, which CA is missing."""
    current, seen = chain[0], 1
    while True:
        if any(current.parsed == each.parsed for each in trusted):
            return Finding(Outcome.OK, ca, f"trusts {current.subject} itself")
        found = next((each for each in trusted if _has_issued(each, current)), None)
        if found is not None:
            return Finding(Outcome.OK, ca, f"trusts {found.subject}, which has signed {current.subject}")
        above = next((each for each in chain[1:] if each is not current and _has_issued(each, current)), None)
        if above is None or seen > _MAX_CHAIN:
            break
        current, seen = above, seen + 1
    held = "; ".join(each.subject for each in trusted) or "none"
    if any(each.subject == current.issuer for each in trusted):
        return Finding(
            Outcome.FAIL,
            ca,
            f"holds a CA {current.issuer}, but with another key than the one that has signed {current.subject}",
            "the CA was made anew: keep both in the file until everything that the old one has signed is renewed",
        )
    return Finding(
        Outcome.FAIL,
        ca,
        f"{current.subject} was signed by {current.issuer}, which is not in it; it holds: {held}",
        "add that CA to the file"
        + (", or the intermediate to the chain of the certificate" if not current.is_self_signed else ""),
    )


def _read(file: Path | None, findings: list[Finding]) -> tuple[Certificate, ...]:
    if file is None:
        return ()
    try:
        return read_certificates(file.read_bytes(), file)
    except OSError as error:
        findings.append(_unreadable(file, error))
    except PemError as error:
        findings.append(Finding(Outcome.FAIL, file, str(error), "give a PEM file (-----BEGIN CERTIFICATE-----)"))
    return ()


def _unreadable(file: Path, error: OSError) -> Finding:
    what = f"cannot be read: {error.strerror or error}"
    return Finding(Outcome.FAIL, file, what, "look at the path, the mount and the owner of the file")


def _explain_leaf(leaf: Certificate, file: Path, use: Use, now: float) -> Iterator[Finding]:
    yield Finding(Outcome.OK, file, f"is the certificate of {leaf}, signed by {leaf.issuer}")
    yield from _explain_time(leaf, file, "the certificate", now)
    if leaf.uses is not None and use not in leaf.uses:
        asked = "serverAuth" if use is Use.SERVER else "clientAuth"
        yield Finding(
            Outcome.FAIL,
            file,
            f"its extended key usage does not allow a {use}: peers refuse it as of the wrong purpose",
            f"have it issued with {asked}",
        )
    if use is Use.SERVER and not (leaf.dns or leaf.addresses or leaf.uris):
        yield Finding(
            Outcome.WARN,
            file,
            "has no subject alternative name: agents that check the server's host name refuse it",
            "have it issued with the DNS names that agents connect to",
        )


def _explain_time(certificate: Certificate, file: Path, which: str, now: float) -> Iterator[Finding]:
    left_s = certificate.not_after_at - now
    until = _date(certificate.not_after_at)
    if left_s <= 0:
        yield Finding(
            Outcome.FAIL, file, f"{which} has expired on {until}", "renew it; it is read anew without a restart"
        )
    elif certificate.not_before_at > now:
        begins = _date(certificate.not_before_at)
        yield Finding(Outcome.FAIL, file, f"{which} is not valid before {begins}", "look at this machine's clock")
    elif left_s < EXPIRES_SOON_S:
        yield Finding(Outcome.WARN, file, f"{which} expires on {until}, in {left_s / 86_400:.1f} days", "renew it")
    else:
        yield Finding(Outcome.OK, file, f"{which} is valid until {until}, {left_s / 86_400:.0f} days")


def _explain_order(chain: Sequence[Certificate], file: Path) -> Iterator[Finding]:
    for number, (below, above) in enumerate(pairwise(chain), 1):
        if not _has_issued(above, below):
            # In another order peers put it together by themselves; one that belongs to none leaves a gap.
            belongs = any(_has_issued(above, other) for other in chain if other is not above)
            yield Finding(
                Outcome.WARN if belongs else Outcome.FAIL,
                file,
                f"certificate {number + 1} of the chain, {above.subject}, has not signed the one before it, "
                f"{below.subject}",
                "the order is: own certificate, then the CA that signed it, and so on",
            )


def _explain_key(leaf: Certificate, key: Path, pem: bytes, cert: Path) -> Finding:
    try:
        private = serialization.load_pem_private_key(pem, None)
    except TypeError:
        return Finding(
            Outcome.FAIL, key, "is encrypted: nobody could enter its password", "give an unencrypted PEM key"
        )
    except ValueError as error:
        return Finding(Outcome.FAIL, key, f"holds no PEM private key: {_first_line(error)}", "give a PEM key")
    form = (serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    if private.public_key().public_bytes(*form) != leaf.parsed.public_key().public_bytes(*form):
        return Finding(
            Outcome.FAIL,
            key,
            f"is not the key of the certificate in {cert}, {leaf.subject}",
            "were they written by the same renewal?",
        )
    return Finding(Outcome.OK, key, f"is the key of {leaf.subject}")


def _explain_ca(ca: Certificate, file: Path, now: float, *, some_hold: bool) -> Iterator[Finding]:
    for finding in _explain_time(ca, file, f"the CA {ca.subject}", now):
        # An old CA beside a new one is how CAs are changed.
        yield replace(finding, outcome=Outcome.WARN) if finding.outcome is Outcome.FAIL and some_hold else finding
    if not ca.is_ca:
        yield Finding(
            Outcome.WARN,
            file,
            f"{ca.subject} is no CA certificate: nothing that it has signed is accepted",
            "put the certificate of the CA there, not the one that the CA has issued",
        )


def _has_issued(issuer: Certificate, below: Certificate) -> bool:
    try:
        below.parsed.verify_directly_issued_by(issuer.parsed)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True


def _certificate(parsed: x509.Certificate) -> Certificate:
    common_names = parsed.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    names = _extension(parsed, x509.SubjectAlternativeName)
    constraints = _extension(parsed, x509.BasicConstraints)
    return Certificate(
        subject=parsed.subject.rfc4514_string(),
        issuer=parsed.issuer.rfc4514_string(),
        common_name=str(common_names[-1].value) if common_names else "",
        uris=tuple(names.get_values_for_type(x509.UniformResourceIdentifier)) if names else (),
        dns=tuple(names.get_values_for_type(x509.DNSName)) if names else (),
        addresses=tuple(map(str, names.get_values_for_type(x509.IPAddress))) if names else (),
        not_before_at=parsed.not_valid_before_utc.timestamp(),
        not_after_at=parsed.not_valid_after_utc.timestamp(),
        is_ca=constraints is not None and constraints.ca,
        is_self_signed=parsed.subject == parsed.issuer,
        uses=_uses(_extension(parsed, x509.ExtendedKeyUsage)),
        parsed=parsed,
    )


def _uses(usage: x509.ExtendedKeyUsage | None) -> frozenset[Use] | None:
    if usage is None or ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE in usage:
        return None
    named = {ExtendedKeyUsageOID.SERVER_AUTH: Use.SERVER, ExtendedKeyUsageOID.CLIENT_AUTH: Use.CLIENT}
    return frozenset(use for oid, use in named.items() if oid in usage)


def _extension(parsed: x509.Certificate, kind: type[_Extension]) -> _Extension | None:
    try:
        return parsed.extensions.get_extension_for_class(kind).value
    except x509.ExtensionNotFound:
        return None


def _date(at: float) -> str:
    return dt.datetime.fromtimestamp(at, dt.UTC).strftime("%Y-%m-%d %H:%M UTC")


def _first_line(error: Exception) -> str:
    lines = str(error).splitlines()
    return lines[0][:200] if lines else type(error).__name__
