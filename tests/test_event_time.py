"""Tests of scoring.event_time: every usual unit and form, and nothing guessed wrong."""

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from scoring.errors import ReadingRejectedError
from scoring.event_time import event_time_ns, iso_time

# 2023-10-31T15:17:12Z
SECONDS = 1_698_765_432
NS = 10**9


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (SECONDS, SECONDS * NS),
        (SECONDS * 1_000 + 7, SECONDS * NS + 7_000_000),
        (SECONDS * 1_000_000 + 7, SECONDS * NS + 7_000),
        (SECONDS * NS + 7, SECONDS * NS + 7),
        (0, 0),
        (-SECONDS, -SECONDS * NS),
        (9_000_000_000, 9_000_000_000 * NS),
        (100_000_000_000, 100_000_000_000 * 10**6),
        (9_000_000_000_000, 9_000_000_000_000 * 10**6),
        (100_000_000_000_000, 100_000_000_000_000 * 10**3),
        (9_000_000_000_000_000, 9_000_000_000_000_000 * 10**3),
        (100_000_000_000_000_000, 100_000_000_000_000_000),
    ],
)
def test_the_unit_of_an_integer_follows_from_its_size(value: int, expected: int) -> None:
    """Below 1e11 seconds, below 1e14 ms, below 1e17 us, else ns; exact to the last digit."""
    assert event_time_ns(value, "time") == expected


@pytest.mark.parametrize("value", [10**11 - 1, 10**14 - 1, 10**17 - 1])
def test_the_last_number_of_a_unit_is_too_late_for_it(value: int) -> None:
    """It is the year 5138, which 64 bits do not reach: rejected, not taken for the next unit."""
    with pytest.raises(ReadingRejectedError):
        event_time_ns(value, "time")


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (1_698_765_432.5, SECONDS * NS + 500_000_000),
        (1_698_765_432.123457, SECONDS * NS + 123_457_000),
        (1_698_765_432_000.25, SECONDS * NS + 250_000),
        (1_698_765_432_000_000.4, SECONDS * NS),
        (1_698_765_432_000_000.75, SECONDS * NS + 1_000),
        (-0.000_001, -1_000),
        (1.5, 1_500_000_000),
    ],
)
def test_a_fraction_is_rounded_to_microseconds(value: float, expected: int) -> None:
    """A float holds no more of a present date."""
    assert event_time_ns(value, "time") == expected


@pytest.mark.parametrize(
    ("text", "expected_ns"),
    [
        ("2023-10-31T15:17:12Z", 0),
        ("2023-10-31T15:17:12", 0),
        ("2023-10-31 15:17:12", 0),
        ("2023-10-31T15:17:12+00:00", 0),
        ("2023-10-31T17:17:12+02:00", 0),
        ("2023-10-31T09:47:12-05:30", 0),
        ("20231031T151712Z", 0),
        ("20231031T151712.1234567Z", 123_456_700),
        ("2023-10-31T15:17:12.1Z", 100_000_000),
        ("2023-10-31T15:17:12.12Z", 120_000_000),
        ("2023-10-31T15:17:12.123", 123_000_000),
        ("2023-10-31T15:17:12.1234Z", 123_400_000),
        ("2023-10-31T15:17:12.12345Z", 123_450_000),
        ("2023-10-31T15:17:12.123456+00:00", 123_456_000),
        ("2023-10-31T15:17:12.1234567Z", 123_456_700),
        ("2023-10-31T15:17:12.12345678Z", 123_456_780),
        ("2023-10-31T15:17:12.123456789Z", 123_456_789),
        ("2023-10-31T15:17:12,123456789", 123_456_789),
        ("2023-10-31T15:17:12.1234567891Z", 123_456_789),
        ("2023-10-31T17:17:12.123456789+02:00", 123_456_789),
    ],
)
def test_iso_text_is_read_to_the_nanosecond(text: str, expected_ns: int) -> None:
    """With or without zone (UTC then), separators and up to nine digits of a second."""
    assert event_time_ns(text, "time") == SECONDS * NS + expected_ns


def test_a_date_alone_is_its_midnight() -> None:
    """As ISO 8601 has it."""
    assert event_time_ns("2023-10-31", "time") == (SECONDS - 55_032) * NS


@pytest.mark.parametrize(
    "value",
    [
        True,
        False,
        None,
        [],
        {},
        "",
        "now",
        "yesterday",
        "2023-02-30",
        "2023-10-31T15:17:60Z",
        "31.10.2023",
        "1698765432",
        "1701011210151",
        "1698765432.5",
        "x" * 10_000,
        float("nan"),
        float("inf"),
        -float("inf"),
        10**400,
        2**63,
        -(2**63),
        1e300,
        "0001-01-01",
        "1600-01-01T00:00:00Z",
        "9999-12-31T23:59:59-14:00",
        "0001-01-01T00:00:00+14:00",
    ],
    ids=lambda value: repr(value)[:30],
)
def test_what_is_no_time_is_rejected_and_never_guessed(value: object) -> None:
    """Neither booleans nor text that only looks like a number, nor what 64 bits cannot hold."""
    with pytest.raises(ReadingRejectedError) as caught:
        event_time_ns(value, "event_time")
    assert (caught.value.reason, caught.value.field) == ("bad_event_time", "event_time")


json_values = st.one_of(st.text(), st.integers(), st.floats(), st.booleans(), st.none())


@given(json_values)
@example("2023-10-31T15:17:12+23:59:59.999999")
def test_any_value_gives_a_time_or_a_rejection(value: Any) -> None:
    """Never another exception, and never a time that a store cannot keep."""
    try:
        time_ns = event_time_ns(value, "time")
    except ReadingRejectedError:
        return
    assert -(2**63) < time_ns < 2**63


@given(st.datetimes(datetime(1700, 1, 1), datetime(2250, 1, 1)), st.integers(0, 999))  # noqa: DTZ001  # hypothesis takes naive bounds
def test_a_written_time_is_read_back(moment: datetime, nanoseconds: int) -> None:
    """`iso_time` and `event_time_ns` are each other's inverse."""
    whole = moment.replace(tzinfo=UTC) - datetime(1970, 1, 1, tzinfo=UTC)
    micros = (whole.days * 86_400 + whole.seconds) * 10**6 + whole.microseconds
    time_ns = micros * 1_000 + nanoseconds
    assert event_time_ns(iso_time(time_ns), "time") == time_ns


def test_a_written_time_has_no_more_digits_than_it_needs() -> None:
    """For people: whole seconds without a fraction."""
    assert iso_time(SECONDS * NS) == "2023-10-31T15:17:12Z"
    assert iso_time(SECONDS * NS + 100) == "2023-10-31T15:17:12.0000001Z"
    assert iso_time(10 * NS) == "1970-01-01T00:00:10Z"
