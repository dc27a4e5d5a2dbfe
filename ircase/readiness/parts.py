"""The parts of the board that the case itself knows."""

from ircase.readiness import board, roles, settings


def register() -> None:
    """Called when Django starts."""
    board.register(roles.parts)
    board.register(settings.parts)
