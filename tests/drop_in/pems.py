"""Certificates of a cluster's agents and servers, as PEM files."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from pathlib import Path

import trustme
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from typha.drop_in.tls import TlsFiles


@dataclass(frozen=True)
class Authority:
    """A CA whose files lie in ``folder``."""

    ca: trustme.CA
    folder: Path

    @property
    def ca_file(self) -> Path:
        file = self.folder / "ca.crt"
        if not file.exists():
            self.ca.cert_pem.write_to_path(str(file))
        return file

    def issue(self, name: str, *, common_name: str = "", uri: str = "", through: trustme.CA | None = None) -> TlsFiles:
        """Files ``name.crt`` (with ``through``'s own certificate behind it) and ``name.key``."""
        issuer = through or self.ca
        signer = serialization.load_pem_private_key(issuer.private_key_pem.bytes(), None)
        assert isinstance(signer, ec.EllipticCurvePrivateKey)
        key = ec.generate_private_key(ec.SECP256R1())
        subject = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, "example")]
        if common_name:
            subject.append(x509.NameAttribute(NameOID.COMMON_NAME, common_name))
        other: list[x509.GeneralName] = [x509.DNSName("localhost")]
        if uri:
            other.append(x509.UniformResourceIdentifier(uri))
        now = dt.datetime.now(dt.UTC)
        issued_by = x509.load_pem_x509_certificate(issuer.cert_pem.bytes())
        leaf = (
            x509.CertificateBuilder()
            .subject_name(x509.Name(subject))
            .issuer_name(issued_by.subject)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - dt.timedelta(hours=1))
            .not_valid_after(now + dt.timedelta(days=1))
            .add_extension(x509.SubjectAlternativeName(other), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False)
            .sign(signer, hashes.SHA256())
        )
        cert_file, key_file = self.folder / f"{name}.crt", self.folder / f"{name}.key"
        chain = leaf.public_bytes(serialization.Encoding.PEM) + (through.cert_pem.bytes() if through else b"")
        cert_file.write_bytes(chain)
        key_file.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
        return TlsFiles(cert_file, key_file, self.ca_file)


def authority(folder: Path) -> Authority:
    """A new CA."""
    folder.mkdir(exist_ok=True)
    return Authority(trustme.CA(), folder)
