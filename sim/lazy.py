"""Public names of a package that are imported on first use, so that importing the package is cheap."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from typing import Any


def exports(package: str, public: Mapping[str, str]) -> Callable[[str], Any]:
    """Return a module-level ``__getattr__`` (PEP 562) for lazily imported names.

    Args:
        package: Import name of the package.
        public: Name to its place: ``"package.module:attribute"``, or just ``"module"`` for an
            attribute of the same name in that module of the package.

    Example:
        In ``__init__.py``: ``__getattr__ = exports(__name__, _PUBLIC)``.
    """

    def resolve(name: str) -> Any:
        if name not in public:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        module, _, attribute = public[name].partition(":")
        if not attribute:
            module, attribute = f"{package}.{module}", name
        return getattr(importlib.import_module(module), attribute)

    return resolve
