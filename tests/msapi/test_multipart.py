"""The streamed form against a reader of its own: werkzeug's."""

import io

from hypothesis import given, settings
from hypothesis import strategies as st
from werkzeug.formparser import FormDataParser

from msapi.multipart import FilePart, Multipart


def parsed(body: bytes, content_type: str) -> tuple[dict[str, str], dict[str, tuple[str, bytes]]]:
    options = {"boundary": content_type.partition("boundary=")[2]}
    _, form, files = FormDataParser().parse(io.BytesIO(body), "multipart/form-data", len(body), options)
    return dict(form.items()), {name: (file.filename or "", file.read()) for name, file in files.items()}


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=5000), st.text(alphabet=st.characters(codec="utf-8"), max_size=30), st.integers(1, 700))
def test_whatever_it_holds_is_read_again(content: bytes, text: str, piece: int) -> None:
    text = text.replace("\r", "").replace("\n", "")
    form = Multipart(
        {"Description": text, "file": FilePart("a.ps1", io.BytesIO(content), len(content)), "Last": "true"}
    )
    body = b"".join(iter(lambda: form.read(piece), b""))
    assert len(body) == len(form)
    assert parsed(body, form.content_type) == ({"Description": text, "Last": "true"}, {"file": ("a.ps1", content)})


def test_a_second_attempt_begins_at_the_start() -> None:
    part = FilePart("a.ps1", io.BytesIO(b"abc"), 3)
    bodies = [Multipart({"file": part}) for _ in range(2)]
    assert [parsed(body.read(), body.content_type)[1] for body in bodies] == [{"file": ("a.ps1", b"abc")}] * 2


def test_a_name_cannot_leave_its_quotes() -> None:
    form = Multipart({'x"\r\nY: z': "v"})
    assert b"\r\nY: z" not in form.read()
