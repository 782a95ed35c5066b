"""A photo as a phone makes it: large, lying on its side, with time and place."""

from functools import cache
from io import BytesIO

from PIL import ExifTags, Image


@cache
def camera(width: int = 2400, height: int = 1800) -> bytes:
    """A JPEG of noise, so that it does not compress away."""
    image = Image.effect_noise((width, height), 80).convert("RGB")
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.DateTimeOriginal] = "2026:11:23 10:05:00"
    exif.get_ifd(ExifTags.IFD.GPSInfo).update(
        {
            ExifTags.GPS.GPSLatitudeRef: "N",
            ExifTags.GPS.GPSLatitude: (37.0, 9.0, 45.0),
            ExifTags.GPS.GPSLongitudeRef: "W",
            ExifTags.GPS.GPSLongitude: (122.0, 25.0, 30.0),
        }
    )
    with BytesIO() as stream:
        image.save(stream, "JPEG", exif=exif)
        return stream.getvalue()
