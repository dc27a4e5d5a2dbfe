"""What the whole suite shares."""

import hypothesis

# A busy machine is not a fault: no test judges by the clock.
hypothesis.settings.register_profile("ircase", deadline=None)
hypothesis.settings.load_profile("ircase")


def pytest_make_parametrize_id(val: object) -> str | None:
    """Bytes are named by their length: those of an archive hold the moment it was packed, and every process of the
    suite must name its tests alike."""
    return f"{len(val)}-bytes" if isinstance(val, bytes) else None
