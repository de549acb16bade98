"""A short run of the fuzzer: every check of the long one, with other inputs than its first."""

from __future__ import annotations

from tests.robustness.fuzz import run


def test_a_thousand_malformed_inputs_leave_no_trace() -> None:
    report = run(1000, 20_261_123, lambda _: None)
    assert report.breaches == []
    assert report.inputs == 1000
    assert report.past_the_length_check >= 500
    assert set(report.protocol_errors) == {"bad_payload", "frame_too_large", "too_many_frames", "unexpected_frame"}
