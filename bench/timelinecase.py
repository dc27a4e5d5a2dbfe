"""A case with a super-timeline of so many events, for `bench.timelinepage`; needs Django set up."""

from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.contrib.sessions.backends.db import SessionStore

from bench.supertimeline import TABLES, write_rows
from ircase.models import Evidence, TimelineBuild, User
from ircase.services import cases, evidence
from ircase.services.analysis import tables
from ircase.tasks import build_timeline
from kql.parquet import read_columns


def make(rows: int) -> None:
    """Make it and print the case's reference and a session of its lead."""
    user = User.objects.create_user("bench", password=None, site_role=User.SiteRole.ANALYST)
    case = cases.open_case(actor=user, title="A million events", severity="high")
    settings.SPOOL_DIR.mkdir(parents=True, exist_ok=True)
    for name, (share, columns) in TABLES.items():
        stored = evidence.put(iter([name.encode()]))
        item = evidence.seal(
            case=case, stored=stored, kind=Evidence.Kind.UPLOAD, name=f"{name}.csv", manifest={}, actor=user
        )
        path = settings.SPOOL_DIR / f"{name}.parquet"
        count = round(rows * share)
        write_rows(path, count, columns)
        new = tables.NewTable(name, path, read_columns(path), count, None, None, "bench")
        tables.keep(evidence=item, tables=[new])
    build_timeline(TimelineBuild.objects.get(case=case).pk)
    session = SessionStore()
    session[SESSION_KEY] = str(user.pk)
    session[BACKEND_SESSION_KEY] = "django.contrib.auth.backends.ModelBackend"
    session[HASH_SESSION_KEY] = user.get_session_auth_hash()
    session.save()
    print(case.reference, session.session_key)
