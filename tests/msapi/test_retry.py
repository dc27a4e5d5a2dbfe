"""The retry table and the reading of Retry-After."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from msapi.retry import LONGEST_WAIT, GiveUp, Kind, Outcome, Policy, Retry, decide, duration_in, parse_retry_after

POLICY = Policy(attempts=3, backoff=1.0, backoff_cap=30.0, max_wait=60.0)
NOON = 1_767_268_800.0  # Thu, 01 Jan 2026 12:00:00 GMT


@pytest.mark.parametrize(
    ("idempotent", "attempt", "outcome", "expected"),
    [
        (True, 1, Outcome(Kind.OK), GiveUp.DONE),
        (False, 1, Outcome(Kind.OK), GiveUp.DONE),
        (True, 1, Outcome(Kind.REFUSED), GiveUp.REFUSED),
        (True, 1, Outcome(Kind.UNAVAILABLE), Retry(1.0)),
        (True, 2, Outcome(Kind.UNAVAILABLE), Retry(2.0)),
        (True, 3, Outcome(Kind.UNAVAILABLE), GiveUp.EXHAUSTED),
        (True, 1, Outcome(Kind.UNAVAILABLE, 7), Retry(7)),
        (True, 1, Outcome(Kind.BROKEN), Retry(1.0)),
        (False, 1, Outcome(Kind.BROKEN), GiveUp.AMBIGUOUS),
        (False, 1, Outcome(Kind.UNAVAILABLE), GiveUp.AMBIGUOUS),
        (False, 1, Outcome(Kind.UNAVAILABLE, 5), GiveUp.AMBIGUOUS),
        (False, 1, Outcome(Kind.THROTTLED, 5), Retry(5)),
        (False, 1, Outcome(Kind.NOT_SENT), Retry(1.0)),
        (False, 3, Outcome(Kind.NOT_SENT), GiveUp.EXHAUSTED),
        (True, 1, Outcome(Kind.THROTTLED, 60), Retry(60)),
        (True, 1, Outcome(Kind.THROTTLED, 60.1), GiveUp.WAIT_TOO_LONG),
        (True, 3, Outcome(Kind.THROTTLED, 5), GiveUp.EXHAUSTED),
        (True, 1, Outcome(Kind.THROTTLED), Retry(1.0)),
    ],
)
def test_table(idempotent: bool, attempt: int, outcome: Outcome, expected: object) -> None:
    assert decide(idempotent, attempt, outcome, POLICY) == expected


def test_jitter_is_added_never_taken_off() -> None:
    assert decide(True, 1, Outcome(Kind.THROTTLED, 10), POLICY, 1.0) == Retry(11.0)
    assert decide(True, 1, Outcome(Kind.UNAVAILABLE), POLICY, 0.5) == Retry(1.25)


@given(
    st.booleans(),
    st.integers(1, 10_000),
    st.sampled_from(Kind),
    st.none() | st.floats(0, LONGEST_WAIT),
    st.floats(0, 1),
)
def test_every_case_ends_and_keeps_the_promises(
    idempotent: bool, attempt: int, kind: Kind, wait: float | None, jitter: float
) -> None:
    step = decide(idempotent, attempt, Outcome(kind, wait), POLICY, jitter)
    if isinstance(step, Retry):
        assert attempt < POLICY.attempts
        assert step.delay >= (wait or 0) and step.delay <= POLICY.max_wait + 1
        assert idempotent or kind in (Kind.THROTTLED, Kind.NOT_SENT)


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("0", 0.0),
        ("30", 30.0),
        (" 1.5 ", 1.5),
        ("999999", LONGEST_WAIT),
        ("Thu, 01 Jan 2026 12:01:30 GMT", 90.0),
        ("Thu, 01 Jan 2026 11:00:00 GMT", 0.0),
        ("Thu, 01 Jan 2026 12:01:30 -0000", 90.0),
        ("Fri, 01 Jan 2032 12:00:00 GMT", LONGEST_WAIT),
        (None, None),
        ("", None),
        ("-5", None),
        ("soon", None),
        ("inf", None),
        ("nan", None),
        ("1e3", None),
        ("٣", None),
        ("Thu, 99 Jan 2026 12:00:00 GMT", None),
    ],
)
def test_retry_after(header: str | None, seconds: float | None) -> None:
    assert parse_retry_after(header, NOON) == seconds


@given(st.text(max_size=120), st.floats(0, 4e9))
def test_retry_after_of_anything(header: str, now: float) -> None:
    seconds = parse_retry_after(header, now)
    assert seconds is None or (math.isfinite(seconds) and 0 <= seconds <= LONGEST_WAIT)


@pytest.mark.parametrize(
    ("sentence", "seconds"),
    [
        ("You can run queries again in 00:12:30.", 750.0),
        ("again in 12 minutes and 5 seconds", 725.0),
        ("again in 1 hour", 3600.0),
        ("again later", None),
    ],
)
def test_durations_in_sentences(sentence: str, seconds: float | None) -> None:
    assert duration_in(sentence) == seconds
