"""Who a peer is and must be, on certificates as Python's ssl gives them."""

from __future__ import annotations

from typing import Any

import pytest

from typha.wire.identity import (
    CERTIFICATE_KINDS,
    SERVICE_ACCOUNT,
    WantedName,
    names_of,
    node_of,
    parse_wanted,
    refusal_of,
    shown,
)


def certificate(common_name: str = "", *uris: str) -> dict[str, Any]:
    return {
        "subject": ((("organizationName", "x"),), (("commonName", common_name),)),
        "subjectAltName": (("DNS", "felix.example"), *(("URI", uri) for uri in uris), ("IP Address", "10.0.0.1")),
    }


def test_names_have_their_kind() -> None:
    assert names_of(certificate("felix", "spiffe://c/felix")) == (
        "cn:felix",
        "uri:spiffe://c/felix",
        "dns:felix.example",
    )
    assert names_of(None) == names_of({}) == ()


def test_of_several_common_names_the_last_counts() -> None:
    assert names_of({"subject": ((("commonName", "first"),), (("commonName", "last"),))}) == ("cn:last",)


@pytest.mark.parametrize(
    ("wanted", "is_met"),
    [
        ("cn:felix", True),
        ("cn:Felix", False),
        ("cn:feli", False),
        ("cn:felix*", False),
        ("cn:f*", True),
        ("cn:*", True),
        ("uri:felix", False),
        ("uri:spiffe://c/*", True),
        ("uri:spiffe://c/felix/*", False),
        ("dns:felix.example", True),
        ("dns:felix", False),
    ],
)
def test_a_wanted_name_is_equal_or_a_beginning(wanted: str, is_met: bool) -> None:
    said = refusal_of(certificate("felix", "spiffe://c/felix"), [parse_wanted(wanted)])
    assert (said == "") is is_met


def test_one_of_several_suffices_and_none_wanted_is_anybody() -> None:
    shown_by_peer = certificate("other", "spiffe://c/felix")
    assert not refusal_of(shown_by_peer, [parse_wanted("cn:felix"), parse_wanted("uri:spiffe://c/felix")])
    assert not refusal_of(shown_by_peer, [])


def test_a_refusal_says_who_came_and_who_is_wanted() -> None:
    wanted = [parse_wanted("cn:felix"), parse_wanted("uri:spiffe://c/*")]
    assert refusal_of(certificate("other", "spiffe://x"), wanted) == (
        "the certificate is of cn:other, uri:spiffe://x, dns:felix.example; wanted is cn:felix or uri:spiffe://c/*"
    )


@pytest.mark.parametrize("nothing", [None, {}])
def test_no_certificate_is_refused_even_where_anybody_is_let_in(nothing: dict[str, Any] | None) -> None:
    assert refusal_of(nothing, [])


def test_a_star_that_was_not_parsed_is_a_letter() -> None:
    assert refusal_of(certificate("felix"), [WantedName("cn:f*")])


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("felix", "write cn:NAME, uri:NAME, dns:NAME"),
        ("ip:10.0.0.1", "write cn:NAME"),
        ("serviceaccount:a/b", "write cn:NAME"),
        ("cn:", "no name after its kind"),
        ("dns:*.example", "not its last letter"),
    ],
)
def test_what_is_no_name(text: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        parse_wanted(text)


def test_service_accounts_only_where_they_are_known() -> None:
    kinds = (*CERTIFICATE_KINDS, SERVICE_ACCOUNT)
    assert parse_wanted("serviceaccount:kube-system/*", kinds) == WantedName("serviceaccount:kube-system/", True)
    with pytest.raises(ValueError, match="NAMESPACE/NAME"):
        parse_wanted("serviceaccount:agent", kinds)


def test_a_node_is_known_by_its_certificate() -> None:
    assert node_of(("cn:system:node:n1",)) == "n1"
    assert not node_of(("cn:n1", "uri:cn:system:node:n1"))


def test_long_names_are_cut() -> None:
    assert len(shown(("cn:" + "x" * 10_000,))) < 500
    assert shown(()) == "no name"
