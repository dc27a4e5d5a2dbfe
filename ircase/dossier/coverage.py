"""What of a case is in no export, and what of an export does not become rows again: each with the reason.

tests/ircase/test_dossier_coverage.py walks every model that belongs to a case and fails where one is named nowhere.
"""

from typing import Final

NOT_EXPORTED: Final = {
    "ircase.Evidence": "the register, export.json, with the bytes beside it",
    "ircase.CustodyEntry": "the exhibits' chains, custody/*.ndjson",
    "ircase.LogEntry": "the case's chain, log.ndjson",
    "ircase.CaseLink": "links.json, as far as the person who exports sees the other case and it is not confidential",
    "ircase.FindingTag": "its name stands in each event and indicator that has it",
    "ircase.PersonElsewhere": "their names stand in the rows that they made",
    "ircase.RecordBefore": "before.json, under the names of the areas that the rows came in",
    "ircase.CaseTable": "derived: made anew from the exhibits",
    "ircase.ParseJob": "derived: the exhibits are read anew",
    "ircase.Preview": "derived: made anew from the exhibits",
    "ircase.SearchEntry": "derived: the index of what is exported",
    "ircase.TableIndexing": "derived: the index of what is exported",
    "ircase.Sighting": "derived: indicators are looked for anew in the tables",
    "ircase.IndicatorLook": "derived: indicators are looked for anew in the tables",
    "ircase.TimelineBuild": "derived: made anew from the tables",
    "ircase.TimelineExport": "a file that was handed out; the log has it",
    "ircase.CaseExport": "a file that was handed out; log and custody have it",
    "ircase.RowTake": "what came of it are events, assets and indicators; its activity is exported",
    "ircase.Upload": "bytes on their way; once they are whole they are an exhibit",
    "ircase.Draft": "what one person is typing is for nobody else",
    "ircase.Notice": "what people here were told",
    "ircase.WindowTold": "what people here were told",
    "ircase.CaseLook": "who looked at a case is the organisation's own audit",
    "ircase.CaseTeam": "teams are of this site; members.json has what each person might do",
    "ircase.CaseSync": "how this site and one tenant are kept the same; the log has every value sent and taken",
    "ircase.SyncState": "how this site and one tenant are kept the same; the log has every value sent and taken",
    "ircase.SyncConflict": "how this site and one tenant are kept the same; the log has every value sent and taken",
    "ircase.SyncChange": "how this site and one tenant are kept the same; the log has every value sent and taken",
    "hunting.TablePush": "copies on the organisation's own cluster; the log has them",
    "liveresponse.ActionInCase": "machine_actions.json has the actions themselves",
}
"""Models that belong to a case and have no area of their own, by label."""

RECORDS: Final = {
    "case": "the case here has its own times and people",
    "members": "who may do what on the case is decided here",
    "approvals": "a yes of another organisation allows nothing here",
    "transfers": "custody before import has every hand that an exhibit went through",
    "access_reviews": "who sees the case is looked at anew here",
    "reports": "sealed reports came as exhibits",
    "destructions": "what was destroyed there never came",
    "retention_reviews": "how long evidence is kept is decided here",
    "timeline_views": "they filter tables that are made anew here",
    "brought_in": "how the case came to where it came from",
    "custody_before": "the custody of exhibits from before they came to where they came from",
    "hunt_runs": "they ran elsewhere; their results came as exhibits, their activities as activities",
    "hunt_sweeps": "they ran elsewhere; their results came as exhibits",
    "pack_runs": "they ran elsewhere; their results came as exhibits",
    "pack_steps": "they ran elsewhere; their results came as exhibits",
    "cell_runs": "they ran elsewhere; their results came as exhibits",
    "notebook_runs": "they ran elsewhere; their results came as exhibits",
    "watches": "they asked a tenant that is not this one",
    "watch_turns": "they asked a tenant that is not this one",
    "collections": "they ran on devices of a tenant that is not this one; what they gave came as exhibits",
    "commands": "they ran on devices of a tenant that is not this one",
    "collection_batches": "they ran on devices of a tenant that is not this one",
    "file_analyses": "what a tenant said of a file; the answer came as an exhibit",
    "lookups": "what a tenant said of a file or a device at that time",
    "machine_actions": "what a tenant said of its devices at that time",
    "response_actions": "they were done in a tenant that is not this one",
    "response_action_log": "they were done in a tenant that is not this one",
    "log": "the case has a log of its own here, which begins with the import",
}
"""Areas that stay as they came, to be read and never changed: pages and API show them as what was before import."""
