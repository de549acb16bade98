"""Typha's metric names, to the letter, in a text that Prometheus' own parser reads."""

from __future__ import annotations

import pytest
from prometheus_client.parser import text_string_to_metric_families

from typha.config.calico_kinds import BUILT_IN_FEEDS
from typha.drop_in.metrics import FAMILIES, Exposition, typha_text
from typha.drop_in.statistics import FeedStatistics, Figures, Picture
from typha.drop_in.summary import SummaryValue

# Name, type and label, copied from Typha's reference.
REFERENCE = """
    typha_connections_accepted counter -
    typha_connections_active gauge -
    typha_connections_dropped counter -
    typha_connections_streaming gauge syncer
    typha_connections_grace_used counter syncer
    typha_client_latency_secs summary syncer
    typha_client_snapshot_send_secs summary syncer
    typha_client_write_latency_secs summary syncer
    typha_next_breadcrumb_latency_secs summary syncer
    typha_kvs_per_msg summary syncer
    typha_ping_latency summary syncer
    typha_snapshots_generated counter syncer
    typha_snapshots_reused counter syncer
    typha_snapshot_raw_bytes gauge syncer
    typha_snapshot_compressed_bytes gauge syncer
    typha_breadcrumb_seq_number gauge syncer
    typha_breadcrumb_block counter syncer
    typha_breadcrumb_non_block counter syncer
    typha_breadcrumb_size summary syncer
    typha_cache_size gauge syncer
    typha_updates_total counter syncer
    typha_updates_skipped counter syncer
    typha_logs_dropped counter -
    typha_log_errors counter -
"""


def test_none_is_missing_and_each_has_its_type_and_label() -> None:
    found = {(family.name, family.kind, "syncer" if family.by_feed else "-") for family in FAMILIES}
    wanted = {tuple(line.split()) for line in REFERENCE.strip().splitlines()}
    assert len(wanted) == 24
    assert found == wanted
    assert [family.name for family in FAMILIES] == sorted(family.name for family in FAMILIES)


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
def test_each_is_there_before_anything_happened(family: tuple[str, str, str, bool, str]) -> None:
    name, kind, about, by_feed, _ = family
    lines = [line for line in typha_text(Picture()).splitlines() if line.split("{")[0].split(" ")[0].startswith(name)]
    own = [
        line for line in typha_text(Picture()).splitlines() if line.startswith((f"# HELP {name} ", f"# TYPE {name} "))
    ]
    assert own == [f"# HELP {name} {about}", f"# TYPE {name} {kind}"]
    if kind == "summary":
        for feed in BUILT_IN_FEEDS:
            assert f'{name}{{syncer="{feed}",quantile="0.99"}} NaN' in lines
            assert f'{name}_sum{{syncer="{feed}"}} 0' in lines
            assert f'{name}_count{{syncer="{feed}"}} 0' in lines
    elif by_feed:
        assert [line for line in lines if line.startswith(name + "{")] == [
            f'{name}{{syncer="{feed}"}} 0' for feed in BUILT_IN_FEEDS
        ]
    else:
        assert f"{name} 0" in lines


def test_numbers_are_where_they_belong() -> None:
    felix = FeedStatistics(
        connections_streaming=3,
        updates_total=7,
        client_latency=SummaryValue(4, 1.5, (0.1, 0.25, 2.0)),
        cache_size=10**7,
    )
    text = typha_text(Picture(connections_accepted=5, feeds={"felix": felix}))
    lines = text.splitlines()
    for line in (
        "typha_connections_accepted 5",
        'typha_connections_streaming{syncer="felix"} 3',
        'typha_connections_streaming{syncer="bgp"} 0',
        'typha_updates_total{syncer="felix"} 7',
        'typha_cache_size{syncer="felix"} 10000000',
        'typha_client_latency_secs{syncer="felix",quantile="0.5"} 0.1',
        'typha_client_latency_secs{syncer="felix",quantile="0.9"} 0.25',
        'typha_client_latency_secs{syncer="felix",quantile="0.99"} 2',
        'typha_client_latency_secs_sum{syncer="felix"} 1.5',
        'typha_client_latency_secs_count{syncer="felix"} 4',
        'typha_ping_latency{syncer="felix",quantile="0.5"} NaN',
    ):
        assert lines.count(line) == 1, line


def test_prometheus_own_parser_reads_it() -> None:
    assert len(list(text_string_to_metric_families(typha_text(Picture())))) == len(FAMILIES)


@pytest.mark.parametrize("runtime", [True, False])
@pytest.mark.parametrize("process", [True, False])
def test_the_other_collectors_are_there_where_they_are_asked_for(runtime: bool, process: bool) -> None:
    figures = Figures()
    figures.publish(Picture(connections_active=2))
    page = Exposition(figures, runtime=runtime, process=process).render().decode()
    assert "\ntypha_connections_active 2\n" in page
    assert ("process_resident_memory_bytes" in page) is process
    assert ("python_info" in page) is runtime
    assert page.endswith("\n")
