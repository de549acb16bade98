"""What is wrong with settings that are right each for itself."""

from __future__ import annotations

from pathlib import Path

import pytest
import trustme

from tests.config.problems import found


@pytest.fixture(scope="module")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pki")
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(folder / "ca.crt"))
    for name in ("one", "two"):
        issued = authority.issue_cert("localhost")
        issued.private_key_pem.write_to_path(str(folder / f"{name}.key"))
        issued.cert_chain_pems[0].write_to_path(str(folder / f"{name}.crt"))
    (folder / "not.pem").write_text("hello\n")
    return folder


def test_beyond_loopback_needs_tls_or_a_word(tmp_path: Path, pki: Path) -> None:
    assert found(tmp_path, "listen: 0.0.0.0:5473\n") == [
        (
            ":1: listen = 0.0.0.0:5473: is reachable from outside this machine, and agents would be served without TLS "
            "(allowed: tls: {cert: ..., key: ...}, a loopback address, or `insecure: true`)"
        )
    ]
    assert found(tmp_path, "listen: 0.0.0.0:5473\ninsecure: true\n") == []
    tls = f"tls: {{cert: {pki}/one.crt, key: {pki}/one.key, client_ca: {pki}/ca.crt}}\n"
    assert found(tmp_path, "listen: 0.0.0.0:5473\n" + tls) == []


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "'[::1]", "localhost"])
def test_loopback(tmp_path: Path, host: str) -> None:
    end = "'" if host.startswith("'") else ""
    assert found(tmp_path, f"listen: {host}:1{end}\nadmin: {host}:2{end}\n") == []


def test_admin_beyond_loopback(tmp_path: Path) -> None:
    [problem] = found(tmp_path, "admin: 0.0.0.0:9096\n")
    assert problem.startswith(
        ":1: admin = 0.0.0.0:9096: is reachable from outside this machine, and it would name nodes"
    )
    assert "`tls` with `tls.client_ca` or `tokens.audience`" in problem
    assert found(tmp_path, "admin: 0.0.0.0:9096\ninsecure: true\n") == []


def test_ports_taken_twice(tmp_path: Path) -> None:
    file = tmp_path / "typha.yaml"
    assert found(tmp_path, "listen: 127.0.0.1:1\nadmin: localhost:1\n") == [
        f":2: admin = localhost:1: is the port of `listen` (127.0.0.1:1, {file}:1) too (allowed: a port of its own)"
    ]
    # The default of `health` is every address of the machine.
    assert found(tmp_path, "listen: 127.0.0.1:9095\n") == [
        (
            f"default: health = 0.0.0.0:9095: is the port of `listen` (127.0.0.1:9095, {file}:1) too "
            "(allowed: a port of its own)"
        )
    ]
    assert found(tmp_path, "listen: 127.0.0.1:1\nhealth: 127.0.0.2:1\nadmin: 127.0.0.3:1\n") == []
    assert found(tmp_path, "listen: 127.0.0.1:0\nhealth: 127.0.0.1:0\nadmin: 127.0.0.1:0\n") == []


def test_tls_files(tmp_path: Path, pki: Path) -> None:
    assert found(tmp_path, f"tls: {{cert: {pki}/one.crt}}\n") == [
        f":1: tls.cert = {pki}/one.crt: needs `tls.key`, which is not set (allowed: both or neither)"
    ]
    assert found(tmp_path, f"tls: {{client_ca: {pki}/ca.crt}}\n") == [
        f":1: tls.client_ca = {pki}/ca.crt: needs `tls.cert`, which is not set (allowed: both or neither)"
    ]
    [missing] = found(tmp_path, f"tls:\n  cert: {pki}/one.crt\n  key: {pki}/nowhere.key\n")
    assert missing.startswith(f":3: tls.key = {pki}/nowhere.key: cannot be read: No such file or directory")
    [other] = found(tmp_path, f"tls: {{cert: {pki}/one.crt, key: {pki}/two.key}}\n")
    assert "is not the certificate of `tls.key`" in other
    [broken] = found(tmp_path, f"tls: {{cert: {pki}/not.pem, key: {pki}/one.key}}\n")
    assert "cannot be loaded with `tls.key`" in broken
    [authority] = found(tmp_path, f"tls: {{cert: {pki}/one.crt, key: {pki}/one.key, client_ca: {pki}/not.pem}}\n")
    assert "holds no CA certificate" in authority


def test_intervals_that_contradict_each_other(tmp_path: Path) -> None:
    text = "timing: {ping_interval_s: 5, stale_after_s: 60}\nupstream: {replace_after_s: 70, backoff_min_s: 40}\n"
    file = tmp_path / "typha.yaml"
    first, second, third = found(tmp_path, text)
    assert first == (
        ":1: timing.ping_interval_s = 5: is below `timing.bookmark_interval_s` (10, default): "
        "agents are promised a bookmark every ping interval (allowed: at least 10)"
    )
    assert second == (
        ":1: timing.stale_after_s = 60: is below `upstream.probe_after_s` (70, default): "
        "a topic would be stale before its silent watch was ever probed (allowed: at least 70)"
    )
    assert third == (
        f"default: upstream.backoff_max_s = 30: is below `upstream.backoff_min_s` (40, {file}:2): "
        "the longest pause would be shorter than the first (allowed: at least 40)"
    )


def test_topics_and_feeds_all_at_once(tmp_path: Path) -> None:
    text = """
topics:
  pods:
    resource: v1/pods
    filds: [metadata.labels]
  nodes: {resource: v1/nodes, fields: [spec.podCIDR]}
  odd: {resource: 7}
feeds:
  one:
    - pods
    - nods
  two: [nodes, nodes]
  three: []
"""
    found_here = found(tmp_path, text)
    keys = [line.split(" = ")[0] for line in found_here]
    assert keys == [
        ":5: topics.pods.filds",
        ":7: topics.odd.resource",
        ":11: feeds.one[1]",
        ":12: feeds.two[1]",
        ":13: feeds.three",
    ]
    assert "did you mean fields?" in found_here[0]
    assert "did you mean nodes?" in found_here[2]


def test_topics_of_the_contract_are_valid(tmp_path: Path) -> None:
    text = """
topics:
  pods: {resource: v1/pods, fields: [metadata.labels, spec.nodeName], filters: {node: spec.nodeName}}
  certs: {resource: example.com/v1/certs}
feeds:
  inventory: [pods, certs]
"""
    assert found(tmp_path, text) == []
