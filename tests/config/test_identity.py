"""Settings about identity: names, sockets, tokens, rights, and what contradicts what."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.config.problems import found
from tests.kit.pems import authority
from typha.config import HostPort, load
from typha.config.kinds import Listen, WrongValueError


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> str:
    files = authority(tmp_path_factory.mktemp("pki") / "pki").issue("server")
    return f"cert: {files.cert}, key: {files.key}"


@pytest.fixture
def mutual(tls: str) -> str:
    return f"{tls}, client_ca: {Path(tls.split()[1].rstrip(',')).parent}/ca.crt"


RULE = "rights:\n  agents:\n    identities: [{identity}]\n    feeds: [felix]\n"


def test_client_names_need_a_ca(tmp_path: Path, tls: str, mutual: str) -> None:
    [problem] = found(tmp_path, f"tls: {{{tls}, client_names: ['cn:agent']}}\n")
    assert "tls.client_names = cn:agent: needs `tls.client_ca`" in problem
    assert found(tmp_path, f"tls: {{{mutual}, client_names: ['cn:agent', 'uri:spiffe://c/*']}}\n") == []


def test_client_names_are_checked(tmp_path: Path, mutual: str) -> None:
    [problem] = found(tmp_path, f"tls: {{{mutual}, client_names: [agent]}}\n")
    assert "has a name that is none: 'agent' has no kind before it" in problem


def test_client_names_in_the_environment(tmp_path: Path, mutual: str) -> None:
    file = tmp_path / "typha.yaml"
    file.write_text(f"tls: {{{mutual}}}\n")
    names = load(file=file, environment={"TYPHA_TLS_CLIENT_NAMES": "cn:a, dns:b"}).config.tls.client_names
    assert names == ("cn:a", "dns:b")


def test_a_token_is_not_taken_in_plain_text(tmp_path: Path, tls: str) -> None:
    [problem] = found(tmp_path, "listen: 0.0.0.0:1\ninsecure: true\ntokens: {audience: typha}\n")
    assert "tokens.audience = typha: would have agents send their tokens in plain text" in problem
    assert found(tmp_path, "tokens: {audience: typha}\n") == []
    assert found(tmp_path, f"listen: 0.0.0.0:1\ntls: {{{tls}}}\ntokens: {{audience: 'https://typha.example'}}\n") == []


@pytest.mark.parametrize(
    ("identity", "kind", "setting"),
    [
        ("cn:agent", "certificates", "tls.client_ca"),
        ("uri:spiffe://c/a", "certificates", "tls.client_ca"),
        ("serviceaccount:a/b", "ServiceAccounts", "tokens.audience"),
    ],
)
def test_a_rule_for_nobody(tmp_path: Path, tls: str, identity: str, kind: str, setting: str) -> None:
    [problem] = found(tmp_path, f"tls: {{{tls}}}\n" + RULE.format(identity=f"'{identity}'"))
    assert f"rights.agents.identities: are names of {kind}" in problem
    assert problem.endswith(f"(allowed: `{setting}`)")


def test_a_rule_for_somebody(tmp_path: Path, mutual: str) -> None:
    assert found(tmp_path, f"tls: {{{mutual}}}\n" + RULE.format(identity="cn:agent")) == []
    token = "tokens: {audience: typha}\n"
    assert found(tmp_path, f"tls: {{{mutual}}}\n{token}" + RULE.format(identity="cn:agent, serviceaccount:a/b")) == []


def test_what_is_wrong_with_a_rule_has_its_line(tmp_path: Path, mutual: str) -> None:
    [problem] = found(tmp_path, f"tls: {{{mutual}}}\n" + RULE.format(identity="cn:a").replace("felix", "felux"))
    assert problem.startswith(":")
    assert "rights.agents.feeds[0]: 'felux' is no feed that is served" in problem


ADMIN = "admin: 0.0.0.0:9096\n"


def test_the_page_beyond_loopback_needs_somebody_who_can_be_known(tmp_path: Path, tls: str, mutual: str) -> None:
    [problem] = found(tmp_path, f"{ADMIN}tls: {{{tls}}}\n")
    assert problem.startswith(":1: admin = 0.0.0.0:9096: is reachable from outside this machine, and nobody who asks")
    assert "(allowed: `tls.client_ca` or `tokens.audience`, a loopback address, off, or `insecure: true`)" in problem
    assert found(tmp_path, f"{ADMIN}tls: {{{tls}}}\ninsecure: true\n") == []
    assert found(tmp_path, f"{ADMIN}tls: {{{mutual}}}\n") == []
    assert found(tmp_path, f"{ADMIN}tls: {{{tls}}}\ntokens: {{audience: typha}}\n") == []


def test_the_page_beyond_loopback_needs_a_rule_where_there_are_rules(tmp_path: Path, mutual: str) -> None:
    rules = f"tls: {{{mutual}}}\n" + RULE.format(identity="cn:agent")
    [problem] = found(tmp_path, ADMIN + rules)
    assert (
        "admin = 0.0.0.0:9096: is reachable from outside this machine, and no rule of `rights` lets anybody see it"
        in (problem)
    )
    assert "a rule with `admin: true`" in problem
    assert found(tmp_path, ADMIN + rules + "  operators:\n    identities: ['cn:operator']\n    admin: true\n") == []
    assert found(tmp_path, f"admin: 127.0.0.1:9096\n{rules}") == []
    assert found(tmp_path, f"{ADMIN}insecure: true\n{rules}") == []


SECRETS = "topics: {keys: {resource: v1/secrets}}\nfeeds: {all: [keys]}\n"


def test_secrets_need_tls_and_a_rule_that_names_them(tmp_path: Path, mutual: str) -> None:
    problems = found(tmp_path, SECRETS)
    assert any("topics.keys: holds Secrets, and agents are served without TLS" in problem for problem in problems)
    assert any("topics.keys: holds Secrets, and no rule of `rights` names it" in problem for problem in problems)
    by_feed = f"tls: {{{mutual}}}\nrights: {{a: {{identities: ['cn:a'], feeds: [all]}}}}\n"
    [problem] = found(tmp_path, SECRETS + by_feed)
    assert "no rule of `rights` names it" in problem
    assert found(tmp_path, SECRETS + by_feed.replace("feeds: [all]", "topics: [keys]")) == []


def test_secrets_in_plain_text_on_purpose_are_refused_too(tmp_path: Path) -> None:
    assert len(found(tmp_path, "insecure: true\n" + SECRETS)) == 2


@pytest.mark.parametrize("raw", ["unix:/run/typha.sock", "[::]:5473", "0.0.0.0:1"])
def test_where_to_listen(raw: str) -> None:
    read = Listen().read(raw, text=True)
    assert str(read) == raw
    assert read.is_socket is raw.startswith("unix:")
    assert read.is_loopback is read.is_socket


@pytest.mark.parametrize("raw", ["unix:", "unix:typha.sock", "unix:/run/", "unix:/" + "x" * 103, "unix:/a\0b"])
def test_what_is_no_socket(raw: str) -> None:
    with pytest.raises(WrongValueError):
        Listen().read(raw, text=True)


def test_only_agents_come_through_a_socket(tmp_path: Path) -> None:
    [problem] = found(tmp_path, "health: unix:/run/health.sock\n")
    assert "health" in problem
    assert found(tmp_path, "listen: unix:/run/typha.sock\n") == []
    assert HostPort("unix:/a", 0).is_wildcard is False
