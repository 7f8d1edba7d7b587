"""Pictures and documents from files, addresses and bytes: what they are, and errors that say what to do."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest

import manus
from manus.attachments import FILE_BYTES_MAX, document, image
from manus.messages.content import Document, Image
from manus.prompts import turns_of
from tests.actors.test_pictures import gif, jpeg, png, vp8x

PDF = b"%PDF-1.7\nhello"


@pytest.mark.parametrize(
    ("data", "media_type"),
    [(png(2, 3), "image/png"), (jpeg(2, 3), "image/jpeg"), (gif(2, 3), "image/gif"), (vp8x(2, 3), "image/webp")],
)
def test_a_picture_is_made_of_bytes_a_file_or_a_data_url(tmp_path: Path, data: bytes, media_type: str) -> None:
    file = tmp_path / "photo.dat"
    file.write_bytes(data)
    url = f"data:image/x-wrong;base64,{base64.b64encode(data).decode()}"
    for source in (data, file, str(file), url):
        assert image(source) == Image(data=data, media_type=media_type)


def test_an_address_is_left_to_the_vendor() -> None:
    assert image("https://x.example/a.png", detail="low") == Image(url="https://x.example/a.png", detail="low")
    made = document("https://x.example/papers/a%20b.pdf?signature=s3cret")
    assert made.url == "https://x.example/papers/a%20b.pdf?signature=s3cret"
    assert made.name == "a%20b.pdf"


def test_a_document_keeps_its_name_and_is_told_by_its_bytes(tmp_path: Path) -> None:
    file = tmp_path / "paper.txt"
    file.write_bytes(PDF)
    assert document(file) == Document(data=PDF, name="paper.txt", media_type="application/pdf")
    assert document(PDF) == Document(data=PDF, name="document", media_type="application/pdf")
    assert document(PDF, name="mine") == Document(data=PDF, name="mine", media_type="application/pdf")


def test_text_travels_as_text(tmp_path: Path) -> None:
    file = tmp_path / "notes.md"
    file.write_text("# Grüße", encoding="utf-8")
    assert document(file) == Document(text="# Grüße", name="notes.md", media_type="text/markdown")
    assert document(b"\xef\xbb\xbfplain").text == "plain"


def test_an_office_file_travels_as_it_is(tmp_path: Path) -> None:
    file = tmp_path / "sheet.xlsx"
    file.write_bytes(b"PK\x03\x04\xff\xfe")
    made = document(file)
    assert made.data == b"PK\x03\x04\xff\xfe"
    assert made.media_type.endswith("spreadsheetml.sheet")


@pytest.mark.parametrize(
    ("source", "said"),
    [
        (b"", "is empty"),
        (b"hello", "no picture that is known"),
        (b"BM" + bytes(20), "image/bmp; models take PNG"),
        (PDF, "application/pdf"),
        ("no/such/file.png", "cannot be read: No such file"),
        ("nul\0byte.png", "cannot be read: it is no path"),
        (".", "cannot be read: Is a directory"),
        ("data:image/png;base64,***", "not base64"),
        ("data:nothing", "expected data:MEDIA/TYPE"),
        (42, "expected bytes, a path"),
    ],
)
def test_what_is_no_picture_is_refused_with_what_it_is(source: object, said: str) -> None:
    with pytest.raises(manus.InvalidRequestError, match=said):
        image(source)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("source", "options", "said"),
    [
        (b"\xff\xfe\x00\x01", {}, "media_type"),
        (b"hello", {"media_type": "application/pdf"}, "does not begin as a PDF"),
        ("missing.pdf", {}, "cannot be read"),
        (b"", {}, "is empty"),
    ],
)
def test_what_is_no_document_is_refused(source: bytes | str, options: dict[str, str], said: str) -> None:
    with pytest.raises(manus.InvalidRequestError, match=said):
        document(source, **options)


def test_a_detail_that_does_not_exist_is_refused() -> None:
    with pytest.raises(manus.InvalidRequestError, match="detail: expected"):
        image(png(1, 1), detail="huge")  # type: ignore[arg-type]


def test_a_file_over_the_bound_is_not_read_whole(tmp_path: Path) -> None:
    file = tmp_path / "huge.png"
    with file.open("wb") as sparse:
        sparse.truncate(FILE_BYTES_MAX + 10)
    with pytest.raises(manus.InvalidRequestError, match=str(FILE_BYTES_MAX)):
        image(file)


def test_parts_may_stand_in_a_message_beside_the_usual_ones() -> None:
    picture = manus.image(png(1, 1))
    (turn,) = turns_of({"role": "user", "content": [{"type": "text", "text": "What is this?"}, picture]})
    assert turn.parts[1] is picture
    with pytest.raises(manus.InvalidRequestError, match=r"content\[0\].*media_type"):
        turns_of({"role": "user", "content": [Image(data=b"x", media_type=5)]})  # type: ignore[arg-type]
