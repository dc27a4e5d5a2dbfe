"""Custody of an exhibit, exports of a case, imports, and the signed statements."""

from django.urls import path

from ircase.views import before, caseexports, caseimports, custody, importuploads, registering, statements

_EXPORTS = "cases/<str:reference>/exports/"

_ITEM = "cases/<str:reference>/evidence/<uuid:uuid>/custody/"

urlpatterns = [
    path("cases/<str:reference>/evidence/take/", custody.take, name="custody_take"),
    path("cases/<str:reference>/evidence/register/", registering.register, name="custody_register"),
    path("cases/<str:reference>/transfers/<uuid:uuid>/", custody.decide, name="transfer"),
    path(_ITEM, custody.chain, name="custody"),
    path(f"{_ITEM}form/", custody.printed, name="custody_form"),
    path(f"{_ITEM}<str:name>/", custody.act, name="custody_act"),
    path(_EXPORTS, caseexports.exports, name="case_exports"),
    path(f"{_EXPORTS}<uuid:uuid>/", caseexports.export, name="case_export"),
    path(f"{_EXPORTS}<uuid:uuid>/download/", caseexports.download, name="case_export_file"),
    path(f"{_EXPORTS}<uuid:uuid>/cancel/", caseexports.cancel, name="case_export_cancel"),
    path(f"{_EXPORTS}<uuid:uuid>/remove/", caseexports.remove, name="case_export_remove"),
    path("cases/<str:reference>/before/", before.before, name="before"),
    path("cases/<str:reference>/before/<uuid:uuid>/", before.item, name="before_item"),
    path("cases/import/", caseimports.index, name="case_imports"),
    path("cases/import/<uuid:uuid>/", caseimports.item, name="case_import"),
    path("cases/import/uploads/", importuploads.uploads, name="import_uploads"),
    path("cases/import/uploads/<uuid:uuid>/", importuploads.upload, name="import_upload"),
    path("cases/import/uploads/<uuid:uuid>/discard/", importuploads.discard, name="import_upload_discard"),
    path("administration/statements/", statements.index, name="statements"),
    path("administration/statements/key/", statements.rotate, name="signing_rotate"),
    path("administration/statements/<int:number>/", statements.download, name="statement"),
    path("administration/statements/<int:number>/stamp/", statements.stamp, name="statement_stamp"),
    path("administration/statements/<int:number>/stamp/again/", statements.stamp_again, name="statement_stamp_again"),
    path("administration/statements/posts/<int:post>/", statements.again, name="statement_again"),
]
