"""Bringing a step's result home: the transcript of a script, or the file that was asked for."""

import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path, PureWindowsPath
from typing import Any, Final, Self
from urllib.parse import urlsplit

from django.db import transaction
from django.utils import timezone

from ircase.models import Evidence
from ircase.runner import spool_folder
from ircase.services import activity, evidence
from ircase.services.analysis import tables
from ircase.services.vault import quotas
from ircase.store import Stored
from liveresponse.catalogue import last_path
from liveresponse.models import Collection
from liveresponse.runner.polling import Lost
from liveresponse.runner.printed import PrintedError, read_printed, write_printed
from liveresponse.runner.work import State, Work, end
from liveresponse.services import collections, machine_actions
from msapi.blobs import Downloaded
from msapi.errors import BadReply, LinkExpired, NetworkError, NotFound, ResultTooLarge, Throttled
from msapi.governor import Wait
from msapi.machines import CommandStatus, MachineAction
from msapi.scripts import SCRIPT_RESULT_BYTES, ScriptResult, gunzip, parse_script_result

RESULT_LOOKS: Final = 10
"""How often a result that its action calls ready may still have no link, or one that has already expired."""
DAMAGED_LOOKS: Final = 3
"""How often a file whose bytes are not the store's is fetched anew before it is kept as it came."""
_MEDIA: Final = {".zip": "application/zip", ".json": "application/json", ".ndjson": "application/x-ndjson"}
HEAD: Final = 4000
"""Characters of a transcript that the command log shows; all of it is evidence."""


@dataclass(frozen=True)
class Fetched:
    """A result on disk. `path` is the file as it was on the device, or, where unpacking failed, as downloaded and
    `packed` still; `fault` says what is wrong with it."""

    path: Path
    blob: Downloaded
    host: str
    fault: str = ""
    packed: bool = False


def fetch(work: Work) -> None:
    """FETCHING -> the next step, or the end. A link that ran out is asked for anew with the next move."""
    known = machine_actions.fresh(work.row.connection, work.row.action_id)
    ended = known is not None and known.is_final
    action = known.as_action() if known and ended else work.tenant.machine_action(work.row.action_id)
    done = [c for c in action.commands if c.status == CommandStatus.COMPLETED]
    if not done and not work.step.package:
        end(work.row, State.FAILED, action.failure or "The session ended without a result.")
        return
    quotas.require_room(work.row.case)
    link = _package_link(work) if work.step.package else _result_link(work, done[0].index)
    if not link:
        return
    with _folder(work.row) as folder:
        try:
            fetched = _download(work, link, folder)
        except LinkExpired as error:
            _ask_anew(work, error)
            return
        if work.step.run_script:
            _keep_transcript(work, action, fetched, folder)
        else:
            _keep_file(work, action, fetched)


def _ask_anew(work: Work, error: LinkExpired) -> None:
    """A fresh link with the next move, later each time: a clock that is wrong must not ask for links for ever."""
    trouble = work.row.trouble
    if trouble >= RESULT_LOOKS:
        raise LinkExpired(
            f"Every link to the result has expired already; given up after {trouble} of them. Check the clock of this "
            "machine.",
            permanent=True,
        ) from error
    wait = timedelta(seconds=min(2.0**trouble, 60.0))
    work.write("link_expired", str(error), trouble=trouble + 1, after=wait)


def _not_ready(work: Work, error: NotFound, what: str, wait: timedelta) -> None:
    """Look again later for a link that Defender does not know of yet; raises `error` once that was often enough."""
    trouble = work.row.trouble
    if trouble >= RESULT_LOOKS:
        raise error
    text = f"{what} is not ready to be fetched yet"
    work.write("not_ready", str(error), status_text=text, trouble=trouble + 1, after=wait)


def _result_link(work: Work, index: int) -> str:
    """The link of a command's result, "" while it is not to be had: it may come a little after the command's end."""
    try:
        return work.tenant.live_response_result_link(work.row.action_id, index)
    except NotFound as error:
        _not_ready(work, error, "The result", work.pace("live_response_poll_seconds", 10))
        return ""


def _package_link(work: Work) -> str:
    """The link of an investigation package, "" while it is not to be had: 2 calls a minute, 404 until it is ready."""
    ticket = f"{work.row.step_marker} link"
    turn = work.governor.acquire(work.link_bucket, ticket)
    if isinstance(turn, Wait):
        text = f"In line for the package's link: place {turn.place}, about {turn.eta:.0f} s"
        work.write(status_text=text, after=timedelta(seconds=max(turn.seconds, 0.5)))
        return ""
    try:
        return work.tenant.package_link(work.row.action_id)
    except NotFound as error:
        _not_ready(work, error, "The package", work.pace("live_response_offline_seconds", 30))
        return ""
    except Throttled as error:
        work.governor.penalise(work.link_bucket, error.retry_after or 60.0)
        raise


@contextmanager
def _folder(row: Collection) -> Iterator[Path]:
    folder = spool_folder(f"collection-{row.pk}")
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _download(work: Work, link: str, folder: Path) -> Fetched:
    blob, plain = folder / "blob", folder / "file"
    with blob.open("xb") as sink:
        got = work.tenant.download(link, quotas.sink(work.row.case, sink))
    host, fault = urlsplit(link).hostname or "", _damage(work, got)
    if work.step.run_script or not got.gzip_applied:
        return Fetched(blob, got, host, fault)
    try:
        with blob.open("rb") as source, plain.open("xb") as sink:
            gunzip(source, sink, cap=_cap(work))
    except (BadReply, ResultTooLarge) as error:
        return Fetched(blob, got, host, f"{fault} {error}".strip(), packed=True)
    return Fetched(plain, got, host, fault)


def _damage(work: Work, got: Downloaded) -> str:
    """What to say of bytes that are not the store's, "" where they are. Raises NetworkError while others may come."""
    if not got.damaged:
        return ""
    said = "The bytes that arrived are not those that the store keeps: their checksum is another."
    if work.row.trouble < DAMAGED_LOOKS:
        raise NetworkError(said)
    return said


def _cap(work: Work) -> int:
    return int(work.row.connection.limits.get("download_bytes", 4 * 2**30))


def _keep_transcript(work: Work, action: MachineAction, fetched: Fetched, folder: Path) -> None:
    """Seal the script's result, whatever it is; then read the output from it, or go on with what it names."""
    stored = evidence.put_file(fetched.path)
    read = _read_transcript(work, fetched)
    output = None
    if work.step.printed and not read.lacking:
        output = _Output.of(read.result, work.step.table, folder)
    with transaction.atomic():
        name = f"{work.row.device} {work.step.run_script} transcript.json"
        kept = replace(fetched, fault=fetched.fault or read.fault)
        sealed = _seal(work, action, kept, stored, name, "application/json", _facts(read.result))
        facts = _facts(read.result)
        collections.note(work.row, "transcript", read.result.output[:HEAD], **facts, evidence=sealed.exhibit)
        work.row.transcript = facts
        if read.lacking:
            _finish(work, State.FAILED, read.fault or _why(read.result, list(read.lacking)), None)
        elif output is not None:
            _keep_printed(work, action, fetched, output, sealed)
        else:
            next_step(work, found={**work.row.found, **read.found}, transcript=facts)


@dataclass(frozen=True)
class _Read:
    """A transcript read for what the next steps need; `lacking` is what it does not say, and `fault` why."""

    result: ScriptResult
    found: Mapping[str, str]
    lacking: tuple[str, ...]
    fault: str = ""


def _read_transcript(work: Work, fetched: Fetched) -> _Read:
    """A result too large or broken is kept as it came; nothing is found in it."""
    wanted = tuple(sorted(work.step.find)) or (("output",) if work.step.printed else ())
    try:
        with fetched.path.open("rb") as file:
            result = parse_script_result(file.read(SCRIPT_RESULT_BYTES + 1))
        found = {name: last_path(pattern, result.output) for name, pattern in work.step.find.items()}
    except (BadReply, ResultTooLarge, TimeoutError) as error:
        nothing = ScriptResult(work.step.run_script, None, "", "", is_complete=False)
        return _Read(nothing, {}, wanted or ("result",), f"{error} The transcript is kept as it was downloaded.")
    return _Read(result, found, tuple(sorted(name for name, path in found.items() if not path)))


@dataclass(frozen=True)
class _Output:
    """What a script printed, as a file to seal; or why there is none."""

    stored: Stored | None
    name: str
    rows: int
    problems: tuple[str, ...]

    @classmethod
    def of(cls, result: ScriptResult, table: str, folder: Path) -> Self:
        try:
            printed = read_printed(result.output, table)
        except PrintedError as error:
            return cls(None, "", 0, (str(error),))
        path = write_printed(printed, folder)
        return cls(evidence.put_file(path), path.name, printed.row_count, printed.problems)


def _keep_printed(work: Work, action: MachineAction, fetched: Fetched, output: _Output, transcript: Evidence) -> None:
    """Seal the rows that a script printed, end the job, and have them read: in the caller's transaction."""
    if output.stored is None:
        reason = " ".join([*output.problems, _how_it_ended(work), "The transcript is kept as evidence."])
        _finish(work, State.FAILED, " ".join(reason.split()), None)
        return
    own = output.name.endswith(".ndjson")
    name = output.name if own else f"{work.plan.id} of {work.row.device}{Path(output.name).suffix}"
    more = {"derived_from": transcript.exhibit, "transcript_sha256": transcript.sha256, "rows": output.rows}
    media = _MEDIA[Path(output.name).suffix]
    more["problems"] = list(output.problems)
    sealed = _seal(work, action, fetched, output.stored, name, media, more)
    collections.note(work.row, "printed", f"{output.rows:,} rows printed by the script", evidence=sealed.exhibit)
    for problem in output.problems:
        collections.note(work.row, "problem", problem)
    faults = [*output.problems[:5], _how_it_ended(work)]
    said = " ".join(fault for fault in faults if fault)
    if said:
        _finish(work, State.PARTIAL, f"{sealed.exhibit}: {output.rows:,} rows, but: {said}", sealed)
    else:
        _finish(work, State.DONE, f"{sealed.exhibit} {name}, {output.rows:,} rows", sealed)
    if work.plan.parser:
        tables.queue_parse(evidence=sealed, actor=work.row.requested_by)


def _how_it_ended(work: Work) -> str:
    """Why a script's work cannot be whole, "" where it may be."""
    code = work.row.transcript.get("exit_code")
    return "" if code in (0, None) else f"The script ended with exit code {code}."


def _facts(result: ScriptResult) -> dict[str, Any]:
    return {"exit_code": result.exit_code, "errors": result.errors[:HEAD], "complete": result.is_complete}


def _why(result: ScriptResult, lacking: list[str]) -> str:
    parts = [f"The script's transcript does not say where its {' and '.join(lacking)} is."]
    if result.exit_code not in (0, None):
        parts.append(f"The script ended with exit code {result.exit_code}.")
    if result.errors.strip():
        parts.append(f"It says: {result.errors.strip()[:300]}")
    return " ".join([*parts, "The transcript is kept as evidence."])


def next_step(work: Work, **fields: Any) -> None:
    """To the next step, in line again: each step is a machine action of its own."""
    work.write(
        "step",
        f"{work.step.title}: done",
        state=State.QUEUED,
        step=work.row.step + 1,
        action_id="",
        turn="",
        submitted_at=None,
        attempt=1,
        waits_for_device=False,
        status_text="In line for the next step",
        **fields,
    )


def _keep_file(work: Work, action: MachineAction, fetched: Fetched) -> None:
    """Seal the file, have it read into tables, and end the job or go on: in one transaction."""
    stored = evidence.put_file(fetched.path)
    path, name = _named(work)
    kept_name = name + (".gz" if fetched.packed else "")
    with transaction.atomic():
        sealed = _seal(work, action, fetched, stored, kept_name, "application/octet-stream", {"path": path})
        words = f"{path or name}: {stored.size:,} bytes, SHA-256 {stored.sha256}"
        collections.note(work.row, "fetched", words, evidence=sealed.exhibit)
        if not work.step.output:
            next_step(work)
        elif fetched.fault:
            _finish(work, State.PARTIAL, f"{sealed.exhibit} is kept as it was downloaded: {fetched.fault}", sealed)
        elif ended := _how_it_ended(work):
            _finish(work, State.PARTIAL, f"{sealed.exhibit} {name}: fetched, but: {ended}", sealed)
        else:
            _finish(work, State.DONE, f"{sealed.exhibit} {name}, {stored.size:,} bytes", sealed)
        if work.plan.parser:
            tables.queue_parse(evidence=sealed, actor=work.row.requested_by)


def _named(work: Work) -> tuple[str, str]:
    """Path on the device and name of what was fetched; a package has no path."""
    if work.step.package:
        return "", f"Investigation package of {work.row.device}.zip"
    path = str(getattr(work.step.command(work.values), "path", ""))
    name = PureWindowsPath(path).name if "\\" in path else path.rsplit("/", 1)[-1]
    return path, name or "file"


def _seal(
    work: Work,
    action: MachineAction,
    fetched: Fetched,
    stored: Stored,
    name: str,
    media_type: str,
    more: dict[str, Any],
) -> Evidence:
    row = work.row
    manifest = {
        "collection": str(row.uuid),
        "definition": row.definition,
        "version": row.version,
        "step": work.step.key,
        "device": row.device,
        "device_id": row.machine_id,
        "tenant": row.connection.tenant_id,
        "app": row.connection.client_id,
        "machine_action": action.id,
        "action_created": action.created,
        "requestor": action.requestor,
        "script": work.step.run_script,
        "script_sha256": _sha256_of(row, work.step.run_script),
        "files": collections.files_of(row),
        "download": {
            "bytes": fetched.blob.bytes,
            "sha256": fetched.blob.sha256,
            "gzip": fetched.blob.gzip_applied,
            "host": fetched.host,
        },
        "fetched_at": timezone.now().isoformat(),
        "requested_by": row.requested_by.name,
        "approved_by": row.approved_by,
        "fault": fetched.fault,
        **more,
    }
    sealed = evidence.seal(
        case=row.case,
        stored=stored,
        kind=Evidence.Kind.COLLECTION,
        name=name,
        media_type=media_type,
        manifest=manifest,
        actor=row.requested_by,
        partial=bool(fetched.fault),
    )
    row.evidence.add(sealed)
    row.activity.evidence.add(sealed)
    return sealed


def _sha256_of(row: Collection, name: str) -> str:
    return next((f["sha256"] for f in collections.files_of(row) if f["name"].lower() == name.lower()), "")


def _finish(work: Work, state: State, outcome: str, output: Evidence | None) -> None:
    """The end, in the caller's transaction; Lost rolls all of it back when the lease is another's."""
    ended = Collection.objects.all().change(
        work.row.pk,
        work.owner,
        state=state,
        output=output,
        ended_at=timezone.now(),
        status_text="",
        failure="" if state == State.DONE else outcome,
        lease_owner="",
        lease_until=None,
    )
    if not ended:
        raise Lost
    activity.end(work.row.activity, state=state, outcome=outcome, partial=state == State.PARTIAL)
    collections.remember(work.row)
