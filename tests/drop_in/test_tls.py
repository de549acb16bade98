"""Typha's identity rule, alone and on real handshakes."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Any

import pytest

from tests.kit.pems import Authority, authority
from typha.downstream.tls import TlsError
from typha.drop_in.tls import (
    CIPHER_SUITES,
    CipherChoice,
    Identity,
    TlsFiles,
    client_context,
    parse_cipher_suites,
    parse_minimum_version,
    server_context,
)

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
    ("identity", "common_name", "uris", "is_let_in"),
    [
        (Identity(), "anybody", (), True),
        (Identity(FELIX), FELIX, (), True),
        (Identity(FELIX), FELIX.upper(), (), False),
        (Identity(FELIX), "", (URI,), False),
        (Identity("", URI), FELIX, (URI,), True),
        (Identity("", URI), FELIX, ("spiffe://other", URI), True),
        (Identity("", URI), FELIX, (URI + "/x",), False),
        (Identity("", URI), "", (), False),
        (Identity(FELIX, URI), FELIX, (), True),
        (Identity(FELIX, URI), "other", (URI,), True),
        (Identity(FELIX, URI), "other", ("spiffe://other",), False),
    ],
)
def test_either_suffices_and_the_one_configured_must_match(
    identity: Identity, common_name: str, uris: tuple[str, ...], is_let_in: bool
) -> None:
    assert (identity.refusal(certificate(common_name, *uris)) == "") is is_let_in


def test_a_refusal_says_who_came_and_who_is_wanted() -> None:
    said = Identity(FELIX, URI).refusal(certificate("other", "spiffe://other"))
    assert said == (
        "certificate of 'other' with URIs ['spiffe://other']; "
        "wanted is common name 'typha-client' or URI 'spiffe://cluster/felix'"
    )


@pytest.mark.parametrize("nothing", [None, {}])
def test_no_certificate_is_refused_even_where_anybody_is_let_in(nothing: dict[str, Any] | None) -> None:
    assert Identity().refusal(nothing)


def test_a_name_of_another_kind_is_no_uri() -> None:
    assert Identity("", "felix.example").refusal(certificate("x"))


def test_of_several_common_names_the_last_counts() -> None:
    two = {"subject": ((("commonName", "first"),), (("commonName", "last"),))}
    assert not Identity("last").refusal(two)
    assert Identity("first").refusal(two)


def test_both_ends_see_each_others_identity(pki: Authority) -> None:
    server = server_context(pki.issue("server", common_name="typha-server"))
    client = client_context(pki.issue("agent", common_name=FELIX, uri=URI))
    served, connected = handshake(server, client)
    assert not Identity(FELIX, URI).refusal(served.getpeercert())
    assert not Identity("", URI).refusal(served.getpeercert())
    assert not Identity("typha-server").refusal(connected.getpeercert())
    assert Identity("typha-client").refusal(connected.getpeercert())


def test_an_intermediate_is_accepted(pki: Authority) -> None:
    files = pki.issue("agent", common_name=FELIX, through=pki.ca.create_child_ca())
    served, _ = handshake(server_context(pki.issue("server")), client_context(files))
    assert not Identity(FELIX).refusal(served.getpeercert())


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
