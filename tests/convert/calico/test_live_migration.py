from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from typha.convert.calico.live_migration import LiveMigrations, keys_of
from typha.convert.calico.text.selector import parse
from typha.convert.converter import ConversionError

UID = "00112233-4455-4677-8899-aabbccddeeff"


def raw(machine: str = "vm", uid: str = UID, phase: str = "Running") -> bytes:
    metadata = {"name": "m", "namespace": "ns", "uid": uid}
    return json.dumps({"metadata": metadata, "spec": {"vmiName": machine}, "status": {"phase": phase}}).encode()


def value(raw_migration: bytes) -> Any:
    [entry] = LiveMigrations().convert("ns/m", raw_migration)
    assert entry.key == keys_of("ns/m")[0] == "/calico/resources/v3/projectcalico.org/livemigrations/ns/m"
    assert entry.attributes == ("ns",)
    return msgspec.msgpack.decode(entry.value)


def test_the_selector_parses() -> None:
    selector = value(raw())["spec"]["target"]["selector"]
    assert selector == f"vmi.kubevirt.io/id == 'vm' && kubevirt.io/migrationJobUID == '{UID}'"
    parse(selector)


def test_without_a_uid_there_is_none() -> None:
    assert LiveMigrations().convert("ns/m", raw(uid="")) == ()


@pytest.mark.parametrize(("machine", "uid"), [("v'm", UID), ("'", UID), ("vm", "x' || all() || a == 'b")])
def test_a_quote_never_widens(machine: str, uid: str) -> None:
    with pytest.raises(ConversionError):
        LiveMigrations().convert("ns/m", raw(machine, uid))


def test_phases_are_exact() -> None:
    for phase in ("", "running", "RUNNING", "Running ", "PendingTarget", "PreparingTargetX"):
        assert LiveMigrations().convert("ns/m", raw(phase=phase)) == ()
