"""Logs of Windows' own programs as rows: Defender's support log, MpCmdRun's, the firewall's, PSReadLine's history."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from datetime import datetime

from artifacts.clock import utc_text
from artifacts.collected.listings import Row, plain_lines
from artifacts.culture import local_text
from artifacts.naming import identifier

_STAMP = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,7})?(?:Z|[+-]\d\d:?\d\d)?)\s+(.*)\Z", re.DOTALL)
_DETECTION = re.compile(
    r"(?:DETECTIONEVENT|DETECTION_CLEANEVENT|DETECTION(?:_ADD)?(?:#\d+)?)\s+(?:(?P<source>MPSOURCE_\S+)\s+)?"
    r"(?:(?P<action>MP_THREAT_ACTION_\S+)\s+(?P<code>\S+)\s+)?(?P<threat>\S+:\S+)\s*(?P<resource>.*)\Z"
)
_FILE = re.compile(r"(?:\A|[ ;])(?:container)?file:(?:_)?([A-Za-z]:\\[^;]+?|\\[^;]+?)(?:->|;| PropBag| PidTid|\Z)")
_PERFORMANCE = re.compile(r"ProcessImageName: (?P<name>.+?), Pid: (?P<pid>\d+),(?P<rest>.*)\Z")
_MAX_FILE = re.compile(r"MaxTimeFile: (.+?), (?:EstimatedImpact|\w+):")
_FILTER = re.compile(
    r"\[Mini-filter\] (?P<what>Blocked file|Unsuccessful scan status)(?:\(#?\d+\))?: (?P<path>.+?)\.? "
    r"Process: (?P<process>.+?),"
)
_EMS = re.compile(r"EMS scan for process: (?P<name>.+?) pid: (?P<pid>\d+)")
_SDN = re.compile(r"SDN query for (?P<path>.+?) \(.*?\(?sha1=(?P<sha1>[0-9a-fA-F]{40}), sha2=(?P<sha2>[0-9a-fA-F]{64})")
_COMMAND = re.compile(r"command line reported as (?P<verdict>\w+): (?P<path>.+?)\((?P<command>.*)\)\s*\Z")
_EXCLUSION = re.compile(r"\bexclu(?:sion|ded|de)\b|\[Exclusion\]", re.IGNORECASE)
_BLOCKS = {
    "begin resource scan": ("end scan", "ResourceScan"),
    "beginning threat actions": ("finished threat", "ThreatAction"),
}
_FIELDS = {
    "threat name": "ThreatName", "resource path": "FilePath", "path": "FilePath", "action": "Action",
    "file to act on sha1": "SHA1",
}  # fmt: skip
_US_LOCAL = re.compile(r"(\d\d)-(\d\d)-(\d{4}) (\d\d):(\d\d):(\d\d)\Z")
_TEXT = 8_000
_BLOCK_LINES = 400


def protection_log(lines: Iterable[str]) -> Iterator[Row]:
    """``MPLog-*.log`` of Microsoft Defender Antivirus: a row per stamped line (UTC) and per block.

    ``Kind`` says what was recognised: Detection, ProcessActivity, Block, ScanFailure, ProcessScan, FileQuery,
    CommandLine, Exclusion, ResourceScan, ThreatAction; else it is empty and ``Text`` has the line. Times inside blocks
    are the device's own and stand in ``Time_Local``. A message of very many lines goes on in rows of the same time.
    https://artefacts.help/windows_defender_support_logs.html,
    https://www.crowdstrike.com/blog/how-to-use-microsoft-protection-logging-for-forensic-investigations/
    """
    held: Row | None = None  # the last stamped line, which lines without a stamp go on with
    block: list[str] = []
    began = 0
    for number, line in enumerate(plain_lines(lines), 1):
        stamped = _STAMP.match(line)
        word = (stamped.group(2) if stamped else line).strip().lower()
        if block and stamped is not None and not word.startswith(_BLOCKS[block[0]][0]):
            yield _stamped(stamped, number)  # no line of the block: another thread's, or it was never ended
            continue
        if block:
            ends = _BLOCKS[block[0]][0]
            block.append(line)
            if word.startswith(ends) or len(block) > _BLOCK_LINES or word.startswith("****"):
                yield _block(block, began)
                block = []
            continue
        if word not in _BLOCKS and stamped is None:
            if held is not None and word and len(str(held["Text"])) < _TEXT:
                held["Text"] = f"{held['Text']}\n{line}"
            elif word.strip("*"):
                if held is not None:
                    yield held
                held = _further(held or {}, line, number)
            continue
        if held is not None:
            yield held
        held = None if stamped is None else _stamped(stamped, number)
        if word in _BLOCKS:
            held, block, began = None, [word], number
    if block:
        yield _block(block, began)
    if held is not None:
        yield held


def _stamped(found: re.Match[str], number: int) -> Row:
    stamp, text = found.groups()
    zoned = stamp[-1:] == "Z" or stamp[-6:-5] in ("+", "-") or stamp[-5:-4] in ("+", "-")
    moment = utc_text(stamp)
    row: Row = {"Timestamp": moment} if zoned else {"Time_Local": moment}
    return {**row, "LineNumber": number, **_recognised(text), "Text": text}


def _further(row: Row, line: str, number: int) -> Row:
    """Another row of the same time, with what `row` has no more room for; of no time where there was no row."""
    again: Row = {name: row[name] for name in ("Timestamp", "Time_Local") if name in row}
    return {**again, "LineNumber": number, "Text": line}


def _recognised(text: str) -> Row:
    if found := _DETECTION.search(text):
        where = _FILE.search(found["resource"])
        return {
            "Kind": "Detection", "ThreatName": found["threat"], "Action": found["action"] or "",
            "DetectionSource": found["source"] or "", "FilePath": where.group(1) if where else "",
            "Resource": found["resource"],
        }  # fmt: skip
    if found := _PERFORMANCE.search(text):
        file = _MAX_FILE.search(f"{found['rest']}, x:")
        return {
            "Kind": "ProcessActivity", "ProcessName": found["name"], "ProcessId": int(found["pid"]),
            "FilePath": file.group(1) if file else "",
        }  # fmt: skip
    if found := _FILTER.search(text):
        kind = "Block" if found["what"] == "Blocked file" else "ScanFailure"
        return {"Kind": kind, "FilePath": found["path"], "ProcessName": found["process"]}
    if found := _EMS.search(text):
        return {"Kind": "ProcessScan", "ProcessName": found["name"], "ProcessId": int(found["pid"])}
    if found := _SDN.search(text):
        return {"Kind": "FileQuery", "FilePath": found["path"], "SHA1": found["sha1"], "SHA256": found["sha2"]}
    if found := _COMMAND.search(text):
        return {"Kind": "CommandLine", "ProcessName": found["path"], "ProcessCommandLine": found["command"]}
    return {"Kind": "Exclusion"} if _EXCLUSION.search(text) else {}


def _block(lines: list[str], number: int) -> Row:
    row: Row = {"LineNumber": number, "Kind": _BLOCKS[lines[0]][1], "Text": "\n".join(lines[1:])}
    for line in lines[1:]:
        name, colon, value = line.partition(":")
        word, value = name.strip().lower(), value.strip()
        if word == "start time" and (found := _US_LOCAL.match(value)):
            month, day, year, hour, minute, second = map(int, found.groups())
            try:
                row["Time_Local"] = local_text(datetime(year, month, day, hour, minute, second))
            except ValueError:
                continue
        elif colon and value and word in _FIELDS:
            row.setdefault(_FIELDS[word], value.removeprefix("\\\\?\\"))
    return row


_RUN = re.compile(r"\s*MpCmdRun: Command Line: (.*)\Z")
_RUN_TIME = re.compile(r"\s*(Start|End) Time: (.*)\Z|MpCmdRun: End Time: (.*)\Z")


def command_runs(lines: Iterable[str]) -> Iterator[Row]:
    """``MpCmdRun.log``: a row per run, its times as the device wrote them (local, in its language)."""
    run: Row | None = None
    output: list[str] = []
    for number, line in enumerate(plain_lines(lines), 1):
        if found := _RUN.match(line):
            if run is not None:
                yield {**run, "Output": "\n".join(output)}
            run, output = {"LineNumber": number, "ProcessCommandLine": found.group(1).strip()}, []
        elif run is None:
            if line.strip(" -"):
                yield {"LineNumber": number, "Output": line.strip()}
        elif found := _RUN_TIME.match(line):
            which = f"{found.group(1) or 'End'}Time_Text"
            run[which] = " ".join(re.sub("[\u200e\u200f]", "", found.group(2) or found.group(3) or "").split())
        elif line.strip(" -"):
            if sum(map(len, output)) >= _TEXT:  # the run goes on in a row of its own
                yield {**run, "Output": "\n".join(output)}
                run, output = {"LineNumber": number, "ProcessCommandLine": run["ProcessCommandLine"]}, []
            output.append(line.strip())
    if run is not None:
        yield {**run, "Output": "\n".join(output)}


# https://learn.microsoft.com/en-us/windows/security/operating-system-security/network-security/windows-firewall/configure-logging
_FIREWALL = {
    "action": "Action", "protocol": "Protocol", "src-ip": "SourceIP", "dst-ip": "DestinationIP",
    "src-port": "SourcePort", "dst-port": "DestinationPort", "size": "Size", "path": "Direction", "pid": "ProcessId",
}  # fmt: skip
_NUMBERS = frozenset(("SourcePort", "DestinationPort", "Size", "ProcessId"))


def firewall_log(lines: Iterable[str]) -> Iterator[Row]:
    """``pfirewall.log`` in W3C's extended format: the ``#Fields:`` line names the columns, ``-`` is no value.

    Times are the device's own unless ``#Time Format:`` says otherwise. A line without them is kept in ``Text``.
    """
    names: list[str] = []
    local = True
    for line in plain_lines(lines):
        if line.startswith("#"):
            key, _, value = line[1:].partition(":")
            if key.strip().lower() == "fields":
                names = value.split()
            elif key.strip().lower() == "time format":
                local = value.strip().lower() == "local"
            continue
        cells = dict(zip(names, line.split(), strict=False))
        moment = utc_text(f"{cells.pop('date', '')} {cells.pop('time', '')}")
        if not cells or moment is None:
            if line.strip():
                yield {"Text": line}
            continue
        row: Row = {"Time_Local" if local else "Timestamp": moment}
        for name, value in cells.items():
            column = _FIREWALL.get(name) or identifier(name)
            if value != "-":
                row[column] = int(value) if column in _NUMBERS and value.isdigit() else value
        yield row


def shell_history(lines: Iterable[str]) -> Iterator[Row]:
    """PSReadLine's history: a command per line; one of several lines has a backtick at the end of all but the last.

    https://learn.microsoft.com/en-us/powershell/module/psreadline/about/about_psreadline
    """
    started = 0
    parts: list[str] = []
    for number, line in enumerate(plain_lines(lines), 1):
        started = started or number
        if line.endswith("`") and len(parts) < 5_000:
            parts.append(line[:-1])
            continue
        command = "\n".join([*parts, line])
        if command.strip():
            yield {"LineNumber": started, "CommandLine": command}
        started, parts = 0, []
    if parts:
        yield {"LineNumber": started, "CommandLine": "\n".join(parts)}


_PREFETCH = re.compile(r"(?P<file>(?P<program>[^\\/:*?\"<>|]+?)-(?P<hash>[0-9A-Fa-f]{8})\.pf)\b", re.IGNORECASE)
_SIZE = re.compile(r"\d[\d.,\u00a0]* (?=\S)")
_APART = re.compile(r" {2,}|(?<=[AaPp][Mm]) |(?<=\d) (?=[A-Z0-9._-]+\.pf)")
_SIZE = re.compile(r"\d[\d.,\u00a0]* (?=\S)")
_APART = re.compile(r" {2,}|(?<=[AaPp][Mm]) |(?<=\d) (?=[A-Z0-9._-]+\.pf)")
_ISO = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:?\d\d)")


def prefetch_list(lines: Iterable[str]) -> Iterator[Row]:
    """A listing of Prefetch files, whatever printed it: the file, its program, and the line with its times.

    A time with a zone is read; others depend on the device's culture and stay in ``Line``.
    """
    for line in plain_lines(lines):
        words = line.split("\t") if "\t" in line else _APART.split(line)
        found = next((hit for word in words if (hit := _PREFETCH.search(word.strip()))), None)
        if found is None:
            continue
        before = _SIZE.match(found["program"].strip()) if found["file"] != line.strip() else None
        cut = before.end() if before else 0  # a size that only one blank parts from the name
        times = [moment for moment in map(utc_text, _ISO.findall(line)) if moment]
        row: Row = {
            "FileName": found["file"].strip()[cut:], "Program": found["program"].strip()[cut:],
            "PathHash": found["hash"].upper(), "Line": line.strip(),
        }  # fmt: skip
        yield {"Timestamp": max(times), **row} if times else row
