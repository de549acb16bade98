"""Makes the sessions of a server: numbered, each with what its language needs."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Mapping, Sequence

from typha.cache.catalog import Catalog
from typha.downstream.calico_session import CalicoSession
from typha.downstream.dialect import Load
from typha.downstream.dictionaries import Dictionaries
from typha.downstream.feed_view import FeedViews
from typha.downstream.session import NativeSession
from typha.downstream.settings import DownstreamSettings


class Sessions:
    """``prefix`` tells servers apart in logs; ``admit`` may raise RefusedError for reasons of the whole server."""

    def __init__(
        self,
        prefix: str,
        catalog: Catalog,
        feeds: Mapping[str, Sequence[str]],
        views: FeedViews | None,
        settings: DownstreamSettings,
        *,
        clock: Callable[[], float],
        admit: Callable[[], Load],
        elsewhere: Callable[[], tuple[str, ...]] | None = None,
    ) -> None:
        self._prefix = prefix
        self._catalog = catalog
        self._feeds = feeds
        self._views = views
        self._settings = settings
        self._clock = clock
        self._admit = admit
        self._elsewhere = elsewhere
        self._numbers = itertools.count(1)
        self.dictionaries = Dictionaries()

    def native(self) -> NativeSession:
        """For who has not said anything yet."""
        return NativeSession(
            f"{self._prefix}-{next(self._numbers)}",
            self._catalog,
            self._feeds,
            self._settings,
            dictionaries=self.dictionaries,
            now=self._clock(),
            admit=self._admit,
            elsewhere=self._elsewhere,
        )

    def foreign(self) -> CalicoSession | None:
        """For who began in another language; None where no other is served."""
        if self._views is None:
            return None
        number = next(self._numbers)
        return CalicoSession(
            f"{self._prefix}-{number}",
            number,
            self._views,
            self._settings,
            now=self._clock(),
            admit=self._admit,
            wall_clock=time.time_ns,
        )
