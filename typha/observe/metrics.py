"""The published picture as metrics: a collector of its own registry, rendered on the observe thread.

1. No label names a client: label values are topics, resources, codes, modes and states, all bounded by the
   configuration or by the code.
2. A counter ends in ``_total``, a unit stands in the name, each family has HELP.
3. Rendering reads one frozen picture: all numbers of a scrape are of one moment.

Not taken: updating prometheus_client's own objects in the stages (see `status`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import accumulate
from typing import Final

from prometheus_client import CollectorRegistry, GCCollector, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from typha.observe.identity import identity_families
from typha.observe.readiness import readiness
from typha.observe.status import Board, Latency, Published, ServerStatus, Status, TopicStatus, UpstreamStatus
from typha.replicas.peers import PeerState
from typha.wire.states import TopicState

# From the shortest pause of a round to the 30 s at which operators are told to be woken.
EVENT_TO_SOCKET_BOUNDS_S: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)


def make_registry(board: Board) -> CollectorRegistry:
    """A registry with our families, the process's (CPU, memory, file handles) and the garbage collector's."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(StatusCollector(board))
    ProcessCollector(registry=registry)
    GCCollector(registry=registry)
    return registry


def render(registry: CollectorRegistry, accept: str) -> tuple[bytes, str]:
    """(body, content type): OpenMetrics where the Accept header asks for it, Prometheus text otherwise."""
    encoder, content_type = choose_encoder(accept)
    return encoder(registry), content_type


def gauge(name: str, text: str, value: float) -> GaugeMetricFamily:
    """A gauge of one number."""
    return GaugeMetricFamily(name, text, value=value)


def counter(name: str, text: str, value: float) -> CounterMetricFamily:
    """A counter of one number; ``name`` ends in _total."""
    return CounterMetricFamily(name, text, value=value)


def labelled(
    kind: type[GaugeMetricFamily | CounterMetricFamily],
    name: str,
    text: str,
    labels: tuple[str, ...],
    samples: Iterable[tuple[tuple[str, ...], float]],
) -> Metric:
    """A family with labels, in the order of its samples."""
    family = kind(name, text, labels=labels)
    for values, number in samples:
        family.add_metric(values, number)
    return family


class StatusCollector(Collector):
    """Turns the board's newest picture into metric families at each scrape."""

    def __init__(self, board: Board) -> None:
        self._board = board

    def collect(self) -> Iterator[Metric]:
        """All families; before the first picture only those of the process itself."""
        published, now = self._board.read(), self._board.now()
        yield gauge(
            "typha_loop_heartbeat_age_seconds",
            "Since the event loop's last sign of life.",
            max(0.0, now - published.beat_at),
        )
        if published.status is None:
            return
        yield from self._whole(published, published.status, max(0.0, now - published.status_at))
        yield latency_family(
            "typha_loop_lag_seconds",
            "How late the event loop is, looked at every 10 ms, the times within a pause included.",
            published.status.loop_lag,
        )
        yield from topic_families(published.status.topics)
        yield from server_families(published.status.server)
        yield from upstream_families(published.status.upstream)
        yield from identity_families(published.status.identity)

    @staticmethod
    def _whole(published: Published, status: Status, age_s: float) -> Iterator[Metric]:
        build = status.build
        yield labelled(
            GaugeMetricFamily,
            "typha_build_info",
            "What runs here; always 1.",
            ("version", "python", "loop"),
            [((build.version, build.python, build.loop), 1)],
        )
        yield gauge("typha_uptime_seconds", "Since the server started.", status.uptime_s)
        yield gauge("typha_status_age_seconds", "Age of the picture that these numbers are from.", age_s)
        ready = all(check.holds for check in readiness(published))
        yield gauge("typha_ready", "1 where /readyz answers 200.", ready)


def topic_families(topics: tuple[TopicStatus, ...]) -> Iterator[Metric]:
    """What is known of each topic."""
    label = ("topic",)
    yield labelled(
        GaugeMetricFamily,
        "typha_topic_state",
        "1 for the state that the topic is in, 0 for the others.",
        ("topic", "state"),
        [((topic.name, state.value), topic.state is state) for topic in topics for state in TopicState],
    )
    gauges: tuple[tuple[str, str, str], ...] = (
        ("typha_topic_state_age_seconds", "Since the topic went into its state.", "since_s"),
        ("typha_topic_entries", "Entries held.", "entries"),
        ("typha_topic_tombstones", "Deletions remembered.", "tombstones"),
        ("typha_topic_value_bytes", "Keys and values, encoded.", "value_bytes"),
        ("typha_topic_held_bytes", "The same as held: fewer where values are held compressed.", "held_bytes"),
        ("typha_topic_subscribers", "Connections subscribed.", "subscribers"),
        ("typha_topic_quarantined_objects", "Objects without a value because conversion failed.", "quarantined_count"),
        ("typha_topic_head_resource_version", "The topic is complete up to this.", "head"),
        ("typha_topic_horizon_resource_version", "Deletions up to this are forgotten.", "horizon"),
    )
    for name, text, attribute in gauges:
        samples = [((topic.name,), float(getattr(topic, attribute))) for topic in topics]
        yield labelled(GaugeMetricFamily, name, text, label, samples)
    yield labelled(
        GaugeMetricFamily,
        "typha_topic_contact_age_seconds",
        "Since the API server was last heard of the topic; absent before the first time.",
        label,
        [((topic.name,), topic.age_s) for topic in topics if topic.age_s is not None],
    )
    yield labelled(
        GaugeMetricFamily,
        "typha_topic_gaps",
        "Ranges of resourceVersions in which deletions may have been missed.",
        label,
        [((topic.name,), len(topic.gaps)) for topic in topics],
    )
    counters: tuple[tuple[str, str, str], ...] = (
        ("typha_topic_puts_total", "Values set or changed.", "puts_total"),
        ("typha_topic_deletes_total", "Keys deleted.", "deletes_total"),
        (
            "typha_topic_quarantines_total",
            "Objects that lost their value because they do not convert.",
            "quarantines_total",
        ),
        ("typha_topic_unchanged_total", "Events whose converted value was the one held: not sent.", "unchanged_total"),
    )
    for name, text, attribute in counters:
        samples = [((topic.name,), float(getattr(topic, attribute))) for topic in topics]
        yield labelled(CounterMetricFamily, name, text, label, samples)


def server_families(server: ServerStatus) -> Iterator[Metric]:
    """The agents' port as a whole."""
    yield gauge("typha_connections", "Connections open now.", server.connections)
    yield gauge("typha_connections_limit", "Connections that are refused beyond.", server.max_connections)
    yield gauge("typha_connections_unheard", "Of the open ones: those whose Hello is awaited.", server.unheard)
    yield gauge("typha_joins_paused", "1 while memory is short and no snapshot is served.", bool(server.joins_paused))
    if server.memory_limit_bytes is not None:
        yield gauge("typha_memory_limit_bytes", "What the process may use.", server.memory_limit_bytes)
    yield from peer_families(server)
    yield gauge("typha_joiners", "Subscribers reading a snapshot now.", server.joiners)
    yield gauge("typha_joiners_waiting", "Subscribers waiting for their turn to read one.", server.waiting_joiners)
    yield gauge("typha_subscribers_lagging", "Subscribers catching up by their cursor.", server.lagging)
    yield gauge("typha_draining", "1 while agents are being moved away.", server.draining)
    yield counter("typha_connections_accepted_total", "Connections accepted.", server.accepted_total)
    yield counter("typha_sent_bytes_total", "Bytes given to sockets.", server.bytes_sent_total)
    yield counter("typha_received_bytes_total", "Bytes read from agents.", server.bytes_received_total)
    yield counter("typha_sent_frames_total", "Frames given to sockets.", server.frames_sent_total)
    yield counter("typha_rounds_total", "Rounds of sending.", server.rounds_total)
    yield counter(
        "typha_snapshots_built_total", "Snapshots built, each shared by its readers.", server.snapshots_built_total
    )
    yield from compression_families(server)
    tables = (
        ("typha_joins_total", "Topics joined, by how they were brought up to date.", "mode", server.joined_total),
        ("typha_refusals_total", "Connections refused, by code.", "code", server.refused_total),
        (
            "typha_over_limit_total",
            "Connections refused, by the limit that was passed.",
            "limit",
            server.over_limit_total,
        ),
        ("typha_moves_total", "Connections asked to move (GoAway), by reason.", "reason", server.moves_total),
        ("typha_closes_total", "Connections that ended, by reason.", "code", server.closed_total),
        ("typha_protocol_errors_total", "Breaches of the protocol by peers.", "code", server.protocol_errors_total),
    )
    for name, text, label, table in tables:
        samples = [((key,), float(count)) for key, count in sorted(table.items())]
        yield labelled(CounterMetricFamily, name, text, (label,), samples)
    if server.event_to_socket is not None:
        yield latency_family(
            "typha_event_to_socket_seconds",
            "From an event's arrival from the API server to the write that sends it to caught-up subscribers.",
            server.event_to_socket,
        )


def peer_families(server: ServerStatus) -> Iterator[Metric]:
    """The other servers, as this one sees them; nothing where nothing says where they are."""
    states = [PeerState(peer.state) for peer in server.peers]
    yield labelled(
        GaugeMetricFamily,
        "typha_peers",
        "Other servers, by what they answered last.",
        ("state",),
        [((state.value,), states.count(state)) for state in PeerState],
    )
    if server.share is not None:
        yield gauge("typha_share", "Subscribers that this server holds before any is asked to move.", server.share)


def compression_families(server: ServerStatus) -> Iterator[Metric]:
    """What compression saves; each frame counts once, whatever the number of its readers."""
    counters: tuple[tuple[str, str, str], ...] = (
        ("typha_compressed_frames_total", "Frames compressed.", "frames_total"),
        ("typha_compression_input_bytes_total", "Their bytes before.", "bytes_before_total"),
        ("typha_compression_output_bytes_total", "Their bytes after.", "bytes_after_total"),
    )
    for name, text, attribute in counters:
        samples = [((method,), float(getattr(one, attribute))) for method, one in server.packed.items()]
        yield labelled(CounterMetricFamily, name, text, ("method",), samples)
    yield counter(
        "typha_dictionaries_trained_total", "Trainings of zstd dictionaries.", server.dictionaries_trained_total
    )
    yield counter("typha_dictionaries_sent_total", "Dictionaries sent to agents.", server.dictionaries_sent_total)


def latency_family(name: str, text: str, latency: Latency) -> Metric:
    """A histogram; Prometheus wants its buckets cumulative."""
    bounds = [repr(float(bound)) for bound in latency.bounds_s] + ["+Inf"]
    buckets = list(zip(bounds, accumulate(map(float, latency.counts)), strict=True))
    return HistogramMetricFamily(name, text, buckets=buckets, sum_value=latency.sum_s)


def upstream_families(upstream: UpstreamStatus) -> Iterator[Metric]:
    """The watches on the API server."""
    yield counter("typha_cluster_lives_total", "Restores of etcd that were noticed.", upstream.lives_total)
    reflectors, label = upstream.reflectors, ("resource",)
    yield labelled(
        GaugeMetricFamily,
        "typha_upstream_contact_age_seconds",
        "Since the API server was last heard on this resource; absent before the first time.",
        label,
        [((one.resource,), one.contact_s) for one in reflectors if one.contact_s is not None],
    )
    counters: tuple[tuple[str, str, str], ...] = (
        ("typha_upstream_lists_total", "Lists completed, the first one included.", "lists_total"),
        ("typha_upstream_relists_total", "Lists that became necessary after the first.", "relists_total"),
        ("typha_upstream_watches_total", "Watches opened.", "watches_total"),
        ("typha_upstream_probes_total", "Consistent reads that checked a silent or lost watch.", "probes_total"),
        ("typha_upstream_events_total", "Watch events received.", "events_total"),
        ("typha_upstream_received_bytes_total", "Bytes received from the API server.", "bytes_received_total"),
    )
    for name, text, attribute in counters:
        samples = [((one.resource,), float(getattr(one, attribute))) for one in reflectors]
        yield labelled(CounterMetricFamily, name, text, label, samples)
    yield labelled(
        CounterMetricFamily,
        "typha_upstream_errors_total",
        "Failures of lists, watches and probes, by kind.",
        ("resource", "kind"),
        [((one.resource, kind), count) for one in reflectors for kind, count in sorted(one.errors_total.items())],
    )
