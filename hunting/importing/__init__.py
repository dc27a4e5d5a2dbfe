"""Hunts from elsewhere: read, checked, shown before anything of them is kept.

Pure Python, without Django and without a database: `read` takes a file, a folder, a zip or a git checkout and gives a
`Preview`; the editor uses `suggest_parameters`; `export_pack` writes what `read` takes again.
"""

from hunting.importing.fingerprint import fingerprint
from hunting.importing.model import (
    LIMITS,
    Candidate,
    Format,
    ImportRefused,
    Licence,
    Limits,
    Member,
    Origin,
    Outcome,
    PackCandidate,
    PackStep,
    ParameterGuess,
    Part,
    Preview,
)
from hunting.importing.packs import export_pack
from hunting.importing.parameters import suggest_parameters
from hunting.importing.reader import read

__all__ = [
    "LIMITS", "Candidate", "Format", "ImportRefused", "Licence", "Limits", "Member", "Origin", "Outcome",
    "PackCandidate", "PackStep", "ParameterGuess", "Part", "Preview", "export_pack", "fingerprint", "read",
    "suggest_parameters",
]  # fmt: skip
