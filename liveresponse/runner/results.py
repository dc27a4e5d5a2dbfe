"""Bringing a step's result home: the transcript of a script, or the file that was asked for."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path, PureWindowsPath
from typing import Any, Final
from urllib.parse import urlsplit

from django.db import transaction
from django.utils import timezone

from ircase.models import Evidence
from ircase.runner import spool_folder
from ircase.services import activity, evidence, quotas, tables
from ircase.store import Stored
from liveresponse.models import Collection
from liveresponse.runner.polling import Lost
from liveresponse.runner.work import State, Work, end
from liveresponse.services import collections
from msapi.blobs import Downloaded
from msapi.errors import BadReply, LinkExpired, ResultTooLarge
from msapi.machines import CommandStatus, MachineAction
from msapi.scripts import SCRIPT_RESULT_BYTES, ScriptResult, gunzip, parse_script_result

HEAD: Final = 4000
"""Characters of a transcript that the command log shows; all of it is evidence."""


@dataclass(frozen=True)
class Fetched:
    """A result on disk. `path` is the file as it was on the device, or as downloaded where unpacking failed, which
    `fault` explains."""

    path: Path
    blob: Downloaded
    host: str
    fault: str = ""


def fetch(work: Work) -> None:
    """FETCHING -> the next step, or the end. A link that ran out is asked for anew with the next move."""
    action = work.tenant.machine_action(work.row.action_id)
    done = [c for c in action.commands if c.status == CommandStatus.COMPLETED]
    if not done:
        end(work.row, State.FAILED, action.failure or "The session ended without a result.")
        return
    with _folder(work.row) as folder:
        try:
            fetched = _download(work, done[0].index, folder)
        except LinkExpired as error:
            work.write("link_expired", str(error), trouble=work.row.trouble + 1, after=timedelta(seconds=1))
            return
        if work.step.run_script:
            _keep_transcript(work, action, fetched)
        else:
            _keep_file(work, action, fetched)


@contextmanager
def _folder(row: Collection) -> Iterator[Path]:
    folder = spool_folder(f"collection-{row.pk}")
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _download(work: Work, index: int, folder: Path) -> Fetched:
    quotas.require_room(work.row.case)
    link = work.tenant.live_response_result_link(work.row.action_id, index)
    blob, plain = folder / "blob", folder / "file"
    with blob.open("xb") as sink:
        got = work.tenant.download(link, quotas.sink(work.row.case, sink))
    host = urlsplit(link).hostname or ""
    if work.step.run_script or not got.gzip_applied:
        return Fetched(blob, got, host)
    try:
        with blob.open("rb") as source, plain.open("xb") as sink:
            gunzip(source, sink, cap=_cap(work))
    except (BadReply, ResultTooLarge) as error:
        return Fetched(blob, got, host, fault=str(error))
    return Fetched(plain, got, host)


def _cap(work: Work) -> int:
    return int(work.row.connection.limits.get("download_bytes", 4 * 2**30))


def _keep_transcript(work: Work, action: MachineAction, fetched: Fetched) -> None:
    """Seal the script's result; go on if it holds what the next steps need."""
    stored = evidence.put_file(fetched.path)
    with fetched.path.open("rb") as file:
        result = parse_script_result(file.read(SCRIPT_RESULT_BYTES + 1))
    found = {
        name: match["path"].strip()
        for name, pattern in work.step.find.items()
        if (match := _last(pattern, result.output))
    }
    lacking = sorted(set(work.step.find) - set(found))
    with transaction.atomic():
        sealed = _seal(
            work,
            action,
            fetched,
            stored,
            f"{work.row.device} {work.step.run_script} transcript.json",
            "application/json",
            _facts(result),
        )
        collections.note(work.row, "transcript", result.output[:HEAD], **_facts(result), evidence=sealed.exhibit)
        if lacking:
            _finish(work, State.FAILED, _why(result, lacking), None)
        else:
            _next(work, found={**work.row.found, **found}, transcript=_facts(result))


def _last(pattern: Any, text: str) -> Any:
    """The last match: a script may print a path more than once, and the last is the finished file."""
    match = None
    for match in pattern.finditer(text):  # noqa: B007
        pass
    return match


def _facts(result: ScriptResult) -> dict[str, Any]:
    return {"exit_code": result.exit_code, "errors": result.errors[:HEAD], "complete": result.is_complete}


def _why(result: ScriptResult, lacking: list[str]) -> str:
    parts = [f"The script's transcript does not say where its {' and '.join(lacking)} is."]
    if result.exit_code not in (0, None):
        parts.append(f"The script ended with exit code {result.exit_code}.")
    if result.errors.strip():
        parts.append(f"It says: {result.errors.strip()[:300]}")
    return " ".join([*parts, "The transcript is kept as evidence."])


def _next(work: Work, **fields: Any) -> None:
    """To the next step, in line again: each step is a machine action of its own."""
    work.write(
        "step",
        f"{work.step.title}: done",
        state=State.QUEUED,
        step=work.row.step + 1,
        action_id="",
        turn="",
        submitted_at=None,
        status_text="In line for the next step",
        **fields,
    )


def _keep_file(work: Work, action: MachineAction, fetched: Fetched) -> None:
    """Seal the file, end the job, and have it read into tables: in one transaction."""
    stored = evidence.put_file(fetched.path)
    path = str(getattr(work.step.command(work.values), "path", ""))
    name = PureWindowsPath(path).name if "\\" in path else path.rsplit("/", 1)[-1]
    with transaction.atomic():
        sealed = _seal(
            work,
            action,
            fetched,
            stored,
            (name or "file") + (".gz" if fetched.fault else ""),
            "application/octet-stream",
            {"path": path},
        )
        collections.note(
            work.row, "fetched", f"{path}: {stored.size:,} bytes, SHA-256 {stored.sha256}", evidence=sealed.exhibit
        )
        failed_script = work.row.transcript.get("exit_code") not in (0, None)
        if fetched.fault:
            _finish(work, State.PARTIAL, f"{sealed.exhibit} is kept as it was downloaded: {fetched.fault}", sealed)
        elif failed_script:
            code = work.row.transcript["exit_code"]
            _finish(
                work,
                State.PARTIAL,
                f"{sealed.exhibit} {name}: fetched, but the script ended with exit code {code}",
                sealed,
            )
        else:
            _finish(work, State.DONE, f"{sealed.exhibit} {name}, {stored.size:,} bytes", sealed)
        if work.plan.parser:
            tables.queue_parse(evidence=sealed, actor=work.row.requested_by)


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
        "script_sha256": row.script_sha256 if work.step.run_script else "",
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
