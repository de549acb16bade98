"""Which server to try next, and when. Pure: the clock and the random number come in.

Its place: connect (asks) -> *endpoints*. A *round* goes over all addresses of all servers once.

Invariants
1. It never gives up, and nothing it is told makes it forget a server that the user named.
2. Inside a round there is no wait between dead servers; between rounds there is full jitter:
   random x min(cap, base x 2^rounds) (AWS Architecture Blog, "Exponential Backoff and Jitter").
3. ``retry_after_s`` of a refusal is a lower bound for that server alone.
4. Addresses that a server named (GoAway, Refused: ``try``) are tried first, once a round each: two servers that
   name each other cannot make a loop without a pause.
5. A stay shorter than ``HEALTHY_S`` does not reset the backoff: a server that welcomes and dies is a failing one.
6. Servers of our own zone come before all others of a round; the one that asked us to leave comes last.
7. Two are asked for their load (``rival``) when there is time: at a first connection and on a move. Not after a loss:
   then all agents of that server come at once, and each question is a handshake.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv6Address
from typing import Final, NamedTuple

DEFAULT_PORT: Final = 5473
# One second spreads 5,000 agents of a killed server to 5 handshakes a millisecond at worst; 30 s is the upstream's cap.
BASE_DELAY_S: Final = 1.0
MAX_DELAY_S: Final = 30.0
# A final refusal (forbidden, unknown_topic) needs an operator: a minute between questions is polite and soon enough.
FINAL_DELAY_S: Final = 60.0
HEALTHY_S: Final = 30.0
MAX_PREFERRED: Final = 16
_UNIX: Final = "unix:"


class Server(NamedTuple):
    """A host (name or address) and a port; or ``unix:/path`` and 0."""

    host: str
    port: int

    def __str__(self) -> str:
        if socket_path(self.host) is not None:
            return self.host
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


class Target(NamedTuple):
    """One address to connect to, and the server (name for TLS) that it belongs to."""

    server: Server
    address: str

    @property
    def place(self) -> tuple[str, int]:
        """Address and port."""
        return (self.address, self.server.port)


class Found(NamedTuple):
    """One address that discovery gave, and its zone ("": unknown)."""

    address: str
    port: int
    zone: str = ""


@dataclass(frozen=True, slots=True)
class Attempt:
    """Try ``target`` in ``delay_s``; ``target`` None: the round is over, resolve the names and start the next."""

    target: Target | None
    delay_s: float


def parse_server(text: str) -> Server:
    """``host``, ``host:port``, ``[v6]``, ``[v6]:port``, ``unix:/path``. Raises ValueError that says what is wrong."""
    host, port_text = text.strip(), ""
    if (path := socket_path(host)) is not None:
        if not path.startswith("/"):
            raise ValueError(f"server {text!r}: write a socket as unix:/path")
        return Server(host, 0)
    if host.startswith("["):
        host, bracket, rest = host[1:].partition("]")
        if not bracket or (rest and not rest.startswith(":")):
            raise ValueError(f"server {text!r}: write an IPv6 address as [address]:port")
        port_text = rest[1:]
        if rest == ":":
            raise ValueError(f"server {text!r}: the port after ':' is missing")
    elif host.count(":") == 1:
        host, _, port_text = host.partition(":")
        if not port_text:
            raise ValueError(f"server {text!r}: the port after ':' is missing")
    if ":" in host and not _is_ipv6(host):
        raise ValueError(f"server {text!r}: {host!r} is no IPv6 address; write host:port or [address]:port")
    if not host:
        raise ValueError(f"server {text!r}: the host is empty; write host:port")
    if port_text and not (port_text.isascii() and port_text.isdigit() and 0 < int(port_text) < 65536):
        raise ValueError(f"server {text!r}: port {port_text!r} is not a number from 1 to 65535")
    return Server(host, int(port_text) if port_text else DEFAULT_PORT)


def socket_path(host: str) -> str | None:
    """The path of ``unix:/path``, None where the host is none."""
    return host.removeprefix(_UNIX) if host.startswith(_UNIX) else None


def is_address(host: str) -> bool:
    """Whether a host is an IP address (no name ends in a digit: RFC 3696, section 2)."""
    return ":" in host or host.rpartition(".")[2].isdigit()


def _is_ipv6(host: str) -> bool:
    try:
        IPv6Address(host)
    except ValueError:
        return False
    return True


def parse_servers(servers: str | Iterable[str]) -> tuple[Server, ...]:
    """One server, several separated by commas, or a list of them; doubles once. Raises ValueError."""
    texts = servers.split(",") if isinstance(servers, str) else list(servers)
    parsed = tuple(dict.fromkeys(parse_server(text) for text in texts))
    if not parsed:
        raise ValueError("no server given: servers is empty")
    return parsed


class Endpoints:
    """The order of attempts. Ask ``next_attempt``; tell it what came of each."""

    def __init__(
        self,
        servers: Sequence[Server],
        *,
        base_delay_s: float = BASE_DELAY_S,
        max_delay_s: float = MAX_DELAY_S,
        final_delay_s: float = FINAL_DELAY_S,
    ) -> None:
        self.servers = tuple(servers)
        self.base_delay_s = base_delay_s
        self.max_delay_s = max_delay_s
        self.final_delay_s = final_delay_s
        self.rounds_failed = 0
        self.asks = True
        """Whether servers are asked for their load at all."""
        self._round: deque[Target] = deque()
        self._preferred: deque[Target] = deque()
        self._tried: set[tuple[str, int]] = set()
        self._not_before: dict[Target, float] = {}
        self._final_in_round = False
        self._wait_s: float | None = None
        self._drawn_from = self._round
        self._near: Collection[tuple[str, int]] = ()
        self._avoid: Target | None = None
        self._is_crowd = False

    def start_round(
        self,
        resolved: Mapping[Server, Sequence[str]],
        order: float,
        avoid: Target | None = None,
        near: Collection[tuple[str, int]] = (),
    ) -> None:
        """All addresses of all servers, in the order that ``order`` (random in [0, 1)) stands for.

        ``near``: addresses and ports in our zone; they come first. ``avoid``: the server that asked us to leave; it
        comes last (behind one address there may be many servers).
        """
        targets = list(dict.fromkeys(Target(server, each) for server, found in resolved.items() for each in found))
        shuffled = _permuted(targets, order)
        shuffled.sort(key=lambda target: (target == avoid, target.place not in near))
        self._round = deque(shuffled)
        self._near, self._avoid = near, avoid
        self._not_before = {target: at for target, at in self._not_before.items() if target in self._round}
        self._final_in_round = False
        self._tried.clear()
        if not targets:
            self._end_round()

    def next_attempt(self, now: float, jitter: float) -> Attempt:
        """The next target; ``jitter`` in [0, 1) is used where a delay is due."""
        delay_s = 0.0
        if self._wait_s is not None:
            delay_s, self._wait_s = self._wait_s * jitter, None
        queue = self._drawn_from = self._preferred or self._round
        if not queue:
            return Attempt(None, delay_s)
        # Of those left, the one that may be asked first; the order decides between equals.
        target = min(queue, key=lambda item: max(self._not_before.get(item, 0.0), now))
        queue.remove(target)
        self._tried.add(target.place)
        return Attempt(target, max(delay_s, self._not_before.get(target, 0.0) - now))

    def rival(self, target: Target, now: float) -> Target | None:
        """Another of the same zone to compare ``target``'s load with; it is drawn too. None: connect to ``target``."""
        if self._is_crowd or self.rounds_failed or not self.asks:
            return None
        is_near = target.place in self._near
        for other in self._drawn_from:
            may_be_asked = other != self._avoid and self._not_before.get(other, 0.0) <= now
            if may_be_asked and (other.place in self._near) == is_near:
                self._drawn_from.remove(other)
                self._tried.add(other.place)
                return other
        return None

    def put_back(self, target: Target) -> None:
        """It was drawn and may be tried again in this round, before all others."""
        self._round.appendleft(target)
        self._tried.discard(target.place)

    def prefer(self, addresses: Iterable[str]) -> None:
        """Addresses from GoAway or Refused, to be tried first. What does not parse is not worth an error."""
        for text in addresses:
            try:
                server = parse_server(text)
            except ValueError:
                continue
            if socket_path(server.host) is not None:
                continue  # what listens on this machine is no other machine's to say
            # A certificate names the Service; a server that advertises its bare address is checked against that.
            name = self.servers[0].host if is_address(server.host) else server.host
            target = Target(Server(name, server.port), server.host)
            known = target in self._preferred or target.place in self._tried
            if not known and len(self._preferred) < MAX_PREFERRED:
                self._preferred.append(target)

    def welcomed(self, target: Target) -> None:
        """The attempt succeeded."""
        self._preferred.clear()
        self._round.clear()
        self._tried.clear()
        self._is_crowd = False
        self._not_before.pop(target, None)

    def lost(self, stayed_s: float) -> None:
        """A connection that had been welcomed ended after ``stayed_s``: start over, spread by jitter."""
        self._round.clear()
        self._is_crowd = True
        if stayed_s >= HEALTHY_S:
            self.rounds_failed = 0
            self._wait_s = self.base_delay_s
        else:
            self._end_round()

    def failed(self, target: Target) -> None:
        """No connection, or it ended before Welcome."""
        del target
        self._round_maybe_over()

    def refused(self, target: Target, now: float, retry_after_s: float | None, *, final: bool) -> None:
        """The server said no."""
        if retry_after_s is not None:
            # A server cannot switch an agent off: an absurd number is cut to ten minutes.
            self._not_before[target] = now + min(retry_after_s, 600.0)
        self._final_in_round = self._final_in_round or final
        self._round_maybe_over()

    def _round_maybe_over(self) -> None:
        if not self._round and not self._preferred and self._wait_s is None:
            self._end_round()

    def _end_round(self) -> None:
        cap_s = self.final_delay_s if self._final_in_round else self.max_delay_s
        floor_s = self.final_delay_s if self._final_in_round else self.base_delay_s
        self._wait_s = min(cap_s, floor_s * 2.0 ** min(self.rounds_failed, 30))
        self.rounds_failed += 1


def _permuted(targets: list[Target], order: float) -> list[Target]:
    """Each order is as likely as any other, so that what a dead server leaves spreads over all others."""
    left, drawn = list(targets), []
    while left:
        order *= len(left)
        place = min(int(order), len(left) - 1)
        order -= place
        drawn.append(left.pop(place))
    return drawn
