"""Signatures of what is posted: whoever has the hook's secret can check that it came from here, and when."""

import hashlib
import hmac
from collections.abc import Sequence

TIMESTAMP = "X-IRCase-Timestamp"
SIGNATURE = "X-IRCase-Signature"
DELIVERY = "X-IRCase-Delivery"


def signature(secret: str, stamp: str, body: bytes) -> str:
    """HMAC-SHA256 in hexadecimal over the timestamp, a full stop and the body."""
    return hmac.new(secret.encode(), stamp.encode() + b"." + body, hashlib.sha256).hexdigest()


def header(secrets: Sequence[str], stamp: str, body: bytes) -> str:
    """One signature for each secret that is valid now: `sha256=…, sha256=…`, the newest first."""
    return ", ".join(f"sha256={signature(secret, stamp, body)}" for secret in secrets)
