"""Reading an exhibit as a file analysis."""

import logging

from django.db import DatabaseError, transaction

from artifacts import analysis
from ircase.models import JobState
from ircase.services import activity, evidence
from ircase.wording import counted
from liveresponse.models import FileAnalysis

logger = logging.getLogger(__name__)


def read_analysis(job: FileAnalysis) -> None:
    """Read one claimed exhibit. Ends the job whatever happens."""
    try:
        found = analysis.read(_text(job))
    except analysis.NotAnAnalysis as error:
        _end(job, JobState.FAILED, f"{job.evidence.exhibit}: {error}")
    except OSError as error:
        _end(job, JobState.FAILED, f"{job.evidence.exhibit} cannot be read: {error.strerror or error}")
    except DatabaseError:
        raise
    except Exception:
        logger.exception("analysis.fault", extra={"job": str(job.uuid)})
        _end(job, JobState.FAILED, "A fault in IRCase stopped the reading; the evidence is untouched.")
    else:
        said = f"{found.scan_status or 'No status'}; {counted(len(found.entities), 'thing')} named"
        _end(job, JobState.DONE, said, found)


def _text(job: FileAnalysis) -> str:
    content = bytearray()
    for chunk in evidence.bytes_of(job.evidence):
        content += chunk
        if len(content) > analysis.MOST_BYTES:
            raise analysis.NotAnAnalysis(f"It is larger than {analysis.MOST_BYTES // 2**20} MB, which no analysis is.")
    encoding = "utf-16" if content.startswith((b"\xff\xfe", b"\xfe\xff")) else "utf-8"
    return bytes(content).decode(encoding, "replace")


def _end(job: FileAnalysis, state: JobState, outcome: str, found: analysis.Analysis | None = None) -> None:
    fields = {"document": found.to_json()} if found else {}
    with transaction.atomic():
        reason = "" if found else outcome
        if FileAnalysis.objects.all().end(job.pk, job.owner, state, reason=reason, **fields):
            rows = len(found.entities) if found else None
            activity.end(job.activity, state=state, outcome=outcome, row_count=rows, partial=bool(found and found.cut))
