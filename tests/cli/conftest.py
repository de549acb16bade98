"""A server of topics for the commands, and how they are run."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator

import pytest
from typer.testing import CliRunner, Result

from typha.cli.main import app
from typha_client.testing import FakeServer

Run = Callable[..., Result]

PODS = {
    "default/web-0": {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"labels": {"app": "web"}},
        "spec": {"nodeName": "n1"},
        "status": {"phase": "Running", "podIP": "10.0.0.1"},
    },
    "default/web-1": {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"labels": {"app": "wéb"}},
        "spec": {"nodeName": "n2"},
        "status": {"phase": "Pending"},
    },
    "kube-system/dns": {"apiVersion": "v1", "kind": "Pod", "spec": {"nodeName": "n1"}, "status": {"phase": "Running"}},
}
NODES = {"n1": {"apiVersion": "v1", "kind": "Node", "spec": {"podCIDR": "10.0.0.0/24", "unschedulable": True}}}


@pytest.fixture(autouse=True)
def _quiet_client_ends_with_the_test() -> Iterator[None]:
    logger = logging.getLogger("typha_client")
    level = logger.level
    yield
    logger.setLevel(level)


@pytest.fixture
def server() -> Iterator[FakeServer]:
    with FakeServer(
        {"pods": PODS, "nodes": NODES},
        feeds={"inventory": ["pods", "nodes"]},
        filters={"pods": {"node": "spec.nodeName", "labels": "metadata.labels"}},
    ) as server:
        yield server


@pytest.fixture
def run() -> Run:
    def run(*arguments: str, **environment: str) -> Result:
        return CliRunner().invoke(app, list(arguments), env=environment)

    return run
