"""Times and sizes of upstream; each default carries its reason. Tests make them small.

Place: made by `app` from the configuration (which exposes a few), read by all of `upstream`.
"""

from __future__ import annotations

from dataclasses import dataclass

from typha.upstream.watch_stream import LINE_LIMIT_BYTES

__all__ = ["Settings"]


@dataclass(frozen=True, slots=True)
class Settings:
    """Times in seconds."""

    page_objects: int = 500  # client-go's page: 0.8 MB of pods, one etcd read
    watch_list: bool = True  # ask for streamed lists first; a server that has none says so at once
    watch_timeout_s: tuple[float, float] = (300.0, 600.0)  # random in between, as client-go: spreads reconnects
    connect_timeout_s: float = 5.0  # a SYN and a TLS handshake, with two lost packets
    read_timeout_s: float = 30.0  # between two reads of a list; the API server gives up a list after 60
    headers_timeout_s: float = 30.0  # a watch's first answer; the server may wait for its cache
    probe_timeout_s: float = 5.0  # one small read: slower is as good as down
    silence_s: float = 70.0  # a bookmark comes about every 60
    replace_after_s: float = 130.0  # 70 + 130: the next probe (before the new watch) still makes 180, the stale rule
    initial_events_silence_s: float = 30.0  # a server that ignores sendInitialEvents would be waited for in vain
    absent_confirm_s: float = 10.0  # an API server that starts answers 404 for what it has not yet loaded
    absent_poll_s: float = 2.0  # in sync within seconds of a CRD's creation
    read_pause_s: float = 0.0  # between two reads of a watch; the app takes the pause between rounds
    line_limit_bytes: int = LINE_LIMIT_BYTES
    load_budget_s: float = 0.004  # work between two turns of the event loop; pings and probes wait no longer
    backoff_first_s: float = 0.8  # as client-go's reflector: 0.8 s doubling to 30 s
    backoff_limit_s: float = 30.0
    backoff_reset_s: float = 120.0  # healthy for so long: the next failure is a new one
