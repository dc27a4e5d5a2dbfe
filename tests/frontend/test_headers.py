"""Static files that a worker runs are under a policy of their own, hashed name or not; others are left alone."""

from frontend.headers import of_static_file


def headers(url: str) -> dict[str, str]:
    found: dict[str, str] = {}
    of_static_file(found, "/srv/static/x", url)
    return found


def test_workers_have_neither_network_nor_eval() -> None:
    for url in ("/static/ui/kusto.worker.js", "/static/ui/editor.worker.afbe1d890e04.js"):
        assert headers(url) == {"Content-Security-Policy": "default-src 'none'"}


def test_other_files_are_as_they_were() -> None:
    assert headers("/static/a.worker.b/app.0c0d7d2f8593.js") == headers("/static/ui/app.css") == {}
