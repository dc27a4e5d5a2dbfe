"""What the walk of permissions asks of the operations for comparing, sources, imports, packs and supplies."""

from typing import Any

from hunting.models import Feed, HuntImport, PlacesFile, ProfilesFile, SavedPack

OF_SOURCES = (
    "GET /cases/{reference}/hunts/sources/{source}/tables", "POST /cases/{reference}/hunts/sources/{source}/reading",
)  # fmt: skip
_FEEDS = ("GET /feeds/{pk}", "PUT /feeds/{pk}", "POST /feeds/{pk}/fetch", "GET /feeds/{pk}/fetches")
_PACKS = (
    "GET /packs/{pack_id}", "GET /packs/{pack_id}/file", "GET /packs/{pack_id}/versions",
    "POST /packs/{pack_id}/versions", "POST /packs/{pack_id}/retirement", "DELETE /packs/{pack_id}/retirement",
)  # fmt: skip
_IMPORTS = (
    "GET /hunt-imports/{uuid}", "GET /hunt-imports/{uuid}/items", "GET /hunt-imports/{uuid}/items/{number}",
    "PUT /hunt-imports/{uuid}/choice", "POST /hunt-imports/{uuid}/keeping", "POST /hunt-imports/{uuid}/cancel",
)  # fmt: skip


def things(
    *, imported: HuntImport, pack: SavedPack, feed: Feed, places: PlacesFile, profiles: ProfilesFile
) -> dict[str, Any]:
    """Things by the part of an address that asks for them."""
    return {
        **{f"api:{one}.source": "case" for one in OF_SOURCES},
        **{f"api:{one}.uuid": imported.uuid for one in _IMPORTS},
        **{f"api:{one}.pack_id": pack.slug for one in _PACKS},
        **{f"api:{one}.pk": feed.pk for one in _FEEDS},
        "api:DELETE /supplies/places/{pk}.pk": places.pk,
        "api:DELETE /supplies/profiles/{pk}.pk": profiles.pk,
    }


BODIES: dict[str, Any] = {
    "PUT /feeds/{pk}": {"address": "https://feeds.example/walk.csv"},
    "POST /feeds": {"address": "https://feeds.example/new.csv"},
    "POST /packs/{pack_id}/versions": {
        "title": "Team pack",
        "entity": "device",
        "steps": [{"hunt": "device-logons"}],
        "edited_from": 1,
    },
    "POST /cases/{reference}/hunts/runs/{uuid}/indicators": {"rows": [1], "column": "DeviceName", "kind": "ip"},
}
