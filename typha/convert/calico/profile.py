"""Namespaces and service accounts to profiles: what gives their labels, and their default rules, to endpoints.

Place: topics `profiles.namespaces` and `profiles.serviceaccounts` of the feed `felix`. Source: rules 4.5, 4.9
(Validation filter).

Invariants
1. An object gives up to three keys, all from its name (`keys_of`): labels, rules, the v3 object.
2. A namespace allows all both ways; a service account has no rules, and its value of none is still sent.
3. A label cannot pretend to be the name: that one is set last.
4. The v3 object alone is left out where Calico's validation refuses it (a label grown too long by its prefix, or a
   name too long for one); labels and rules go all the same. An object without a UUID to turn around is refused.

Road not taken: one converter of both resources. They are watched apart, and a topic has one watch.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from typha.convert.calico import keys
from typha.convert.calico.fields import canonical_time
from typha.convert.calico.metadata import API_VERSION, is_label_value, is_qualified
from typha.convert.calico.text import uid
from typha.convert.calico.values import decoder_of, encode
from typha.convert.converter import ConversionError, Converted, form_of

__all__ = ["NamespaceProfiles", "ServiceAccountProfiles", "keys_of"]

_DEFAULT_ALLOW: Final = "projectcalico-default-allow"
_NAME_LABEL: Final = "projectcalico.org/name"


class _SourceMetadata(msgspec.Struct, gc=False, rename="camel"):
    uid: str = ""
    creation_timestamp: str | None = None
    labels: dict[str, str] | None = None


class _Source(msgspec.Struct, gc=False):
    metadata: _SourceMetadata


class _V3Rule(msgspec.Struct, gc=False, frozen=True):
    action: str


class _V3Metadata(msgspec.Struct, gc=False, omit_defaults=True, rename="camel"):
    name: str
    uid: str = ""
    creation_timestamp: str | None = None


class _V3Spec(msgspec.Struct, gc=False, omit_defaults=True, rename="camel"):
    ingress: Sequence[_V3Rule] = ()
    egress: Sequence[_V3Rule] = ()
    labels_to_apply: dict[str, str] = {}


class _V3Profile(msgspec.Struct, gc=False):
    metadata: _V3Metadata
    spec: _V3Spec
    kind: str = "Profile"
    api_version: str = msgspec.field(default=API_VERSION, name="apiVersion")


_decode: Final = decoder_of(_Source)

_ALLOW_ALL: Final = (_V3Rule("Allow"),)
_ALLOW_RULES: Final = encode({"inbound_rules": [{"action": "allow"}], "outbound_rules": [{"action": "allow"}]})
_NO_RULES: Final = encode({})


def keys_of(object_name: str) -> Sequence[str]:
    """The keys of a service account (`namespace/name`) or a namespace (`name`): labels, rules, v3 object."""
    namespace, separator, name = object_name.partition("/")
    profile = f"ksa.{namespace}.{name}" if separator else f"kns.{object_name}"
    return _keys(profile)


def _keys(profile: str) -> tuple[str, str, str]:
    path = f"/calico/v1/policy/profile/{profile}"
    return f"{path}/labels", f"{path}/rules", keys.v3("profiles", profile)


class NamespaceProfiles:
    """Profiles `kns.NAMESPACE`, and the one that is always there."""

    def __init__(self, group: str = "") -> None:
        self.attributes: tuple[str, ...] = ("namespace",)
        self.form = form_of(converter="calico/namespace_profile", version=1, group=group)
        _, rules, v3 = _keys(_DEFAULT_ALLOW)
        profile = _V3Profile(_V3Metadata(_DEFAULT_ALLOW), _V3Spec(_ALLOW_ALL, _ALLOW_ALL))
        self.standing: Sequence[Converted] = (
            Converted(rules, _ALLOW_RULES, (None,)),
            Converted(v3, encode(profile), (None,)),
        )

    def convert(self, object_name: str, raw: bytes) -> Sequence[Converted]:
        """The entries of the namespace. Raises ConversionError."""
        metadata = _decode(raw).metadata
        spec = _V3Spec(_ALLOW_ALL, _ALLOW_ALL, _prefixed(metadata.labels, "pcns.", object_name))
        return _entries(f"kns.{object_name}", metadata, spec, _ALLOW_RULES, object_name)


class ServiceAccountProfiles:
    """Profiles `ksa.NAMESPACE.NAME`."""

    def __init__(self, group: str = "") -> None:
        self.attributes: tuple[str, ...] = ("namespace",)
        self.standing: Sequence[Converted] = ()
        self.form = form_of(converter="calico/service_account_profile", version=1, group=group)

    def convert(self, object_name: str, raw: bytes) -> Sequence[Converted]:
        """The entries of the service account. Raises ConversionError."""
        namespace, _, name = object_name.partition("/")
        metadata = _decode(raw).metadata
        spec = _V3Spec(labels_to_apply=_prefixed(metadata.labels, "pcsa.", name))
        return _entries(f"ksa.{namespace}.{name}", metadata, spec, _NO_RULES, namespace)


def _prefixed(labels: Mapping[str, str] | None, prefix: str, name: str) -> dict[str, str]:
    """All labels with the prefix and the name's own, in sorted order."""
    prefixed = {prefix + label: value for label, value in (labels or {}).items()}
    prefixed[prefix + _NAME_LABEL] = name
    return dict(sorted(prefixed.items()))


def _entries(profile: str, source: _SourceMetadata, spec: _V3Spec, rules: bytes, namespace: str) -> Sequence[Converted]:
    labels_key, rules_key, v3_key = _keys(profile)
    attributes = (namespace,)
    identity = _reversed(source.uid)
    created = canonical_time(source.creation_timestamp or None, "metadata.creationTimestamp")
    metadata = _V3Metadata(profile, identity, created)
    entries = [
        Converted(labels_key, encode(spec.labels_to_apply), attributes),
        Converted(rules_key, rules, attributes),
    ]
    if all(is_qualified(name) and is_label_value(value) for name, value in spec.labels_to_apply.items()):
        entries.append(Converted(v3_key, encode(_V3Profile(metadata, spec)), attributes))
    return entries


def _reversed(text: str) -> str:
    try:
        return uid.reverse(text)
    except ValueError:
        raise ConversionError("metadata.uid: is missing or is not a UUID") from None
