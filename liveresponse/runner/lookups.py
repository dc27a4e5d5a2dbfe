"""Asking Defender about one file or device: each question on its own, so that a refusal of one leaves the others."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import islice
from typing import Any, Final, Literal, cast

from django.utils import timezone

from ircase import access, quota
from ircase.services import connections
from liveresponse.models import Lookup, LookupState
from liveresponse.providers import Knowing, Opener, Tenant, open_tenant
from liveresponse.runner import polling
from liveresponse.runner.polling import Lost, Refused
from liveresponse.services import lookups, occurrences
from msapi.errors import ApiError, DisabledFeature, Forbidden, NotFound, Throttled
from msapi.governor import Governor, Wait, defender_bucket
from msapi.machines import LogonUser, Machine, MachineAlert

MOST: Final = 200
"""Entries of a list that are kept; whether there were more is said."""


class NotAsked(Exception):
    """The question cannot be put; the message says why."""


def look_up(pk: int, owner: str, opener: Opener = open_tenant) -> None:
    """Lease lookup `pk` and ask. Nothing happens when it is not due or another worker has it."""
    polling.advance(_MACHINE, pk, owner, opener)


def _turn(row: Lookup, owner: str, tenant: Tenant) -> None:
    _Asking(row, owner, cast(Knowing, tenant), quota.governor()).go()


def _stop(row: Lookup, state: Literal["failed", "refused"], reason: str) -> None:
    lookups.end(row, LookupState(state), reason)


@dataclass
class _Asking:
    row: Lookup
    owner: str
    tenant: Knowing
    governor: Governor
    questions: Mapping[str, Callable[[], tuple[Any, bool]]] = field(init=False)

    def __post_init__(self) -> None:
        if self.row.kind == Lookup.Kind.FILE:
            self.questions = {"file": self._file, "stats": self._stats, "machines": self._machines,
                              "alerts": self._file_alerts}  # fmt: skip
        else:
            self.questions = {"machine": self._machine, "users": self._users, "alerts": self._alerts}

    def go(self) -> None:
        """Ask what is pending, question by question, as far as the quota goes."""
        self._may()
        if timezone.now() > self.row.deadline:
            lookups.end(self.row, LookupState.FAILED, self.row.status_text or "Defender did not answer in time.")
            return
        bucket = defender_bucket(connections.endpoint(self.row.connection))
        for name in list(self.row.pending):
            turn = self.governor.acquire(bucket, f"lookup {self.row.uuid}")
            if isinstance(turn, Wait):
                self._write(f"In line for Defender: place {turn.place}, about {turn.eta:.0f} s", turn.seconds)
                return
            try:
                answer = self._answer(name)
            except Throttled as error:
                wait = error.retry_after or 60.0
                self.governor.penalise(bucket, wait)
                self._write(str(error), wait)
                return
            finally:
                self.governor.release(turn)
            self._keep(name, answer)
        self._finish()

    def _may(self) -> None:
        row = self.row
        if not row.connection.enabled:
            raise Refused(f"The connection {row.connection.name} is switched off.")
        if not access.still_may(row.requested_by, row.case, access.ANALYST):
            raise Refused(f"{row.requested_by.name} may no longer act on this case.")

    def _answer(self, name: str) -> dict[str, Any]:
        """What became of one question. Raises what is worth another try."""
        answer: dict[str, Any] = {"as_of": timezone.now().isoformat(), "said": "", "data": None, "cut": False}
        try:
            data, cut = self.questions[name]()
        except NotAsked as error:
            return answer | {"state": "not_asked", "said": str(error)}
        except NotFound as error:
            return answer | {"state": "unknown", "said": str(error)}
        except (Forbidden, DisabledFeature) as error:
            return answer | {"state": "refused", "said": str(error)}
        except Throttled:
            raise
        except ApiError as error:
            if not error.permanent:
                raise
            return answer | {"state": "failed", "said": str(error)}
        return answer | {"state": "answered", "data": data, "cut": cut}

    # --- files

    @property
    def _sha(self) -> str:
        """The hash that Defender takes."""
        if len(self.row.key) != 32:
            return self.row.key
        found = occurrences.other_hashes(self.row.case, self.row.key)
        sha = found.get("sha256") or found.get("sha1")
        if sha is None:
            raise NotAsked(
                "Defender is asked by SHA-1 or SHA-256, and no table of the case says which file has this MD5."
            )
        return sha

    def _file(self) -> tuple[Any, bool]:
        profile = self.tenant.file(self._sha)
        return {name: getattr(profile, name) for name in profile.__slots__}, False

    def _stats(self) -> tuple[Any, bool]:
        stats = self.tenant.file_stats(self._sha)
        return {name: getattr(stats, name) for name in stats.__slots__}, False

    def _machines(self) -> tuple[Any, bool]:
        sha = self._sha
        known = (self.row.answers.get("file") or {}).get("data") or {}
        sha1 = sha if len(sha) == 40 else str(known.get("sha1") or "")
        if len(sha1) != 40:
            raise NotAsked("Defender lists the devices of a file by its SHA-1 alone, and does not know this file's.")
        return _listed(self.tenant.file_machines(sha1), _machine)

    def _file_alerts(self) -> tuple[Any, bool]:
        return _listed(self.tenant.file_alerts(self._sha), _alert)

    # --- devices

    def _machine(self) -> tuple[Any, bool]:
        machine = self.tenant.machine(self.row.key)
        addresses = machine.raw.get("ipAddresses") if isinstance(machine.raw, Mapping) else None
        ips = [
            str(one.get("ipAddress"))[:64]
            for one in (addresses if isinstance(addresses, list) else [])[:50]
            if isinstance(one, Mapping) and one.get("ipAddress")
        ]
        return _machine(machine) | {"ips": ips}, False

    @property
    def _machine_id(self) -> str:
        known = (self.row.answers.get("machine") or {}).get("data") or {}
        if not known.get("id"):
            raise NotAsked("Defender is asked by the device's id, and it does not know this device.")
        return str(known["id"])

    def _users(self) -> tuple[Any, bool]:
        return _listed(self.tenant.logon_users(self._machine_id), _user)

    def _alerts(self) -> tuple[Any, bool]:
        return _listed(self.tenant.alerts(self._machine_id), _alert)

    # --- the row

    def _keep(self, name: str, answer: dict[str, Any]) -> None:
        row = self.row
        row.answers = {**row.answers, name: answer}
        row.pending = [one for one in row.pending if one != name]
        # The exhibit holds the answers before these.
        self._change(answers=row.answers, pending=row.pending, evidence=None, trouble=0)

    def _write(self, text: str, seconds: float) -> None:
        when = timezone.now() + timedelta(seconds=max(seconds, 0.5))
        self._change(status_text=text[:300], next_poll_at=when)

    def _finish(self) -> None:
        states = [answer["state"] for answer in self.row.answers.values()]
        lacking = [one for one in states if one in ("refused", "failed")]
        state = LookupState.DONE if not lacking else LookupState.PARTIAL
        if lacking and len(lacking) == len(states):
            state = LookupState.FAILED
        self._change(state=state, status_text="", ended_at=timezone.now(), lease_owner="", lease_until=None)

    def _change(self, **fields: Any) -> None:
        if not Lookup.objects.all().change(self.row.pk, self.owner, **fields):
            raise Lost


def _listed(items: Iterable[Any], as_json: Callable[[Any], dict[str, Any]]) -> tuple[list[dict[str, Any]], bool]:
    found = list(islice(items, MOST + 1))
    return [as_json(item) for item in found[:MOST]], len(found) > MOST


def _machine(machine: Machine) -> dict[str, Any]:
    names = ("id", "dns_name", "os_platform", "os_version", "health", "onboarding", "risk", "exposure", "value",
             "last_ip", "last_external_ip", "group", "entra_device_id", "first_seen", "last_seen")  # fmt: skip
    return {name: getattr(machine, name) for name in names} | {"tags": list(machine.tags)}


def _alert(alert: MachineAlert) -> dict[str, Any]:
    names = ("id", "incident_id", "title", "severity", "status", "category", "created", "updated")
    return {name: getattr(alert, name) for name in names} | {"techniques": list(alert.techniques)}


def _user(user: LogonUser) -> dict[str, Any]:
    names = ("id", "name", "domain", "first_seen", "last_seen", "logon_types", "is_domain_admin", "is_network_only")
    return {name: getattr(user, name) for name in names}


def _no_note(row: Lookup, what: str, text: str) -> None:
    """A question keeps no log of its own: its row says what it waits for."""


_MACHINE: Final = polling.Machine(
    rows=Lookup.objects.all, task="liveresponse.look_up", move=_turn, end=_stop, note=_no_note
)
