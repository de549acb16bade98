"""What a new configuration changes in a running server, what it only names, and what it must not touch."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Mapping
from pathlib import Path

import pytest

from typha.config import Config, load
from typha.config.load import Loaded, settings_of
from typha.config.model import LimitsConfig, LogConfig, TimingConfig
from typha.reload import LIVE, Reload, changed_settings, with_settings


class Applied:
    """What `Reload` was told to apply."""

    def __init__(self) -> None:
        self.calls: list[tuple[Config, frozenset[str]]] = []

    def __call__(self, config: Config, changed: frozenset[str]) -> None:
        self.calls.append((config, changed))


def from_file(file: Path, text: str) -> Loaded:
    file.write_text(text)
    return load(environment={}, file=file)


def reload_of(file: Path, applied: Applied, text: str = "{}") -> Reload:
    return Reload(from_file(file, text).config, lambda: load(environment={}, file=file), applied)


def told(caplog: pytest.LogCaptureFixture) -> Mapping[str, logging.LogRecord]:
    return {record.getMessage(): record for record in caplog.records}


def test_every_live_setting_exists() -> None:
    assert {path for path, _, _ in settings_of()} >= LIVE


def test_changes_are_named_in_order() -> None:
    before = Config()
    after = dataclasses.replace(
        before,
        life="2",
        log=LogConfig(level="debug"),
        timing=dataclasses.replace(TimingConfig(), max_age_s=60.0),
    )
    assert changed_settings(before, before) == []
    assert changed_settings(before, after) == ["life", "timing.max_age_s", "log.level"]
    made = with_settings(before, after, frozenset({"timing.max_age_s", "log.level"}))
    assert (made.life, made.timing.max_age_s, made.log.level) == ("", 60.0, "debug")
    assert made.timing.ping_interval_s == before.timing.ping_interval_s
    assert with_settings(before, after, frozenset({"life"})).life == "2"


async def test_live_settings_are_applied_and_the_others_named(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    file, applied = tmp_path / "typha.yaml", Applied()
    reload = reload_of(file, applied)
    file.write_text("{limits: {max_connections: 7}, timing: {ping_interval_s: 20}, life: 'x'}")
    await reload.reload()
    ((config, changed),) = applied.calls
    assert changed == {"limits.max_connections"}
    assert config.limits == dataclasses.replace(LimitsConfig(), max_connections=7)
    assert config.timing.ping_interval_s == 30.0
    lines = told(caplog)
    assert lines["the configuration was read anew"].__dict__["applied"] == "limits.max_connections"
    waiting = lines["changed settings that need a restart"].__dict__["settings"]
    assert waiting == "life timing.ping_interval_s"

    caplog.clear()
    await reload.reload()
    assert len(applied.calls) == 1
    assert told(caplog)["the configuration was read anew"].__dict__["applied"] == "nothing changed"
    assert "changed settings that need a restart" in told(caplog)


@pytest.mark.parametrize(
    "text",
    [
        "{limits: {max_connections: 0}, log: {level: debug}}",
        "{limits: {max_conections: 5}}",
        "{",
        "{listen: 0.0.0.0:5473}",
    ],
)
async def test_a_wrong_file_changes_nothing_and_is_one_line(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, text: str
) -> None:
    caplog.set_level("INFO")
    file, applied = tmp_path / "typha.yaml", Applied()
    reload = reload_of(file, applied)
    before = reload.config
    file.write_text(text)
    await reload.reload()
    assert applied.calls == []
    assert reload.config is before
    (record,) = (record for record in caplog.records if record.name == "typha.reload")
    assert (record.levelname, record.getMessage()) == (
        "ERROR",
        "the new configuration is not used; the one of before stays",
    )
    assert "typha.yaml" in record.__dict__["problems"]


async def test_what_would_contradict_what_stays_is_refused(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """bookmark_interval_s may be 40 with the new ping_interval_s, but that one needs a restart."""
    file, applied = tmp_path / "typha.yaml", Applied()
    reload = reload_of(file, applied)
    file.write_text("{timing: {ping_interval_s: 60, bookmark_interval_s: 40}}")
    await reload.reload()
    assert applied.calls == []
    assert "timing.bookmark_interval_s" in caplog.records[0].__dict__["problems"]


async def test_without_a_way_to_read_it_says_so(caplog: pytest.LogCaptureFixture) -> None:
    await Reload(Config(), None, Applied()).reload()
    assert "restart the server" in caplog.records[0].getMessage()
