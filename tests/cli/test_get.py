"""`typha get` against a server in memory."""

from __future__ import annotations

import json

import yaml

from tests.cli.conftest import NODES, PODS, Run
from typha_client.testing import FakeServer


def rows(text: str) -> list[list[str]]:
    return [line.split() for line in text.splitlines()]


def test_table_of_the_default_namespace(run: Run, server: FakeServer) -> None:
    result = run("get", "pods", "-s", server.address)
    assert rows(result.stdout) == [
        ["NAMESPACE", "NAME", "STATUS", "IP", "NODE"],
        ["default", "web-0", "Running", "10.0.0.1", "n1"],
        ["default", "web-1", "Pending", "<none>", "n2"],
    ]


def test_all_namespaces_and_another(run: Run, server: FakeServer) -> None:
    assert len(rows(run("get", "pods", "-A", "-s", server.address).stdout)) == 4
    assert rows(run("get", "pods", "-n", "kube-system", "-s", server.address).stdout)[1][1] == "dns"


def test_wide_adds_rv_and_labels(run: Run, server: FakeServer) -> None:
    heading, first, *_ = rows(run("get", "pods", "-o", "wide", "-s", server.address).stdout)
    assert heading[-2:] == ["RV", "LABELS"]
    assert first[-1] == "app=web"
    assert first[-2].isdigit()


def test_cluster_scoped(run: Run, server: FakeServer) -> None:
    assert rows(run("get", "nodes", "-s", server.address).stdout) == [
        ["NAME", "POD-CIDR", "UNSCHEDULABLE"],
        ["n1", "10.0.0.0/24", "true"],
    ]


def test_one_object_and_lists_as_json_and_yaml(run: Run, server: FakeServer) -> None:
    one = run("get", "pods", "web-0", "-o", "json", "-s", server.address)
    assert json.loads(one.stdout) == PODS["default/web-0"]
    key = run("get", "pods", "kube-system/dns", "-o", "yaml", "-s", server.address)
    assert yaml.safe_load(key.stdout) == PODS["kube-system/dns"]
    several = run("get", "nodes", "-o", "json", "-s", server.address)
    assert json.loads(several.stdout) == {"apiVersion": "v1", "kind": "List", "items": [NODES["n1"]]}


def test_names(run: Run, server: FakeServer) -> None:
    result = run("get", "pods", "-A", "-o", "name", "-s", server.address)
    assert result.stdout.splitlines() == ["pods/default/web-0", "pods/default/web-1", "pods/kube-system/dns"]


def test_what_is_not_there(run: Run, server: FakeServer) -> None:
    result = run("get", "pods", "nobody", "-s", server.address)
    assert (result.exit_code, result.stdout) == (1, "")
    assert "error: topic pods has no 'nobody' in namespace default" in result.stderr
    empty = run("get", "pods", "-n", "nowhere", "-s", server.address)
    assert (empty.exit_code, empty.stdout) == (0, "")
    assert empty.stderr == "no entries in namespace nowhere; -A shows all namespaces\n"


def test_contradictions(run: Run, server: FakeServer) -> None:
    assert run("get", "pods", "-A", "-n", "x", "-s", server.address).exit_code == 2
    assert run("get", "pods", "web-0", "-A", "-s", server.address).exit_code == 2


def test_an_object_cannot_speak_to_the_terminal(run: Run, server: FakeServer) -> None:
    server.put("pods", "default/evil", {"spec": {"nodeName": "\x1b[31mred\n[bold]x"}})
    result = run("get", "pods", "evil", "-s", server.address)
    assert "\x1b" not in result.stdout
    assert "\\x1b[31mred\\n[bold]x" in result.stdout
