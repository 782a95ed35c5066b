"""Photos as evidence: what they are is told by their content; large ones are made smaller, time and place are kept."""

import hashlib
import re
import warnings
from dataclasses import dataclass
from io import BytesIO
from typing import Any
from uuid import UUID

from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError

from watchkeep_dispatch.errors import GuardFailed

MAX_BYTES = 20 * 1024 * 1024
"""A phone's photo has 3 to 8 MB, one of 50 million pixels up to 18."""
MAX_PIXELS = 64_000_000
"""A phone's photo has 12 to 50 million; a small file that unfolds to more is an attack."""
KEEP_BYTES = 512 * 1024
LONGEST_SIDE = 1600
"""Pixels; enough to read a gauge, a tenth of the bytes."""
MEDIA_TYPES = {"JPEG": "image/jpeg", "PNG": "image/png", "WEBP": "image/webp"}
_QUALITY = 82
_TOKEN = re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Photo:
    """What is stored of a photo; `original_sha256` is of the file as it came, `taken_at` the camera's local time."""

    content: bytes
    media_type: str
    sha256: bytes
    original_sha256: bytes
    latitude: float | None
    longitude: float | None
    taken_at: str | None


def photo(content: bytes) -> Photo:
    """Check and shrink a photo. Raises GuardFailed(`photo`)."""
    if len(content) > MAX_BYTES:
        raise GuardFailed("photo", f"may have at most {MAX_BYTES // 1024 // 1024} MB")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # Pillow warns of images that unfold to too many pixels, and of broken EXIF
            with Image.open(BytesIO(content), formats=tuple(MEDIA_TYPES)) as image:
                if image.width * image.height > MAX_PIXELS:
                    raise GuardFailed("photo", f"has more than {MAX_PIXELS // 1_000_000} million pixels")
                image.load()
                exif = image.getexif()
                place, taken = _place(exif), _taken(exif)
                stored, media_type = _smaller(image, exif, content)
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError, Warning, Image.DecompressionBombError) as error:
        raise GuardFailed("photo", "is no readable JPEG, PNG or WebP image") from error
    return Photo(stored, media_type, _sha256(stored), _sha256(content), *place, taken)


def scanned(text: str) -> str:
    """What a scanned label says: the token of its address, or the number that stands beside it."""
    found = _TOKEN.search(text)
    return str(UUID(found[0])) if found else text.strip()


def _smaller(image: Image.Image, exif: Image.Exif, content: bytes) -> tuple[bytes, str]:
    """The file itself when it is small, else a JPEG of at most `LONGEST_SIDE` pixels with the same EXIF, upright."""
    if len(content) <= KEEP_BYTES and max(image.size) <= LONGEST_SIDE:
        return content, MEDIA_TYPES[str(image.format)]
    upright = ImageOps.exif_transpose(image)
    upright.thumbnail((LONGEST_SIDE, LONGEST_SIDE))
    exif[ExifTags.Base.Orientation] = 1
    with BytesIO() as stream:
        upright.convert("RGB").save(stream, "JPEG", quality=_QUALITY, optimize=True, exif=exif.tobytes())
        return stream.getvalue(), "image/jpeg"


def _place(exif: Image.Exif) -> tuple[float | None, float | None]:
    """Latitude and longitude in degrees, north and east positive; none when either is missing or impossible."""
    gps: dict[int, Any] = exif.get_ifd(ExifTags.IFD.GPSInfo)
    latitude = _degrees(gps.get(ExifTags.GPS.GPSLatitude), gps.get(ExifTags.GPS.GPSLatitudeRef), "S", 90)
    longitude = _degrees(gps.get(ExifTags.GPS.GPSLongitude), gps.get(ExifTags.GPS.GPSLongitudeRef), "W", 180)
    return (None, None) if latitude is None or longitude is None else (latitude, longitude)


def _degrees(parts: Any, side: Any, negative: str, limit: float) -> float | None:
    try:
        degrees, minutes, seconds = (float(part) for part in parts)
    except (TypeError, ValueError, ZeroDivisionError):
        return None
    found = degrees + minutes / 60 + seconds / 3600
    if not 0 <= found <= limit:
        return None
    return -found if str(side).strip() == negative else found


def _taken(exif: Image.Exif) -> str | None:
    found = exif.get_ifd(ExifTags.IFD.Exif).get(ExifTags.Base.DateTimeOriginal) or exif.get(ExifTags.Base.DateTime)
    return str(found).strip("\0 ")[:32] if found else None


def _sha256(content: bytes) -> bytes:
    return hashlib.sha256(content).digest()
