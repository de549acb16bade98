"""Profiles: what the corpus (profiles/*) does not show."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from typha.convert.calico.profile import NamespaceProfiles, ServiceAccountProfiles, keys_of
from typha.convert.converter import ConversionError, Converted, Converter

UID = "01020304-0506-4708-9009-0a0b0c0d0e0f"
CONVERTERS: tuple[Converter, Converter] = (NamespaceProfiles(), ServiceAccountProfiles())
JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


def _raw(**metadata: Any) -> bytes:
    return json.dumps({"metadata": {"uid": UID, **metadata}}).encode()


def _values(entries: Any) -> dict[str, Any]:
    return {entry.key: msgspec.msgpack.decode(entry.value) for entry in entries}


def test_the_standing_profile_has_rules_and_no_labels() -> None:
    allow = [{"action": "allow"}]
    v3 = {
        "kind": "Profile",
        "apiVersion": "projectcalico.org/v3",
        "metadata": {"name": "projectcalico-default-allow"},
        "spec": {"ingress": [{"action": "Allow"}], "egress": [{"action": "Allow"}]},
    }
    standing = NamespaceProfiles().standing
    assert _values(standing) == {
        "/calico/v1/policy/profile/projectcalico-default-allow/rules": {
            "inbound_rules": allow,
            "outbound_rules": allow,
        },
        "/calico/resources/v3/projectcalico.org/profiles/projectcalico-default-allow": v3,
    }
    assert {entry.attributes for entry in standing} == {(None,)}
    assert ServiceAccountProfiles().standing == ()


def test_keys_follow_from_the_name() -> None:
    assert keys_of("team") == (
        "/calico/v1/policy/profile/kns.team/labels",
        "/calico/v1/policy/profile/kns.team/rules",
        "/calico/resources/v3/projectcalico.org/profiles/kns.team",
    )
    assert keys_of("team/api.v2")[0] == "/calico/v1/policy/profile/ksa.team.api.v2/labels"
    for converter, name in zip(CONVERTERS, ("team", "team/api.v2"), strict=True):
        assert tuple(entry.key for entry in converter.convert(name, _raw())) == tuple(keys_of(name))


def test_both_are_filtered_by_namespace() -> None:
    for converter, name in zip(CONVERTERS, ("team", "team/api"), strict=True):
        assert converter.attributes == ("namespace",)
        assert {entry.attributes for entry in converter.convert(name, _raw())} == {("team",)}


def test_forms_tell_converters_apart() -> None:
    assert NamespaceProfiles().form == CONVERTERS[0].form != CONVERTERS[1].form
    assert NamespaceProfiles("other").form != CONVERTERS[0].form
    assert ServiceAccountProfiles("other").form != CONVERTERS[1].form


@pytest.mark.parametrize(
    ("uid", "turned"),
    [
        (UID, "8040c020-a060-4710-9090-50d030b070f0"),
        ("FFFE0000-0080-4001-8001-0000000000AB", "ff7f0000-0001-4080-8080-0000000000d5"),
    ],
)
def test_the_uid_is_turned_around(uid: str, turned: str) -> None:
    entries = CONVERTERS[0].convert("team", _raw(uid=uid))
    assert _values(entries)[keys_of("team")[2]]["metadata"] == {"name": "kns.team", "uid": turned}


@pytest.mark.parametrize("uid", ["", "not-a-uid", UID[:-1]])
def test_no_uid_no_profile(uid: str) -> None:
    for converter in CONVERTERS:
        with pytest.raises(ConversionError, match=r"^metadata\.uid: is missing or is not a UUID$"):
            converter.convert("team/api", _raw(uid=uid))


def test_times_are_canonical() -> None:
    for text, time in (("2026-01-01T02:00:00.5+02:00", "2026-01-01T00:00:00Z"), ("2026-01-01T00:00:00Z",) * 2):
        entries = CONVERTERS[0].convert("team", _raw(creationTimestamp=text))
        assert _values(entries)[keys_of("team")[2]]["metadata"]["creationTimestamp"] == time
    for nothing in (None, ""):
        entries = CONVERTERS[0].convert("team", _raw(creationTimestamp=nothing))
        assert "creationTimestamp" not in _values(entries)[keys_of("team")[2]]["metadata"]
    with pytest.raises(ConversionError, match=r"metadata\.creationTimestamp: "):
        CONVERTERS[0].convert("team", _raw(creationTimestamp="yesterday"))


def test_the_order_of_labels_does_not_matter() -> None:
    one, other = _raw(labels={"a": "1", "b": "2", "z": "3"}), _raw(labels={"z": "3", "b": "2", "a": "1"})
    for converter in CONVERTERS:
        assert converter.convert("team/api", one) == converter.convert("team/api", other)


@given(
    JSON
    | st.fixed_dictionaries({"metadata": JSON})
    | st.fixed_dictionaries(
        {"metadata": st.fixed_dictionaries({"uid": st.just(UID)}, optional={"labels": JSON, "creationTimestamp": JSON})}
    )
)
def test_anything_converts_or_is_refused(written: Any) -> None:
    raw = json.dumps(written).encode()
    for converter in CONVERTERS:
        first, second = _attempt(converter, raw), _attempt(converter, raw)
        assert first == second


@pytest.mark.parametrize(
    "raw", [b"", b"{", b"[" * 100_000, b'{"metadata":{"uid":"\xff"}}', b'{"metadata":{"labels":{"a":"\\ud800"}}}']
)
def test_hostile_bytes(raw: bytes) -> None:
    for converter in CONVERTERS:
        with pytest.raises(ConversionError):
            converter.convert("team/api", raw)


def _attempt(converter: Converter, raw: bytes) -> list[Converted] | str:
    try:
        return list(converter.convert("team/api", raw))
    except ConversionError as error:
        return error.reason
