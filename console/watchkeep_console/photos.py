"""Photos as evidence: at most 1 MB, recognised by their first bytes, never by their name."""

from watchkeep_console.errors import Invalid

MAX_BYTES = 1024 * 1024
MEDIA_TYPES = ("image/jpeg", "image/png", "image/webp")


def media_type(content: bytes) -> str:
    """Raises Invalid(`photo`) for anything but JPEG, PNG and WebP, or more than 1 MB. SVG is none of them."""
    if len(content) > MAX_BYTES:
        raise Invalid("photo", "may have at most 1 MB")
    if content.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    if content.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image/png"
    if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
        return "image/webp"
    raise Invalid("photo", "must be JPEG, PNG or WebP")
