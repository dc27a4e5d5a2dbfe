"""What stays of a case's time in another IRCase, and the digest by which the case's log holds it."""

import hashlib
import json

from ircase.models import Case, RecordBefore


def seal_of(case: Case) -> tuple[int, str]:
    """How many records there are, and one digest of them all: docs/evidence.md says what it is made of."""
    digest, count = hashlib.sha256(), 0
    rows = RecordBefore.objects.filter(case=case).order_by("area", "sequence")
    for row in rows.values_list("area", "sequence", "line", "reason").iterator(chunk_size=2000):
        digest.update(json.dumps(row).encode("ascii") + b"\n")
        count += 1
    return count, digest.hexdigest()
