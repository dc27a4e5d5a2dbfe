"""From text to tree: what a query says, before anything is known of tables and columns.

``tokens`` cuts the text into words, ``reader`` and its readers build the tree of ``tree``. Nothing here knows SQL.
"""
