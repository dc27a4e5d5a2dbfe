"""Adding links to the chains. Always inside a transaction: what is done and that it was done are kept together."""

from typing import Any

from django.db import transaction
from django.utils import timezone

from ircase.models import Case, ChainHead, CustodyEntry, Evidence, LogEntry, User
from ircase.models.chain import ChainedRow

SYSTEM = "IRCase"


@transaction.atomic
def record(action: str, *, case: Case | None = None, actor: User | None = None, **detail: Any) -> LogEntry:
    """Add a log entry; `action` is a dotted code such as `case.opened`. `actor` None is IRCase itself."""
    entry = LogEntry(case=case, actor=actor)
    link(entry, f"case:{case.uuid}" if case else "site", action, actor, detail)
    return entry


@transaction.atomic
def record_custody(evidence: Evidence, action: str, *, actor: User | None, **detail: Any) -> CustodyEntry:
    """Add a custody entry: `sealed`, `viewed`, `downloaded`, `verified`, `exported`."""
    entry = CustodyEntry(evidence=evidence, actor=actor)
    link(entry, f"evidence:{evidence.uuid}", action, actor, detail)
    return entry


def link(entry: ChainedRow, chain: str, action: str, actor: User | None, detail: dict[str, Any]) -> None:
    """Put an entry at the end of a chain and save it, inside a transaction: the chain's head is locked till its end."""
    head = _locked(chain)
    entry.chain, entry.sequence, entry.previous = chain, head.sequence + 1, head.digest
    entry.at, entry.action, entry.detail = timezone.now(), action, detail
    entry.actor_name = actor.name if actor else SYSTEM
    entry.digest = entry.compute_digest()
    entry.save()
    head.sequence, head.digest = entry.sequence, entry.digest
    head.save(update_fields=["sequence", "digest"])


def _locked(chain: str) -> ChainHead:
    """The head of the chain, which is made with the first link."""
    heads = ChainHead.objects.select_for_update()
    found = heads.filter(key=chain).first()
    if found is None:
        ChainHead.objects.get_or_create(key=chain)
        found = heads.get(key=chain)
    return found
