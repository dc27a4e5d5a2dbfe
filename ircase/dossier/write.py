"""Writing an export: the bytes, the chains as they ended when it began, the register, the signed list of files."""

import json
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any, Final

from django.db import transaction
from django.utils import timezone

from ircase.dossier import content, readme, verify
from ircase.dossier.container import Writer
from ircase.models import GENESIS, Case, ChainHead, CustodyEntry, Evidence, LogEntry, SigningKey, Statement, User
from ircase.models.chain import ChainedRow
from ircase.services import evidence
from ircase.services.vault import signing, stamping, statements
from ircase.store import NotStored, StoreAltered

FORMAT: Final = "ircase-export/1"
_UNSAFE: Final = re.compile(r"[^A-Za-z0-9._-]+")
_LONGEST_NAME: Final = 80
_CHUNK: Final = 2000
Tell = Callable[..., None]


@dataclass(frozen=True)
class Wanted:
    """What is asked for. `numbers`: the chosen exhibits; none stand for the whole case."""

    case: Case
    actor: User
    uuid: str
    purpose: str
    receiver: str
    numbers: Sequence[int] = ()


@dataclass
class Written:
    """What an export came to: `digests` by file, and the exhibits whose bytes were not what was sealed."""

    files_sha256: str = ""
    exhibits: list[Evidence] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class _Moment:
    """The case at the moment the export began: what comes later is not in it."""

    exhibits: list[Evidence]
    heads: dict[str, tuple[int, str]]


def write(wanted: Wanted, writer: Writer, *, tell: Tell = lambda **_: None, check: Callable[[], None]) -> Written:
    """Write everything and close the writer. `check` is called between chunks and raises where the work shall stop."""
    moment = _look(wanted)
    job = _Work(wanted, writer, moment, check, tell)
    job.run()
    writer.close()
    return job.out


@transaction.atomic
def _look(wanted: Wanted) -> _Moment:
    # Who seals takes this lock first, so that register and log are of one moment.
    Case.objects.select_for_update().get(pk=wanted.case.pk)
    exhibits = exhibits_of(wanted)
    keys = [f"case:{wanted.case.uuid}", *(f"evidence:{item.uuid}" for item in exhibits)]
    heads: dict[str, tuple[int, str]] = {}
    for part in statements.batched(keys, 500):
        rows = ChainHead.objects.filter(key__in=part).values_list("key", "sequence", "digest")
        heads.update({key: (sequence, digest) for key, sequence, digest in rows})
    return _Moment(exhibits, heads)


def exhibits_of(wanted: Wanted) -> list[Evidence]:
    """What is asked for, as the case has it now."""
    found = Evidence.objects.filter(case=wanted.case).select_related("case", "sealed_by").order_by("number")
    return list(found.filter(number__in=wanted.numbers) if wanted.numbers else found)


def safe_name(item: Evidence) -> str:
    """`E003_report_final.pdf`: letters, digits, dots and dashes, never a name that a system keeps for itself."""
    kept = _UNSAFE.sub("_", item.name).strip("._-")
    return f"{item.exhibit}_{kept[-_LONGEST_NAME:].lstrip('._-') or 'file'}"


class _Work:
    def __init__(self, wanted: Wanted, writer: Writer, moment: _Moment, check: Callable[[], None], tell: Tell) -> None:
        self.wanted, self.writer, self.moment, self.check, self.tell = wanted, writer, moment, check, tell
        self.files: list[list[Any]] = []
        self.out = Written(exhibits=moment.exhibits)

    def add(self, name: str, chunks: Iterable[bytes]) -> tuple[int, str]:
        size, digest = self.writer.add(name, self._watched(chunks))
        self.files.append([name, size, digest])
        return size, digest

    def _watched(self, chunks: Iterable[bytes]) -> Iterator[bytes]:
        for chunk in chunks:
            self.check()
            yield chunk

    def run(self) -> None:
        key = signing.active_key()
        source = Path(verify.__file__).read_bytes()
        self.add("verify.py", [source])
        register = self._register()
        register["keys"] = {key.key_id: key.public_key}
        register["statements"] = self._statements(register)
        said = readme.text_of(register, public_key=key.public_key, verifier_sha256=verify.sha256(source))
        self.add("README.txt", [said])
        self.add("export.json", [json.dumps(register, indent=1, sort_keys=True, ensure_ascii=True).encode("ascii")])
        self._sign()

    def _register(self) -> dict[str, Any]:
        wanted = self.wanted
        whole = not wanted.numbers
        case = {"uuid": str(wanted.case.uuid), "reference": wanted.case.reference}
        return {
            "format": FORMAT,
            "export": wanted.uuid,
            "made_at": timezone.now().isoformat(),
            "made_by": content.named(wanted.actor),
            "purpose": wanted.purpose,
            "receiver": wanted.receiver,
            "scope": "case" if whole else "exhibits",
            "case": {**case, "title": wanted.case.title} if whole else case,
            "exhibits": [self._exhibit(place, item) for place, item in enumerate(self.moment.exhibits, 1)],
            "log": self._log() if whole else None,
            "content": [self._area(name) for name in content.areas()] if whole else [],
        }

    def _exhibit(self, place: int, item: Evidence) -> dict[str, Any]:
        self.tell(step=f"{item.exhibit}, {place} of {len(self.moment.exhibits)}")
        name, problem = f"evidence/{safe_name(item)}", ""
        try:
            chunks = evidence.bytes_of(item)
            first = next(chunks, b"")
        except evidence.Destroyed:
            name, problem = "", "destroyed"
        except NotStored:
            # The verifier says so too: an export never hides what is lost.
            name, problem = "", "missing"
        except StoreAltered:
            # Encrypted, and not what was stored: none of it can be read.
            name, problem = "", "altered"
        else:
            size, digest = self.add(name, _readable(chain([first], chunks)))
            problem = "" if (size, digest) == (item.size, item.sha256) else "altered"
        if problem:
            self.out.problems.append(f"{item.exhibit} was {problem}")
        manifest = f"manifests/{item.exhibit}.json"
        self.add(manifest, [signing.canonical(item.manifest)])
        return {
            "exhibit": item.exhibit,
            "number": item.number,
            "uuid": str(item.uuid),
            "name": item.name,
            "kind": item.kind,
            "media_type": item.media_type,
            "description": item.description,
            "partial": item.partial,
            "sealed_at": item.sealed_at.isoformat(),
            "sealed_by": content.named(item.sealed_by),
            "size": item.size,
            "sha256": item.sha256,
            "record": item.is_record,
            "stated_sha256": item.stated_sha256,
            "manifest_sha256": item.manifest_sha256,
            "file": name,
            "manifest": manifest,
            "problem": problem,
            **self._chain(f"custody/{item.exhibit}.ndjson", f"evidence:{item.uuid}", "custody"),
        }

    def _log(self) -> dict[str, Any]:
        return self._chain("log.ndjson", f"case:{self.wanted.case.uuid}", "file")

    def _area(self, name: str) -> str:
        self.tell(step=f"The case's {name.replace('_', ' ')}")
        path = f"case/{name}.json"
        self.add(path, content.chunks_of_area(name, self.wanted.case, self.wanted.actor))
        return path

    def _chain(self, path: str, name: str, key: str) -> dict[str, Any]:
        sequence, digest = self.moment.heads.get(name, (0, GENESIS))
        model = CustodyEntry if name.startswith("evidence:") else LogEntry
        rows = model.objects.filter(chain=name, sequence__lte=sequence).order_by("sequence")
        self.add(path, (line_of(row) for row in rows.iterator(chunk_size=_CHUNK)))
        return {key: path, "chain": name, "entries": sequence, "last": digest}

    def _statements(self, register: dict[str, Any]) -> list[str]:
        chains = [item["chain"] for item in [*register["exhibits"], *filter(None, [register["log"]])]]
        return [path for one in statements.for_export() if (path := self._statement(one, chains, register))]

    def _statement(self, statement: Statement, chains: list[str], register: dict[str, Any]) -> str:
        """One statement with its time stamp, where it has one; "" where it knows none of the chains."""
        found = statements.proofs(statement, chains)
        if found is None:
            return ""
        # A chain that was cut since is not hidden by leaving its proof out: the verifier finds the two apart.
        path = f"statements/{statement.number:06d}.json"
        public = found.pop("public_key")
        register["keys"][found["body"]["key"]] = public
        if stamp := stamping.of(statement):
            found["time_stamp"] = f"statements/{statement.number:06d}.tsr"
            self.add(found["time_stamp"], [bytes(stamp.answer or b"")])
        self.add(path, [signing.canonical(found)])
        return path

    def _sign(self) -> None:
        listed = signing.canonical({"format": "ircase-files/1", "files": sorted(self.files)})
        signature, key = signing.sign(listed)
        self.out.files_sha256 = verify.sha256(listed)
        self.writer.add("files.json", [listed])
        self.writer.add("signature.json", [_signature(signature, key)])


def _readable(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """What of an encrypted file can still be decrypted: the size tells that it is not all."""
    with suppress(StoreAltered):
        yield from chunks


def _signature(signature: str, key: SigningKey) -> bytes:
    return signing.canonical(
        {"algorithm": "Ed25519", "file": "files.json", "public_key": key.public_key, "signature": signature}
    )


def line_of(row: ChainedRow) -> bytes:
    """A chain's entry as one line of ASCII JSON."""
    return json.dumps({**row.content(), "digest": row.digest}, sort_keys=True).encode("ascii") + b"\n"
