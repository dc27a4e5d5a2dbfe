"""Finding: what of a case can be found, and the one box that finds it. It begins at what a person may see."""

from ircase.services.analysis.findings import clean


def cleaned(text: str) -> str:
    """What was typed, as it is asked."""
    return clean(text).encode("utf-8", "replace").decode().strip()
