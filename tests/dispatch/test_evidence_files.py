"""Photos: told by their content, made smaller, upright, with time and place; bombs and others are refused."""

import hashlib
import struct
import zlib
from io import BytesIO

import pytest
from PIL import ExifTags, Image

from tests.dispatch.camera import camera
from watchkeep_dispatch import evidence_files
from watchkeep_dispatch.errors import GuardFailed


def encoded(size: tuple[int, int] = (40, 30), format: str = "PNG") -> bytes:
    with BytesIO() as stream:
        Image.new("RGB", size).save(stream, format)
        return stream.getvalue()


def test_a_large_photo_becomes_small_upright_and_keeps_time_and_place() -> None:
    found = evidence_files.photo(camera())
    assert len(found.content) < len(camera()) / 2
    with Image.open(BytesIO(found.content)) as image:
        assert (image.format, image.size) == ("JPEG", (1200, 1600))
        exif = image.getexif()
        assert exif[ExifTags.Base.Orientation] == 1
        assert exif.get_ifd(ExifTags.IFD.GPSInfo)[ExifTags.GPS.GPSLatitudeRef] == "N"
    assert found.latitude == pytest.approx(37.1625)
    assert found.longitude == pytest.approx(-122.425)
    assert found.taken_at == "2026:11:23 10:05:00"
    assert found.sha256 == hashlib.sha256(found.content).digest()
    assert found.original_sha256 == hashlib.sha256(camera()).digest()


@pytest.mark.parametrize("format", ["PNG", "JPEG", "WEBP"])
def test_a_small_photo_stays_as_it_is(format: str) -> None:
    content = encoded(format=format)
    found = evidence_files.photo(content)
    assert (found.content, found.media_type) == (content, f"image/{format.lower()}")
    assert (found.latitude, found.longitude, found.taken_at) == (None, None, None)
    assert found.sha256 == found.original_sha256


def bomb() -> bytes:
    """A PNG of 100 million pixels in some kilobytes."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", 10_000, 10_000, 8, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        encoded(format="GIF"),
        encoded(format="TIFF"),
        encoded()[:60],
        camera()[: len(camera()) // 2],
        bomb(),
        b"\xff\xd8\xff" + b"x" * 100,
        bytes(evidence_files.MAX_BYTES + 1),
    ],
    ids=["empty", "svg", "gif", "tiff", "cut png", "cut jpeg", "bomb", "only a magic number", "too large"],
)
def test_everything_else_is_refused(content: bytes) -> None:
    with pytest.raises(GuardFailed, match="photo: "):
        evidence_files.photo(content)


@pytest.mark.parametrize(
    "gps",
    [
        {},
        {1: "N"},
        {1: "N", 2: (1.0,), 3: "E", 4: (1.0, 1.0, 1.0)},
        {1: "N", 2: (99.0, 0.0, 0.0), 3: "E", 4: (1.0, 0.0, 0.0)},
    ],
)
def test_an_impossible_place_is_no_place(gps: dict[int, object]) -> None:
    exif = Image.Exif()
    exif.get_ifd(ExifTags.IFD.GPSInfo).update(gps)
    with BytesIO() as stream:
        Image.new("RGB", (8, 8)).save(stream, "JPEG", exif=exif)
        found = evidence_files.photo(stream.getvalue())
    assert (found.latitude, found.longitude) == (None, None)


def test_what_a_label_says() -> None:
    token = "0b6e1f6a-52a5-4a9b-9d2e-0a4f5c6d7e8f"
    assert evidence_files.scanned(f"https://x.example/r/{token.upper()}?a=1") == token
    assert evidence_files.scanned("  LIFT-1 ") == "LIFT-1"
