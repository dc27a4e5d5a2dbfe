"""What ``duckdb-kql`` lacks, added to it: operators, functions, places in the text, and stricter checks.

``install`` must have run before the library translates; ``kql.translator`` sees to it. The additions stand on seams
of the version pinned in requirements.txt; ``tests/kql/test_dialect.py`` fails where another version moves one.
"""
