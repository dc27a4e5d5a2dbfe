"""From tree to SQL: what a query means over tables whose columns and types are known.

``values`` says how a KQL value stands in SQL, ``rows`` what a table is on its way through a pipeline, ``context`` what
one translation knows; ``expressions`` and ``operators/`` translate the tree, ``functions/`` holds every function,
aggregate and plugin by name. ``docs/kql.md`` is made from these registries.

Beneath it all lie three rules. A KQL column has an SQL name of its own (``c7``), so that names which differ only by
case, or that come twice, never meet in DuckDB. Every value has its KQL type at translation time. And an answer is
exactly Kusto's, or the query is refused with its place and a way round.
"""
