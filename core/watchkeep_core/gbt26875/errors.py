"""The codec's one error."""

from watchkeep_core.errors import MessageError


class FrameError(MessageError):
    """Bytes that are no frame or no application data unit.

    `reason`: `bad_length`, `bad_end`, `bad_checksum`, `bad_command`, `bad_size`, `unknown_type` or `too_large`.
    """
