"""Which files of the evidence store hunting needs: feeds, tables for all cases, and what was handed in to import."""

from collections.abc import Collection

from hunting.models import FeedFetch, HuntImport, PlacesFile, ProfilesFile


def held(hashes: Collection[str]) -> set[str]:
    """Those of the hashes that a row here names."""
    found: set[str] = set()
    for rows in (FeedFetch.objects, PlacesFile.objects, ProfilesFile.objects):
        found |= set(rows.filter(sha256__in=hashes).values_list("sha256", flat=True).distinct())
    wanted = set(hashes)
    for files in HuntImport.objects.exclude(files=[]).values_list("files", flat=True).iterator():
        found |= wanted & {str(file.get("sha256")) for file in files}
    return found
