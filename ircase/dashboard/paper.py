"""The dashboard as a PDF: all sections, set by Typst from data, counted with the eyes of who asked."""

import json
import logging
import re
import shutil
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

from django.conf import settings
from django.http import QueryDict
from django.utils import timezone

from ircase.dashboard.registry import panels, sections
from ircase.dashboard.scope import Scope
from ircase.dashboard.shape import Panel
from ircase.forms.dashboard import DashboardForm
from ircase.models import DashboardFile, JobState, Severity
from ircase.report.typeset import TypesetError, TypesetStopped, set_pdf
from ircase.services.managing import mailing, papers
from ircase.store import digest_of
from ircase.work import Hold, Stopped, hold

logger = logging.getLogger(__name__)
TEMPLATE: Final = Path(__file__).with_name("paper.typ")
_LETTERS: Final = re.compile(r'font-size="1[23]"')
_SVG: Final = '<svg xmlns="http://www.w3.org/2000/svg" font-family="Libertinus Serif" '


class Refused(Exception):
    """Who asked has no account in use any more."""


def make(row: DashboardFile) -> None:
    """Make one claimed file. Ends the row whatever happens."""
    rows = DashboardFile.objects.all()
    folder = settings.SPOOL_DIR / f"dashboard-{row.uuid}-{row.attempt}"
    try:
        folder.mkdir(parents=True, mode=0o750)
        with hold(rows, row) as held:
            path = _write(row, folder, held)
            held.check()
            final = _place(row, path)
        facts = {"size": final.stat().st_size, "sha256": digest_of(final)}
        rows.end(row.pk, row.owner, JobState.DONE, progress={}, seen=row.seen, **facts)
    except (Stopped, TypesetStopped):
        rows.end(row.pk, row.owner, JobState.CANCELLED, reason="Cancelled")
    except (TypesetError, Refused) as error:
        rows.end(row.pk, row.owner, JobState.FAILED, reason=str(error))
    except OSError as error:
        reason = f"The file could not be written: {error.strerror or error}. Free space on the worker, and ask again."
        rows.end(row.pk, row.owner, JobState.FAILED, reason=reason)
    except Exception:
        # The row must end with a reason a person can act on; what it was is for the worker's log.
        logger.exception("dashboard.fault", extra={"file": str(row.uuid)})
        reason = "A fault in IRCase stopped this file; the worker's log has the details. Ask again."
        rows.end(row.pk, row.owner, JobState.FAILED, reason=reason)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        mailing.hurry(row)


def _write(row: DashboardFile, folder: Path, held: Hold) -> Path:
    user = row.requested_by
    if not user.is_active:
        raise Refused(f"{user.name} has no account in use any more.")
    # Before it counts: what changes meanwhile makes the file old, not wrong.
    row.seen = mailing.seen_by(user) if row.mailed else ""
    with timezone.override(ZoneInfo(user.time_zone)):
        form = DashboardForm(QueryDict(row.asked).dict())
        scope = Scope(user, form.filters(timezone.localdate()), timezone.now(), outside=row.mailed)
        held.progress(step="Counting")
        data = data_of(scope, folder)
    held.check()
    held.progress(step="Typesetting the PDF")
    (folder / "data.json").write_text(json.dumps(data, ensure_ascii=True), encoding="ascii")
    return set_pdf(folder, TEMPLATE)


def _place(row: DashboardFile, path: Path) -> Path:
    final = papers.folder_of(row)
    final.mkdir(parents=True, exist_ok=True, mode=0o750)
    part = final / f".dashboard.{row.attempt}"
    shutil.copyfile(path, part)
    return part.replace(final / "dashboard.pdf")


def data_of(scope: Scope, folder: Path) -> dict[str, Any]:
    """What the template sees. The charts are written into `folder`."""
    given = scope.filters
    severity = str(Severity(given.severity).label) if given.severity in Severity.values else given.severity
    filters = [
        [name, value]
        for name, value in (
            ("Severity", severity), ("Playbook", given.playbook), ("Tenant", given.connection), ("Team", given.team),
            ("Lead", given.owner),
        )
        if value
    ]  # fmt: skip
    if scope.outside:
        filters.append(["Left out", "confidential cases, unless their leads let them be named outside"])
    return {
        "first": scope.period.first.isoformat(),
        "last": scope.period.last.isoformat(),
        "before": [scope.before.first.isoformat(), scope.before.last.isoformat()] if scope.before else [],
        "zone": timezone.get_current_timezone_name(),
        "made": timezone.localtime(scope.now).strftime("%Y-%m-%d %H:%M"),
        "reader": scope.user.name,
        "filters": filters,
        "sections": [
            {"label": label, "panels": [_panel(panel, folder) for panel in panels(scope, code)]}
            for code, label in sections()
        ],
    }


def _panel(panel: Panel, folder: Path) -> dict[str, Any]:
    charts = []
    for place, chart in enumerate(panel.charts):
        name = f"{panel.key}-{place}.svg"
        svg = str(chart.drawing.svg).replace("<svg ", _SVG, 1)
        # Side by side they are half as wide: their words must not be half as high.
        svg = _LETTERS.sub('font-size="17"', svg) if len(panel.charts) > 1 else svg
        (folder / name).write_text(svg, encoding="utf-8")
        legend = [{"label": entry["label"], "series": entry["class"]} for entry in chart.legend]
        charts.append({"title": chart.title, "image": f"/{name}", "legend": legend})
    return {
        "title": panel.title,
        "about": panel.about,
        "tiles": [{"label": tile.label, "value": tile.value, "note": tile.note} for tile in panel.tiles],
        "charts": charts,
        "tables": [
            {
                "title": table.title,
                "note": table.note,
                "empty": table.empty,
                "left_out": table.left_out,
                "columns": [{"label": column.label, "num": column.num} for column in table.columns],
                "rows": [[{"text": cell.text, "late": cell.late} for cell in row] for row in table.rows],
            }
            for table in panel.tables
        ],
    }
