"""How much evidence a case may hold. What counts is what the case sealed, whoever else has the same bytes."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import IO, cast

from django.conf import settings
from django.db.models import Sum
from django.template.defaultfilters import filesizeformat

from ircase.models import Case, Evidence, Upload
from ircase.store import StoreFull


class QuotaFull(StoreFull):
    """The case's quota is used up; nothing was sealed."""


@dataclass(frozen=True)
class Usage:
    """Bytes. `allowed` 0: no limit. `promised`: uploads under way."""

    used: int
    allowed: int
    promised: int = 0

    @property
    def left(self) -> int | None:
        """What may still come; None where there is no limit."""
        return max(0, self.allowed - self.used - self.promised) if self.allowed else None

    @property
    def percent(self) -> int:
        return min(100, 100 * (self.used + self.promised) // self.allowed) if self.allowed else 0

    @property
    def is_tight(self) -> bool:
        return self.percent >= 90


def usage_of(case: Case, *, without: Upload | None = None) -> Usage:
    """What the case holds and was promised. `without`: an upload that is being sealed, and no longer a promise."""
    rows = Evidence.objects.filter(case=case).exclude(integrity=Evidence.Integrity.DESTROYED)
    uploads = Upload.objects.unfinished().filter(case=case)
    if without is not None:
        uploads = uploads.exclude(pk=without.pk)
    used = rows.aggregate(all=Sum("size"))["all"] or 0
    return Usage(used, settings.CASE_QUOTA_BYTES, uploads.aggregate(all=Sum("size"))["all"] or 0)


def require_room(case: Case, size: int = 1) -> None:
    """Raises QuotaFull where `size` more bytes would be too many, uploads that were begun included."""
    if settings.CASE_QUOTA_BYTES:
        _require(usage_of(case), size)


def require_sealable(case: Case, size: int) -> None:
    """The last word, under the lock of the case: what is sealed may not exceed the quota. Raises QuotaFull."""
    if settings.CASE_QUOTA_BYTES:
        usage = usage_of(case)
        _require(Usage(usage.used, usage.allowed), size)


def _require(usage: Usage, size: int) -> None:
    left = usage.left
    if left is not None and size > left:
        promised = f" and {filesizeformat(usage.promised)} under way" if usage.promised else ""
        raise QuotaFull(
            f"The case may hold {filesizeformat(usage.allowed)} of evidence; {filesizeformat(usage.used)} is used"
            f"{promised}. Nothing was sealed. Ask an administrator to raise IRCASE_CASE_QUOTA_BYTES."
        )


def metered(case: Case, chunks: Iterable[bytes]) -> Iterator[bytes]:
    """A stream of unknown length, refused where it exceeds what the case may still hold. Raises QuotaFull."""
    gauge = _Gauge(case)
    for chunk in chunks:
        gauge.count(len(chunk))
        yield chunk


def sink(case: Case, file: IO[bytes]) -> IO[bytes]:
    """`file`, whose `write` raises QuotaFull where it exceeds what the case may still hold. Only `write` is there."""
    return cast(IO[bytes], _Sink(case, file)) if settings.CASE_QUOTA_BYTES else file


class _Gauge:
    def __init__(self, case: Case) -> None:
        self._case, self._came = case, 0
        self._left = usage_of(case).left if settings.CASE_QUOTA_BYTES else None

    def count(self, size: int) -> None:
        self._came += size
        if self._left is not None and self._came > self._left:
            require_room(self._case, self._came)


class _Sink:
    def __init__(self, case: Case, file: IO[bytes]) -> None:
        self._file, self._gauge = file, _Gauge(case)

    def write(self, data: bytes) -> int:
        self._gauge.count(len(data))
        return self._file.write(data)
