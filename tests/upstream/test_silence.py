from __future__ import annotations

from typha.upstream.silence import Action, Silence


def test_probe_is_due_after_silence_and_again() -> None:
    silence = Silence(0.0, 70.0, 130.0)
    assert silence.next_deadline() == 70.0
    assert silence.handle_timer(69.9) is Action.NOTHING
    assert silence.handle_timer(70.0) is Action.PROBE
    silence.probed(71.0)
    assert silence.next_deadline() == 141.0
    assert silence.handle_timer(141.0) is Action.PROBE
    silence.probed(142.0)
    assert silence.next_deadline() == 201.0
    assert silence.handle_timer(201.0) is Action.REPLACE


def test_a_byte_starts_it_anew() -> None:
    silence = Silence(0.0, 70.0, 130.0)
    silence.probed(70.0)
    silence.heard(100.0)
    assert silence.next_deadline() == 170.0
    assert silence.handle_timer(200.0) is Action.PROBE


def test_a_timer_that_is_late_replaces_at_once() -> None:
    silence = Silence(0.0, 70.0, 130.0)
    silence.probed(70.0)
    assert silence.handle_timer(1000.0) is Action.REPLACE
