"""Evidence of a case, what was read from it, and the tables."""

from django.urls import path

from ircase.views import evidence, finding, mapping, previews, resumable, retention, stars, tables

_ITEM = "cases/<str:reference>/evidence/<uuid:uuid>/"
_TABLE = "cases/<str:reference>/tables/<uuid:uuid>/"

urlpatterns = [
    path("cases/<str:reference>/evidence/", evidence.panel, name="evidence"),
    path("cases/<str:reference>/evidence/<uuid:uuid>/", evidence.item, name="evidence_item"),
    path("cases/<str:reference>/evidence/<uuid:uuid>/download/", evidence.download, name="evidence_download"),
    path("cases/<str:reference>/evidence/<uuid:uuid>/verify/", evidence.verify, name="evidence_verify"),
    path("cases/<str:reference>/evidence/<uuid:uuid>/read/", evidence.read, name="evidence_read"),
    path(f"{_ITEM}mark/", previews.mark, name="evidence_mark"),
    path(f"{_ITEM}preview/<str:kind>/", previews.preview, name="evidence_preview"),
    path(f"{_ITEM}preview/<str:kind>/again/", previews.again, name="evidence_preview_again"),
    path(f"{_ITEM}preview/image/picture.png", previews.picture, name="evidence_picture"),
    path(f"{_ITEM}preview/strings/take/", previews.take, name="evidence_strings_take"),
    path("retention/", retention.review, name="retention"),
    path("cases/<str:reference>/keeping/", retention.keeping, name="keeping"),
    path("cases/<str:reference>/keeping/holds/", retention.hold_place, name="hold_place"),
    path("cases/<str:reference>/keeping/holds/<uuid:uuid>/lift/", retention.hold_lift, name="hold_lift"),
    path("cases/<str:reference>/keeping/<uuid:uuid>/", retention.destruction_page, name="destruction"),
    path("cases/<str:reference>/keeping/<uuid:uuid>/certificate/", retention.certificate, name="certificate"),
    path("cases/<str:reference>/uploads/", resumable.uploads, name="uploads"),
    path("cases/<str:reference>/uploads/<uuid:uuid>/", resumable.upload, name="upload"),
    path("cases/<str:reference>/uploads/<uuid:uuid>/discard/", resumable.upload_discard, name="upload_discard"),
    path("cases/<str:reference>/imports/<uuid:uuid>/", evidence.import_job, name="import"),
    path("cases/<str:reference>/imports/<uuid:uuid>/types/<int:number>/", evidence.import_types, name="import_types"),
    path("cases/<str:reference>/imports/<uuid:uuid>/cancel/", evidence.import_cancel, name="import_cancel"),
    path("cases/<str:reference>/tables/find/", finding.find, name="find"),
    path("cases/<str:reference>/starred/", stars.stars, name="stars"),
    path("cases/<str:reference>/starred/<uuid:uuid>/", stars.star, name="star"),
    path(_TABLE, tables.table, name="table"),
    path(f"{_TABLE}rows/<int:number>/star/", stars.table_star, name="table_star"),
    path(f"{_TABLE}map/", mapping.table_map, name="table_map"),
    path("cases/<str:reference>/rows/<uuid:uuid>/", mapping.row_take, name="row_take"),
    path(f"{_TABLE}star/", stars.table_stars, name="table_stars"),
    path(f"{_TABLE}rows/<int:number>/", tables.row, name="table_row"),
    path(f"{_TABLE}look/", tables.table_look, name="table_look"),
    path(f"{_TABLE}statistics/", tables.table_statistics, name="table_statistics"),
    path(f"{_TABLE}export/", tables.table_export, name="table_export"),
    path(f"{_TABLE}indicators/", tables.table_bulk, name="table_bulk"),
]
