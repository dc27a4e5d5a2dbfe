"""The data set for a reader outside: what may not go to them left out, names masked."""

from dataclasses import replace
from typing import Final

from ircase.models import Case, Tlp
from ircase.redaction import Redaction
from ircase.report.shape import ReportData
from ircase.services.writing import redacting

# Codes, digests and times: nothing that a person or a machine named.
_KEPT: Final = frozenset({
    "format", "generated_at", "checked_at", "at", "until", "precision", "opened_at", "closed_at", "requested_at",
    "started_at", "ended_at", "due_at", "decided_at", "delivered_at", "offered_at", "answered_at", "sealed_at",
    "starred_at", "updated_at", "edited_at", "added_at", "removed_at", "entered_at", "left_at", "first_seen",
    "last_seen", "window_start", "window_end", "since", "severity", "severity_words", "tlp", "tlp_words", "state",
    "status", "verdict", "verdict_words", "compromise", "compromise_words", "classification", "determination",
    "style", "kind", "role", "lane", "reference", "exhibit", "action", "sha256", "stated_sha256", "manifest_sha256",
    "query_sha256", "script_sha256", "row_sha256", "digest", "log_digest", "binding", "label", "marker", "report",
    "field", "article", "r2_step", "csf_outcome", "same", "media_type",
})  # fmt: skip


def masked(case: Case, data: ReportData, redaction: Redaction) -> ReportData:
    """`data` as `redaction` wants it. Custody and log stay whole, with words in the place of names."""
    if redaction.is_open:
        return data
    tlp = redaction.marking(data.case.tlp)
    data = replace(
        data,
        case=replace(data.case, tlp=tlp, tlp_words=Tlp(tlp).label),
        indicators=tuple(row for row in data.indicators if redaction.allows(_code_of(row.tlp))),
    )
    # The links of its tenant lead to the incident's own page, by names that no mask can take out.
    if redaction.masks:
        incidents = tuple(replace(row, url="") for row in data.incidents)
        data = replace(data, case=replace(data.case, incident_url="", tenant_id=""), incidents=incidents)
    return redacting.mask_of(case, redaction).of(data, keep=_KEPT)


def _code_of(label: str) -> str:
    return next((tlp.value for tlp in Tlp if tlp.label == label), "")
