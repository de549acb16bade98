"""What is said of TLS files: alone where they are wrong alone, together where they do not belong together."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.x509.oid import ExtendedKeyUsageOID

from tests.kit.pems import Authority, authority, namesake
from typha.downstream.tls import TlsFiles
from typha.outcome import Outcome
from typha.tls_files import Finding, PemError, Report, Use, examine, explain_issuer, read_certificates

NOW = time.time()  # of the import: the tests may run half an hour later
DAY_S = 86_400.0
END = b"-----END CERTIFICATE-----\n"


@pytest.fixture
def pki(tmp_path: Path) -> Authority:
    return authority(tmp_path / "pki", NOW)


def server_report(files: TlsFiles, *, now: float = NOW, use: Use = Use.SERVER) -> Report:
    return examine(cert=files.cert, key=files.key, ca=files.ca, use=use, now=now)


def failures(report: Report) -> list[Finding]:
    return [finding for finding in report.findings if finding.outcome is Outcome.FAIL]


def the_failure(report: Report) -> Finding:
    (found,) = failures(report)
    assert not report.is_usable
    assert found.hint
    return found


def test_good_files_have_names_and_expiries(pki: Authority) -> None:
    report = server_report(
        pki.issue("server", common_name="typha-server", uri="spiffe://c/typha", valid_s=(-3600, 90 * DAY_S))
    )
    assert report.is_usable
    assert all(not finding.hint for finding in report.findings)
    leaf = report.chain[0]
    assert (leaf.common_name, leaf.uris, leaf.dns) == ("typha-server", ("spiffe://c/typha",), ("localhost",))
    assert str(leaf) == "CN=typha-server,O=example, URI spiffe://c/typha, DNS localhost, IP 127.0.0.1"
    assert report.expires_at == pytest.approx(NOW + 90 * DAY_S, abs=3600)
    assert report.trust_expires_at == report.trusted[0].not_after_at
    assert [f.what for f in report.findings if f.file.suffix == ".key"] == ["is the key of CN=typha-server,O=example"]


def test_of_a_chain_the_first_end_counts(pki: Authority) -> None:
    report = server_report(pki.issue("server", through=pki.ca.create_child_ca(), valid_s=(-3600, 30 * DAY_S)))
    assert report.is_usable
    assert len(report.chain) == 2
    assert report.expires_at == report.chain[0].not_after_at


def test_expired(pki: Authority) -> None:
    found = the_failure(server_report(pki.issue("server", valid_s=(-7200, -3600))))
    assert found.what.startswith("the certificate has expired on 20")
    assert found.file.name == "server.crt"


def test_not_valid_yet(pki: Authority) -> None:
    found = the_failure(server_report(pki.issue("server", valid_s=(3600, 7200))))
    assert "is not valid before" in found.what
    assert "clock" in found.hint


def test_expires_soon_is_a_warning(pki: Authority) -> None:
    report = server_report(pki.issue("server", valid_s=(-3600, 3 * DAY_S)))
    assert report.is_usable
    (warning,) = [finding for finding in report.findings if finding.outcome is Outcome.WARN]
    assert "in 3.0 days" in warning.what


def test_an_expired_ca_is_named(pki: Authority) -> None:
    report = server_report(pki.issue("server"), now=NOW)
    end = report.trust_expires_at
    assert end is not None
    late = server_report(pki.issue("server"), now=end + 1)
    assert any(f.file == pki.ca_file and "the CA" in f.what and "has expired" in f.what for f in failures(late))


def test_the_key_of_another(pki: Authority) -> None:
    files = TlsFiles(pki.issue("one", common_name="one").cert, pki.issue("two").key, pki.ca_file)
    found = the_failure(server_report(files))
    assert found.file == files.key
    assert found.what == f"is not the key of the certificate in {files.cert}, CN=one,O=example"


def test_an_encrypted_key(pki: Authority) -> None:
    files = pki.issue("server")
    key = serialization.load_pem_private_key(files.key.read_bytes(), None)
    files.key.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(b"secret"),
        )
    )
    assert "is encrypted" in the_failure(server_report(files)).what


def test_for_the_wrong_end(pki: Authority) -> None:
    files = pki.issue("agent", uses=[ExtendedKeyUsageOID.CLIENT_AUTH])
    assert server_report(files, use=Use.CLIENT).is_usable
    found = the_failure(server_report(files, use=Use.SERVER))
    assert "does not allow a server" in found.what
    assert "serverAuth" in found.hint


def test_a_chain_in_the_wrong_order(pki: Authority) -> None:
    files = pki.issue("server", through=pki.ca.create_child_ca())
    leaf, _, intermediate = files.cert.read_bytes().partition(END)
    files.cert.write_bytes(intermediate + leaf + END)
    assert any("has not signed the one before it" in found.what for found in failures(server_report(files)))


def test_a_chain_with_a_stranger_in_it(pki: Authority, tmp_path: Path) -> None:
    files = pki.issue("server")
    files.cert.write_bytes(files.cert.read_bytes() + authority(tmp_path / "other").ca_file.read_bytes())
    assert "has not signed the one before it" in the_failure(server_report(files)).what


@pytest.mark.parametrize("which", ["cert", "key", "ca"])
def test_nonsense_and_missing_files_are_named(pki: Authority, which: str) -> None:
    files = pki.issue("server")
    file: Path = getattr(files, which)
    file.write_text("nonsense")
    found = the_failure(server_report(files))
    assert found.file == file
    assert "PEM" in found.what
    file.unlink()
    found = the_failure(server_report(files))
    assert (found.file, found.what) == (file, "cannot be read: No such file or directory")


def test_a_leaf_is_no_ca(pki: Authority) -> None:
    files = pki.issue("server", common_name="leaf", valid_s=(-3600, 90 * DAY_S))
    report = examine(ca=files.cert, use=Use.SERVER, now=NOW)
    assert any(f.outcome is Outcome.WARN and "is no CA certificate" in f.what for f in report.findings)


def test_no_certificate_is_an_error_with_the_files_name() -> None:
    with pytest.raises(PemError, match=r"/x/ca\.crt holds no PEM certificate"):
        read_certificates(b"", Path("/x/ca.crt"))


class TestIssuer:
    """Which CA did not match."""

    def explain(self, files: TlsFiles, ca: Path) -> Finding:
        report = examine(cert=files.cert, ca=ca, use=Use.CLIENT, now=NOW)
        return explain_issuer(report.chain, report.trusted, ca)

    def test_it_matches(self, pki: Authority) -> None:
        found = self.explain(pki.issue("agent", common_name="agent"), pki.ca_file)
        assert found.outcome is Outcome.OK
        assert "which has signed CN=agent,O=example" in found.what

    def test_through_an_intermediate(self, pki: Authority) -> None:
        files = pki.issue("agent", through=pki.ca.create_child_ca())
        assert self.explain(files, pki.ca_file).outcome is Outcome.OK

    def test_a_missing_intermediate(self, pki: Authority) -> None:
        files = pki.issue("agent", through=pki.ca.create_child_ca())
        files.cert.write_bytes(files.cert.read_bytes().partition(END)[0] + END)
        found = self.explain(files, pki.ca_file)
        assert found.outcome is Outcome.FAIL
        assert "or the intermediate to the chain" in found.hint

    def test_another_ca(self, pki: Authority, tmp_path: Path) -> None:
        files = authority(tmp_path / "other").issue("agent", common_name="agent")
        found = self.explain(files, pki.ca_file)
        assert found.outcome is Outcome.FAIL
        assert found.what.startswith("CN=agent,O=example was signed by OU=Testing CA")
        assert "which is not in it; it holds: OU=Testing CA" in found.what

    def test_a_ca_made_anew_under_its_old_name(self, pki: Authority, tmp_path: Path) -> None:
        old = pki.issue("agent", common_name="agent")
        found = self.explain(old, namesake(pki, tmp_path / "new-ca.crt"))
        assert found.outcome is Outcome.FAIL
        assert "but with another key" in found.what
