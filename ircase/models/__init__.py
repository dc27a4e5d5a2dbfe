"""The case, who touched it, and what was done."""

from ircase.models.activity import Activity, Approval, StandingApproval
from ircase.models.attack import AttackRelease
from ircase.models.brought import PersonElsewhere, RecordBefore
from ircase.models.caseincidents import CaseIncident
from ircase.models.cases import (
    Case,
    CaseMember,
    CaseRole,
    CaseSequence,
    Classification,
    Determination,
    Milestone,
    Phase,
    PhaseEntry,
    Severity,
    Tlp,
)
from ircase.models.chain import GENESIS, AppendOnlyError, ChainHead
from ircase.models.checklist import ChecklistItem, ItemChange, PreparationItem, Proof
from ircase.models.clocks import Clock, RegimePolicy, ServiceLevel, SpanUnit, WindowTold
from ircase.models.comments import Comment, CommentRevision
from ircase.models.connections import Connection
from ircase.models.custody import (
    CaseExport,
    CaseImport,
    CustodyBefore,
    SigningKey,
    StatedHead,
    Statement,
    StatementPost,
    StatementStamp,
    Transfer,
)
from ircase.models.decisions import Decision
from ircase.models.evidence import CaseTable, CustodyEntry, Evidence, ParseJob
from ircase.models.exercises import Exercise, Inject, Mark
from ircase.models.findings import Asset, Event, EventTechnique, FindingTag, Indicator, Pap
from ircase.models.handling import Handling, Preview
from ircase.models.handovers import HandOver
from ircase.models.improvements import Improvement
from ircase.models.incidentdoors import IncidentFile, IncidentSource, SeenDelivery
from ircase.models.incidentsync import (
    CaseSync,
    IncidentComment,
    IncidentSync,
    SyncChange,
    SyncConflict,
    SyncField,
    SyncState,
)
from ircase.models.indicators import FalsePositive, IndicatorLook, Sighting
from ircase.models.intake import IncidentEntity, IncidentFeed, IncomingIncident
from ircase.models.jobs import FINAL_STATES, Job, JobQuerySet, JobState
from ircase.models.links import CaseLink
from ircase.models.log import LogEntry
from ircase.models.looks import CaseLook
from ircase.models.managing import Assumption, DashboardFile, Target
from ircase.models.mapping import RowTake
from ircase.models.monthly import MonthlyMail
from ircase.models.notes import Draft, Note, NoteRevision
from ircase.models.notices import Notice, NoticeCode
from ircase.models.people import ApiToken, Scope, User
from ircase.models.playbooks import CasePlaybook, PlaybookVersion, SavedPlaybook
from ircase.models.readiness import Contact, ReadinessPlan, SettingAnswer
from ircase.models.redaction import Alias
from ircase.models.replies import KeptReply
from ircase.models.reports import (
    NotificationFact,
    ReportBuild,
    ReportKind,
    ReportLook,
    ReportReview,
    ReportSignature,
)
from ircase.models.retention import (
    Destruction,
    DestructionState,
    LegalHold,
    RetentionPolicy,
    RetentionReview,
)
from ircase.models.search import CaseTag, SavedView, SearchEntry, TableIndexing
from ircase.models.sharing import CaseShare
from ircase.models.signin import (
    AccessPolicy,
    EntraIdentity,
    Passkey,
    RecoveryCode,
    SecondFactor,
    SessionRecord,
    SignInProvider,
)
from ircase.models.stars import Star
from ircase.models.storage import StoredBytes, StoreSurvey, Turn
from ircase.models.supertimeline import RowTag, TimelineBuild, TimelineExport, TimelineView
from ircase.models.teams import AccessReview, CaseTeam, Team, TeamMember
from ircase.models.telling import MONTHLY, CaseMute, CaseTelling, Channel, Delivery, Hook, NoticeSettings, Timing
from ircase.models.uploads import Upload, UploadState

__all__ = [
    "MONTHLY",
    "MonthlyMail",
    "Alias",
    "CaseShare",
    "CaseIncident",
    "IncidentFile",
    "IncidentSource",
    "SeenDelivery",
    "CaseSync",
    "IncidentComment",
    "IncidentSync",
    "SyncChange",
    "SyncConflict",
    "SyncField",
    "SyncState",
    "IncidentEntity",
    "FINAL_STATES",
    "GENESIS",
    "AccessPolicy",
    "AccessReview",
    "Activity",
    "ApiToken",
    "AppendOnlyError",
    "Approval",
    "Asset",
    "Assumption",
    "AttackRelease",
    "Case",
    "CaseExport",
    "CaseImport",
    "PersonElsewhere",
    "RecordBefore",
    "CaseLook",
    "CaseLink",
    "CaseMute",
    "CaseMember",
    "CasePlaybook",
    "CaseRole",
    "CaseSequence",
    "CaseTable",
    "CaseTeam",
    "CaseTag",
    "CaseTelling",
    "ChainHead",
    "Channel",
    "ChecklistItem",
    "Classification",
    "Clock",
    "Comment",
    "CommentRevision",
    "Connection",
    "Contact",
    "CustodyBefore",
    "CustodyEntry",
    "DashboardFile",
    "Decision",
    "Delivery",
    "Destruction",
    "DestructionState",
    "Determination",
    "EntraIdentity",
    "Draft",
    "Event",
    "EventTechnique",
    "Exercise",
    "Evidence",
    "Handling",
    "FalsePositive",
    "FindingTag",
    "IncidentFeed",
    "IncomingIncident",
    "Handling",
    "HandOver",
    "Hook",
    "Improvement",
    "Indicator",
    "ItemChange",
    "IndicatorLook",
    "Inject",
    "Job",
    "JobQuerySet",
    "JobState",
    "KeptReply",
    "LegalHold",
    "LogEntry",
    "Mark",
    "Milestone",
    "Note",
    "NoteRevision",
    "Notice",
    "NoticeCode",
    "NoticeSettings",
    "Pap",
    "ParseJob",
    "Phase",
    "PhaseEntry",
    "PlaybookVersion",
    "PreparationItem",
    "Preview",
    "Proof",
    "ReadinessPlan",
    "Passkey",
    "RecoveryCode",
    "RegimePolicy",
    "NotificationFact",
    "ReportBuild",
    "ReportKind",
    "ReportLook",
    "ReportReview",
    "ReportSignature",
    "RetentionPolicy",
    "RetentionReview",
    "RowTag",
    "RowTake",
    "SavedPlaybook",
    "Scope",
    "SecondFactor",
    "SessionRecord",
    "SettingAnswer",
    "ServiceLevel",
    "SavedView",
    "SearchEntry",
    "Severity",
    "SignInProvider",
    "Sighting",
    "SigningKey",
    "SpanUnit",
    "StandingApproval",
    "Star",
    "StatedHead",
    "Statement",
    "StatementPost",
    "StatementStamp",
    "StoreSurvey",
    "StoredBytes",
    "Target",
    "Team",
    "TeamMember",
    "TableIndexing",
    "TimelineBuild",
    "TimelineExport",
    "TimelineView",
    "Timing",
    "Tlp",
    "Transfer",
    "Turn",
    "Upload",
    "UploadState",
    "User",
    "WindowTold",
]
