"""The rule and the policy that Felix reads: what every kind of policy becomes, whatever API it was written in.

Place: built by `rules` and by the policy converters, encoded into the values under `/calico/v1/policy/`.

Invariants
1. Field names and what is left out are those of libcalico-go `backend/model` (`Rule`, `Policy`): all but `selector` is
   left out when zero, where an empty list counts as zero and a number 0 behind a pointer (`order`, ICMP) does not.
2. Lists are None, never empty: `[]` would be written.
3. Ports are numbers, `"low:high"` or names; protocols numbers or lower-case names (see `ports`).

Road not taken: the fields that v1 keeps for data older than v3 (`src_tag`, `src_net`, ...): no conversion fills them.
"""

from __future__ import annotations

from typing import Any

import msgspec

__all__ = ["HTTPMatch", "HTTPPath", "Policy", "Rule", "RuleMetadata"]


class HTTPPath(msgspec.Struct, omit_defaults=True, frozen=True):
    """One of an exact path and a prefix."""

    exact: str = ""
    prefix: str = ""


class HTTPMatch(msgspec.Struct, omit_defaults=True, frozen=True):
    """Methods and paths of HTTP requests."""

    methods: list[str] | None = None
    paths: list[HTTPPath] | None = None


class RuleMetadata(msgspec.Struct, omit_defaults=True, frozen=True):
    """Notes that reach flow logs."""

    annotations: dict[str, str] | None = None


class Rule(msgspec.Struct, omit_defaults=True, kw_only=True):
    """`model.Rule`. The `orig_` fields are the v3 texts that `src_selector` and `dst_selector` were joined from."""

    action: str = ""
    ip_version: int | None = None
    protocol: int | str | None = None
    not_protocol: int | str | None = msgspec.field(default=None, name="!protocol")
    icmp_type: int | None = None
    icmp_code: int | None = None
    not_icmp_type: int | None = msgspec.field(default=None, name="!icmp_type")
    not_icmp_code: int | None = msgspec.field(default=None, name="!icmp_code")

    src_nets: list[str] | None = None
    src_selector: str = ""
    src_ports: list[int | str] | None = None
    src_service: str = ""
    src_service_ns: str = ""
    dst_selector: str = ""
    dst_nets: list[str] | None = None
    dst_ports: list[int | str] | None = None
    dst_service: str = ""
    dst_service_ns: str = ""

    not_src_nets: list[str] | None = msgspec.field(default=None, name="!src_nets")
    not_src_selector: str = msgspec.field(default="", name="!src_selector")
    not_src_ports: list[int | str] | None = msgspec.field(default=None, name="!src_ports")
    not_dst_selector: str = msgspec.field(default="", name="!dst_selector")
    not_dst_nets: list[str] | None = msgspec.field(default=None, name="!dst_nets")
    not_dst_ports: list[int | str] | None = msgspec.field(default=None, name="!dst_ports")

    orig_src_selector: str = ""
    orig_src_namespace_selector: str = ""
    orig_dst_selector: str = ""
    orig_dst_namespace_selector: str = ""
    not_orig_src_selector: str = msgspec.field(default="", name="!orig_src_selector")
    not_orig_dst_selector: str = msgspec.field(default="", name="!orig_dst_selector")
    orig_src_service_acct_names: list[str] | None = None
    orig_src_service_acct_selector: str = ""
    orig_dst_service_acct_names: list[str] | None = None
    orig_dst_service_acct_selector: str = ""

    http: HTTPMatch | None = None
    metadata: RuleMetadata | None = None


class Policy(msgspec.Struct, omit_defaults=True, kw_only=True):
    """`model.Policy`. `order` is an integer where it is whole (see `values.whole`); `types` are lower case."""

    namespace: str = ""
    tier: str = ""
    order: Any = None
    inbound_rules: list[Rule] | None = None
    outbound_rules: list[Rule] | None = None
    selector: str  # no default: always written
    untracked: bool = False
    pre_dnat: bool = False
    apply_on_forward: bool = False
    types: list[str] | None = None
    performance_hints: list[str] | None = None
    staged_action: str | None = None
