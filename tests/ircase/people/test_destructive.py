"""Write without delete: every door behind which something goes away, and who may go through it, written by hand.

A new door whose name sounds like removal fails here until it stands in the list."""

import re
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]
TABLE: dict[str, Any] = yaml.safe_load((ROOT / "permissions.yaml").read_text(encoding="utf-8"))
SOUNDS = re.compile(r"remove|delet|destr|discard|withdraw|revoke|gone|_end\b|retire|rotate")
# What a case holds goes only by its leads.
LEADS = {
    "POST ircase:event_remove",
    "DELETE /cases/{reference}/events/{uuid}",
    "POST ircase:case_member_remove",
    "DELETE /cases/{reference}/members/{username}",
    "POST ircase:case_team_remove",
    "DELETE /cases/{reference}/teams/{pk}",
    "POST hunting:push_remove",
    "POST liveresponse:revoke_standing",
    "POST ircase:asset_remove",
    "DELETE /cases/{reference}/notes/{uuid}",
    "POST /cases/{reference}/destructions",
    "POST ircase:case_hook_remove",
    "DELETE /cases/{reference}/hooks/{uuid}",
    "DELETE /cases/{reference}/standing-approvals/{pk}",
}
# Nothing is lost: it can be brought back, or it was made to be thrown away (a view of a list, a copy to hand out).
RECOVERABLE = {
    "POST hunting:cell_remove",
    "POST ircase:super_timeline_view_remove",
    "POST ircase:case_export_remove",
    "POST ircase:share_remove",
    "DELETE /cases/{reference}/shares/{uuid}",
    "DELETE /cases/{reference}/super-timeline/views/{uuid}",
    "DELETE /cases/{reference}/notebooks/{uuid}/cells/{cell}",
    "DELETE /cases/{reference}/stars/{uuid}",
    "POST ircase:link_remove",
    "DELETE /cases/{reference}/links/{uuid}",
    "DELETE /incidents/{pk}/dismissal",
    "POST ircase:harmless_withdraw",
    "DELETE /harmless/{uuid}",
    "DELETE ircase:draft",  # one's own, nobody else's
}
# One's own things.
OWN = {
    "POST ircase:profile_token_revoke",
    "POST ircase:session_end",
    "POST ircase:sessions_end",
    "POST ircase:factor_remove",
    "POST ircase:passkey_remove",
    "POST ircase:upload_discard",
    "DELETE ircase:upload",
    "DELETE ircase:import_upload",
    "POST ircase:import_upload_discard",
    "DELETE /views/{uuid}",
    "DELETE /cases/{reference}/uploads/{uuid}",
    "DELETE /case-import-uploads/{uuid}",
    "POST ircase:dashboard_monthly_stop",
    "DELETE /dashboard/monthly/{uuid}",
}
LIBRARY = {
    "POST hunting:hunt_retire",
    "POST hunting:pack_retire",
    "POST liveresponse:definition_retire",
    "POST ircase:playbook_retire",
    "POST /playbooks/{slug}/retirement",
    "DELETE /playbooks/{slug}/retirement",
    "POST /hunts/{hunt_id}/retirement",
    "DELETE /hunts/{hunt_id}/retirement",
    "POST /packs/{pack_id}/retirement",
    "DELETE /packs/{pack_id}/retirement",
    "POST /collection-definitions/{definition_id}/retirement",
    "DELETE /collection-definitions/{definition_id}/retirement",
}
TENANT = {
    "POST liveresponse:library_delete",
    "POST /connections/{pk}/library-files/{name}/deletion",
}
SITE = {
    "POST hunting:places_withdraw",
    "POST hunting:profiles_withdraw",
    "POST ircase:attack_withdraw",
    "POST /attack-data/files/{uuid}/withdrawal",
    "POST ircase:team_remove",
    "POST ircase:team_gone",
    "POST ircase:signing_rotate",
    "POST ircase:person_token",
    "POST ircase:person_sessions",
    "POST ircase:everyones_sessions",
    "POST ircase:person_factor",
    "POST ircase:person_passkey",
    "DELETE /people/{username}/sessions",
    "DELETE /teams/{pk}/members/{username}",
    "DELETE /report-look/logo",  # every version before it is kept
    "POST ircase:hook_remove",
    "DELETE /hooks/{uuid}",
    "DELETE /supplies/places/{pk}",
    "DELETE /supplies/profiles/{pk}",
}
READY = {"DELETE /contacts/{uuid}"}
MAY = {
    "leads-case": LEADS,
    "writes-case": RECOVERABLE,
    "writes-library": RECOVERABLE,
    "opens-cases": RECOVERABLE,
    "own-only": OWN,
    "managers-own": OWN,
    "signed-in": OWN,
    "reviews-library": LIBRARY,
    "keeps-tenant": TENANT,
    "administers": SITE,
    "keeps-ready": READY,
}


def doors() -> dict[str, str]:
    found = {f"{method} {name}": who for name, by in TABLE["pages"].items() for method, who in by.items()}
    return found | TABLE["api"]


def is_destructive(door: str) -> bool:
    method, name = door.split(" ", 1)
    return method == "DELETE" or (method == "POST" and bool(SOUNDS.search(name.split(":")[-1])))


def test_every_door_that_removes_is_listed_with_who_may() -> None:
    wrong = []
    for door, who in doors().items():
        if is_destructive(door) and door not in MAY.get(who, set()):
            wrong.append(f"{door} is open to {who}; say in this list why, or close it")
    assert not wrong, "\n".join(wrong)


def test_the_list_names_only_doors_that_are_there() -> None:
    listed = set().union(*MAY.values())
    assert listed - set(doors()) == set()


def test_analysts_remove_nothing_of_a_case_that_cannot_come_back() -> None:
    by_analysts = {door for door, who in doors().items() if who == "writes-case" and is_destructive(door)}
    assert by_analysts <= RECOVERABLE
