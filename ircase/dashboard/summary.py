"""Median, mean and 90th percentile of spans of time."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, median


@dataclass(frozen=True)
class Summary:
    """Over `n` spans, in seconds; None where there is none."""

    n: int
    median: float | None
    mean: float | None
    p90: float | None


def summary(values: Sequence[float]) -> Summary:
    if not values:
        return Summary(0, None, None, None)
    ordered = sorted(values)
    return Summary(len(ordered), median(ordered), fmean(ordered), quantile(ordered, 0.9))


def quantile(ordered: Sequence[float], share: float) -> float:
    """Between the two nearest ranks, in proportion, as PostgreSQL's percentile_cont does it:
    https://www.postgresql.org/docs/current/functions-aggregate.html#FUNCTIONS-ORDEREDSET-TABLE"""
    place = (len(ordered) - 1) * share
    low = int(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (place - low)
