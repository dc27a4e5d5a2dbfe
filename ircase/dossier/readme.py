"""README.txt of an export, in plain words."""

from typing import Any

_TEXT = """This folder is an export of {reference} from IRCase, an incident-response case system.
Made {made_at} by {made_by}.
For: {receiver}
Purpose: {purpose}

WHAT IS IN IT
evidence/     the exhibits, byte for byte as they were sealed. Their true names stand in export.json: the file names
              here are made safe for every system. They may be harmful: do not open them on a machine you need.
              Of a thing that is kept elsewhere (a disk, a file in another place) this is the record, not the thing.
manifests/    where each exhibit came from; its SHA-256 was kept when the exhibit was sealed.
custody/      every touch of each exhibit, an entry a line. Each entry holds the digest of the one before.
{case_part}statements/   what IRCase signed about these chains before the export was asked for (may be absent).
              A .tsr is an authority's time stamp on one (RFC 3161): verify.py prints how to check who signed it.
export.json   the register: exhibits, hashes, chains, keys.
files.json    the SHA-256 of every file. signature.json signs it (Ed25519).
verify.py     checks all of this. It is one readable file and needs Python 3.8 or newer, nothing else.

HOW TO CHECK IT
    python3 verify.py                 in this folder
    python3 verify.py EXPORT.zip      with a copy of verify.py, on the zip as it is
"Everything holds." and exit code 0: nothing was changed, added or taken away since it was signed. A line that begins
with FAULT names the file or the entry that is not what it was.

The signature proves who signed only if you know their key. This export was signed with the public key
    {public_key}
Ask the organisation for its key by another way than this export, and compare; then run
    python3 verify.py --key {public_key}
The verify.py that came with the export could have been changed too. Its true SHA-256, which the organisation can tell
you, or read from its own copy of IRCase (ircase/dossier/verify.py), is
    {verifier_sha256}
"""
_CASE = """log.ndjson    the log of the whole case, chained the same way.
case/         what the case held: checklist, notes, timeline, assets, indicators, hunts with their KQL, approvals.
"""


def text_of(export: dict[str, Any], *, public_key: str, verifier_sha256: str) -> bytes:
    values = {
        "reference": export["case"]["reference"],
        "made_at": export["made_at"],
        "made_by": _one_line(export["made_by"]["name"]),
        "receiver": _one_line(export["receiver"]),
        "purpose": _one_line(export["purpose"]),
        "case_part": _CASE if export["log"] else "",
        "public_key": public_key,
        "verifier_sha256": verifier_sha256,
    }
    return _TEXT.format(**values).encode()


def _one_line(text: str) -> str:
    return " ".join(text.split())
