"""Walking the chains and re-hashing every file: what `manage.py verify_evidence`, the pages and the report rely on.

Each check is an iterator of faults, so that a case of a million entries is walked without being held in memory. What
a stranger does with an exported case is the same walk; docs/evidence.md describes it.
"""

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from django.db.models import OuterRef, QuerySet, Subquery
from django.utils import timezone

from ircase.models import GENESIS, Case, CaseLook, ChainHead, CustodyBefore, CustodyEntry, Evidence, LogEntry
from ircase.models.chain import ChainedRow
from ircase.services import evidence
from ircase.services.vault import before, destruction, looks, statements

_CHUNK = 1000


@dataclass(frozen=True)
class Fault:
    """Something that is not as it was sealed. `case` is a reference, or "site"; `subject` an exhibit or an entry."""

    case: str
    subject: str
    code: str
    message: str

    def __str__(self) -> str:
        return f"{self.case}: {self.subject}: {self.message}"


def verify_everything(*, mark: bool = True) -> Iterator[Fault]:
    """Every case, then the chain of what belongs to none."""
    for case in Case.objects.order_by("pk").iterator():
        yield from _everything_of(case, mark=mark)
    yield from verify_site()
    for found in statements.disagreements():
        yield Fault("site", found.chain or f"statement {found.number}", found.code, found.message)


def verify_case(case: Case, *, mark: bool = True) -> Iterator[Fault]:
    """The case's log, its register of exhibits, each exhibit's file, manifest and custody, and what signed statements
    said of these chains.

    With `mark` what is found is kept on the evidence, where the pages and the report say it aloud.
    """
    yield from _everything_of(case, mark=mark)
    uuids = Evidence.objects.filter(case=case).values_list("uuid", flat=True)
    chains = [f"case:{case.uuid}", *(f"evidence:{uuid}" for uuid in uuids)]
    for found in statements.compared(statements.stated_of(chains)):
        yield Fault(case.reference, found.chain, found.code, found.message)


def _everything_of(case: Case, *, mark: bool) -> Iterator[Fault]:
    yield from _log_of(case)
    yield from _register_of(case)
    yield from _records_of(case)
    for item in Evidence.objects.filter(case=case).select_related("case").order_by("number").iterator():
        yield from verify_item(item, mark=mark)


def verify_site() -> Iterator[Fault]:
    """The log of what belongs to no case (people, connections, tokens), and who looked at cases."""
    yield from walk_chain(ordered(LogEntry.objects.filter(chain="site")), "site", case="site", what="log entry")
    yield from walk_chain(
        ordered(CaseLook.objects.all()), looks.CHAIN, case="site", what="entry of who looked at a case"
    )


def verify_item(item: Evidence, *, mark: bool = True) -> Iterator[Fault]:
    """One exhibit: its file against its hash, its row against what custody says was sealed, its custody chain."""
    label = f"{item.exhibit} {item.name}"
    found = None
    try:
        found = evidence.look(item)
    except evidence.StoreError as error:
        yield Fault(item.case.reference, label, "not_checked", f"the file could not be read: {error}")
    if found == Evidence.Integrity.MISSING:
        yield Fault(item.case.reference, label, "missing", f"the file {item.sha256} is not in the evidence store")
    elif found == Evidence.Integrity.ALTERED:
        yield Fault(item.case.reference, label, "altered", f"the bytes or the manifest are not those of {item.sha256}")
    elif found == Evidence.Integrity.DESTROYED and not destruction.is_certified(item):
        message = "it is marked as destroyed, and custody knows of no destruction by two persons"
        yield Fault(item.case.reference, label, "not_certified", message)
    yield from _sealed_as(item, label)
    yield from custody_of(item)
    yield from _before(item)
    if mark and found is not None:
        # Last: keeping what was found adds to custody, which is walked as it was before.
        _mark(item, found)


Head = tuple[int, str]  # sequence and digest of a chain's last link


def custody_with_head(item: Evidence) -> tuple[list[CustodyEntry], Head | None]:
    """The custody of an exhibit in order, and what its chain's head says (None where there is neither): one query."""
    head = ChainHead.objects.filter(key=OuterRef("chain"))
    rows = item.custody.order_by("sequence", "pk").annotate(
        head_sequence=Subquery(head.values("sequence")), head_digest=Subquery(head.values("digest"))
    )
    found = list(rows)
    known = found[-1] if found and found[-1].head_digest else None
    return found, (known.head_sequence, known.head_digest) if known else None


def custody_of(item: Evidence, rows: Iterable[CustodyEntry] | None = None, head: Head | None = None) -> Iterator[Fault]:
    """The custody chain of one exhibit; `rows` are its entries in order and `head` what the chain's head says, where
    they were read already."""
    what = f"{item.exhibit} custody entry"
    entries = ordered(CustodyEntry.objects.filter(evidence=item)) if rows is None else rows
    yield from walk_chain(entries, f"evidence:{item.uuid}", case=item.case.reference, what=what, head=head)


def ordered(rows: QuerySet[Any]) -> Iterator[Any]:
    """The entries of a chain as `walk_chain` takes them, read as they are walked."""
    return rows.order_by("sequence", "pk").iterator(chunk_size=_CHUNK)


def walk_chain(rows: Iterable[Any], key: str, *, case: str, what: str, head: Head | None = None) -> Iterator[Fault]:
    """Every link in order: numbered without a gap, holding the digest of the one before, and ending where the head
    says. The walk goes on after a fault, so that one changed entry is told from a chain that was written anew."""
    sequence, digest = 0, GENESIS
    for row in rows:
        yield from _link_faults(row, sequence, digest, key, case, what)
        sequence, digest = row.sequence, row.digest
    known = head or ChainHead.objects.filter(key=key).values_list("sequence", "digest").first() or (0, GENESIS)
    if known != (sequence, digest):
        message = f"the chain ends at entry {sequence}, its head says {known[0]}: entries were cut off or added"
        yield Fault(case, f"{what} {sequence}", "chain_end", message)


def _link_faults(row: ChainedRow, sequence: int, digest: str, key: str, case: str, what: str) -> Iterator[Fault]:
    subject = f"{what} {row.sequence}"
    if row.chain != key:
        yield Fault(case, subject, "chain_name", "it says that it belongs to another chain")
    if row.sequence != sequence + 1:
        yield Fault(case, subject, "chain_gap", f"it follows entry {sequence}: entries between are gone")
    elif row.previous != digest:
        yield Fault(case, subject, "chain_broken", "it does not hold the digest of the entry before it")
    if row.digest != row.compute_digest():
        yield Fault(case, subject, "entry_altered", f"its content was changed after it was written ({row.action})")


def _log_of(case: Case) -> Iterator[Fault]:
    key = f"case:{case.uuid}"
    yield from walk_chain(ordered(LogEntry.objects.filter(case=case)), key, case=case.reference, what="log entry")


def _records_of(case: Case) -> Iterator[Fault]:
    """What stays of a case's time in another IRCase is what its log says came."""
    came = LogEntry.objects.filter(case=case, action="case.brought_in").order_by("sequence")
    detail = came.values_list("detail", flat=True).first()
    if detail is None:
        return
    if before.seal_of(case) != (detail.get("records"), detail.get("records_sha256")):
        yield Fault(case.reference, "records before import", "before_altered", "they are not what was brought in")


def _register_of(case: Case) -> Iterator[Fault]:
    """What the log says was sealed must still be in the register, under the same hash."""
    register = dict(Evidence.objects.filter(case=case).values_list("number", "sha256"))
    sealed = LogEntry.objects.filter(case=case, action="evidence.sealed").order_by("sequence")
    logged = set()
    for detail in sealed.values_list("detail", flat=True).iterator(chunk_size=_CHUNK):
        exhibit, sha256 = str(detail.get("exhibit", "")), str(detail.get("sha256", ""))
        number = int(exhibit[1:]) if exhibit[1:].isdecimal() else 0
        logged.add(number)
        if number not in register:
            yield Fault(case.reference, exhibit, "not_in_register", "the log says it was sealed, the register lacks it")
        elif register[number] != sha256:
            yield Fault(case.reference, exhibit, "hash_changed", "the register has another hash than the log")
    for number in sorted(set(register) - logged):
        yield Fault(case.reference, f"E{number:03d}", "not_in_log", "the register has it, the log never saw it sealed")


def _sealed_as(item: Evidence, label: str) -> Iterator[Fault]:
    """The row against custody entry 1, which is under the chain as the row is not."""
    first = CustodyEntry.objects.filter(evidence=item, sequence=1).first()
    if first is None:
        yield Fault(item.case.reference, label, "no_custody", "it has no first custody entry")
        return
    sealed = {"sha256": item.sha256, "size": item.size, "name": item.name, "manifest_sha256": item.manifest_sha256}
    changed = [name for name, value in sealed.items() if first.detail.get(name) != value]
    if changed:
        message = f"{', '.join(changed)} differ from what custody entry 1 says was sealed"
        yield Fault(item.case.reference, label, "row_altered", message)


def _before(item: Evidence) -> Iterator[Fault]:
    """Custody before import is, line by line, what the first entry here says was brought in."""
    digest, count = hashlib.sha256(), 0
    for line in (
        CustodyBefore.objects.filter(evidence=item).order_by("sequence").values_list("line", flat=True).iterator()
    ):
        digest.update(line.encode("utf-8", "surrogatepass") + b"\n")
        count += 1
    first = CustodyEntry.objects.filter(evidence=item, sequence=1).values_list("detail", flat=True).first() or {}
    known = (first.get("entries", 0), first.get("chain_sha256", hashlib.sha256().hexdigest()))
    if (count, digest.hexdigest()) != known:
        message = "custody before import is not what was brought in"
        yield Fault(item.case.reference, f"{item.exhibit} custody before import", "before_altered", message)


def _mark(item: Evidence, found: Evidence.Integrity) -> None:
    """Keep what was found. Only a change is written into custody and log: a nightly run must not bury them."""
    if found == item.integrity:
        Evidence.objects.filter(pk=item.pk).update(checked_at=timezone.now())
    else:
        evidence.verify(item)
