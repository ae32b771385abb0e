"""Import Mesa and the classes of users' modules without side effects on the program."""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import inspect
import multiprocessing
import warnings
from collections.abc import Iterator
from typing import Any

from equilibria.sim.errors import GameError, InvalidValue, MissingExtra, UnknownName, did_you_mean


@contextlib.contextmanager
def kept_start_method() -> Iterator[None]:
    """Put the start method for processes back after an import that changes it."""
    before = multiprocessing.get_start_method(allow_none=True)
    try:
        yield
    finally:
        if multiprocessing.get_start_method(allow_none=True) != before:
            multiprocessing.set_start_method(before, force=True)


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Hide deprecation warnings: models written for another Mesa version are none of the reader's business."""
    with warnings.catch_warnings():
        for category in (DeprecationWarning, PendingDeprecationWarning, FutureWarning):
            warnings.simplefilter("ignore", category)
        yield


def load_class(path: str, key: str) -> tuple[Any, type[Any]]:
    """Import a class of a user's module.

    Args:
        path: ``"module:Class"``.
        key: Scenario key for messages.

    Returns:
        The ``mesa`` package and the class.

    Raises:
        MissingExtra: If Mesa is not installed.
        UnknownName: If the module or class does not exist.
        GameError: If Mesa or the module fails while it is imported.
    """
    module_name, _, name = path.partition(":")
    if importlib.util.find_spec("mesa") is None:
        raise MissingExtra("game 'mesa_model'", "mesa")
    with kept_start_method(), quiet():
        try:
            mesa, module = importlib.import_module("mesa"), importlib.import_module(module_name)
        except ModuleNotFoundError as error:
            raise UnknownName(
                f"{key}: cannot import {module_name!r} ({error}); install what is missing or put it on PYTHONPATH"
            ) from error
        except Exception as error:
            raise GameError(f"{key}: importing {module_name!r} failed: {said(error)}") from error
    if not inspect.isclass(getattr(module, name, None)):
        classes = [n for n, v in vars(module).items() if inspect.isclass(v)]
        raise UnknownName(f"{key}: {module_name} has no class {name!r}; {did_you_mean(name, classes, 'class')}")
    return mesa, getattr(module, name)


def model_class(path: str) -> type[Any]:
    """Import a model class.

    Raises:
        InvalidValue: If the class is no ``mesa.Model``; else as ``load_class``.
    """
    mesa, found = load_class(path, "game.params.model")
    if not issubclass(found, mesa.Model):
        raise InvalidValue(f"game.params.model: {path} is no subclass of mesa.Model")
    return found


def seed_argument(cls: type[Any]) -> str:
    """Return the name of the keyword through which a model class takes its seed: ``rng`` or ``seed``.

    Raises:
        InvalidValue: If it takes neither, so that its runs could not be repeated.
    """
    parameters = inspect.signature(cls.__init__).parameters
    for name in ("rng", "seed"):
        if name in parameters:
            return name
    if any(p.kind is inspect.Parameter.VAR_KEYWORD for p in parameters.values()):
        return "rng"
    if "scenario" in parameters:
        raise InvalidValue(
            f"game.params.model: {cls.__name__} takes a scenario; name its class in game.params.scenario"
        )
    raise InvalidValue(
        f"game.params.model: {cls.__name__} takes neither seed nor rng, so its runs cannot be repeated; "
        "add an argument seed=None and hand it to super().__init__(seed=seed)"
    )


def said(error: Exception) -> str:
    """Return type and text of an error of somebody else's code."""
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
