"""Who is told of what, by which channel and when, where they have said nothing else."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from ircase.models import CaseRole, Channel, NoticeCode, NoticeSettings, Timing, User

PERSONAL: Final = (Channel.MAIL, Channel.TEAMS)
DAYS: Final = (0, 1, 2, 3, 4)

_NOW = frozenset({
    NoticeCode.MENTION, NoticeCode.ASSIGNMENT, NoticeCode.APPROVAL, NoticeCode.DECIDED, NoticeCode.CUSTODY,
    NoticeCode.DUE, NoticeCode.ALARM,
})  # fmt: skip
_DIGEST = frozenset({NoticeCode.COMMENT, NoticeCode.CLOCK, NoticeCode.PHASE, NoticeCode.ROWS})
# A lead answers for the case: what moves it is told at once. A manager reads along: once a day is enough.
_OF_A_LEAD: Final[Mapping[str, Timing]] = {
    NoticeCode.CLOCK: Timing.NOW, NoticeCode.PHASE: Timing.NOW, NoticeCode.INCIDENT: Timing.NOW,
}  # fmt: skip
_OF_A_MANAGER: Final[Mapping[str, Timing]] = {
    NoticeCode.DUE: Timing.DIGEST, NoticeCode.INCIDENT: Timing.DIGEST, NoticeCode.CLOCK: Timing.DIGEST,
}  # fmt: skip


def usual(person: User, role: str, code: str) -> Timing:
    """When a person with `role` on the case ("" for none) is told of `code`, if they chose nothing."""
    if role == CaseRole.LEAD and code in _OF_A_LEAD:
        return _OF_A_LEAD[code]
    if person.site_role == User.SiteRole.MANAGER and code in _OF_A_MANAGER:
        return _OF_A_MANAGER[code]
    return Timing.NOW if code in _NOW else Timing.DIGEST if code in _DIGEST else Timing.OFF


def timing(person: User, chosen: NoticeSettings, role: str, code: str, channel: str) -> Timing:
    """The person's own word, else the usual."""
    own = chosen.choices.get(code, {}).get(channel, "")
    return Timing(own) if own in Timing.values and own else usual(person, role, code)


def days_of(chosen: NoticeSettings) -> tuple[int, ...]:
    return tuple(day for day in chosen.digest_days if day in range(7)) or DAYS


def follows_every_case(person: User, chosen: NoticeSettings | None) -> bool:
    """Whether phases of cases that they only read are told: managers want it until they say otherwise."""
    return chosen.every_case if chosen is not None else person.site_role == User.SiteRole.MANAGER


def cleaned(choices: Mapping[str, Any]) -> dict[str, dict[str, str]]:
    """Only what is a choice, and differs from the usual. Unknown codes, channels and timings are left out."""
    found: dict[str, dict[str, str]] = {}
    for code in NoticeCode.values:
        of_code = choices.get(code)
        if not isinstance(of_code, Mapping):
            continue
        for channel in PERSONAL:
            word = of_code.get(channel.value)
            if word in Timing.values and word:
                found.setdefault(code, {})[channel.value] = str(word)
    return found


def codes(wanted: Iterable[str]) -> list[str]:
    """Codes of a hook in our order, without what is none."""
    asked = set(wanted)
    return [code for code in NoticeCode.values if code in asked]
