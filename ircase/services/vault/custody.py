"""Acts of custody: who took an exhibit, who has it now, to whom it went, with which seal, why and where.

Each act is an entry of the exhibit's chain, and who holds it is read from the chain alone.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction
from django.db.models import TextChoices
from django.urls import reverse
from django.utils import timezone

from ircase import access
from ircase.models import Case, CustodyEntry, Evidence, NoticeCode, Transfer, User
from ircase.services import evidence, log, notices
from ircase.services.vault import signing
from ircase.wording import key_words

# What says who holds the exhibit from then on (`holder` of the detail; for `sealed` and `imported` the one who did it).
HOLDING: Final = ("sealed", "imported", "taken", "registered", "transferred", "returned")
SEALING: Final = ("taken", "registered", "transferred", "returned", "sealed_again")
_LONGEST: Final = 500
LONGEST: Final[Mapping[str, int]] = {
    "name": 255, "description": 2000, "serial": 200, "source": 200, "acquired_by": 200, "holder": 200,
}  # fmt: skip
"""How many characters each fact of a thing may have."""


@dataclass(frozen=True)
class Said:
    """What a person says of an act. `happened_at` None: now. `seal`: the number of the seal on it, "" where none."""

    purpose: str
    place: str
    happened_at: datetime | None = None
    seal: str = ""

    def detail(self) -> dict[str, str]:
        """Raises ValidationError where purpose or place is missing."""
        purpose, place = self.purpose.strip(), self.place.strip()
        if not purpose or not place:
            raise ValidationError("Say why and where; custody keeps both.")
        if max(len(purpose), len(place), len(self.seal)) > _LONGEST:
            raise ValidationError(f"Purpose, place and seal have at most {_LONGEST} characters.")
        found = {"purpose": purpose, "place": place}
        if self.seal.strip():
            found["seal"] = self.seal.strip()
        if self.happened_at is not None:
            found["happened_at"] = self.happened_at.isoformat()
        return found


class What(TextChoices):
    """What kind of thing lies elsewhere."""

    COMPUTER = "computer", "Computer"
    PHONE = "phone", "Phone"
    DISK = "disk", "Disk or other medium"
    PAPER = "paper", "Paper"
    FILE = "file", "File"
    OTHER = "other", "Other"


@dataclass(frozen=True)
class Thing:
    """What people say of a thing whose bytes are not held here. `source` is where it came from, `holder` who has it now
    (`acquired_by` where empty, and who writes this where that is empty too). `sha256` is stated, never checked."""

    name: str
    description: str = ""
    serial: str = ""
    what: str = ""
    source: str = ""
    acquired_by: str = ""
    holder: str = ""
    sha256: str = ""

    def facts(self) -> dict[str, str]:
        """Raises ValidationError where it has no name, or something is not what it should be."""
        if not self.name.strip():
            raise ValidationError("Say what it is.")
        for name, most in LONGEST.items():
            if len(getattr(self, name).strip()) > most:
                raise ValidationError(f"The {key_words(name).lower()} has at most {most:,} characters.")
        if self.what and self.what not in What.values:
            raise ValidationError(f"“{self.what[:40]}” is no kind of thing. Write one of {', '.join(What.values)}.")
        stated = self.sha256.strip().lower()
        if stated and not re.fullmatch(r"[0-9a-f]{64}", stated):
            raise ValidationError("That is no SHA-256: it has 64 hexadecimal digits.")
        always = {"name": self.name, "description": self.description, "serial": self.serial}
        more = {"what": self.what, "source": self.source, "acquired_by": self.acquired_by, "stated_sha256": stated}
        said = always | {name: value for name, value in more.items() if value.strip()}
        return {name: value.strip() for name, value in said.items()}

    @property
    def kind(self) -> Evidence.Kind:
        return Evidence.Kind.ELSEWHERE if self.what == What.FILE else Evidence.Kind.PHYSICAL


@dataclass(frozen=True)
class Record:
    """A thing written down: its words are in the store, ready to become an exhibit."""

    thing: Thing
    facts: Mapping[str, str]
    detail: Mapping[str, str]
    stored: evidence.Stored


@dataclass(frozen=True)
class Holding:
    """Who has an exhibit now, since when and where, the number of its seal, and the transfer that waits."""

    holder: str
    since: datetime
    place: str
    seal: str
    waiting: Transfer | None


def holding_of(item: Evidence) -> Holding:
    """As the chain says it. `item` has at least its first entry."""
    rows = CustodyEntry.objects.filter(evidence=item)
    last = rows.filter(action__in=HOLDING).order_by("-sequence").first()
    sealed = rows.filter(action__in=SEALING, detail__has_key="seal").order_by("-sequence").first()
    waiting = item.transfers.filter(state=Transfer.State.OFFERED).select_related("giver", "receiver").first()
    if last is None:
        return Holding(item.sealed_by.name, item.sealed_at, "", "", waiting)
    detail = last.detail
    # A file lies in the store; only who answers for it changes.
    place = str(detail.get("place") or ("" if item.is_record else "Evidence store"))
    seal = str(sealed.detail.get("seal", "")) if sealed else ""
    return Holding(str(detail.get("holder") or last.actor_name), last.at, place, seal, waiting)


def take(*, case: Case, actor: User, said: Said, **thing: str) -> Evidence:
    """Take a thing that is no file of ours into custody: a disk, a phone. Its sealed bytes are its description. `thing`
    is what a `Thing` says. Raises ValidationError, StoreError."""
    open_for_acts(case)
    return seal_record(case=case, actor=actor, record=write_down(Thing(**thing), said))


def write_down(thing: Thing, said: Said, **more: str) -> Record:
    """Put the words about a thing into the store; nothing else is kept yet. Raises ValidationError, StoreError."""
    detail = said.detail()
    facts = {**thing.facts(), **detail, **more}
    return Record(thing, facts, detail, evidence.put(iter([signing.canonical(facts)])))


@transaction.atomic
def seal_record(*, case: Case, actor: User, record: Record, act: str = "taken", **origin: Any) -> Evidence:
    """Make an exhibit of what was written down; `act` opens its custody, `origin` goes into the manifest."""
    thing, facts = record.thing, record.facts
    manifest = {
        "origin": thing.kind.value, **facts, **origin, "taken_by": actor.username,
        "received_at": timezone.now().isoformat(),
    }  # fmt: skip
    said = {name: facts[name] for name in ("serial", "source", "acquired_by", "stated_sha256") if name in facts}
    if thing.what:
        said["what"] = What(thing.what).label
    return evidence.seal(
        case=case,
        stored=record.stored,
        kind=thing.kind,
        name=facts["name"],
        description=facts["description"],
        media_type="application/json",
        manifest=manifest,
        actor=actor,
        act=act,
        about={"holder": thing.holder.strip() or thing.acquired_by.strip() or actor.name, **said, **record.detail},
    )


@transaction.atomic
def hand_over(*, item: Evidence, actor: User, receiver: User, said: Said) -> Transfer:
    """Hand an exhibit to a person who can see the case; it is theirs once they confirm. Raises ValidationError."""
    _ready(item)
    if receiver.pk == actor.pk:
        raise ValidationError("You cannot hand it to yourself.")
    if not access.still_may(receiver, item.case, access.VIEWER):
        raise ValidationError("They cannot see this case. Make them a member first.")
    detail = said.detail()
    transfer = _transfer(item, actor, receiver.name, said, receiver=receiver)
    log.record_custody(
        item, "transfer_offered", actor=actor, giver=actor.name, receiver=receiver.name, transfer=str(transfer.uuid),
        **detail,
    )  # fmt: skip
    _say("custody.offered", item, actor, receiver=receiver.name)
    path = reverse("ircase:custody", args=[item.case.reference, item.uuid])
    title = f"{actor.name} hands {item.exhibit} of {item.case.reference} to you: confirm or refuse"
    notices.tell(
        code=NoticeCode.CUSTODY, people=[receiver], case=item.case, subject=transfer.uuid, title=title, path=path
    )
    return transfer


@transaction.atomic
def hand_outside(*, item: Evidence, actor: User, receiver: str, acknowledged: str, said: Said) -> Transfer:
    """Hand an exhibit to somebody without an account; `actor` types their own name to state that it was received."""
    _ready(item)
    if not receiver.strip():
        raise ValidationError("Name the receiver and their organisation.")
    if _folded(acknowledged) != _folded(actor.name):
        raise ValidationError(f"Type your name as it stands here to state that they received it: {actor.name}.")
    detail = said.detail()
    transfer = _transfer(item, actor, receiver.strip(), said, state=Transfer.State.CONFIRMED)
    log.record_custody(
        item, "transferred", actor=actor, giver=actor.name, holder=receiver.strip(), outside=True,
        acknowledged_by=actor.name, transfer=str(transfer.uuid), **detail,
    )  # fmt: skip
    _say("custody.transferred", item, actor, receiver=receiver.strip())
    return transfer


@transaction.atomic
def decide(*, transfer: Transfer, actor: User, act: str, comment: str = "") -> Transfer:
    """`confirm` or `refuse` by the receiver, `withdraw` by the giver. Raises PermissionDenied, ValidationError."""
    rows = Transfer.objects.select_for_update(of=("self",)).select_related("evidence__case", "giver", "receiver")
    row = rows.get(pk=transfer.pk)
    states = Transfer.State
    wanted = {"confirm": states.CONFIRMED, "refuse": states.REFUSED, "withdraw": states.WITHDRAWN}.get(act)
    if wanted is None:
        raise ValidationError("A transfer is confirmed, refused or withdrawn.")
    who = row.giver if act == "withdraw" else row.receiver
    if who is None or who.pk != actor.pk:
        raise PermissionDenied("Only the receiver confirms or refuses; only the giver withdraws.")
    if row.state != states.OFFERED:
        raise ValidationError(f"It is over: {row.get_state_display().lower()}.")
    if act == "refuse" and not comment.strip():
        raise ValidationError("Say why you refuse it.")
    row.state, row.decided_at = wanted, timezone.now()
    row.save(update_fields=["state", "decided_at"])
    _write_decision(row, actor, act, comment.strip())
    return row


def _write_decision(row: Transfer, actor: User, act: str, comment: str) -> None:
    detail: dict[str, Any] = {"giver": row.giver.name, "purpose": row.purpose, "place": row.place}
    if act == "confirm":
        action, detail["holder"] = "transferred", actor.name
    else:
        action, detail["receiver"] = (
            "transfer_withdrawn" if act == "withdraw" else "transfer_refused",
            row.receiver_name,
        )
    if row.seal:
        detail["seal"] = row.seal
    if comment:
        detail["reason"] = comment
    log.record_custody(row.evidence, action, actor=actor, transfer=str(row.uuid), **detail)
    said = {"confirm": "custody.transferred", "refuse": "custody.refused", "withdraw": "custody.withdrawn"}[act]
    _say(said, row.evidence, actor, receiver=row.receiver_name)


@transaction.atomic
def give_back(*, item: Evidence, actor: User, holder: str, said: Said) -> None:
    """An exhibit came back: to the store, or to whom it was taken from (`holder`, as text)."""
    _ready(item)
    if not holder.strip():
        raise ValidationError("Name who has it from now on.")
    log.record_custody(item, "returned", actor=actor, holder=holder.strip(), **said.detail())
    _say("custody.returned", item, actor, receiver=holder.strip())


@transaction.atomic
def seal_again(*, item: Evidence, actor: User, said: Said) -> None:
    """A new seal on it. The number is required."""
    _ready(item)
    if not said.seal.strip():
        raise ValidationError("Write the number of the new seal.")
    before = holding_of(item).seal
    log.record_custody(item, "sealed_again", actor=actor, seal_before=before, **said.detail())
    _say("custody.sealed_again", item, actor, seal=said.seal.strip())


@transaction.atomic
def look_at(*, item: Evidence, actor: User, said: Said) -> None:
    """Somebody looked at the thing itself, or worked on it: an examination outside IRCase."""
    _ready(item)
    log.record_custody(item, "viewed", actor=actor, what="the item itself", **said.detail())
    _say("custody.viewed", item, actor)


def waiting_for(person: User) -> Sequence[Transfer]:
    """What was handed to a person and waits for their word, on cases that they may see."""
    visible = Case.objects.visible_to(person).values("pk")
    found = Transfer.objects.filter(receiver=person, state=Transfer.State.OFFERED, evidence__case__in=visible)
    return list(found.select_related("evidence__case", "giver")[:200])


def _transfer(
    item: Evidence,
    giver: User,
    name: str,
    said: Said,
    *,
    receiver: User | None = None,
    state: Transfer.State = Transfer.State.OFFERED,
) -> Transfer:
    transfer = Transfer(
        evidence=item,
        giver=giver,
        receiver=receiver,
        receiver_name=name,
        purpose=said.purpose.strip(),
        place=said.place.strip(),
        seal=said.seal.strip(),
        state=state,
        decided_at=None if state == Transfer.State.OFFERED else timezone.now(),
    )
    transfer.full_clean(exclude=["evidence", "giver", "receiver"])
    transfer.save()
    return transfer


def _ready(item: Evidence) -> None:
    open_for_acts(item.case)
    # The exhibit's row is the lock under which its custody acts follow each other.
    Evidence.objects.select_for_update().get(pk=item.pk)
    if item.transfers.filter(state=Transfer.State.OFFERED).exists():
        raise ValidationError("It was handed over and waits for the receiver. They confirm or refuse, or you withdraw.")


def open_for_acts(case: Case) -> None:
    """Raises ValidationError where the case is closed."""
    if not case.is_open:
        raise ValidationError("The case is closed. A lead can open it again on its overview.")


def _say(code: str, item: Evidence, actor: User, **detail: str) -> None:
    log.record(code, case=item.case, actor=actor, exhibit=item.exhibit, name=item.name, **detail)


def _folded(text: str) -> str:
    return " ".join(text.split()).casefold()
