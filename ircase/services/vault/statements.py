"""Signed statements of where every chain ends: what shows later that a chain's end and its head were cut off together.

A statement holds the root of a Merkle tree (nodes as in https://www.rfc-editor.org/rfc/rfc6962#section-2.1) over
[chain, sequence, digest] of all chains, ordered by the hash of the leaf. The root tells nothing of any case, not even
how many there are: it may be sent to anybody.
"""

import hashlib
import json
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from itertools import islice
from typing import Any, Final, TypeVar

from django.conf import settings
from django.db import IntegrityError, transaction
from django.utils import timezone

from ircase import jobs
from ircase.models import GENESIS, CaseLook, ChainHead, CustodyEntry, LogEntry, StatedHead, Statement, StatementPost
from ircase.services.vault import looks, signing, stamping, stamps

FORMAT: Final = "ircase-statement/1"
TASK: Final = "ircase.post_statements"
_BATCH: Final = 400
Leaves = dict[str, tuple[int, str]]
T = TypeVar("T")


@dataclass(frozen=True)
class Disagreement:
    """A statement that does not hold, or a chain (`chain`, else "") that is not what a statement says."""

    chain: str
    number: int
    code: str
    message: str


def batched(items: Iterable[T], size: int) -> Iterator[list[T]]:
    found = iter(items)
    while part := list(islice(found, size)):
        yield part


def make_if_due() -> Statement | None:
    """A statement where the last is older than STATEMENT_HOURS, or there is none."""
    last = Statement.objects.order_by("-number").values_list("at", flat=True).first()
    if last is not None and timezone.now() - last < timedelta(hours=settings.STATEMENT_HOURS):
        return None
    try:
        return make()
    except IntegrityError:
        return None  # another worker made it at this moment


@transaction.atomic
def make() -> Statement:
    """Sign where all chains end now. Raises IntegrityError where another does so at the same time."""
    last = Statement.objects.order_by("-number").first()
    # The key first: making it adds to the site's chain, which is stated next.
    key = signing.active_key()
    known = leaves_at(last.number) if last else {}
    now = {head.key: (head.sequence, head.digest) for head in ChainHead.objects.filter(sequence__gt=0)}
    moment = timezone.now()
    body = {
        "format": FORMAT,
        "number": last.number + 1 if last else 1,
        "at": moment.isoformat(timespec="microseconds"),
        "root": Tree(known | now).root,
        "previous": last.digest if last else GENESIS,
        "key": key.key_id,
    }
    text = signing.canonical(body)
    signature, key = signing.sign(text)
    statement = Statement(
        number=body["number"],
        at=moment,
        body=text.decode(),
        digest=hashlib.sha256(text).hexdigest(),
        signature=signature,
        key=key,
    )
    statement.save()
    moved = [
        StatedHead(statement=statement, chain=chain, sequence=end[0], digest=end[1])
        for chain, end in sorted(now.items())
        if known.get(chain) != end
    ]
    # The base manager adds many at once; nothing that is there is touched.
    StatedHead._base_manager.bulk_create(moved, batch_size=1000)
    StatementPost.objects.bulk_create(StatementPost(statement=statement, url=url) for url in settings.STATEMENT_URLS)
    if settings.STATEMENT_URLS:
        jobs.enqueue(TASK)
    stamping.begin(statement)
    return statement


def leaves_at(number: int) -> Leaves:
    """What statement `number` says of each chain."""
    rows = StatedHead.objects.filter(statement__number__lte=number).order_by("statement__number")
    found = rows.values_list("chain", "sequence", "digest").iterator(chunk_size=5000)
    return {chain: (sequence, digest) for chain, sequence, digest in found}


def leaf_hash(chain: str, sequence: int, digest: str) -> bytes:
    return hashlib.sha256(b"\0" + signing.canonical([chain, sequence, digest])).digest()


class Tree:
    """The Merkle tree over leaves, ordered by their hashes. A node without a sibling moves up as it is."""

    def __init__(self, leaves: Leaves) -> None:
        self._place = {chain: leaf_hash(chain, *end) for chain, end in leaves.items()}
        self.levels = [sorted(self._place.values())]
        self._index = {leaf: number for number, leaf in enumerate(self.levels[0])}
        while len(self.levels[-1]) > 1:
            self.levels.append(list(_pairs(self.levels[-1])))

    @property
    def root(self) -> str:
        return (self.levels[-1][0] if self.levels[-1] else hashlib.sha256(b"").digest()).hex()

    def path(self, chain: str) -> list[list[str]]:
        """The siblings on the way up: [["left" or "right", hexadecimal], …]."""
        place, found = self._index[self._place[chain]], []
        for level in self.levels[:-1]:
            other = place ^ 1
            if other < len(level):
                found.append(["left" if other < place else "right", level[other].hex()])
            place //= 2
        return found


def _pairs(level: list[bytes]) -> Iterator[bytes]:
    for place in range(0, len(level), 2):
        pair = level[place : place + 2]
        yield hashlib.sha256(b"\1" + pair[0] + pair[1]).digest() if len(pair) == 2 else pair[0]


def as_json(statement: Statement) -> dict[str, Any]:
    """What leaves the house: the signed body, the signature and the public key."""
    return {
        "body": json.loads(statement.body),
        "signature": statement.signature,
        "public_key": statement.key.public_key,
    }


def for_export() -> list[Statement]:
    """The newest statement and, where that has no time stamp yet, the newest that has one."""
    rows = Statement.objects.select_related("key", "stamp").order_by("-number")
    found = {row.pk: row for row in (rows.first(), rows.exclude(stamp__at=None).first()) if row is not None}
    return list(found.values())


def proofs(statement: Statement, chains: Collection[str]) -> dict[str, Any] | None:
    """The statement with the proofs of those of `chains` that it knows; None where it knows none."""
    leaves = leaves_at(statement.number)
    known = [chain for chain in chains if chain in leaves]
    tree = Tree(leaves)
    found = [
        {"chain": chain, "sequence": leaves[chain][0], "digest": leaves[chain][1], "path": tree.path(chain)}
        for chain in known
    ]
    return {**as_json(statement), "proofs": found} if found else None


# --- checking --------------------------------------------------------------------------------------------------------
def disagreements() -> Iterator[Disagreement]:
    """Every statement against the one before it, its signature and its root; every chain against every statement."""
    leaves: Leaves = {}
    number, previous, waiting = 0, GENESIS, []
    heads = StatedHead.objects.order_by("statement__number", "pk").select_related("statement").iterator(chunk_size=5000)
    head = next(heads, None)
    for statement in Statement.objects.select_related("key", "stamp").order_by("number").iterator(chunk_size=500):
        while head is not None and head.statement_id == statement.pk:
            yield from _went_back(head, leaves)
            leaves[head.chain] = (head.sequence, head.digest)
            waiting.append(head)
            head = next(heads, None)
            if len(waiting) == _BATCH:
                yield from compared(waiting)
                waiting = []
        yield from _of_itself(statement, number, previous, leaves)
        number, previous = statement.number, statement.digest
    yield from compared(waiting)


def compared(heads: Iterable[StatedHead]) -> Iterator[Disagreement]:
    """Chains as they are now against what statements said of them. `heads` with their statements."""
    for part in batched(heads, _BATCH):
        entries = _entries({head.chain for head in part}, {head.sequence for head in part})
        for head in part:
            digest = entries.get((head.chain, head.sequence))
            number = head.statement.number
            if digest is None:
                message = f"statement {number} knew entry {head.sequence}, which is gone: entries were cut off"
                yield Disagreement(head.chain, number, "stated_gone", message)
            elif digest != head.digest:
                message = f"statement {number} knew entry {head.sequence} with another digest: it was written anew"
                yield Disagreement(head.chain, number, "stated_other", message)


def stated_of(chains: Collection[str]) -> Iterator[StatedHead]:
    """What statements said of some chains."""
    for part in batched(sorted(chains), _BATCH):
        yield from StatedHead.objects.filter(chain__in=part).select_related("statement").order_by("pk").iterator()


def _entries(chains: set[str], sequences: set[int]) -> dict[tuple[str, int], str]:
    found = {}
    custody = {chain for chain in chains if chain.startswith("evidence:")}
    seen = chains & {looks.CHAIN}
    for model, wanted in ((CustodyEntry, custody), (CaseLook, seen), (LogEntry, chains - custody - seen)):
        rows = model.objects.filter(chain__in=wanted, sequence__in=sequences)
        found.update({(row[0], row[1]): row[2] for row in rows.values_list("chain", "sequence", "digest")})
    return found


def _went_back(head: StatedHead, leaves: Leaves) -> Iterator[Disagreement]:
    before = leaves.get(head.chain, (0, ""))
    if head.sequence <= before[0]:
        message = (
            f"it ended at entry {before[0]} before statement {head.statement.number} had it end at {head.sequence}"
        )
        yield Disagreement(head.chain, head.statement.number, "stated_back", message)


def _of_itself(statement: Statement, number: int, previous: str, leaves: Leaves) -> Iterator[Disagreement]:
    def fault(message: str) -> Disagreement:
        return Disagreement("", statement.number, "statement", message)

    text = statement.body.encode()
    body = json.loads(statement.body)
    if statement.number != number + 1 or body.get("number") != statement.number:
        yield fault(f"it follows statement {number}: statements between are gone")
    if hashlib.sha256(text).hexdigest() != statement.digest or body.get("previous") != previous:
        yield fault("it does not hold the digest of the statement before it, or was changed")
    if not signing.holds(statement.key, text, statement.signature) or body.get("key") != statement.key.key_id:
        yield fault("its signature does not hold")
    stamp = stamping.of(statement)
    if stamp is not None and (wrong := stamps.problem_of(bytes(stamp.answer or b""), statement.digest)):
        yield fault(f"its time stamp does not hold: {wrong}")
    if Tree(leaves).root != body.get("root"):
        yield fault("what is kept of the chains' ends is not what was signed")


def outside_copy(copy: dict[str, Any]) -> Disagreement | None:
    """A statement as somebody outside kept it, against ours of the same number. Raises KeyError, TypeError."""
    number, body = int(copy["body"]["number"]), signing.canonical(copy["body"]).decode()
    ours = Statement.objects.filter(number=number).first()
    if ours is None:
        return Disagreement("", number, "statement", "the copy from outside is of a statement that is gone here")
    if ours.body != body or ours.signature != copy["signature"]:
        return Disagreement("", number, "statement", "the copy from outside is another statement than the one here")
    return None
