"""Typha's identity rule and versions, alone and on real handshakes."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Any

import pytest

from tests.kit.pems import Authority, authority
from typha.downstream.tls import TlsError, TlsFiles, server_context
from typha.drop_in.tls import (
    CIPHER_SUITES,
    CipherChoice,
    client_context,
    parse_cipher_suites,
    parse_minimum_version,
    wanted_names,
)
from typha.wire.identity import WantedName, refusal_of

FELIX = "typha-client"
URI = "spiffe://cluster/felix"


@pytest.fixture
def pki(tmp_path: Path) -> Authority:
    return authority(tmp_path / "pki")


def handshake(server: ssl.SSLContext, client: ssl.SSLContext) -> tuple[ssl.SSLObject, ssl.SSLObject]:
    """Both ends in memory, with the first byte from the client: TLS 1.3 shows a refused client only then."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    served = server.wrap_bio(to_server, to_client, server_side=True)
    connected = client.wrap_bio(to_client, to_server, server_side=False)
    done: set[ssl.SSLObject] = set()
    while len(done) < 2:
        for end in (connected, served):
            try:
                end.do_handshake()
                done.add(end)
            except ssl.SSLWantReadError:
                continue
    return served, connected


def certificate(common_name: str = "", *uris: str) -> dict[str, Any]:
    return {
        "subject": ((("organizationName", "x"),), (("commonName", common_name),)),
        "subjectAltName": (("DNS", "felix.example"), *(("URI", uri) for uri in uris)),
    }


@pytest.mark.parametrize(
    ("wanted", "common_name", "uris", "is_let_in"),
    [
        ((), "anybody", (), True),
        (wanted_names(FELIX, ""), FELIX, (), True),
        (wanted_names(FELIX, ""), FELIX.upper(), (), False),
        (wanted_names(FELIX, ""), "", (URI,), False),
        (wanted_names("", URI), FELIX, (URI,), True),
        (wanted_names("", URI), FELIX, ("spiffe://other", URI), True),
        (wanted_names("", URI), FELIX, (URI + "/x",), False),
        (wanted_names("", URI), "", (), False),
        (wanted_names(FELIX, URI), FELIX, (), True),
        (wanted_names(FELIX, URI), "other", (URI,), True),
        (wanted_names(FELIX, URI), "other", ("spiffe://other",), False),
    ],
)
def test_either_suffices_and_the_one_configured_must_match(
    wanted: tuple[WantedName, ...], common_name: str, uris: tuple[str, ...], is_let_in: bool
) -> None:
    assert (refusal_of(certificate(common_name, *uris), wanted) == "") is is_let_in


def test_names_are_compared_whole() -> None:
    assert refusal_of(certificate("felix"), wanted_names("fel*", ""))


def test_both_ends_see_each_others_identity(pki: Authority) -> None:
    server = server_context(pki.issue("server", common_name="typha-server"))
    client = client_context(pki.issue("agent", common_name=FELIX, uri=URI))
    served, connected = handshake(server, client)
    assert not refusal_of(served.getpeercert(), wanted_names(FELIX, URI))
    assert not refusal_of(served.getpeercert(), wanted_names("", URI))
    assert not refusal_of(connected.getpeercert(), wanted_names("typha-server", ""))
    assert refusal_of(connected.getpeercert(), wanted_names("typha-client", ""))


def test_an_intermediate_is_accepted(pki: Authority) -> None:
    files = pki.issue("agent", common_name=FELIX, through=pki.ca.create_child_ca())
    served, _ = handshake(server_context(pki.issue("server")), client_context(files))
    assert not refusal_of(served.getpeercert(), wanted_names(FELIX, ""))


def test_a_stranger_is_refused_by_the_server(pki: Authority, tmp_path: Path) -> None:
    stranger = authority(tmp_path / "other").issue("agent", common_name=FELIX, uri=URI)
    files = TlsFiles(stranger.cert, stranger.key, pki.ca_file)
    with pytest.raises(ssl.SSLError, match="verify failed"):
        handshake(server_context(pki.issue("server")), client_context(files))


def test_a_strange_server_is_refused_by_the_client(pki: Authority, tmp_path: Path) -> None:
    stranger = authority(tmp_path / "other").issue("server")
    with pytest.raises(ssl.SSLError, match="verify failed"):
        handshake(server_context(stranger), client_context(pki.issue("agent")))


def test_a_client_without_a_certificate_is_refused(pki: Authority) -> None:
    nobody = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    nobody.check_hostname = False
    nobody.load_verify_locations(pki.ca_file)
    with pytest.raises(ssl.SSLError, match="did not return a certificate"):
        handshake(server_context(pki.issue("server")), nobody)


def test_the_minimum_version_holds(pki: Authority) -> None:
    server = server_context(pki.issue("server"), minimum=parse_minimum_version("1.3"))
    client = client_context(pki.issue("agent"))
    assert handshake(server, client)[0].version() == "TLSv1.3"
    client.maximum_version = ssl.TLSVersion.TLSv1_2
    with pytest.raises(ssl.SSLError):
        handshake(server, client)


def test_the_chosen_suite_is_used(pki: Authority) -> None:
    choice = parse_cipher_suites("TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384")
    client = client_context(pki.issue("agent"))
    client.maximum_version = ssl.TLSVersion.TLSv1_2
    served, _ = handshake(server_context(pki.issue("server"), ciphers=choice.openssl), client)
    cipher = served.cipher()
    assert cipher is not None
    assert cipher[0].endswith("AES256-GCM-SHA384")


@pytest.mark.parametrize(
    ("text", "version"),
    [("", "1_2"), ("1.2", "1_2"), ("1.3", "1_3"), ("TLSv1.3", "1_3"), ("VersionTLS13", "1_3"), ("tls1_2", "1_2")],
)
def test_minimum_versions(text: str, version: str) -> None:
    assert parse_minimum_version(text) is ssl.TLSVersion[f"TLSv{version}"]


@pytest.mark.parametrize("text", ["1.1", "SSLv3", "x"])
def test_other_versions_are_errors(text: str) -> None:
    with pytest.raises(ValueError, match=r"allowed: 1\.2, 1\.3"):
        parse_minimum_version(text)


def test_every_suite_is_known_to_openssl() -> None:
    for suite in CIPHER_SUITES:
        choice = parse_cipher_suites(suite)
        if not choice.is_tls13_only:
            ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).set_ciphers(choice.openssl)


def test_suites_of_tls13_alone_leave_tls12_none() -> None:
    assert parse_cipher_suites("TLS_AES_128_GCM_SHA256") == CipherChoice("", is_tls13_only=True)
    assert parse_cipher_suites("") == CipherChoice()


def test_unknown_suites_are_named() -> None:
    with pytest.raises(ValueError, match="unknown: TLS_X, TLS_Y"):
        parse_cipher_suites("TLS_X, TLS_AES_128_GCM_SHA256,TLS_Y")


@pytest.mark.parametrize("missing", ["cert", "key", "ca"])
def test_files_that_cannot_be_used_are_named(pki: Authority, missing: str) -> None:
    files = pki.issue("server")
    getattr(files, missing).write_text("nonsense")
    with pytest.raises(TlsError, match=str(getattr(files, missing))):
        server_context(files)


def test_key_and_certificate_must_belong_together(pki: Authority) -> None:
    files = TlsFiles(pki.issue("one").cert, pki.issue("two").key, pki.ca_file)
    with pytest.raises(TlsError, match="belong together"):
        server_context(files)
