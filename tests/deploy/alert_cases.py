"""For each alert series with which it fires, and series close to them with which it does not.

Values are promtool's: `1x10` is 1 and ten more of it, `0+6x10` counts up by 6; one value a minute. Where a case tells
no server, there is one: `pod="typha-0"`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

SERVER: Final = 'namespace="typha-system",job="typha-system/typha",pod="typha-0",instance="10.0.0.1:9095"'
OTHER: Final = 'namespace="typha-system",job="typha-system/typha",pod="typha-1",instance="10.0.0.2:9095"'


class Case(NamedTuple):
    """`series` maps a metric with its labels to values; `fires` is None, or the labels by which it is told apart."""

    alert: str
    at: str
    fires: Mapping[str, str] | None
    series: Mapping[str, str]


NOTHING: Final[Mapping[str, str]] = {}


def one(metric: str, labels: str = "", of: str = SERVER) -> str:
    """A series of one server."""
    return f"{metric}{{{of}{',' if labels else ''}{labels}}}"


def latency(name: str, quick: str, slow: str) -> dict[str, str]:
    """A histogram in which so many a minute are quick (at most 1 ms) and the others take from 10 to 30 s, or longer."""
    return {
        one(f"{name}_bucket", 'le="0.001"'): quick,
        one(f"{name}_bucket", 'le="10.0"'): quick,
        one(f"{name}_bucket", 'le="30.0"'): slow,
        one(f"{name}_bucket", 'le="+Inf"'): "0+1000x60",
        one(f"{name}_count"): "0+1000x60",
    }


ALL_QUICK, MOST_QUICK, FEW_SLOW = "0+1000x60", "0+995x60", "0+980x60"
POD: Final = {"pod": "typha-0"}
EXPIRY: Final = "typha_tls_certificate_expiry_timestamp_seconds"
STATE: Final = {"topic": "pods", "state": "stale"}

CASES: Final = (
    Case("TyphaNoServerReady", "2m", NOTHING, {one("typha_ready"): "0x10", one("typha_ready", of=OTHER): "0x10"}),
    Case("TyphaNoServerReady", "2m", NOTHING, {}),
    Case("TyphaNoServerReady", "5m", None, {one("typha_ready"): "0x10", one("typha_ready", of=OTHER): "1x10"}),
    Case("TyphaNoServerReady", "3m", None, {one("typha_ready"): "1 1 1 0 1 1"}),
    Case("TyphaServerNotReady", "11m", POD, {one("typha_ready"): "0x20", one("typha_draining"): "0x20"}),
    Case("TyphaServerNotReady", "11m", None, {one("typha_ready"): "0x20", one("typha_draining"): "1x20"}),
    Case("TyphaServerNotReady", "9m", None, {one("typha_ready"): "0x20", one("typha_draining"): "0x20"}),
    Case("TyphaTopicNotInSync", "3m", STATE, {one("typha_topic_state", 'topic="pods",state="stale"'): "1x10"}),
    Case("TyphaTopicNotInSync", "3m", None, {one("typha_topic_state", 'topic="pods",state="in_sync"'): "1x10"}),
    Case("TyphaTopicNotInSync", "3m", None, {one("typha_topic_state", 'topic="pods",state="absent"'): "1x10"}),
    Case("TyphaTopicNotInSync", "3m", None, {one("typha_topic_state", 'topic="pods",state="syncing"'): "1 1 0 0 0"}),
    Case(
        "TyphaNoContact", "5m", NOTHING, {one("typha_upstream_contact_age_seconds", 'resource="v1/pods"'): "10+60x10"}
    ),
    Case("TyphaNoContact", "5m", None, {one("typha_upstream_contact_age_seconds", 'resource="v1/pods"'): "10 70 1x10"}),
    Case(
        "TyphaUpstreamErrors",
        "30m",
        {"resource": "v1/pods", "kind": "ForbiddenError"},
        {one("typha_upstream_errors_total", 'resource="v1/pods",kind="ForbiddenError"'): "0+6x60"},
    ),
    Case(
        "TyphaUpstreamErrors",
        "30m",
        None,
        {one("typha_upstream_errors_total", 'resource="v1/pods",kind="ConnectionLostError"'): "0+1x60"},
    ),
    Case(
        "TyphaRelisting",
        "40m",
        {"resource": "v1/pods"},
        {one("typha_upstream_relists_total", 'resource="v1/pods"'): "0+1x60"},
    ),
    Case("TyphaRelisting", "40m", None, {one("typha_upstream_relists_total", 'resource="v1/pods"'): "0x10 1x50"}),
    Case("TyphaChangesLate", "20m", NOTHING, latency("typha_event_to_socket_seconds", FEW_SLOW, ALL_QUICK)),
    Case("TyphaChangesLate", "20m", None, latency("typha_event_to_socket_seconds", MOST_QUICK, ALL_QUICK)),
    Case("TyphaChangesVeryLate", "20m", NOTHING, latency("typha_event_to_socket_seconds", FEW_SLOW, FEW_SLOW)),
    Case("TyphaChangesVeryLate", "20m", None, latency("typha_event_to_socket_seconds", FEW_SLOW, ALL_QUICK)),
    Case("TyphaLoopLate", "20m", POD, latency("typha_loop_lag_seconds", FEW_SLOW, ALL_QUICK)),
    Case("TyphaLoopLate", "20m", POD, {one("typha_loop_heartbeat_age_seconds"): "0+30x30"}),
    Case("TyphaLoopLate", "20m", None, latency("typha_loop_lag_seconds", MOST_QUICK, ALL_QUICK)),
    Case("TyphaLoopLate", "20m", None, {one("typha_loop_heartbeat_age_seconds"): "0.1x30"}),
    Case(
        "TyphaAgentsLagging",
        "15m",
        NOTHING,
        {one("typha_subscribers_lagging"): "30x20", one("typha_connections"): "200x20"},
    ),
    Case(
        "TyphaAgentsLagging",
        "15m",
        None,
        {one("typha_subscribers_lagging"): "10x20", one("typha_connections"): "200x20"},
    ),
    Case(
        "TyphaAgentsLagging", "15m", None, {one("typha_subscribers_lagging"): "2x20", one("typha_connections"): "4x20"}
    ),
    # 40 at a time and 2 a second: 20 s each; with 8 a second it is 5 s.
    Case(
        "TyphaSnapshotsSlow",
        "15m",
        NOTHING,
        {
            one("typha_joiners"): "30x20",
            one("typha_joiners_waiting"): "10x20",
            one("typha_joins_total", 'mode="snapshot"'): "0+120x20",
        },
    ),
    Case(
        "TyphaSnapshotsSlow",
        "15m",
        None,
        {
            one("typha_joiners"): "30x20",
            one("typha_joiners_waiting"): "10x20",
            one("typha_joins_total", 'mode="snapshot"'): "0+480x20",
        },
    ),
    Case(
        "TyphaSnapshotStorm",
        "50m",
        NOTHING,
        {one("typha_joins_total", 'mode="snapshot"'): "0+180x60", one("typha_connections"): "200x60"},
    ),
    Case(
        "TyphaSnapshotStorm",
        "50m",
        None,
        {one("typha_joins_total", 'mode="resume"'): "0+180x60", one("typha_connections"): "200x60"},
    ),
    # A rollout of all agents, once.
    Case(
        "TyphaSnapshotStorm",
        "50m",
        None,
        {one("typha_joins_total", 'mode="snapshot"'): "0x10 200 400 600x60", one("typha_connections"): "200x60"},
    ),
    Case("TyphaAgentsCutOff", "30m", {"code": "stuck"}, {one("typha_closes_total", 'code="stuck"'): "0+10x40"}),
    Case("TyphaAgentsCutOff", "30m", None, {one("typha_closes_total", 'code="by_client"'): "0+100x40"}),
    Case("TyphaAgentsCutOff", "30m", None, {one("typha_closes_total", 'code="stuck"'): "0x5 3x40"}),
    Case(
        "TyphaAgentsRefused",
        "40m",
        {"code": "overloaded"},
        {one("typha_refusals_total", 'code="overloaded"'): "0+10x60"},
    ),
    Case("TyphaAgentsRefused", "40m", None, {one("typha_refusals_total", 'code="draining"'): "0+10x60"}),
    Case(
        "TyphaProtocolErrors",
        "40m",
        {"code": "bad_payload"},
        {one("typha_protocol_errors_total", 'code="bad_payload"'): "0+6x60"},
    ),
    Case("TyphaProtocolErrors", "40m", None, {one("typha_protocol_errors_total", 'code="bad_payload"'): "0x5 3x60"}),
    Case(
        "TyphaNearlyFull", "10m", POD, {one("typha_connections"): "850x20", one("typha_connections_limit"): "1000x20"}
    ),
    Case(
        "TyphaNearlyFull", "10m", None, {one("typha_connections"): "800x20", one("typha_connections_limit"): "1000x20"}
    ),
    Case(
        "TyphaMemoryNearLimit",
        "20m",
        POD,
        {one("process_resident_memory_bytes"): "900x30", one("typha_memory_limit_bytes"): "1000x30"},
    ),
    Case(
        "TyphaMemoryNearLimit",
        "20m",
        None,
        {one("process_resident_memory_bytes"): "700x30", one("typha_memory_limit_bytes"): "1000x30"},
    ),
    Case("TyphaJoinsPaused", "5m", POD, {one("typha_joins_paused"): "1x10"}),
    Case("TyphaJoinsPaused", "5m", None, {one("typha_joins_paused"): "0 1 0 0 1 0 0x10"}),
    Case("TyphaPeersUnreachable", "20m", NOTHING, {one("typha_peers", 'state="unreachable"'): "1x30"}),
    # A rollout, and one that is not ready yet.
    Case("TyphaPeersUnreachable", "20m", None, {one("typha_peers", 'state="unreachable"'): "1x10 0x30"}),
    Case("TyphaPeersUnreachable", "20m", None, {one("typha_peers", 'state="not_ready"'): "1x30"}),
    Case(
        "TyphaFilesNearlyExhausted",
        "10m",
        POD,
        {one("process_open_fds"): "900x20", one("process_max_fds"): "1024x20", one("typha_ready"): "1x20"},
    ),
    Case(
        "TyphaFilesNearlyExhausted",
        "10m",
        None,
        {one("process_open_fds"): "600x20", one("process_max_fds"): "1024x20", one("typha_ready"): "1x20"},
    ),
    # Another program's process is none of ours.
    Case(
        "TyphaFilesNearlyExhausted",
        "10m",
        None,
        {
            'process_open_fds{job="other",instance="10.0.0.9:1"}': "900x20",
            'process_max_fds{job="other",instance="10.0.0.9:1"}': "1024x20",
            one("typha_ready"): "1x20",
        },
    ),
    Case(
        "TyphaUneven",
        "70m",
        NOTHING,
        {
            one("typha_connections"): "500x80",
            one("typha_connections", of=OTHER): "100x80",
            one("typha_ready"): "1x80",
            one("typha_ready", of=OTHER): "1x80",
        },
    ),
    # One that is not ready has none, and that is right.
    Case(
        "TyphaUneven",
        "70m",
        None,
        {
            one("typha_connections"): "500x80",
            one("typha_connections", of=OTHER): "1x80",
            one("typha_ready"): "1x80",
            one("typha_ready", of=OTHER): "0x80",
        },
    ),
    Case(
        "TyphaUneven",
        "70m",
        None,
        {
            one("typha_connections"): "30x80",
            one("typha_connections", of=OTHER): "10x80",
            one("typha_ready"): "1x80",
            one("typha_ready", of=OTHER): "1x80",
        },
    ),
    Case("TyphaQuarantine", "20m", {"topic": "pods"}, {one("typha_topic_quarantined_objects", 'topic="pods"'): "1x30"}),
    Case("TyphaQuarantine", "20m", None, {one("typha_topic_quarantined_objects", 'topic="pods"'): "1x5 0x30"}),
    Case(
        "TyphaQuarantineAgainAndAgain",
        "100m",
        {"topic": "pods"},
        {one("typha_topic_quarantines_total", 'topic="pods"'): "0+1x120"},
    ),
    Case(
        "TyphaQuarantineAgainAndAgain",
        "100m",
        None,
        {one("typha_topic_quarantines_total", 'topic="pods"'): "0x9 9x120"},
    ),
    Case("TyphaNewLife", "10m", NOTHING, {one("typha_cluster_lives_total"): "0 0 0 1x20"}),
    Case("TyphaNewLife", "10m", None, {one("typha_cluster_lives_total"): "1x20"}),
    Case(
        "TyphaRestarting",
        "30m",
        POD,
        {one("process_start_time_seconds"): "100 200 300 400 500 600x30", one("typha_ready"): "1x40"},
    ),
    Case(
        "TyphaRestarting",
        "30m",
        None,
        {one("process_start_time_seconds"): "100 200 300x30", one("typha_ready"): "1x40"},
    ),
    Case("TyphaDrainingLong", "20m", POD, {one("typha_draining"): "1x30"}),
    Case("TyphaDrainingLong", "20m", None, {one("typha_draining"): "1 1 1 0x30"}),
    Case(
        "TyphaVersionSkew",
        "70m",
        NOTHING,
        {
            one("typha_build_info", 'version="0.1.0"'): "1x80",
            one("typha_build_info", 'version="0.2.0"', of=OTHER): "1x80",
        },
    ),
    # A rollout that ends.
    Case(
        "TyphaVersionSkew",
        "70m",
        None,
        {
            one("typha_build_info", 'version="0.1.0"'): "1x20",
            one("typha_build_info", 'version="0.2.0"', of=OTHER): "1x80",
        },
    ),
    # promtool's clock starts at 0: 13 days, and 15.
    Case("TyphaCertificateEnding", "20m", POD | {"file": "client_ca"}, {one(EXPIRY, 'file="client_ca"'): "1123200x30"}),
    Case("TyphaCertificateEnding", "20m", None, {one(EXPIRY, 'file="certificate"'): "1296000x30"}),
    Case("TyphaCertificateNotRead", "20m", POD, {one("typha_tls_reload_pending"): "1x30"}),
    # One of the two files was written a moment after the other.
    Case("TyphaCertificateNotRead", "20m", None, {one("typha_tls_reload_pending"): "1 1 0x30"}),
)


def promtool_tests() -> Iterator[dict[str, Any]]:
    """Each case as promtool's own file has it: which alerts of that name fire, by the labels in which they differ."""
    for number, case in enumerate(CASES):
        labels = dict(sorted((case.fires or {}).items()))
        told = "{" + ", ".join(f'{name}="{value}"' for name, value in labels.items()) + "}"
        by = f" by ({', '.join(labels)})" if labels else ""
        yield {
            "name": f"{number}: {case.alert} {'does not fire' if case.fires is None else 'fires'}",
            "interval": "1m",
            "input_series": [{"series": series, "values": values} for series, values in case.series.items()],
            "promql_expr_test": [
                {
                    "expr": f'count{by} (ALERTS{{alertname="{case.alert}", alertstate="firing"}})',
                    "eval_time": case.at,
                    "exp_samples": [] if case.fires is None else [{"labels": told, "value": 1}],
                }
            ],
        }
