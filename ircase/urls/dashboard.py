"""The dashboard over many cases."""

from django.urls import URLPattern, path

from ircase.views import dashboard, monthly

urlpatterns: list[URLPattern] = [
    path("dashboard/", dashboard.board, name="dashboard"),
    path("dashboard/export/", dashboard.export, name="dashboard_export"),
    path("dashboard/behind/<slug:panel>/", dashboard.behind, name="dashboard_behind"),
    path("dashboard/behind/<slug:panel>/rows.csv", dashboard.behind_csv, name="dashboard_behind_csv"),
    path("dashboard/tables/<slug:panel>/<slug:table>.csv", dashboard.table_csv, name="dashboard_table"),
    path("dashboard/files/", dashboard.papers_list, name="dashboard_files"),
    path("dashboard/files/<uuid:uuid>/", dashboard.paper, name="dashboard_file"),
    path("dashboard/files/<uuid:uuid>/download/", dashboard.paper_download, name="dashboard_file_download"),
    path("dashboard/monthly/", monthly.monthly_list, name="dashboard_monthly"),
    path("dashboard/monthly/<uuid:uuid>/stop/", monthly.monthly_stop, name="dashboard_monthly_stop"),
    path("dashboard/monthly/<uuid:uuid>/send/", monthly.monthly_send, name="dashboard_monthly_send"),
    path("administration/dashboard/", dashboard.rules, name="dashboard_rules"),
]
