"""How a gateway reads its devices: one small protocol, one module per kind of field bus."""

from typing import Protocol


class Driver(Protocol):
    """Made with an `emit` (see `values.Emit`) that ends when the delivery is on disk; it never writes to a device."""

    @property
    def name(self) -> str:
        """As in the configuration file; also the name of its link in metrics and `status`."""
        ...

    @property
    def alive(self) -> bool:
        """Whether its own thread still runs. A device that does not answer is no reason to say no."""
        ...

    def start(self) -> None:
        """Begin to read, in a thread of its own; a device that is not there is retried, never raised."""
        ...

    def stop(self) -> None:
        """End within 5 s; what was not handed over is read again, or delivered again, after the next start."""
        ...
