"""Loops over samples, compiled to machine code by numba (docs/adr/0016). Imported by what judges telemetry only.

A compiled function calls compiled functions of its own file only, and takes constants of other files as arguments
unless they shape its arrays: numba keeps what it has compiled until that file or the types of the arguments change.
"""

from collections.abc import Callable
from contextlib import suppress
from typing import Any, TypeVar, cast

from llvmlite import ir
from numba import config, njit, types
from numba.core import cgutils
from numba.core.caching import FunctionCache
from numba.extending import intrinsic, overload
from numpy.typing import NDArray

from watchkeep_analytics.batch import Ints

F = TypeVar("F", bound=Callable[..., Any])

_LINE = 64  # bytes that memory hands out at once
_AHEAD = 4  # samples: with one the record comes too late (0.19 µs a sample instead of 0.12), eight are no better


class _Kept(FunctionCache):  # type: ignore[misc] # numba has no types
    """On disk for later processes; a file that is torn is none, a disk that is full keeps nothing."""

    def load_overload(self, *about: Any) -> Any:
        try:
            return super().load_overload(*about)
        except Exception:  # whatever unpickling of anything may raise
            with suppress(OSError):
                self.flush()
            return None

    def save_overload(self, *about: Any) -> None:
        with suppress(OSError):
            super().save_overload(*about)


def compiled(function: F) -> F:
    """Compiled at the first call; kept in NUMBA_CACHE_DIR, else beside the file, else in the user's cache.

    Arithmetic is numpy's: a division by zero is no error, NaN and infinity stay what they are.
    """
    made = njit(nogil=True, error_model="numpy")(function)
    if not config.DISABLE_JIT:
        with suppress(RuntimeError):  # none of these folders can be written: each process compiles for itself
            made._cache = _Kept(function)
    return cast(F, made)


def prefetch(records: NDArray[Any], rows: Ints, i: int) -> None:
    """Ask memory for the record that is needed a few samples after sample `i`: its way takes longer than the work.

    Only compiled code does so; it changes no result.
    """


def _compiled_prefetch(records: Any, rows: Any, i: Any) -> Callable[..., None]:
    size = records.dtype.size

    def ask(records: Any, rows: Any, i: Any) -> None:
        if i + _AHEAD < len(rows):
            for at in range(0, size, _LINE):
                _ask(records, rows[i + _AHEAD], at)

    return ask


def _asking(_: Any, records: Any, row: Any, at: Any) -> tuple[Any, Callable[..., Any]]:
    def code(context: Any, builder: ir.IRBuilder, signature: Any, values: Any) -> Any:
        array = context.make_array(signature.args[0])(context, builder, values[0])
        byte = ir.IntType(8).as_pointer()
        offset = builder.add(builder.mul(values[1], builder.extract_value(array.strides, 0)), values[2])
        place = builder.gep(builder.bitcast(array.data, byte), [offset])
        flag = ir.IntType(32)
        shape = ir.FunctionType(ir.VoidType(), [byte, flag, flag, flag])
        call = cgutils.get_or_insert_function(builder.module, shape, "llvm.prefetch.p0")
        builder.call(call, [place, flag(1), flag(3), flag(1)])  # to be written, kept in all caches, data
        return context.get_dummy_value()

    return types.void(records, types.int64, types.int64), code


_ask = intrinsic(_asking)
overload(prefetch)(_compiled_prefetch)
