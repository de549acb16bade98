"""What the downstream stage can be told, each with its reason. ``typha.config`` fills it."""

from __future__ import annotations

from dataclasses import dataclass, fields


@dataclass(slots=True)
class DownstreamSettings:
    """Durations in seconds, sizes in bytes."""

    max_connections: int = 10_000
    """3 KB each when idle, 41 with mTLS; the limit of file handles is raised for it at start, or a warning says so."""
    max_joiners: int = 64
    """Snapshots being read at a time: 5,000 joiners of 100 MB held 43 MB extra with 64, 934 MB without a bound."""
    max_per_address: int = 0
    """Connections from one address other than loopback; 0 is no limit."""
    max_unheard: int = 4096
    """Connections whose Hello is awaited."""
    max_topics_per_client: int = 128
    """Topics that one client names itself; a feed's are the operator's choice."""
    max_handshakes: int = 8
    """TLS handshakes at a time, 1.3 ms of the loop each; the others wait in the kernel's backlog."""
    max_filters_per_client: int = 16
    """Each filtered topic is a stream of frames of its own."""
    handshake_timeout_s: float = 10.0
    """From accept to a whole Hello, TLS included."""
    seen_timeout_s: float = 10.0
    """How long a Welcome may wait for a topic that is behind what the client has seen (protocol, section 5)."""
    round_pause_s: float = 0.020
    """From the start of one round to the next: trades latency for CPU at low load."""
    reads_apart_s: float = 0.020
    """From one read of the watches to the next, as when the server started."""
    round_budget_s: float = 0.002
    """Time in a round before it yields to the loop: keeps loop lag at 10 ms with 5,000 subscribers."""
    ping_interval_s: float = 30.0
    bookmark_interval_s: float = 10.0
    calico_ping_interval_s: float = 10.0
    """Calico's agents give up after 30 s without a message."""
    calico_max_message_kvs: int = 100
    """Key-value pairs of one message to Calico's agents: Typha's own."""
    calico_pong_timeout_s: float = 60.0
    """Calico Typha's: an agent that is busy in its callbacks answers late."""
    stuck_timeout_s: float = 120.0
    """A subscriber that drains no byte for so long is cut; never one that is merely slow."""
    max_age_s: float = 1800.0
    """Connections move on after that age, jittered by a tenth, which heals imbalance; 0 is never."""
    go_away_after_s: float = 30.0
    """Time that a subscriber gets to move after a GoAway outside a drain."""
    token_review_interval_s: float = 300.0
    """Tokens of connected agents are reviewed again after so long."""
    drain_wait_s: float = 0.0
    """From the start of a drain until the first agent is asked to move: readiness has to be seen."""
    advertise: tuple[str, ...] = ()
    """Addresses of other servers, told in Refused and GoAway."""

    def take(self, others: DownstreamSettings) -> None:
        """These values from here on, for all that reads them as it goes; what others do goes on."""
        for each in fields(others):
            if each.name != "reads_apart_s":
                setattr(self, each.name, getattr(others, each.name))

    @property
    def silence_timeout_s(self) -> float:
        """Three intervals without a frame from the client end the connection."""
        return 3 * self.ping_interval_s
