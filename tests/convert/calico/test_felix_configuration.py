"""FelixConfiguration: the table as a whole, the bounds of validation, and what holds for any object.

What single values become is in the corpus, room `config`.
"""

from __future__ import annotations

import contextlib
import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from typha.convert.calico.configuration.checks import between, one_of
from typha.convert.calico.configuration.fields import FIELDS
from typha.convert.calico.configuration.objects import Field
from typha.convert.calico.felix_configuration import FelixConfigurations
from typha.convert.converter import ConversionError

V3 = "/calico/resources/v3/projectcalico.org/felixconfigurations"
converter = FelixConfigurations("projectcalico.org")


def held(object_name: str, spec: Any, **metadata: Any) -> dict[str, Any]:
    raw = json.dumps({"metadata": {"name": object_name, **metadata}, "spec": spec}).encode()
    return {entry.key: msgspec.msgpack.decode(entry.value) for entry in converter.convert(object_name, raw)}


def held_or_reason(object_name: str, spec: Any) -> dict[str, Any] | str:
    try:
        return held(object_name, spec)
    except ConversionError as error:
        return error.reason


def reason(object_name: str, spec: Any) -> str:
    with pytest.raises(ConversionError) as caught:
        held(object_name, spec)
    assert caught.value.keys == ()
    return caught.value.reason


def test_names_are_distinct_on_both_sides() -> None:
    assert len({field.name for field in FIELDS}) == len({field.key for field in FIELDS}) == len(FIELDS) == 181


# Where Calico's tag `confignamev1`, or its own spelling of the field, gives another name than the field's in JSON.
RENAMED = {
    "iptablesPostWriteCheckInterval": "IptablesPostWriteCheckIntervalSecs",
    "iptablesLockProbeInterval": "IptablesLockProbeIntervalMillis",
    "netlinkTimeout": "NetlinkTimeoutSecs",
    "ipipEnabled": "IpInIpEnabled",
    "ipipMTU": "IpInIpMtu",
    "reportingInterval": "ReportingIntervalSecs",
    "reportingTTL": "ReportingTTLSecs",
    "endpointReportingDelay": "EndpointReportingDelaySecs",
    "usageReportingInitialDelay": "UsageReportingInitialDelaySecs",
    "usageReportingInterval": "UsageReportingIntervalSecs",
    "externalNodesList": "ExternalNodesCIDRList",
    "bpfConntrackMode": "BPFConntrackCleanupMode",
    "wireguardKeepAlive": "WireguardPersistentKeepAlive",
    "nodeSelector": "",
}


def test_a_key_is_called_as_its_field_but_for_capitals_and_a_few() -> None:
    for field in FIELDS:
        expected = RENAMED.get(field.name)
        assert field.key == expected if expected is not None else field.key.lower() == field.name.lower(), field.name


def test_each_entry_has_its_node() -> None:
    raw = b'{"metadata":{"name":"x"},"spec":{"vxlanVNI":1}}'
    for object_name, node in (("node.n1", "n1"), ("default", None), ("gpu", None)):
        [entry] = converter.convert(object_name, raw)
        assert dict(zip(converter.attributes, entry.attributes, strict=True)) == {"node": node}


def test_the_form_names_the_group() -> None:
    assert converter.form == FelixConfigurations("projectcalico.org").form
    assert converter.form != FelixConfigurations("crd.projectcalico.org").form


def test_a_name_without_a_node() -> None:
    assert reason("node.", {"vxlanVNI": 1}) == "metadata.name: no node is named after node."


def test_an_object_of_the_crd_group_needs_a_uid_everywhere() -> None:
    with pytest.raises(ConversionError, match=r"metadata\.uid"):
        FelixConfigurations("crd.projectcalico.org").convert("default", b'{"metadata":{"uid":"x"}}')


def test_the_first_wrong_field_of_the_table_is_named() -> None:
    assert reason("default", {"vxlanVNI": "x", "bpfEnabled": 1}).startswith("spec.vxlanVNI: ")


PORT = (1, 65535)
PRIORITY = (1, 2147483646)


@pytest.mark.parametrize(
    ("field", "low", "high"),
    [
        ("debugPort", 0, 65535),
        ("bpfExtToServiceConnmark", 0, 4294967295),
        ("bpfKubeProxyHealthzPort", 0, 65535),
        ("bpfMapSizeConntrackCleanupQueue", 1, None),
        ("ipv4NormalRoutePriority", *PRIORITY),
        ("ipv4ElevatedRoutePriority", *PRIORITY),
        ("ipv6NormalRoutePriority", *PRIORITY),
        ("ipv6ElevatedRoutePriority", *PRIORITY),
        ("wireguardListeningPort", *PORT),
        ("wireguardListeningPortV6", *PORT),
        ("wireguardRoutingRulePriority", 1, 32765),
        ("goGCThreshold", -1, None),
        ("goMemoryLimitMB", -1, None),
        ("goMaxProcs", -1, None),
        ("bpfMaglevMaxEndpointsPerService", 1, 3000),
        ("bpfMaglevMaxServices", 1, 3000),
    ],
)
def test_numbers_of_whole_objects_have_bounds_and_keys_have_none(field: str, low: int, high: int | None) -> None:
    for value in (low, high or 2**62):
        assert held("gpu", {field: value})[f"{V3}/gpu"]["spec"][field] == value
    for value in (low - 1, high + 1 if high is not None else low - 2):
        assert reason("gpu", {field: value}) == f"spec.{field}: out of {low}..{'' if high is None else high}"
        assert [*held("default", {field: value}).values()] == [str(value)]


ON_OFF = ("Enabled", "Disabled")


@pytest.mark.parametrize(
    ("field", "words"),
    [
        (
            "prometheusMetricsClientAuth",
            ("RequireAndVerifyClientCert", "RequireAnyClientCert", "VerifyClientCertIfGiven", "NoClientCert"),
        ),
        ("natOutgoingExclusions", ("IPPoolsOnly", "IPPoolsAndHostIPs")),
        ("bpfJITHardening", ("Auto", "Strict")),
        ("bpfConntrackLogLevel", ("Off", "Debug")),
        ("bpfConntrackMode", ("Auto", "Userspace", "BPFProgram")),
        ("bpfConnectTimeLoadBalancing", ("TCP", *ON_OFF)),
        ("bpfHostNetworkedNATWithoutCTLB", ON_OFF),
        ("bpfAttachType", ("TC", "TCX")),
        ("awsSrcDstCheck", ("DoNothing", "Enable", "Disable")),
        ("serviceLoopPrevention", ("Drop", "Reject", "Disabled")),
        ("workloadSourceSpoofing", ("Disabled", "Any")),
        ("windowsManageFirewallRules", ON_OFF),
    ],
)
def test_words_of_whole_objects_are_checked_and_keys_take_any(field: str, words: tuple[str, ...]) -> None:
    for word in words:
        assert held("gpu", {field: word})[f"{V3}/gpu"]["spec"][field] == word
    assert reason("gpu", {field: "Other"}) == f"spec.{field}: none of {', '.join(words)}"
    assert [*held("default", {field: "Other"}).values()] == ["Other"]


@pytest.mark.parametrize(
    ("field", "good", "bad"),
    [
        ("featureDetectOverride", ["a=b", "a=", "a=b,,c=d,"], ["a", "a=b,c"]),
        ("featureGates", ["a=b"], ["a"]),
        ("openstackRegion", ["a", "0", "a-b", "a" * 46], ["A", "-a", "a-", "a" * 47, "a.b"]),
        ("prometheusMetricsHost", ["a", "fd00::1", "h_1.b+c-d", "a" * 64], ["a b", "a" * 65, "a/b"]),
        ("natOutgoingAddress", ["10.0.0.1"], ["fd00::1", "10.0.0.1/32", "x"]),
        ("deviceRouteSourceAddress", ["10.0.0.1"], ["fd00::1"]),
        ("deviceRouteSourceAddressIPv6", ["fd00::1"], ["10.0.0.1"]),
        ("externalNodesList", [["10.0.0.1", "10.0.0.0/8"], []], [["fd00::1"], ["x"], ["10.0.0.1", "x"]]),
        ("bpfDSROptoutCIDRs", [["10.0.0.1", "fd00::/8"], []], [["x"]]),
        ("bpfExcludeCIDRsFromNAT", [["10.0.0.1", "fd00::/8"], []], [["x"]]),
        ("bpfForceTrackPacketsFromIfaces", [["docker+", "a:b.c_d-e"], []], [[""], ["a" * 16], ["a*"]]),
        ("iptablesNATOutgoingInterfaceFilter", ["eth+", "a" * 15], ["a" * 16, "eth*"]),
        ("wireguardInterfaceName", ["wg.cali", "a" * 15], ["a" * 16, "wg+"]),
        ("wireguardInterfaceNameV6", ["wg_v6-cali"], ["wg:v6"]),
        ("kubeNodePortRanges", [[1, "2:3"], []], [[0], ["0:3"], ["http"]]),
        ("natPortRange", [1, "1:2", "http"], [0, "0:2"]),
        ("bpfPSNATPorts", [65535], [0]),
        ("nodeSelector", ["", "all()", "a == 'b'"], ["a ==", "a in", "("]),
        ("routeTableRanges", [[{"min": 1, "max": 65535}]], [[{"min": 1, "max": 65535}, {"min": 7, "max": 7}]]),
    ],
)
def test_other_checks_of_whole_objects(field: str, good: list[Any], bad: list[Any]) -> None:
    for value in good:
        assert held("gpu", {field: value})[f"{V3}/gpu"]["spec"][field] == value, value
    for value in bad:
        assert reason("gpu", {field: value}).startswith(f"spec.{field}: "), value
        held("default", {field: value})


@pytest.mark.parametrize("field", FIELDS, ids=[field.name for field in FIELDS])
def test_null_is_as_good_as_absent(field: Field) -> None:
    assert held("default", {field.name: None}) == {}
    assert held("gpu", {field.name: None}) == held("gpu", {})


def test_a_port_that_is_a_name() -> None:
    assert held("default", {"natPortRange": "X", "kubeNodePortRanges": ["X0X"]}) == {
        "/calico/v1/config/NATPortRange": "X",
        "/calico/v1/config/KubeNodePortRanges": "[X0X]",
    }


def test_reasons_of_ports() -> None:
    for written, text in (
        ("0:0", "range: a port is out of 1..65535"),
        ("0:x", "a range of ports has no two numbers"),
        (65535 + 1, "Expected `int` <= 65535"),
        ("1:0", "port: a port is out of 1..65535"),
    ):
        assert reason("default", {"natPortRange": written}) == f"spec.natPortRange: {text}"


def test_ends_of_route_tables_that_are_absent_are_zero() -> None:
    most = [{"max": 65532}, {"min": -1}]
    found = held("gpu", {"routeTableRanges": most})[f"{V3}/gpu"]["spec"]["routeTableRanges"]
    assert found == [{"min": 0, "max": 65532}, {"min": -1, "max": 0}]
    assert reason("gpu", {"routeTableRanges": [*most, {}]}) == "spec.routeTableRanges: more than 65535 tables"


def test_checks_alone() -> None:
    between(1, None)(1)
    between(1, 2)(2)
    one_of("a", "b")("b")
    with pytest.raises(ConversionError, match=r"^out of 1\.\.$"):
        between(1, None)(0)
    with pytest.raises(ConversionError, match=r"^out of 1\.\.2$"):
        between(1, 2)(3)
    with pytest.raises(ConversionError, match=r"^none of a, b$"):
        one_of("a", "b")("c")


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)
names = st.sampled_from(["default", "node.n1", "gpu"])
likely_texts = st.sampled_from(["", "5s", "1h", "80:90", "0", "tcp", "10.0.0.0/8", "Auto", "all()"])
specs = st.dictionaries(st.sampled_from([field.name for field in FIELDS]), json_values | likely_texts, max_size=8)


@given(names, specs)
def test_any_spec_converts_or_is_refused_with_a_field(object_name: str, spec: dict[str, Any]) -> None:
    found = held_or_reason(object_name, spec)
    if isinstance(found, str):
        assert found.startswith("spec.")
        return
    if object_name != "gpu":
        assert all(isinstance(value, str) and value for value in found.values())
        assert len(found) <= len(spec)
    else:
        assert set(found[f"{V3}/gpu"]["spec"]) <= {*spec, "bpfLogLevel"}


@given(specs)
def test_the_order_of_fields_does_not_matter(spec: dict[str, Any]) -> None:
    backwards = dict(reversed(spec.items()))
    try:
        expected = held("gpu", spec)
    except ConversionError:
        with pytest.raises(ConversionError):
            held("gpu", backwards)
        return
    assert held("gpu", backwards) == expected


@given(specs)
def test_a_whole_object_converts_to_itself(spec: dict[str, Any]) -> None:
    try:
        found = held("gpu", spec)[f"{V3}/gpu"]["spec"]
    except ConversionError:
        return
    assert held("gpu", found)[f"{V3}/gpu"]["spec"] == found


@given(specs)
def test_the_canonical_object_gives_the_same_keys(spec: dict[str, Any]) -> None:
    try:
        canonical = held("gpu", spec)[f"{V3}/gpu"]["spec"]
    except ConversionError:
        return
    assert held("node.n1", canonical) == held("node.n1", spec)


@given(st.binary(max_size=40) | json_values.map(lambda value: json.dumps(value).encode()))
def test_any_bytes_convert_or_are_refused(raw: bytes) -> None:
    with contextlib.suppress(ConversionError):
        converter.convert("default", raw)
