"""Live Response in the browser. Doors: access, one service, a page."""
