"""The one decorator for compiled kernels.

``kernel`` is ``numba.njit`` with the house rules: no fast-math (re-association makes results depend
on the compiler), ``nogil`` and an on-disk cache.  Where neither the module's folder nor the user's
cache folder can be written, numba refuses ``cache=True`` when the decorator runs; we then compile
without a cache and log one line.  Import this module only from modules that hold kernels: it
imports numba (about one second).
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any, TypeVar, cast, overload

import numba

_log = logging.getLogger(__name__)
F = TypeVar("F", bound=Callable[..., Any])
_warned: set[str] = set()


@overload
def kernel(function: F) -> F: ...
@overload
def kernel(*, parallel: bool = ..., inline: str = ..., forceinline: bool = ...) -> Callable[[F], F]: ...


def kernel(
    function: F | None = None, *, parallel: bool = False, inline: str = "never", forceinline: bool = False
) -> F | Callable[[F], F]:
    """Compile a function of arrays and scalars; ``kernel.py_func`` is the plain Python original.

    Args:
        function: The function to compile (when used without parentheses).
        parallel: Enable ``prange``.  Reductions across iterations must be written in fixed order.
        inline: ``"always"`` inlines the function into its callers at the numba IR level.
        forceinline: Make LLVM inline the function; for helpers with many array arguments, whose
            passing costs more than the work on small inputs.
    """

    def decorate(f: F) -> F:
        options: dict[str, Any] = {"nogil": True, "parallel": parallel, "inline": inline, "forceinline": forceinline}
        try:
            return cast(F, numba.njit(cache=True, **options)(f))
        except RuntimeError as error:  # "cannot cache function ...: no locator available"
            if "cannot cache" not in str(error):
                raise
            if not _warned:
                _warned.add("cache")
                _log.warning("compiled kernels cannot be cached (no writable cache folder); each process compiles anew")
            return cast(F, numba.njit(cache=False, **options)(f))

    return decorate if function is None else decorate(function)


def set_threads(threads: int) -> int:
    """Limit the threads of compiled kernels; returns the number in force (never above the machine's)."""
    limit = int(numba.config.NUMBA_NUM_THREADS)
    numba.set_num_threads(max(1, min(threads, limit)))
    return int(numba.get_num_threads())
