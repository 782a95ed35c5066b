"""Photos as evidence, recognised by their first bytes, never by their name."""

from watchkeep_console.errors import Invalid
from watchkeep_dispatch import evidence_files

MAX_BYTES = evidence_files.MAX_BYTES

MEDIA_TYPES = ("image/jpeg", "image/png", "image/webp")


def media_type(content: bytes, most: int = MAX_BYTES) -> str:
    """Raises Invalid(`photo`) for anything but JPEG, PNG and WebP, or more than `most` bytes. SVG is none of them."""
    if len(content) > most:
        raise Invalid("photo", f"may have at most {most // 1024 // 1024} MB")
    if content.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    if content.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image/png"
    if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
        return "image/webp"
    raise Invalid("photo", "must be JPEG, PNG or WebP")
