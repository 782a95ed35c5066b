"""Structured log lines: one JSON object per line on stderr, or plain text when a person watches."""

import logging
import sys
from typing import Literal, TextIO

import structlog


def configure(service: str, level: str = "info", style: Literal["json", "text"] = "json") -> None:
    """Set up structlog and the standard library's logging (used by libraries) to the same output."""
    number = logging.getLevelNamesMapping()[level.upper()]
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.ExtraAdder(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]
    renderer: structlog.typing.Processor = (
        structlog.processors.JSONRenderer(ensure_ascii=False) if style == "json" else structlog.dev.ConsoleRenderer()
    )
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,
    )
    handler = _Stderr()
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(max(number, logging.WARNING))
    logging.getLogger("watchkeep").setLevel(number)
    structlog.contextvars.bind_contextvars(service=service)


class _Stderr(logging.StreamHandler[TextIO]):
    """Writes to what is stderr at that moment: a thread may outlive a stream that was put there for a while."""

    def __init__(self) -> None:
        logging.Handler.__init__(self)  # StreamHandler's own sets the stream

    @property
    def stream(self) -> TextIO:  # type: ignore[override]  # a value there; the standard library does so too
        return sys.stderr


def get_logger(name: str) -> structlog.stdlib.BoundLogger:
    """The logger of a module: `get_logger(__name__)`."""
    logger: structlog.stdlib.BoundLogger = structlog.get_logger(f"watchkeep.{name.removeprefix('watchkeep_')}")
    return logger
