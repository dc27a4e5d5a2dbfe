"""The API, assembled: /api/v1/, with its description at /api/v1/openapi.json."""

from hunting.api import (
    clusters,
    comparing,
    copies,
    imports,
    library,
    mywatches,
    notebooks,
    packbook,
    packs,
    runs,
    supplies,
    watches,
)
from hunting.api import readiness as tables
from ircase.api import (
    administration,
    approvals,
    attackdata,
    audit,
    before,
    caseimports,
    caseincidents,
    cases,
    checklist,
    clocks,
    comments,
    connections,
    curated,
    custody,
    dashboard,
    evidence,
    exercises,
    exhibits,
    exports,
    finding,
    findings,
    hooks,
    incidentdoors,
    incidentfiles,
    intake,
    life,
    linking,
    looks,
    monthly,
    notes,
    notices,
    parts,
    people,
    playbooks,
    readiness,
    reportchanges,
    reportlook,
    reports,
    retention,
    rows,
    sharing,
    site,
    stars,
    supertimeline,
    timelineviews,
    work,
)
from ircase.api.auth import TokenAuth
from ircase.api.manner.assembly import CasesApi
from ircase.api.manner.description import name_scopes
from ircase.models import Scope
from liveresponse.api import actions, batches, collections, definitions, files, sealing
from liveresponse.api import library as scripts
from liveresponse.api import readiness as tries

api = CasesApi()
# Each area and the scope that a token needs for what changes something there; reading needs `read`.
_CASE = (
    people, audit, before, cases, checklist, curated, findings, notes, comments, evidence, looks, custody, exports,
    stars, supertimeline, timelineviews, reportchanges, reports, caseincidents, clocks, life,
    linking, retention, hooks, sharing, parts, rows, exhibits,
)  # fmt: skip
_SITE = (
    finding, approvals, intake, incidentfiles, playbooks, work, notices, monthly, dashboard, readiness, exercises,
    caseimports,
)  # fmt: skip
_DOORS = (connections, incidentdoors, reportlook, attackdata)
_DEVICES = (collections, batches, definitions, scripts, files, sealing, actions, tries)
_HUNTS = (library, runs, packs, copies, notebooks, watches, tables, comparing, clusters, mywatches, imports, packbook)
_AREAS = (
    (Scope.WRITE, Scope.READ, (*_CASE, *_SITE)),
    (Scope.ADMINISTER, Scope.READ, _DOORS),
    (Scope.ADMINISTER, Scope.ADMINISTER, (administration, supplies, site)),
    (Scope.HUNT, Scope.READ, _HUNTS),
    (Scope.RESPOND, Scope.READ, _DEVICES),
)
for _changes, _reads, _routers in _AREAS:
    for _area in _routers:
        api.add_router("", _area.router, auth=TokenAuth(_changes, _reads))
        name_scopes(_area.router, TokenAuth(_changes, _reads))
api.add_router("", hooks.site, auth=TokenAuth(Scope.ADMINISTER, Scope.ADMINISTER))
name_scopes(hooks.site, TokenAuth(Scope.ADMINISTER, Scope.ADMINISTER))
