"""Certificates of a cluster's agents and servers, as PEM files."""

from __future__ import annotations

import datetime as dt
import ipaddress
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import trustme
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from typha.downstream.server_tls import ServerTls
from typha.downstream.tls import TlsFiles, server_context

_LOOPBACK = ipaddress.IPv4Address("127.0.0.1")


@dataclass(frozen=True)
class Authority:
    """A CA whose files lie in ``folder``. ``issues_at``: Unix time of what it issues; None: of the moment."""

    ca: trustme.CA
    folder: Path
    issues_at: float | None = None

    @property
    def ca_file(self) -> Path:
        file = self.folder / "ca.crt"
        if not file.exists():
            self.ca.cert_pem.write_to_path(str(file))
        return file

    def issue(
        self,
        name: str,
        *,
        common_name: str = "",
        uri: str = "",
        dns: str = "localhost",
        through: trustme.CA | None = None,
        valid_s: tuple[float, float] = (-3600, 86_400),
        uses: Sequence[x509.ObjectIdentifier] = (),
    ) -> TlsFiles:
        """Files ``name.crt`` (with ``through``'s own certificate behind it) and ``name.key``.

        ``valid_s``: from and until, in seconds from now. An existing file of that name is replaced at once, as
        Kubernetes does it.
        """
        issuer = through or self.ca
        signer = serialization.load_pem_private_key(issuer.private_key_pem.bytes(), None)
        assert isinstance(signer, ec.EllipticCurvePrivateKey)
        key = ec.generate_private_key(ec.SECP256R1())
        subject = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, "example")]
        if common_name:
            subject.append(x509.NameAttribute(NameOID.COMMON_NAME, common_name))
        other: list[x509.GeneralName] = [x509.DNSName(dns), x509.IPAddress(_LOOPBACK)]
        if uri:
            other.append(x509.UniformResourceIdentifier(uri))
        now = dt.datetime.fromtimestamp(time.time() if self.issues_at is None else self.issues_at, dt.UTC)
        issued_by = x509.load_pem_x509_certificate(issuer.cert_pem.bytes())
        builder = (
            x509.CertificateBuilder()
            .subject_name(x509.Name(subject))
            .issuer_name(issued_by.subject)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now + dt.timedelta(seconds=valid_s[0]))
            .not_valid_after(now + dt.timedelta(seconds=valid_s[1]))
            .add_extension(x509.SubjectAlternativeName(other), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False)
        )
        if uses:
            builder = builder.add_extension(x509.ExtendedKeyUsage(uses), critical=False)
        leaf = builder.sign(signer, hashes.SHA256())
        cert_file, key_file = self.folder / f"{name}.crt", self.folder / f"{name}.key"
        chain = leaf.public_bytes(serialization.Encoding.PEM) + (through.cert_pem.bytes() if through else b"")
        replace(cert_file, chain)
        private = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        replace(key_file, private)
        return TlsFiles(cert_file, key_file, self.ca_file)


def replace(file: Path, content: bytes) -> None:
    """Write the file in one step."""
    fresh = file.with_suffix(".fresh")
    fresh.write_bytes(content)
    fresh.rename(file)


def authority(folder: Path, issues_at: float | None = None) -> Authority:
    """A new CA."""
    folder.mkdir(exist_ok=True)
    return Authority(trustme.CA(), folder, issues_at)


def namesake(of: Authority, file: Path) -> Path:
    """A CA certificate with the name of another CA and a key of its own."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.load_pem_x509_certificate(of.ca.cert_pem.bytes()).subject
    now = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(hours=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    replace(file, made.public_bytes(serialization.Encoding.PEM))
    return file


def server_tls(cert: Path, key: Path, ca: Path | None = None) -> ServerTls:
    """What a server is given of these files."""
    return ServerTls(TlsFiles(cert, key, ca), server_context, now=time.time())
