from __future__ import annotations

import time

import hypothesis.strategies as st
import pytest
from hypothesis import given

from typha.convert.calico.text import timestamp


@pytest.mark.parametrize(
    ("written", "canonical"),
    [
        ("2024-05-06T07:08:09Z", "2024-05-06T07:08:09Z"),
        ("2024-05-06T07:08:09.999999999Z", "2024-05-06T07:08:09Z"),
        ("2024-05-06T07:08:09+02:00", "2024-05-06T05:08:09Z"),
        ("2024-05-06T07:08:09.5-02:30", "2024-05-06T09:38:09Z"),
        ("2024-05-06T07:08:09+00:00", "2024-05-06T07:08:09Z"),
        ("2023-12-31T23:30:00-01:00", "2024-01-01T00:30:00Z"),
        ("0999-05-06T07:08:09+01:00", "0999-05-06T06:08:09Z"),
    ],
)
def test_times(written: str, canonical: str) -> None:
    assert timestamp.canonical(written) == canonical
    assert timestamp.canonical(canonical) == canonical


@pytest.mark.parametrize(
    "written",
    [
        *(
            "",
            "now",
            "2024-05-06",
            "2024-05-06 07:08:09Z",
            "2024-05-06T07:08:09",
            "2024-05-06T07:08Z",
            "2024-5-6T7:8:9Z",
        ),
        *("2024-02-30T00:00:00Z", "2024-05-06T24:00:00Z", "2024-05-06T07:08:09.Z", "2024-05-06T07:08:09+2:00"),
        *("2024-05-06T07:08:09+99:99", "0001-01-01T00:00:00+01:00", "2024-05-06T07:08:09z", " 2024-05-06T07:08:09Z"),
        "٢٠٢٤-05-06T07:08:09Z",
    ],
)
def test_what_is_no_time(written: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        timestamp.canonical(written)


def test_the_zone_of_the_machine_does_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as changed:
        changed.setenv("TZ", "JST-9")
        time.tzset()
        found = timestamp.canonical("2024-05-06T07:08:09+02:00")
    time.tzset()
    assert found == "2024-05-06T05:08:09Z"


def test_times_end_with_their_years() -> None:
    with pytest.raises(ValueError, match=r"^a time is outside of the years 1 to 9999$"):
        timestamp.canonical("0001-01-01T00:00:00+01:00")


@given(st.text(alphabet="0123456789-:+.TZ ", max_size=30))
def test_any_text(text: str) -> None:
    try:
        found = timestamp.canonical(text)
    except ValueError:
        return
    assert timestamp.canonical(found) == found
