"""Small tables read beside a row, in the row's own query."""

from typing import Any

from django.db.models import JSONField, QuerySet, Subquery
from django.db.models.functions import JSONObject


class Rows(Subquery):
    """The rows of `queryset` as one list of objects, in its order: `Rows(tags, name="name")` is `[{"name": …}]`.

    For tables of a few rows that a page always shows: one query instead of one each. Times arrive as text (UTC).
    """

    template = "(%(subquery)s)"

    def __init__(self, queryset: QuerySet[Any], **fields: str | JSONObject) -> None:
        super().__init__(queryset.annotate(row_=JSONObject(**fields)).values("row_"), output_field=JSONField())

    def as_sqlite(self, compiler: Any, connection: Any, **context: Any) -> tuple[str, Any]:
        return self.as_sql(
            compiler, connection, "(SELECT json_group_array(json(row_)) FROM (%(subquery)s) AS rows_)", **context
        )

    def as_postgresql(self, compiler: Any, connection: Any, **context: Any) -> tuple[str, Any]:
        return self.as_sql(
            compiler, connection, "(SELECT coalesce(jsonb_agg(row_), '[]') FROM (%(subquery)s) AS rows_)", **context
        )
