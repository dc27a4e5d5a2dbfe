"""The picture of an exhibit, and how the files of rows in it are read: layout, names and types of columns, zone."""

from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal, cast
from uuid import UUID

from django.core.exceptions import ValidationError
from django.http import Http404, HttpRequest, HttpResponse, QueryDict
from django.shortcuts import get_object_or_404
from ninja import Schema, Status
from ninja.errors import HttpError
from pydantic import Field

from artifacts.choices import ENCODINGS, Choice
from artifacts.shapes import Shape
from ircase.api.auth import case_of, open_case_of, person
from ircase.api.paging import Router
from ircase.api.schemas import ImportOut
from ircase.forms.typing import MAX_SKIP, QUOTES, LayoutForm, TypesForm
from ircase.models import Case, Evidence, ParseJob
from ircase.services.analysis import interpreting
from ircase.services.vault import looking, previews
from kql.types import KqlType

router = Router(tags=["Evidence"])
_ITEM: Final = "/cases/{reference}/evidence/{uuid}"
_FILES: Final = f"{_ITEM}/import/files"
_FILE: Final = f"{_FILES}/{{number}}"
_NO_PICTURE: Final = "No picture was drawn of it. GET …/looks/image has a worker draw one, where it is a picture."


class FileColumn(Schema):
    """A column as the file names it, as it was found or chosen. `naive`: its times name no zone. `orders`: how day,
    month and year may stand in its dates."""

    source: str
    name: str
    type: str
    keep: bool
    naive: bool
    orders: list[str]


class FileLayout(Schema):
    delimiter: str
    quote: str
    encoding: str
    header: bool | None
    skip: int


class FileOfRows(Schema):
    """A file of rows as it was found, with what somebody `chose` for it; `sample` are its first rows as texts.
    `asks_zone`: its times name no zone, and nobody has said which it is."""

    number: int
    member: str
    kind: str
    table: str
    rows: int
    layout: FileLayout
    columns: list[FileColumn]
    sample: list[list[str]]
    asks_zone: bool
    chosen: bool
    zone: str
    order: str
    time_column: str


class ColumnWanted(Schema):
    """Of one column; what is not given stays as it was found or chosen."""

    source: str = Field(max_length=1000)
    name: str | None = Field(None, min_length=1, max_length=120)
    type: KqlType | None = None
    keep: bool | None = None


class TypesWanted(Schema):
    """What is not given stays. `zone` is an IANA name; `time_column` the source of the column that says when a row
    happened."""

    table: str | None = Field(None, min_length=1, max_length=120)
    zone: str | None = Field(None, max_length=64)
    order: Literal["", "dmy", "mdy", "ymd"] | None = None
    time_column: str | None = Field(None, max_length=1000)
    columns: list[ColumnWanted] = Field(default_factory=list, max_length=300)


class LayoutWanted(Schema):
    """Of a CSV or a sheet; what is not given stays. `quote` none: no cell is quoted. `skip`: lines on top."""

    delimiter: Annotated[str, Field(min_length=1, max_length=2)] | None = None
    quote: Literal['"', "'", "none"] | None = Field(None, description=", ".join(key for key, _ in QUOTES))
    encoding: str | None = Field(None, max_length=20, description=", ".join(ENCODINGS))
    header: bool | None = Field(None, description="Whether the first line holds names.")
    skip: int | None = Field(None, ge=0, le=MAX_SKIP)


def _item(case: Case, uuid: UUID) -> Evidence:
    item: Evidence = get_object_or_404(Evidence, case=case, uuid=uuid)
    item.case = case
    return item


def _job(case: Case, uuid: UUID) -> ParseJob:
    return get_object_or_404(ParseJob.objects.select_related("evidence__case"), evidence=_item(case, uuid))


def _found(job: ParseJob, number: int) -> interpreting.Found:
    found = next((one for one in interpreting.found(job) if one.number == number), None)
    if found is None:
        raise Http404("The evidence holds no such file of rows.")
    return found


@router.get(f"{_ITEM}/picture", response={200: bytes}, summary="The picture of an exhibit, drawn anew as a PNG")
def get_picture(request: HttpRequest, reference: str, uuid: UUID) -> HttpResponse:
    """No byte of it is the exhibit's. 409 where none was drawn."""
    item = _item(case_of(request, reference), uuid)
    previews.note(item, actor=person(request), what="preview: picture")
    data = b"" if item.is_destroyed else looking.picture(item)
    if not data:
        raise HttpError(409, _NO_PICTURE)
    headers = {
        "Content-Disposition": f'attachment; filename="{item.exhibit}.png"',
        "Cache-Control": "private, no-store",
    }
    return HttpResponse(data, content_type="image/png", headers=headers)


@router.get(_FILES, response=list[FileOfRows], summary="The files of rows in it, and how they are read")
def list_files(request: HttpRequest, reference: str, uuid: UUID) -> list[dict[str, Any]]:
    return [_shown(one) for one in interpreting.found(_job(case_of(request, reference), uuid))]


def _shown(one: interpreting.Found) -> dict[str, Any]:
    shape, choice = one.shape, one.choice
    said = choice if choice is not None and choice.columns else None
    chosen = {column.source: column for column in said.columns} if said else {}
    return {
        "number": one.number,
        "member": shape.member,
        "kind": shape.kind,
        "table": said.table if said else shape.table,
        "rows": shape.rows,
        "layout": choice.dialect if choice else shape.dialect,
        "columns": [
            {
                "source": column.source,
                "name": chosen[column.source].name if column.source in chosen else column.source,
                "type": chosen[column.source].type if column.source in chosen else column.type,
                "keep": chosen[column.source].keep if column.source in chosen else True,
                "naive": column.naive,
                "orders": list(column.orders),
            }
            for column in shape.columns
        ],
        "sample": shape.sample,
        "asks_zone": one.asks_zone,
        "chosen": choice is not None,
        "zone": said.zone if said else "",
        "order": (said.order or "") if said else "",
        "time_column": said.time_column if said else "",
    }


@router.put(f"{_FILE}/types", response={202: ImportOut}, summary="Names and types of its columns; it is read again")
def choose_types(request: HttpRequest, reference: str, uuid: UUID, number: int, body: TypesWanted) -> Status[ParseJob]:
    """The evidence itself stays as it is. 422 where times would need a zone or an order of day and month."""
    job = _job(open_case_of(request, reference), uuid)
    found = _found(job, number)
    form = TypesForm(shape=found.shape, choice=found.choice)
    form = TypesForm(_types_data(form.initial, found.shape, body), shape=found.shape, choice=found.choice)
    if not form.is_valid():
        raise ValidationError(_said(form.errors, found.shape))
    return _chosen(request, job, form.choice())


@router.put(f"{_FILE}/layout", response={202: ImportOut}, summary="Delimiter, quotes, encoding; it is read again")
def choose_layout(
    request: HttpRequest, reference: str, uuid: UUID, number: int, body: LayoutWanted
) -> Status[ParseJob]:
    """Names and types are found out anew. The evidence itself stays as it is."""
    job = _job(open_case_of(request, reference), uuid)
    found = _found(job, number)
    form = LayoutForm(shape=found.shape)
    if not form.fields:
        raise ValidationError("Its format has no layout to choose.")
    given = {name: value for name, value in body.dict().items() if value is not None}
    if "header" in given:
        given["header"] = "yes" if given["header"] else "no"
    form = LayoutForm(_data({**form.initial, **given}), shape=found.shape)
    if not form.is_valid():
        raise ValidationError(_said(form.errors, found.shape))
    return _chosen(request, job, Choice(member=found.shape.member, dialect=form.dialect()))


def _chosen(request: HttpRequest, job: ParseJob, choice: Choice) -> Status[ParseJob]:
    interpreting.choose(job=job, actor=person(request), choice=choice)
    return Status(202, ParseJob.objects.select_related("evidence").get(pk=job.pk))


def _types_data(initial: Mapping[str, Any], shape: Shape, body: TypesWanted) -> QueryDict:
    """What the page's form would send: all of it, with what was asked changed. Raises ValidationError."""
    said = {**initial, **{k: v for k, v in body.dict(exclude={"columns"}).items() if v is not None}}
    places = {column.source: place for place, column in enumerate(shape.columns)}
    for column in body.columns:
        if column.source not in places:
            raise ValidationError({"columns": f"The file has no column {column.source[:80]!r}."})
        given = column.dict(exclude={"source"})
        said |= {f"{key}_{places[column.source]}": value for key, value in given.items() if value is not None}
    return _data(said)


def _data(said: Mapping[str, Any]) -> QueryDict:
    """As a form sends it: what is not ticked is not sent."""
    made = QueryDict(mutable=True)
    for name, value in said.items():
        if value is not False:
            made[name] = "on" if value is True else str(value)
    return made


def _said(errors: Any, shape: Shape) -> dict[str, list[str]]:
    """The form's errors by what the body calls the fields."""
    found: dict[str, list[str]] = {}
    for name, messages in errors.items():
        word, _, place = name.rpartition("_")
        if place.isdigit():
            source = shape.columns[int(place)].source
            found.setdefault("columns", []).extend(f"{source[:80]}: {word}: {one}" for one in messages)
        else:
            found.setdefault(name, []).extend(cast("list[str]", messages))
    return found
