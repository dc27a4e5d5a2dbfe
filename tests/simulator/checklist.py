"""What of Defender's behaviour stands in the simulator, and which test survives it: the source of
docs/simulator-checklist.md, which `python -m tests.simulator.checklist` writes."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs/simulator-checklist.md"
JOURNEY = "tests/journeys/test_liveresponse_faults.py"
HEAD = """# What can go wrong, and what survives it

Every endpoint, behaviour and fault of Defender for Endpoint that the [simulator](simulator.md) has, and the test that
lives through it. Written by `python -m tests.simulator.checklist`; a test fails where it is out of date, where a route
or a fault of the simulator is missing in it, or where it names a test that is not there. In quotes: the trouble of that
name in `tests/journeys/test_liveresponse_faults.py`, where all of them strike at once, each on a device of its own,
while the list of machine actions comes in small pages.

"Where" is a route below `/api`, a fault of `POST /_sim/faults`, or a module.
"""


@dataclass(frozen=True)
class Item:
    """One thing: where the simulator has it, and what survives it: `path::test`, or the name of a trouble."""

    text: str
    where: tuple[str, ...]
    tests: tuple[str, ...]


def item(text: str, where: str, tests: str) -> Item:
    """Places are parted by semicolons, and tests too; tests without a folder lie in tests/simulator."""
    return Item(text, _parts(where), _parts(tests))


def _parts(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(";"))


END, FLT, MIT, STP, FEW = (
    "test_endpoints.py",
    "test_faults.py",
    "test_mitigation.py",
    "test_steps.py",
    "test_defender.py",
)
DEV, RESP = "test_device_faults.py", "test_defender.py::test_response_actions"
M, LR, ART = "tests/msapi", "tests/liveresponse", "tests/artifacts"

SECTIONS: dict[str, tuple[Item, ...]] = {
    "Endpoints": (
        item("Machines: `$filter` with eq, ne, gt, ge, lt, startswith, and, or; `$top`, `$skip`; by id or name",
             "GET /machines; GET /machines/<machine>",
             f"{FEW}::test_machine_filters; {END}::test_every_operator_of_a_filter; test_odata.py::test_filters; "
             f"{FEW}::test_paging_by_top_and_skip_gives_no_link; {FEW}::test_machines_by_id_name_and_host; "
             f"{M}/test_defender.py::test_machines_over_pages"),
        item("findbytag, findbyip", "GET /machines/<machine>",
             f"{FEW}::test_tags_are_added_found_and_removed; "
             f"{END}::test_a_tag_is_found_by_its_beginning_where_that_is_asked; "
             f"{END}::test_an_address_of_long_ago_is_refused"),
        item("nextLink only beyond the page, never with `$top`", "small_pages",
             f"{DEV}::test_a_list_in_small_pages_keeps_what_was_asked; {M}/test_defender.py::test_pages_end; "
             f"{JOURNEY}::test_the_list_of_actions_came_in_pages"),
        item("Tags", "POST /machines/<machine>/tags", f"{FEW}::test_tags_are_added_found_and_removed"),
        item("Signed-in users, alerts of a device, their number",
             "GET /machines/<machine>/logonusers; GET /machines/<machine>/alerts; "
             "GET /machines/<machine>/alerts/$count",
             f"{FEW}::test_logon_users_and_alerts_of_a_machine; {END}::test_alerts_of_a_machine_are_counted"),
        item("Software, vulnerabilities (50 a minute), recommendations",
             "GET /machines/<machine>/software; GET /machines/<machine>/vulnerabilities; "
             "GET /machines/<machine>/recommendations",
             f"{END}::test_software_weaknesses_and_advice_agree; "
             f"{END}::test_weaknesses_are_asked_for_fifty_times_a_minute"),
        item("Alerts: list, get, `$expand`, patch, batchUpdate (10 a minute), what they are about",
             "GET /alerts; GET /alerts/<key>; PATCH /alerts/<key>; POST /alerts/batchUpdate; "
             "GET /alerts/<key>/<entity>",
             f"{END}::test_an_alert_is_edited_and_graph_shows_it_too; "
             f"{END}::test_edits_that_are_refused_change_nothing; "
             f"{END}::test_many_alerts_are_edited_at_once_ten_times_a_minute; {END}::test_what_an_alert_is_about"),
        item("Files: profile, statistics, alerts, devices",
             "GET /files/<file>; GET /files/<file>/stats; GET /files/<file>/alerts; GET /files/<file>/machines",
             f"{FEW}::test_files_of_the_story_are_known_by_either_hash; {FEW}::test_how_often_a_file_was_seen; "
             "test_snapshots.py::test_devices_and_alerts_of_a_file; "
             f"{M}/test_defender.py::test_statistics_devices_and_alerts_of_a_file"),
        item("Addresses and domains: statistics, alerts, devices",
             "GET /ips/<ip>/stats; GET /ips/<ip>/alerts; GET /domains/<domain>/stats; GET /domains/<domain>/alerts; "
             "GET /domains/<domain>/machines",
             f"{END}::test_how_often_an_address_was_spoken_to; {END}::test_who_spoke_to_a_domain"),
        item("Indicators: list, upsert, import (500 a call, 30 calls a minute), delete one or many",
             "GET /indicators; POST /indicators; POST /indicators/import; DELETE /indicators/<key>; "
             "POST /indicators/BatchDelete",
             f"{MIT}::test_indicators_are_added_replaced_found_and_removed; "
             f"{MIT}::test_each_of_an_import_has_its_own_outcome; {MIT}::test_indicators_that_are_refused; "
             f"{END}::test_indicators_go_in_one_call"),
        item("Library: list, upload (20 MB, names, override), delete",
             "GET /libraryfiles; POST /libraryfiles; DELETE /libraryfiles/<name>",
             f"{FEW}::test_upload_replace_and_delete; {FEW}::test_uploads_that_are_refused; "
             f"{LR}/test_library.py; tests/journeys/test_library.py"),
        item("Live Response: start, link to a result",
             "POST /machines/<machine>/runliveresponse; GET /machineactions/<action>/<function>",
             f"{FEW}::test_the_states_of_a_session; {FEW}::test_a_dfir_collection_end_to_end; "
             "tests/journeys/test_main_job.py"),
        item("Machine actions: list, get, cancel",
             "GET /machineactions; GET /machineactions/<action>; POST /machineactions/<action>/cancel",
             f"{FEW}::test_cancelling; {M}/test_defender.py::test_polling_and_cancelling"),
        item("Response actions, offboarding",
             "POST /machines/<machine>/isolate; POST /machines/<machine>/unisolate; "
             "POST /machines/<machine>/restrictCodeExecution; POST /machines/<machine>/unrestrictCodeExecution; "
             "POST /machines/<machine>/runAntiVirusScan; POST /machines/<machine>/StopAndQuarantineFile; "
             "POST /machines/<machine>/offboard",
             f"{RESP}; {FEW}::test_bad_choices_of_response_actions; {LR}/test_actions.py; "
             "tests/journeys/test_response.py"),
        item("Investigation package, its link in a second pair of quotes",
             "POST /machines/<machine>/collectInvestigationPackage; GET /machineactions/<action>/getPackageUri",
             f"{FEW}::test_the_investigation_package; tests/journeys/test_collections.py; package not there yet"),
        item("Blob host: signed links, no bearer, `se` enforced", "simulator/blob.py",
             f"{FEW}::test_links_expire_and_refuse_a_bearer; {JOURNEY}::test_no_bearer_goes_to_the_store"),
    ),
    "Behaviours": (
        item("A role for each endpoint (403 Forbidden)", "simulator/access.py; simulator/defender/routes.py",
             "test_access.py::test_every_endpoint_refuses_no_token_and_a_token_without_its_role; "
             f"{M}/test_transport.py::test_a_missing_role_is_named"),
        item("Keys of a body are case-sensitive; a comment is needed", "simulator/defender/liveresponse.py",
             f"{FEW}::test_wrong_bodies_start_nothing; {END}::test_edits_that_are_refused_change_nothing"),
        item("Pending, InProgress, Succeeded, Failed, TimeOut, Cancelled by the clock; commands Created, Completed, "
             "Failed; the first failure ends the session", "simulator/defender/actions.py",
             f"{FEW}::test_the_states_of_a_session; {FEW}::test_script_and_get_file_in_one_session; "
             f"{FEW}::test_a_file_nobody_made_is_not_there"),
        item("One session a device (400 ActiveRequestAlreadyExists)", "simulator/defender/actions.py",
             f"{FEW}::test_one_session_per_device; {LR}/test_collections.py::test_a_busy_device_waits_its_turn; "
             "another session is open"),
        item("10 calls a minute, 25 sessions a tenant (429)", "simulator/quotas.py",
             f"{FLT}::test_live_response_is_ten_calls_a_minute; {FLT}::test_25_sessions_are_all_a_tenant_has; "
             "tests/journeys/test_many.py"),
        item("RunScript and PutFile need a name of the library", "simulator/defender/library.py",
             f"{FEW}::test_wrong_bodies_start_nothing; {STP}::test_a_file_that_was_put_can_be_fetched"),
        item("Transcripts with control characters and a byte order mark; GetFile as gzip",
             "simulator/defender/results.py",
             f"{M}/test_scripts.py::test_raw_control_characters_inside_strings; "
             f"{FEW}::test_a_dfir_collection_end_to_end"),
        item("Both spellings of the time of the last update; 201 for actions", "simulator/defender/actions.py",
             f"{M}/test_defender.py::test_actions_are_read_in_both_spellings; "
             f"{LR}/test_machine_actions.py::test_a_change_is_kept_and_both_spellings_of_its_time_are_read"),
    ),
    "Faults": (
        item("A device that is offline: TimeOut after three simulated days", "stays_pending; names with `offline`",
             f"{FEW}::test_an_offline_device_stays_pending_for_three_days; offline for three days; "
             f"{LR}/test_batches.py::test_a_silent_device_gives_its_session_to_others_and_is_asked_again"),
        item("Exit code 1 with script_errors", "script_fails; names with `failing`", "script ends with 1"),
        item("A script over ten minutes; a command that fails", "script_timeout; command_fails",
             "script over ten minutes; command fails"),
        item("GetFile of a path that is not there", "paths with `missing`", "no such file"),
        item("Cancelled mid-run by somebody in the portal", "cancelled_in_portal",
             f"{DEV}::test_somebody_stops_the_session_in_the_portal; stopped in the portal"),
        item("An expired link (403, XML), then a fresh one; links that are always over", "expired_link",
             f"link has expired; {LR}/test_fetching.py::test_a_link_that_is_always_expired_does_not_ask_for_ever"),
        item("A result whose link comes late, or never", "404; vanished",
             f"no link yet; {LR}/test_fetching.py::test_a_result_that_never_comes_ends_the_job_and_says_where_it_is"),
        item("A blob that breaks off, that halts, that was cut in the store or changed on the way, that is no gzip",
             "truncated_blob; stalled_blob; cut_blob; flipped_blob; not_gzip",
             f"{DEV}::test_a_blob_changed_on_the_way_has_the_checksum_of_the_right_one; file changed on the way; "
             f"{LR}/test_fetching.py::test_bytes_that_never_are_the_stores_are_kept_and_said_to_be_so; "
             f"{DEV}::test_a_blob_cut_in_the_store_passes_for_whole; download breaks off; download halts; "
             "file cut in the store; file neither gzip nor zip; transcript no JSON; "
             f"{M}/test_blobs.py::test_a_download_goes_on_where_it_broke_off"),
        item("429 with and without Retry-After", "429", "429 with Retry-After; 429 without Retry-After"),
        item("Bursts of 500, 502, 503, 504; an answer that takes too long", "500; 502; 503; 504; slow; timeout",
             "500 at the start; 503 burst at the link; "
             f"{M}/test_transport.py::test_an_ill_service_is_asked_three_times; "
             f"{M}/test_transport.py::test_silence_ends_with_the_read_timeout"),
        item("401 in the middle, once and for good", "401", "token refused once; token refused for good"),
        item("An action that Defender lost", "vanishes",
             f"{DEV}::test_a_lost_action_is_nowhere_but_in_our_record; action vanishes"),
        item("Connection reset before the work and after it; an answer that is none",
             "reset; reset_after; not_json; empty; no_content; truncated_reply",
             "connection reset at the start; connection reset after the work; answer no JSON; answer empty; "
             "answer without content; answer cut"),
        item("Another session is open; Live Response is off; no remediation level; any other refusal",
             "400; disabled_feature; disallowed_operation; 403",
             "another session is open; Live Response is off; no remediation level; "
             f"{LR}/test_collections.py::test_a_missing_role_fails_with_its_name"),
        item("getPackageUri: 404 until it is done, 2 calls a minute", "simulator/defender/responses.py; vanished",
             f"{DEV}::test_a_package_is_asked_for_twice_a_minute; "
             f"package not there yet; {LR}/test_steps.py::test_its_link_waits_for_a_turn_and_for_defender; "
             f"{LR}/test_steps.py::test_a_package_that_never_is_ready_fails"),
    ),
    "Evidence": (
        item("The DFIR zip in the real layout, as gzip around the zip: backslashes, three encodings, shifted and "
             "headerless tables, messages of many lines", "simulator/dfir/archive.py",
             "test_dfir.py::test_names_begin_with_the_folder_and_have_backslashes; "
             "test_dfir.py::test_encodings_are_those_of_the_script; "
             "test_dfir.py::test_shifted_rows_and_headerless_exclusions; "
             "test_dfir.py::test_security_events_have_messages_of_many_lines; "
             "test_dfir.py::test_artifacts_reads_all_of_it"),
        item("A German device", "german_device",
             "test_dfir_variants.py::test_the_german_zip_gives_the_same_events; German device"),
        item("A hostile zip: climbing paths, a bomb, a link, encryption, wrong encodings, missing folders, formula "
             "cells", "hostile_zip",
             "test_dfir_variants.py::test_the_hostile_zip_is_survived_and_every_part_named; hostile zip"),
        item("An investigation package", "simulator/dfir/package.py",
             "test_dfir.py::test_the_package_has_the_documented_folders; "
             "test_steps.py::test_a_package_has_the_folders_that_microsoft_names"),
        item("File analyses with missing keys", "simulator/dfir/analysis.py",
             f"test_analyses.py::test_a_device_has_it_and_it_is_read; {ART}/test_analysis.py"),
    ),
    "What the client keeps to": (
        item("Retry-After is honoured, with a cap and a spread", "429",
             f"{M}/test_retry.py::test_table; {M}/test_retry.py::test_jitter_is_added_never_taken_off; "
             f"{M}/test_transport.py::test_a_long_429_is_handed_to_the_caller"),
        item("What changes something is not sent again before its twin was looked for", "reset_after",
             f"{M}/test_transport.py::test_what_changes_things_is_not_repeated_into_the_dark; "
             f"{LR}/test_collections.py::test_an_ambiguous_submission_is_never_repeated_blindly; "
             f"{JOURNEY}::test_defender_took_every_step_once; tests/journeys/test_kill_steps.py"),
        item("A token is renewed once on 401", "401", f"{M}/test_transport.py::test_a_refused_token_is_renewed_once; "
             f"{M}/test_transport.py::test_a_token_refused_twice_is_the_end"),
        item("Polling slows down and ends at a deadline", "stays_pending",
             f"{LR}/test_collections.py::test_an_offline_device_is_waited_for_until_the_deadline; "
             f"{LR}/test_collections.py::test_an_unreachable_service_is_tried_again"),
        item("A download link is never logged and gets no bearer", "simulator/links.py",
             f"{LR}/test_collections.py::test_no_link_or_signature_is_kept_anywhere; "
             f"{JOURNEY}::test_no_signed_link_is_kept_anywhere; {JOURNEY}::test_no_bearer_goes_to_the_store"),
        item("What came home in part is said to be partial", "cut_blob",
             f"file cut in the store; {LR}/test_collections.py::test_a_cut_off_blob_is_kept_as_it_came_and_said"),
        item("Times are UTC; where a device's own clock had to be trusted, that is said", "german_device",
             f"{ART}/test_clock.py::test_each_row_says_which_time_it_carries; German device"),
    ),
}  # fmt: skip


def whole(test: str) -> str:
    """A test's place from the root of the repository; the name of a trouble stays as it is."""
    return f"tests/simulator/{test}" if test.startswith("test_") else test


def page() -> str:
    """The document."""
    lines = [HEAD]
    for title, items in SECTIONS.items():
        lines += [f"## {title}", "", "| what | where | survived in |", "|---|---|---|"]
        for one in items:
            tests = [f"`{whole(test)}`" if ".py" in test else f'"{test}"' for test in one.tests]
            where = [place if "`" in place else f"`{place}`" for place in one.where]
            lines.append(f"| {one.text} | {', '.join(where)} | {', '.join(tests)} |")
        lines.append("")
    return "\n".join(lines)


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
    sys.stdout.write(f"{PAGE.relative_to(ROOT)} written\n")
