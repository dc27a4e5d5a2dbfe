"""``python -m bench``: the figures as a table. Nothing is kept; files are made in a temporary folder."""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from bench import eventlogs, grid, hunts, parsers, sealing, supertimeline, translation, uploads
from bench.figures import Absent, Figure, lines

_DATA = Path(__file__).resolve().parents[1] / "../shared/data"
_BENCHES = ("evtx", "parsers", "seal", "kql", "hunts", "grid", "supertimeline", "uploads")
_ASKED = ("memory",)  # takes long and gigabytes: only where it is asked for


def main() -> None:
    """Measure what was asked for and print it line by line."""
    asked = _arguments()
    with tempfile.TemporaryDirectory(prefix="ircase-bench-", dir=asked.folder) as folder:
        os.environ.setdefault("IRCASE_DATA_DIR", f"{folder}/data")
        os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")
        print(f"{os.cpu_count()} processors, load {os.getloadavg()[0]:.1f}, Python {sys.version.split()[0]}")
        for line in lines(_measured(asked, Path(folder))):
            print(line, flush=True)


def _measured(asked: argparse.Namespace, folder: Path) -> Iterator[Figure | Absent]:
    benches = {
        "evtx": lambda at: eventlogs.figures(at, asked.data / "evtx", chunks=asked.chunks, rounds=asked.rounds),
        "parsers": lambda at: parsers.figures(at, rows=asked.rows // 5),
        "memory": lambda at: parsers.memory(at, asked.data / "evtx", gigabytes=asked.gb),
        "seal": lambda at: sealing.figures(at, mebibytes=asked.mib, rounds=asked.rounds),
        "kql": lambda at: hunts.figures(at, rows=asked.rows, rounds=asked.rounds),
        "grid": lambda at: grid.figures(at, rows=asked.rows, rounds=asked.rounds),
        "supertimeline": lambda at: supertimeline.figures(at, rows=asked.rows, rounds=asked.rounds),
        "uploads": lambda at: uploads.figures(at, mebibytes=asked.mib, rows=asked.rows, rounds=asked.rounds),
        "hunts": lambda at: translation.figures(at, rows=10 * asked.rows, rounds=asked.rounds),
    }
    for name in asked.only or _BENCHES:
        with tempfile.TemporaryDirectory(dir=folder) as own:
            yield from benches[name](Path(own))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description=main.__doc__)
    parser.add_argument("--only", nargs="+", choices=(*_BENCHES, *_ASKED), help="these groups alone")
    parser.add_argument("--data", type=Path, default=_DATA, help="folder that holds evtx/*.evtx")
    parser.add_argument("--folder", type=Path, help="where the temporary folder goes; it needs 3 GiB")
    parser.add_argument("--rounds", type=int, default=3, help="the fastest of so many is printed")
    parser.add_argument("--chunks", type=int, default=3_000, help="size of the event log, in chunks of 64 KiB")
    parser.add_argument("--mib", type=int, default=1_024, help="size of the file to seal")
    parser.add_argument("--gb", type=float, default=2.0, help="size of the input whose memory is watched")
    parser.add_argument("--rows", type=int, default=1_000_000, help="rows of the table; hunts take ten times that")
    return parser.parse_args()


if __name__ == "__main__":
    main()
