"""The one decorator for compiled kernels.

``kernel`` is ``numba.njit`` with the house rules: no fast-math (re-association makes results depend
on the compiler), ``nogil`` and an on-disk cache.  Where neither the module's folder nor the user's
cache folder can be written, numba refuses ``cache=True`` when the decorator runs; we then compile
without a cache and log one line.  A cached kernel is compiled anew when its file, a kernel it calls
(in whichever file) or a constant it reads has changed; numba alone looks at the kernel's own file only
and would run old code.  Import this module only from modules that hold kernels: it
imports numba (about one second).
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Iterator
from types import CodeType, ModuleType
from typing import Any, TypeVar, cast, overload

import numba
import numpy as np

_log = logging.getLogger(__name__)
F = TypeVar("F", bound=Callable[..., Any])
_warned: set[str] = set()


@overload
def kernel(function: F) -> F: ...
@overload
def kernel(
    *, parallel: bool = ..., inline: str = ..., forceinline: bool = ..., division: str = ..., counted: bool = ...
) -> Callable[[F], F]: ...


def kernel(
    function: F | None = None,
    *,
    parallel: bool = False,
    inline: str = "never",
    forceinline: bool = False,
    division: str = "python",
    counted: bool = True,
) -> F | Callable[[F], F]:
    """Compile a function of arrays and scalars; ``kernel.py_func`` is the plain Python original.

    Args:
        function: The function to compile (when used without parentheses).
        parallel: Enable ``prange``.  Reductions across iterations must be written in fixed order.
        inline: ``"always"`` inlines the function into its callers at the numba IR level.
        forceinline: Make LLVM inline the function; for helpers with many array arguments, whose
            passing costs more than the work on small inputs.
        division: ``"numpy"`` makes x / 0 an infinity or not-a-number instead of an error; loops with
            divisions are vectorised only without that check.
        counted: Count references to arrays.  Without, event loops of many small calls run several times faster; the
            kernel must make no arrays (numba refuses it) and must return none (nothing would hold them).
    """

    def decorate(f: F) -> F:
        options: dict[str, Any] = {
            "nogil": True,
            "parallel": parallel,
            "inline": inline,
            "forceinline": forceinline,
            "error_model": division,
        }
        if not counted:
            options["_nrt"] = False
        try:
            dispatcher = numba.njit(cache=True, **options)(f)
            _bind_to_dependencies(dispatcher)
            return cast(F, dispatcher)
        except RuntimeError as error:  # "cannot cache function ...: no locator available"
            if "cannot cache" not in str(error):
                raise
            if not _warned:
                _warned.add("cache")
                _log.warning("compiled kernels cannot be cached (no writable cache folder); each process compiles anew")
            return cast(F, numba.njit(cache=False, **options)(f))

    return decorate if function is None else decorate(function)


def _bind_to_dependencies(dispatcher: Any) -> None:
    """Let the stamp that decides whether a cache entry is fresh include what the kernel calls and reads.

    The stamp is completed when the cache is first asked: helpers further down the module do not exist
    before.
    """
    if _index(dispatcher) is None:  # compilation is switched off, or numba has changed its internals
        return
    load = dispatcher._cache.load_overload

    def load_bound(*args: Any) -> Any:
        _stamp(dispatcher)
        return load(*args)

    dispatcher._cache.load_overload = load_bound


def _stamp(dispatcher: Any) -> str | None:
    """Return the complete stamp of a kernel, ``None`` for anything else."""
    index = _index(dispatcher)
    if index is None:
        return None
    if not hasattr(index, "_complete"):
        index._complete = True  # first, because kernels may call each other
        parts = sorted(_dependencies(dispatcher.py_func))
        text = "\n".join([repr(index._source_stamp), *parts])
        index._source_stamp = hashlib.sha256(text.encode()).hexdigest()
    return str(index._source_stamp)


def _index(dispatcher: Any) -> Any:
    index = getattr(getattr(dispatcher, "_cache", None), "_cache_file", None)
    return index if hasattr(index, "_source_stamp") else None


def _dependencies(f: Callable[..., Any]) -> Iterator[str]:
    """Yield a line per global kernel or constant that ``f`` names, also as attributes of modules."""
    names = set(_names(f.__code__))
    for name in names:
        value = f.__globals__.get(name)
        found = {name: value}
        if isinstance(value, ModuleType) and value.__name__.startswith("equilibria."):
            found = {f"{name}.{attribute}": getattr(value, attribute, None) for attribute in names}
        for label, item in found.items():
            stamp = _stamp(item)
            if stamp is not None:
                yield f"{label}: {stamp}"
            elif isinstance(item, (bool, int, float, str, bytes, tuple, np.generic)):
                yield f"{label} = {item!r}"


def _names(code: CodeType) -> Iterator[str]:
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _names(constant)


def set_threads(threads: int) -> int:
    """Limit the threads of compiled kernels; returns the number in force (never above the machine's)."""
    limit = int(numba.config.NUMBA_NUM_THREADS)
    numba.set_num_threads(max(1, min(threads, limit)))
    return int(numba.get_num_threads())
