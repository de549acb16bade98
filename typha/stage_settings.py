"""The configuration as each stage is told it. Pure."""

from __future__ import annotations

from typing import Final

from typha.config import Config
from typha.downstream.settings import DownstreamSettings
from typha.drop_in.settings import DropIn
from typha.upstream.settings import Settings as UpstreamSettings

__all__ = ["downstream_settings", "upstream_settings"]

# What an API server writes meanwhile waits in the kernel's buffers; it ends watches that hold it up for long.
_LONGEST_READ_PAUSE_S: Final = 0.1


def upstream_settings(config: Config) -> UpstreamSettings:
    """For the reflectors."""
    upstream = config.upstream
    return UpstreamSettings(
        page_objects=upstream.page_size,
        watch_list=upstream.watch_list,
        watch_timeout_s=upstream.watch_timeout_s,
        probe_timeout_s=upstream.probe_timeout_s,
        silence_s=upstream.probe_after_s,
        replace_after_s=upstream.replace_after_s,
        backoff_first_s=upstream.backoff_min_s,
        backoff_limit_s=upstream.backoff_max_s,
        backoff_reset_s=upstream.backoff_reset_s,
        read_pause_s=_read_pause_s(config),
    )


def _read_pause_s(config: Config) -> float:
    """In step with the rounds: one starts when the watches were read."""
    return min(config.timing.round_pause_ms / 1000, _LONGEST_READ_PAUSE_S)


def downstream_settings(config: Config, drop_in: DropIn | None) -> DownstreamSettings:
    """For the server; ``drop_in``: what Calico Typha's parameters say beside it."""
    limits, timing, calico = config.limits, config.timing, drop_in or DropIn()
    return DownstreamSettings(
        calico_ping_interval_s=calico.ping_interval_s,
        calico_pong_timeout_s=calico.pong_timeout_s,
        calico_max_message_kvs=calico.max_message_kvs,
        max_connections=limits.max_connections,
        max_per_address=limits.max_per_address,
        max_unheard=limits.max_unheard,
        max_topics_per_client=limits.max_topics,
        max_joiners=limits.max_joiners,
        max_handshakes=limits.max_handshakes,
        max_filters_per_client=limits.max_filters,
        handshake_timeout_s=limits.handshake_timeout_s,
        round_pause_s=timing.round_pause_ms / 1000,
        reads_apart_s=_read_pause_s(config),
        ping_interval_s=timing.ping_interval_s,
        bookmark_interval_s=timing.bookmark_interval_s,
        stuck_timeout_s=timing.stuck_timeout_s,
        max_age_s=timing.max_age_s,
        token_review_interval_s=config.tokens.review_interval_s,
        drain_wait_s=timing.drain_wait_s,
        advertise=tuple(str(address) for address in config.advertise),
    )
