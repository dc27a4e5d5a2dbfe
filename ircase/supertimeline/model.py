"""What is asked of a case's super-timeline, and what comes back."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
MOST_WORDS: Final = 8
MOST_TEXT: Final = 300
MOST_CHOSEN: Final = 50
MOST_PAGE: Final = 1_000


class TimelineError(Exception):
    """What was asked cannot be answered; the message says what to do."""


@dataclass(frozen=True)
class Place:
    """Where an event stands in the order: its time in microseconds since 1970, its part of the store, its row (from
    1), and which of the row's times it is."""

    at: int
    part: int
    row: int
    nth: int

    def __str__(self) -> str:
        return f"{self.at}.{self.part}.{self.row}.{self.nth}"

    @classmethod
    def read(cls, text: str) -> "Place | None":
        """Raises TimelineError for what is none; None for an empty text."""
        if not text:
            return None
        try:
            at, part, row, nth = (int(one) for one in text.split("."))
        except ValueError:
            raise TimelineError("The address of the page is not whole. Begin again from the first page.") from None
        if not (abs(at) < 2**62 and 0 <= part < 2**31 and 0 <= row < 2**62 and 0 <= nth < 100):
            raise TimelineError("The address of the page is not whole. Begin again from the first page.")
        return cls(at, part, row, nth)


@dataclass(frozen=True)
class Asked:
    """A filter. Empty is everything. `words`: each is looked for in message, device and account, whatever the case of
    its letters. `since` is inclusive, `until` exclusive. `technique` brings its sub-techniques. `rows` (None: all) are
    the only ones wanted, as (part, row)."""

    sources: tuple[str, ...] = ()
    devices: tuple[str, ...] = ()
    accounts: tuple[str, ...] = ()
    techniques: tuple[str, ...] = ()
    words: tuple[str, ...] = ()
    since: datetime | None = None
    until: datetime | None = None
    rows: tuple[tuple[int, int], ...] | None = None

    def __post_init__(self) -> None:
        if len(self.words) > MOST_WORDS or any(len(word) > MOST_TEXT for word in self.words):
            raise TimelineError(f"At most {MOST_WORDS} words of {MOST_TEXT} characters each.")
        if any(len(some) > MOST_CHOSEN for some in (self.sources, self.devices, self.accounts, self.techniques)):
            raise TimelineError(f"Choose at most {MOST_CHOSEN} of each kind.")


@dataclass(frozen=True)
class TimelineEvent:
    """One time of one row. `table` is the case table's uuid; texts are cut for the list, the row itself is not."""

    place: Place
    what_time: str
    message: str
    device: str
    account: str
    techniques: tuple[str, ...]
    table: str

    @property
    def at(self) -> datetime:
        return moment(self.place.at)

    @property
    def row(self) -> int:
        return self.place.row


@dataclass(frozen=True)
class Counts:
    """How many events pass, and how many of them in each bin of `step` microseconds from `start`."""

    total: int
    start: int
    step: int
    bins: tuple[int, ...]


def moment(microseconds: int) -> datetime:
    return EPOCH + timedelta(microseconds=microseconds)


def microseconds(at: datetime) -> int:
    return (at - EPOCH) // timedelta(microseconds=1)


def as_json(value: Any) -> Any:
    """Tuples as lists, for a digest that does not depend on which it was."""
    if isinstance(value, dict):
        return {str(key): as_json(one) for key, one in value.items()}
    return [as_json(one) for one in value] if isinstance(value, list | tuple) else value
