"""A case's super-timeline: the rows of all its tables that have a time, as events, by mappings that are data.

`rules` says what an event is, `store` keeps them sorted beside the case's tables, `reading` answers pages and counts.
No row is copied in full: an event holds what the list shows, and where its row stands.
"""
