"""When the topics are written, and what of the files may be used at the next start.

Place: made by `app`; `restore` before anything runs, `run` beside the reflectors, `write` when the server has drained.

Invariants
1. Used is what this server would make itself: the same topics, in the same forms, of the same cluster and life.
2. All topics of one watch are of one moment, or none is used.
3. Nothing here ends the server: a file that cannot be read or written is a line in the log.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from typha.cache.catalog import Catalog
from typha.cache.keeping import is_keepable, keep, restore
from typha.cache.topic import Topic
from typha.config.model import WarmStartConfig
from typha.convert.calico import metadata, values
from typha.feeds import Feeds, TopicSpec
from typha.upstream.resources import Source
from typha.warm_start.codec import KeptFile, LabelReaders, WarmFileError, decode, encode
from typha.warm_start.folder import WarmFolder

__all__ = ["WarmStart"]

log = logging.getLogger("typha.warm_start")

# The names stand in files: they stay, whatever the modules are called.
LABEL_READERS: Final[LabelReaders] = {"calico.values": values.labels_of, "calico.metadata": metadata.labels_of}


class WarmStart:
    """``folder`` and the rest are the configuration's; ``life`` is the configured one."""

    def __init__(self, config: WarmStartConfig, folder: Path, spec: Feeds, catalog: Catalog, *, life: str) -> None:
        self._config = config
        self._path = folder
        self._life = life
        self._catalog = catalog
        self._sources = {
            source: tuple(specs)
            for source, specs in spec.sources().items()
            if config.secrets or not source.resource.is_secret
        }
        self._written: dict[Source, tuple[int, int]] = {}

    # --- at the start

    def restore(self, now: float, wall_now: float) -> None:
        """Fill the topics from the files. ``now`` is monotonic, ``wall_now`` Unix seconds."""
        started_at = time.perf_counter()
        restored: list[Topic] = []
        oldest_s = 0.0
        try:
            folder = WarmFolder(self._path)
        except OSError as error:
            log.warning("no warm start: the folder cannot be used", extra={"folder": self._path, "error": str(error)})
            return
        for source, specs in self._sources.items():
            kept = self._read(folder, source)
            if kept is None or not self._is_ours(kept, source, specs):
                continue
            age_s = max(0.0, wall_now - kept.written_at)
            oldest_s = max(oldest_s, age_s)
            self._catalog.set_cluster(kept.cluster, now)
            for topic in kept.topics:
                target = self._catalog.topics[topic.name]
                restore(target, topic, now, f"as it was {age_s:.0f} s before the start; catching up")
                restored.append(target)
        if restored:
            log.info(
                "warm start",
                extra={
                    "topics": len(restored),
                    "entries": sum(len(topic.log.entries) for topic in restored),
                    "age_s": round(oldest_s, 1),
                    "took_s": round(time.perf_counter() - started_at, 3),
                },
            )

    def _read(self, folder: WarmFolder, source: Source) -> KeptFile | None:
        name = str(source)
        try:
            data = folder.read(name)
            return None if data is None else decode(data, LABEL_READERS)
        except WarmFileError as error:
            told = {"file": folder.file_of(name), "reason": str(error)}
            try:
                told["set_aside_as"] = folder.set_aside(name)
            except OSError as failure:
                told["error"] = str(failure)
            log.warning("a file of the warm start cannot be used; its topics are listed", extra=told)
        except OSError as error:
            log.warning("a file of the warm start cannot be read", extra={"error": str(error)})
        return None

    def _is_ours(self, kept: KeptFile, source: Source, specs: Sequence[TopicSpec]) -> bool:
        forms = {spec.name: spec.form for spec in specs}
        known = self._catalog.cluster
        if dict(kept.forms) != forms or {topic.name for topic in kept.topics} != forms.keys():
            why = "it is of another configuration or release"
        elif kept.cluster.partition("/")[2] != self._life:
            why = "it is of another life of the cluster"
        elif known is not None and kept.cluster != known:
            why = "it is of another cluster than the files before it"
        elif len({topic.head for topic in kept.topics}) != 1:
            why = "its topics are of several moments"
        else:
            return True
        log.info("a file of the warm start is not used", extra={"resource": str(source), "reason": why})
        return False

    # --- while it runs

    async def run(self) -> None:
        """Write at intervals, until cancelled."""
        while True:
            await asyncio.sleep(self._config.interval_s)
            await self.write()

    async def write(self) -> None:
        """Write what is complete and has moved since it was written last."""
        started_at = time.perf_counter()
        files = size = 0
        try:
            folder = await asyncio.to_thread(WarmFolder, self._path)
            for source, specs in self._sources.items():
                written = await self._write(folder, source, specs)
                files += written > 0
                size += written
            await asyncio.to_thread(folder.remove_others, [str(source) for source in self._sources])
        except (OSError, WarmFileError) as error:
            log.error("the topics cannot be kept", extra={"error": str(error)})  # noqa: TRY400 - the text says it all
        if files:
            log.info(
                "topics kept for a warm start",
                extra={"files": files, "bytes": size, "took_s": round(time.perf_counter() - started_at, 3)},
            )

    async def _write(self, folder: WarmFolder, source: Source, specs: Sequence[TopicSpec]) -> int:
        topics = [self._catalog.topics[spec.name] for spec in specs]
        cluster = self._catalog.cluster
        moment = (topics[0].head, topics[0].generation)
        is_of_one_moment = len({topic.head for topic in topics}) == 1
        if cluster is None or not is_of_one_moment or not all(map(is_keepable, topics)):
            return 0
        if self._written.get(source) == moment:
            return 0
        # No await until all topics are taken: they are of one moment.
        forms = {spec.name: spec.form for spec in specs}
        kept = KeptFile(cluster, time.time(), forms, [keep(topic) for topic in topics])
        size = await folder.write(str(source), encode(kept, LABEL_READERS))
        self._written[source] = moment
        return size
