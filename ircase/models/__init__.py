"""The case, who touched it, and what was done."""

from ircase.models.activity import Activity, Approval, ReportBuild, StandingApproval
from ircase.models.cases import (
    Case,
    CaseMember,
    CaseRole,
    CaseSequence,
    Classification,
    Determination,
    Milestone,
    Note,
    NoteRevision,
    Phase,
    PhaseEntry,
    Severity,
    Tlp,
)
from ircase.models.chain import GENESIS, AppendOnlyError, ChainHead
from ircase.models.checklist import ChecklistItem, PreparationItem, Proof
from ircase.models.connections import Connection
from ircase.models.custody import (
    CaseExport,
    CaseImport,
    CustodyBefore,
    SigningKey,
    StatedHead,
    Statement,
    StatementPost,
    Transfer,
)
from ircase.models.evidence import CaseTable, CustodyEntry, Evidence, ParseJob
from ircase.models.findings import Asset, Event, Indicator
from ircase.models.handling import Handling, Preview
from ircase.models.intake import IncidentFeed, IncomingIncident
from ircase.models.jobs import FINAL_STATES, Job, JobQuerySet, JobState
from ircase.models.log import LogEntry
from ircase.models.mapping import RowTake
from ircase.models.notices import Notice, NoticeCode
from ircase.models.people import ApiToken, User
from ircase.models.retention import (
    Destruction,
    DestructionState,
    LegalHold,
    RetentionPolicy,
    RetentionReview,
)
from ircase.models.search import CaseTag, SavedView, SearchEntry, TableIndexing
from ircase.models.stars import Star
from ircase.models.storage import StoredBytes, StoreSurvey, Turn
from ircase.models.supertimeline import RowTag, TimelineBuild, TimelineExport, TimelineView
from ircase.models.uploads import Upload, UploadState

__all__ = [
    "FINAL_STATES",
    "GENESIS",
    "Activity",
    "ApiToken",
    "AppendOnlyError",
    "Approval",
    "Asset",
    "Case",
    "CaseExport",
    "CaseImport",
    "CaseMember",
    "CaseRole",
    "CaseSequence",
    "CaseTable",
    "CaseTag",
    "ChainHead",
    "ChecklistItem",
    "Classification",
    "Connection",
    "CustodyBefore",
    "CustodyEntry",
    "Destruction",
    "DestructionState",
    "Determination",
    "Event",
    "Evidence",
    "IncidentFeed",
    "IncomingIncident",
    "Handling",
    "Indicator",
    "Job",
    "JobQuerySet",
    "JobState",
    "LegalHold",
    "LogEntry",
    "Milestone",
    "Note",
    "NoteRevision",
    "Notice",
    "NoticeCode",
    "ParseJob",
    "Phase",
    "PhaseEntry",
    "PreparationItem",
    "Preview",
    "Proof",
    "ReportBuild",
    "RetentionPolicy",
    "RetentionReview",
    "RowTag",
    "RowTake",
    "SavedView",
    "SearchEntry",
    "Severity",
    "SigningKey",
    "StandingApproval",
    "Star",
    "StatedHead",
    "Statement",
    "StatementPost",
    "StoreSurvey",
    "StoredBytes",
    "TableIndexing",
    "TimelineBuild",
    "TimelineExport",
    "TimelineView",
    "Tlp",
    "Transfer",
    "Turn",
    "Upload",
    "UploadState",
    "User",
]
