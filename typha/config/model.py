"""Every setting: its type, default, what it allows and the reason for its default, each at its own field.

Path: `load` fills these, `app` hands each stage its own; `docs/configuration.md` is generated from here.

1. The attribute path is the YAML path: ``config.timing.ping_interval_s`` is ``timing: {ping_interval_s: 30}`` and
   ``TYPHA_TIMING_PING_INTERVAL_S`` in the environment.
2. ``Config()`` is valid by itself and listens on loopback only.
"""

# ruff: noqa: RUF009 - `setting` is our own `field`

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from typha.config.calico_kinds import BUILT_IN_FEEDS, BuiltInFeeds, FirstInterfacePrefix, InterfacePrefix
from typha.config.identity import TlsConfig, TokensConfig
from typha.config.kinds import (
    Addresses,
    AddressOrOff,
    Choice,
    Definitions,
    FeedTable,
    File,
    HostPort,
    Listen,
    Number,
    Span,
    Switch,
    Word,
)
from typha.config.replicas import ReplicasConfig
from typha.config.setting import Alias, setting


@dataclass(frozen=True, slots=True)
class LimitsConfig:
    """What one process takes on, so that no client and no crowd of clients can exhaust it."""

    max_connections: int = setting(
        10_000,
        Number(1, 1_000_000, whole=True),
        "Connections held at once; the next is refused with `overloaded` and told where else to go.",
        "Calico Typha's own upper limit. Idle ones cost 3 KB each here: 30 MB; 41 KB with mTLS.",
    )
    max_per_address: int = setting(
        256,
        Number(1, 1_000_000, whole=True, zero="no limit"),
        "Connections from one address; the next is refused with `overloaded`. Loopback has no limit.",
        "A node's agents share one address: some 10. One that connects in a loop must not fill the server; behind an "
        "address translation raise it.",
    )
    max_unheard: int = setting(
        4096,
        Number(1, 1_000_000, whole=True),
        "Connections that have not said Hello yet; the next is refused with `overloaded`.",
        "A storm of 5,000 agents had 1,000 of them at once; each may stay for `limits.handshake_timeout_s`.",
    )
    memory_mb: int = setting(
        0,
        Number(1, 10_000_000, whole=True, zero="the control group's limit"),
        "Memory in MiB that the process may use. From 90 % on nobody reads a snapshot (`overloaded`) until it is below "
        "85 %; agents that resume are served on.",
        "The kernel kills at the limit without a word, and then all agents come back at once.",
    )
    max_joiners: int = setting(
        64,
        Number(1, 100_000, whole=True),
        "Subscribers that read a snapshot at the same time; the others wait their turn.",
        "Measured: 5,000 joiners of 100 MB took 13.6 s with 43 MB extra at 64 at a time, 934 MB without a limit.",
    )
    max_handshakes: int = setting(
        8,
        Number(1, 10_000, whole=True),
        "TLS handshakes at the same time; who else connects waits in the kernel's backlog.",
        "One costs the event loop 1.3 ms, in two steps: 8 fill a round trip of 5 ms, and subscribers wait no longer.",
    )
    handshake_timeout_s: float = setting(
        10.0,
        Number(0.1, 300),
        "From accept to a complete Hello, the TLS handshake included.",
        "Calico Typha's value; an honest agent needs a few round trips.",
    )
    max_topics: int = setting(
        128,
        Number(1, 1024, whole=True),
        "Topics that one client may name beside a feed; more is refused with `bad_hello`.",
        "Each costs a place in every round; what a feed holds is the operator's own choice.",
    )
    max_filters: int = setting(
        16,
        Number(0, 1024, whole=True),
        "`where` filters that one client may use.",
        "An agent filters by its node and perhaps a namespace per topic; each distinct filter is a stream of its own.",
    )


@dataclass(frozen=True, slots=True)
class TimingConfig:
    """How fast, how often and how long."""

    round_pause_ms: float = setting(
        20.0,
        Number(0, 10_000),
        "Pause between rounds of sending at low load; what changes meanwhile goes out together. "
        "Watches are read as often (at least every 100 ms), unless they bring more than a read holds.",
        "Trades 10 ms of mean latency for CPU: a send of 20 KB costs 1.1 to 1.3 times one of 200 B.",
    )
    ping_interval_s: float = setting(
        30.0,
        Number(0.1, 3600),
        "Between pings; silence of three intervals ends a connection.",
        "90 s until a half-open connection is noticed, below the 180 s after which data counts as stale.",
    )
    bookmark_interval_s: float = setting(
        10.0,
        Number(0.1, 3600),
        "Between bookmarks on a quiet topic; not above `timing.ping_interval_s`.",
        "An agent's cursor is at most so old when it resumes; a bookmark is 20 bytes.",
    )
    stuck_timeout_s: float = setting(
        120.0,
        Number(1, 86_400),
        "A subscriber that takes no byte for so long, with bytes waiting, is cut off.",
        "Progress counts, not lag: slow but healthy agents stay (typha#614). Calico Typha's write timeout.",
    )
    max_age_s: float = setting(
        1800.0,
        Number(1, 604_800, zero="never"),
        "Age at which a connection is asked to move (GoAway) where another server is known to be ready (section "
        "`replicas`), so that load evens out; jittered.",
        "Half an hour spreads 10,000 agents to five moves a second, each of which resumes with what changed.",
    )
    drain_wait_s: float = setting(
        3.0,
        Number(0, 600),
        "On SIGTERM: from not ready until the first agent is asked to move; part of `timing.drain_grace_s`.",
        "EndpointSlices and DNS take a second or two to lose this server; who moves earlier may come back to it.",
    )
    drain_grace_s: float = setting(
        25.0,
        Number(0, 3600),
        "On SIGTERM: how long agents are given to move before their connections are closed.",
        "Within Kubernetes' default terminationGracePeriodSeconds of 30.",
    )
    stale_after_s: float = setting(
        180.0,
        Number(1, 86_400),
        "A topic whose API server was not heard for so long is `stale`; its data is kept.",
        "Above the 130 s in which a silent watch is probed and replaced, so that it means trouble.",
    )


@dataclass(frozen=True, slots=True)
class UpstreamConfig:
    """How the API server is read. Where it is comes from KUBECONFIG, K8S_* or the pod's service account."""

    watch_timeout_s: tuple[float, float] = setting(
        (300.0, 600.0),
        Span(1, 3600),
        "timeoutSeconds of a watch, chosen at random.",
        "client-go's 5 to 10 minutes: spreads reconnects, and moves watches after an API server was added.",
    )
    page_size: int = setting(
        500,
        Number(1, 10_000, whole=True),
        "Objects per page of a list.",
        "client-go's page; an unpaged list of everything makes the API server hold it twice.",
    )
    watch_list: bool = setting(
        True,
        Switch(),
        "Ask for the first list as a WatchList (streamed) where the API server offers it; pages otherwise.",
        "A streamed list costs the API server a constant amount of memory (KEP-3157).",
    )
    probe_after_s: float = setting(
        70.0,
        Number(0.1, 3600),
        "A watch that is silent for so long is checked with a consistent read of one object.",
        "Bookmarks come about once a minute: 70 s of silence is one missed.",
    )
    probe_timeout_s: float = setting(
        5.0,
        Number(0.1, 300),
        "Time limit of that read.",
        "A frozen API server accepts connections and answers nothing.",
    )
    replace_after_s: float = setting(
        130.0,
        Number(0.1, 3600),
        "A watch that is still silent then is closed and opened again from where it was.",
        "Two missed bookmarks: the stream is taken for broken although the API server answers.",
    )
    backoff_min_s: float = setting(
        0.8, Number(0.01, 60), "First pause after a failure; doubles, with full jitter.", "client-go's reflector."
    )
    backoff_max_s: float = setting(
        30.0, Number(0.01, 3600), "Longest pause between two attempts.", "client-go's reflector."
    )
    backoff_reset_s: float = setting(
        120.0,
        Number(1, 3600),
        "After so long without a failure the next pause is short again.",
        "client-go's reflector.",
    )


@dataclass(frozen=True, slots=True)
class CalicoConfig:
    """Calico's data model: what Felix, BIRD and the tunnel allocator need, as built-in feeds."""

    feeds: tuple[str, ...] | None = setting(
        None,
        BuiltInFeeds(),
        "Built-in feeds to serve. `auto`: all four where the file declares no topics of its own, none otherwise.",
        "Without a file the server is what Calico's agents expect; who names topics gets these and no more.",
    )
    use_pod_cidr: bool = setting(
        False,
        Switch(),
        "Addresses come from the nodes' pod CIDRs (host-local IPAM) instead of Calico's IPAM blocks.",
        "Calico's default; set it where calico-node has USE_POD_CIDR.",
        alias=Alias("USE_POD_CIDR", Switch()),
    )
    interface_prefix: str = setting(
        "cali",
        InterfacePrefix(),
        "What the names of pods' interfaces on their nodes begin with.",
        "Calico's default; set it where calico-node has FELIX_INTERFACEPREFIX (its first prefix counts).",
        alias=Alias("FELIX_INTERFACEPREFIX", FirstInterfacePrefix()),
    )


@dataclass(frozen=True, slots=True)
class MemoryConfig:
    """What is held, and how."""

    compress_entries: bool = setting(
        False,
        Switch(),
        "Hold values compressed, with a zstd dictionary trained from each topic's own. Needs the extra `zstd`.",
        "It halves what 100,000 pods add to the process, and costs a fifth of the CPU of the list and of each change.",
    )


@dataclass(frozen=True, slots=True)
class WarmStartConfig:
    """Topics in files, so that a server that starts serves at once what the last one knew."""

    folder: Path | None = setting(
        None,
        File(),
        "Folder (of this server alone) for the files; made where it does not exist, mode 0700.",
        "None: a server lists at its start. Pods are replaced, and their emptyDir with them: give it a volume.",
    )
    interval_s: float = setting(
        300.0,
        Number(1, 86_400),
        "Between two writes; one more when the server has drained.",
        "API servers remember events for some 5 minutes; a file that is older is compared with a list.",
    )
    secrets: bool = setting(
        False,
        Switch(),
        "Write topics of Kubernetes' Secrets too.",
        "They would lie on a disk in plain; their topics are listed at each start.",
    )


@dataclass(frozen=True, slots=True)
class LogConfig:
    """Logs go to standard error, one line an event."""

    format: str = setting(
        "text", Choice("text", "json"), "key=value text, or one JSON object a line.", "People read first."
    )
    level: str = setting(
        "info",
        Choice("debug", "info", "warning", "error"),
        "The least important lines that are written.",
        "info has a few lines per connection and per watch, none per change.",
    )


@dataclass(frozen=True, slots=True)
class Config:
    """All settings. The top level is what nearly every operator sets."""

    topics: Mapping[str, Mapping[str, Any]] = setting(
        {},
        Definitions("a mapping NAME: {resource: ..., ...}"),  # `typha.feeds` says what one may have
        "Topics beside the built-in ones: `NAME: {resource: [group/][version/]plural}`, with `fields`, `filters`, "
        "`namespace`, `labelSelector`, `fieldSelector` where wanted.",
        "What an agent does not need is not held.",
        file_only=True,
    )
    feeds: Mapping[str, tuple[str, ...]] = setting(
        {},
        FeedTable(),
        "Named lists of topics that agents subscribe to: `NAME: [topic, ...]`.",
        "Agents name a purpose; which topics serve it is the operator's to change.",
        file_only=True,
    )
    listen: HostPort = setting(
        HostPort("127.0.0.1", 5473),
        Listen(),
        "Where agents connect; `[::]:5473` is every address of IPv4 and IPv6, `unix:/run/typha.sock` a socket of this "
        "machine. Another address than loopback needs `tls`, or `insecure: true` said aloud.",
        "Reachable by this machine alone until somebody decided otherwise; 5473 is Calico Typha's port.",
    )
    health: HostPort | None = setting(
        HostPort("0.0.0.0", 9095),  # noqa: S104 - probes come from the node; nothing here is secret
        AddressOrOff(),
        "/livez, /readyz and /metrics, over plain HTTP.",
        "The kubelet and Prometheus come from outside the pod; it answers no questions about agents or objects.",
    )
    admin: HostPort | None = setting(
        HostPort("127.0.0.1", 9096),
        AddressOrOff(),
        "The status page: over plain HTTP on loopback; elsewhere over TLS with the certificate of `tls`, for who is "
        "known as agents are (`tls.client_ca`, `tokens.audience`), or in plain for everybody with `insecure: true`.",
        "It shows nodes, addresses and objects: for `kubectl exec` and port-forward.",
    )
    insecure: bool = setting(
        False,
        Switch(),
        "Allows plain TCP beyond loopback; with it the status page there is plain HTTP, for whoever reaches it.",
        "What agents are sent can decide what traffic a node lets through: unprotected only on purpose.",
    )
    life: str = setting(
        "",
        Word(),
        "Change it after etcd was restored without a revision bump, to the same new word at every replica.",
        "A restore that writes overtake is visible to nobody but the operator.",
    )
    advertise: tuple[HostPort, ...] = setting(
        (),
        Addresses(),
        "Addresses of the other servers (this one may be among them): told to agents that are refused or asked to "
        "move, and looked at by `replicas`.",
        "Empty: agents try the addresses that they were configured with.",
    )
    tombstones: int = setting(
        50_000,
        Number(0, 10_000_000, whole=True),
        "Deletions that each topic remembers. An agent that was away for more of them gets its keys compared.",
        "About 17 MB per topic with keys as long as an endpoint's; half of 100,000 pods may go while an agent is away "
        "and it still just resumes.",
    )
    rights: Mapping[str, Mapping[str, Any]] = setting(
        {},
        # `typha.downstream.rights` says what one may have.
        Definitions("a mapping NAME: {identities: [...], feeds: [...], topics: [...], where: {...}, admin: true}"),
        "Who may read what: `NAME: {identities: [cn:..., serviceaccount:NAMESPACE/NAME], feeds: [...], topics: [...], "
        "where: {TOPIC: {ATTRIBUTE: VALUE}}, admin: true}`; the value `%node` is the identity's own node, `admin` lets "
        "it see the status page beyond loopback.",
        "Without rules whoever is let in may read everything but Secrets; with one, what no rule allows is refused.",
        file_only=True,
    )
    tls: TlsConfig = field(default_factory=TlsConfig)
    tokens: TokensConfig = field(default_factory=TokensConfig)
    limits: LimitsConfig = field(default_factory=LimitsConfig)
    timing: TimingConfig = field(default_factory=TimingConfig)
    replicas: ReplicasConfig = field(default_factory=ReplicasConfig)
    upstream: UpstreamConfig = field(default_factory=UpstreamConfig)
    memory: MemoryConfig = field(default_factory=MemoryConfig)
    calico: CalicoConfig = field(default_factory=CalicoConfig)
    warm_start: WarmStartConfig = field(default_factory=WarmStartConfig)
    log: LogConfig = field(default_factory=LogConfig)

    @property
    def calico_feeds(self) -> tuple[str, ...]:
        """The built-in feeds to serve, `auto` decided."""
        if self.calico.feeds is not None:
            return self.calico.feeds
        return () if self.topics else BUILT_IN_FEEDS
