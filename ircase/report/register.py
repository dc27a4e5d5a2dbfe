"""The evidence register: every file hashed again, every chain walked, and what was found said aloud."""

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Count, Prefetch, Q, QuerySet
from django.db.models.fields.json import KT

from ircase.models import Case, ChainHead, CustodyEntry, Evidence
from ircase.models.evidence import stated_digest
from ircase.report import shape
from ircase.report.words import clip, when
from ircase.services.vault import verification
from ircase.services.vault.verification import Fault

MOST_FAULTS = 500
MOST_CUSTODY = 200
_EXHIBIT = re.compile(r"E\d{3,}")
_CHAIN_CODES = ("chain_name", "chain_gap", "chain_broken", "chain_end", "entry_altered", "no_custody", "row_altered")


@dataclass(frozen=True)
class Check:
    """What the verification found: for the cover, and by exhibit for the register."""

    integrity: shape.Integrity
    faults: Mapping[str, Sequence[Fault]]

    def row(self, item: Evidence) -> shape.ExhibitRow:
        """`item` comes from `exhibits`."""
        faults = self.faults.get(item.exhibit, ())
        custody: list[CustodyEntry] = list(item.custody.all())
        return shape.ExhibitRow(
            exhibit=item.exhibit,
            name=item.name,
            kind=item.get_kind_display(),
            description=clip(item.description),
            media_type=item.media_type,
            size=item.size,
            sha256=item.sha256,
            record=item.is_record,
            stated_sha256=stated_digest(getattr(item, "stated", None)) if item.is_record else "",
            manifest_sha256=item.manifest_sha256,
            partial=item.partial,
            sealed_at=when(item.sealed_at),
            sealed_by=item.sealed_by.name,
            integrity=item.integrity,
            checked_at=when(item.checked_at),
            chain="broken" if any(fault.code in _CHAIN_CODES for fault in faults) else "intact",
            custody_entries=len(custody),
            custody=tuple(_custody(entry) for entry in _ends(custody)),
            faults=tuple(fault.message for fault in faults[:MOST_FAULTS]),
        )


def examine(case: Case, now: datetime) -> Check:
    """Hash every file of `case` again and walk its chains; what was found is kept on the evidence."""
    found = list(verification.verify_case(case))
    head = ChainHead.objects.filter(key=f"case:{case.uuid}").first()
    destroyed = Count("pk", filter=Q(integrity=Evidence.Integrity.DESTROYED))
    elsewhere = Count("pk", filter=Q(kind__in=Evidence.RECORDS))
    counts = Evidence.objects.filter(case=case).aggregate(all=Count("pk"), gone=destroyed, records=elsewhere)
    count, gone = counts["all"], counts["gone"]
    faults: dict[str, list[Fault]] = defaultdict(list)
    for fault in found:
        named = _EXHIBIT.match(fault.subject)
        faults[named.group() if named else ""].append(fault)
    said = [f"{fault.subject}: {fault.message}." for fault in found[:MOST_FAULTS]]
    if len(found) > MOST_FAULTS:
        said.append(f"… and {len(found) - MOST_FAULTS:,} faults more.")
    integrity = shape.Integrity(
        sound=not found,
        verdict=f"{_verdict(count, faults, gone)}{_of_records(counts['records'])}",
        exhibits=count,
        faults=tuple(said),
        checked_at=when(now),
        log_entries=head.sequence if head else 0,
        log_digest=head.digest if head else "",
    )
    return Check(integrity, faults)


def _verdict(count: int, faults: Mapping[str, Sequence[Fault]], gone: int = 0) -> str:
    if not faults:
        if not count:
            return "This case holds no evidence yet. Its log is complete and unaltered."
        what = "1 exhibit was" if count == 1 else f"All {count} exhibits were"
        if gone:
            what = (
                f"{gone} of {count} exhibits {'was' if gone == 1 else 'were'} destroyed, as certified; all others were"
            )
        same = "matches" if count == 1 and not gone else "match"
        return (
            f"{what} hashed again and {same} what was sealed. Custody chains and case log are complete and unaltered."
        )
    broken = sorted(exhibit for exhibit in faults if exhibit)
    parts = []
    if broken:
        names = ", ".join(broken[:20]) + (f" and {len(broken) - 20} more" if len(broken) > 20 else "")
        parts.append(f"{len(broken)} of {count} exhibits FAILED verification: {names}. Do not rely on them.")
    if faults.get(""):
        parts.append("The case log FAILED verification: it was altered after it was written.")
    return " ".join(parts)


def _of_records(count: int) -> str:
    if not count:
        return ""
    which = "1 exhibit is the record of a thing" if count == 1 else f"{count} exhibits are records of things"
    return f" {which} kept elsewhere: what was hashed is the record; a hash that was stated was not checked."


def exhibits(case: Case) -> QuerySet[Evidence]:
    """The register in order, with custody and `stated`, the hash that a manifest states; manifests themselves stay out
    of memory."""
    custody = CustodyEntry.objects.order_by("sequence").defer("detail")
    found = Evidence.objects.filter(case=case).select_related("sealed_by").defer("manifest").order_by("number")
    found = found.annotate(stated=KT("manifest__stated_sha256"))
    return found.prefetch_related(Prefetch("custody", custody))


def _ends(entries: Sequence[CustodyEntry]) -> list[CustodyEntry]:
    """The first and the newest entries of a long custody."""
    if len(entries) <= MOST_CUSTODY:
        return list(entries)
    return [*entries[: MOST_CUSTODY // 2], *entries[-MOST_CUSTODY // 2 :]]


def _custody(entry: CustodyEntry) -> shape.CustodyRow:
    return shape.CustodyRow(entry.sequence, when(entry.at), entry.action, entry.actor_name, entry.digest)
