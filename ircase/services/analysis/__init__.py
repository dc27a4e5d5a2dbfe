"""What was found: assets, events, indicators, tables and the timelines made of them."""
