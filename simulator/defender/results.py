"""Results of Live Response commands: links to them, and the bytes behind the links."""

from __future__ import annotations

import gzip
import hashlib
import re
import uuid
from datetime import datetime, timedelta
from typing import Any

from werkzeug.wrappers import Response

from simulator import links
from simulator.clock import parse_iso
from simulator.core import Simulator
from simulator.defender import actions, folders
from simulator.defender.liveresponse import DOWNLOADS
from simulator.defender.machines import META
from simulator.defender.snapshots import printed_by
from simulator.dfir.analysis import analysis_at
from simulator.dfir.archive import dfir_zip, events_csv
from simulator.dfir.facts import Facts, facts_of
from simulator.dfir.variants import changed
from simulator.http import ApiFault, Call, json_response

_FUNCTION = re.compile(r"GetLiveResponseResultDownloadLink\(index=(\d{1,4})\)\Z")


def result_link(call: Call) -> Response:
    """GET /machineactions/{id}/GetLiveResponseResultDownloadLink(index=n)"""
    found = _FUNCTION.match(call.params["function"])
    if found is None:
        raise ApiFault(404, "NotFound", "There is no such resource.")
    action, index = actions.stored(call), int(found.group(1))
    if index >= len(action["commands"]):
        raise ApiFault(400, "InvalidInput", f"The action has no command with index {index}.")
    if actions.command_status(call.simulator, action, index) != "Completed":
        raise ApiFault(404, "ResourceNotFound", f"The result of command {index} is not available.")
    if not action["plan"]["steps"][index]["result"]:
        raise ApiFault(404, "ResourceNotFound", f"Command {index} is a PutFile, which has no result.")
    link = links.make(call, f"/blob/results/{action['id']}/{index}")
    return json_response({"@odata.context": f"{META}#Edm.String", "value": link})


def result_bytes(
    simulator: Simulator, action: dict[str, Any], index: int, faults: frozenset[str] = frozenset()
) -> tuple[str, bytes]:
    """(file name, content) of a command's result: JSON of a script, or the gzip of a file.

    The faults `german_device` and `hostile_zip` change a DFIR zip.
    """
    result = action["plan"]["steps"][index]["result"]
    device = simulator.device(action["machine"])
    if device is None:
        raise ApiFault(404, "BlobNotFound", "The specified blob does not exist.")
    ended = _ended(simulator, action, action["plan"]["steps"][index])
    if result["kind"] == "script":
        printed = "" if result["fails"] else printed_by(result["name"], facts_of(simulator, device, ended))
        return "ScriptOutput.json", _script_json(action, index, result, printed)
    facts = facts_of(simulator, device, ended)
    content = _file_content(simulator, action, index, result, facts)
    if result["kind"] == "dfir":
        content = changed(content, faults)
    name = result["path"].rsplit("\\", 1)[-1]
    return f"{name}.gz", gzip.compress(content, mtime=0)


def _file_content(
    simulator: Simulator, action: dict[str, Any], index: int, result: dict[str, Any], facts: Facts
) -> bytes:
    if result["kind"] == "sample":
        return analysis_at(result["path"]) or _sample(facts.device.name, result["path"])
    if result["kind"] == "put":
        return simulator.state.get_blob(f"library/{result['path'].rsplit(chr(92), 1)[-1]}") or b""
    made_at, arguments = _made(simulator, action, result["path"])
    made = Facts(facts.world, facts.device, facts.tables, made_at)
    if result["kind"] == "folder":
        return folders.folder_zip(made, arguments)
    return dfir_zip(made, arguments) if result["kind"] == "dfir" else events_csv(made)


def _made(simulator: Simulator, action: dict[str, Any], path: str) -> tuple[datetime, str]:
    """When the collected file was last made, and by which arguments: the newest run that ended before the GetFile."""
    best = (parse_iso(action["created"]), "")
    for run in actions.actions_of(simulator, action["machine"], "LiveResponse"):
        for step in run["plan"]["steps"]:
            if step["produces"].lower() == path.lower():
                best = (_ended(simulator, run, step), step["result"].get("args", ""))
        if run["id"] == action["id"]:
            break
    return best


def _ended(simulator: Simulator, action: dict[str, Any], step: dict[str, Any]) -> datetime:
    """When a command ended, the same at every download (also where the clock was pushed over it)."""
    return parse_iso(action["created"]) + timedelta(seconds=simulator.clock.real_seconds(step["end"]))


def _sample(device: str, path: str) -> bytes:
    """A small file that depends on device and path only."""
    digest = hashlib.sha256(f"{device}:{path.lower()}".encode()).hexdigest()
    return f"Sample file of the simulator.\r\nDevice: {device}\r\nPath: {path}\r\nMark: {digest}\r\n".encode()


def _script_json(action: dict[str, Any], index: int, result: dict[str, Any], printed: str) -> bytes:
    """The transcript document. As in real ones, control characters stand in it unescaped, after a byte order mark."""
    output, errors = _transcript(action, index, result, printed)
    fields = {"script_name": result["name"], "script_output": output, "script_errors": errors}
    texts = ",".join(f'"{key}":{_loose(value)}' for key, value in fields.items())
    code = result["code"]
    return b"\xef\xbb\xbf" + f'{{"exit_code":{code},{texts}}}'.encode()


def _loose(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _transcript(action: dict[str, Any], index: int, result: dict[str, Any], printed: str) -> tuple[str, str]:
    mark = uuid.uuid5(uuid.UUID(action["id"]), str(index))
    lines = [
        f"Transcript started, output file is {DOWNLOADS}\\PSScript_Transcript_{{{mark}}}.txt",
        "\x1b[0m\x00",
        f"Running {result['name']} {result['args']}".rstrip(),
    ]
    if result["fails"]:
        error = f"{result['name']} : Access to the path is denied.\r\n    + CategoryInfo : PermissionDenied"
        return "\r\n".join([*lines, "The script ended with an error."]) + "\r\n", error
    path = result["produces"]
    if result["name"].lower() == folders.FOLDER_SCRIPT.lower():
        return "\r\n".join([*lines, *folders.said(result["args"], path)]) + "\r\n", ""
    if path.endswith(".zip"):
        folder = path.removesuffix(".zip")
        lines += [f"Output directory created: {folder}...", "Collecting information", f"Write results to {path}..."]
    elif path:
        lines += ["Collecting the Security log", f"Output File Location: {path}"]
    elif printed:
        lines.append(printed)
    else:
        lines += [f"Hello from {action['name'].partition('.')[0]}"]
    return "\r\n".join(lines) + "\r\n", ""
