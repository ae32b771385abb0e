"""Every error of the product, as one tree.

::

    EquilibriaError                      exit code 3 unless said otherwise
    |- InvalidValue (ValueError)         an argument or parameter is out of its range
    |  `- BadUsage                  2    arguments of a command do not fit each other or what they name
    |- ScenarioError                2    one or more mistakes in a scenario, each with its position
    |- UnknownName (LookupError)    2    no registry entry has this name
    |- MissingExtra                 2    a part needs an optional dependency that is not installed
    |- PluginError                       a plugin cannot be imported or breaks its contract
    |- GameError
    |  |- ImperfectRecall (ValueError)   an infoset joins different own histories
    |  |- GameTooLarge                   the game exceeds the node or memory limit
    |  |- UnsupportedGame (ValueError)   the engine cannot host this kind of game
    |  |- GameFileError (ValueError)  2  a game file cannot be read; has file, line and column
    |  `- IllegalAction (ValueError)     an action is outside the legal set
    |- SolverError
    |  |- NotConverged                   an iteration limit was reached before the tolerance
    |  `- Unsupported (ValueError)       the solver does not apply to this game
    |- NumericalError (ArithmeticError)  a non-finite number appeared
    |- WorkerDied                        a worker process ended without an answer
    `- RunStoreError                4
       |- RunInUse                  4    another process holds the run directory
       |- RunExists                 4    the place already holds a run of another plan or an unfinished one
       |- NotARun                   4    the folder is not a run directory, or has foreign files
       |- CorruptRun                4    a file of the run is damaged
       |- FormatTooNew              4    the run was written by a newer version
       `- StorageFailed             5    disk full or not writable

``exit_code`` is what the command line returns for the error (``Interrupted`` runs return 130 or 143
and are no errors).  Messages say what was found, where, what was expected and what to do.
"""

from __future__ import annotations

import difflib
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import ClassVar


class EquilibriaError(Exception):
    """Root of all errors that the product raises on purpose."""

    exit_code: ClassVar[int] = 3


class InvalidValue(EquilibriaError, ValueError):
    """An argument or parameter lies outside its documented range."""


class BadUsage(InvalidValue):
    """The arguments of a command do not fit each other or what they name."""

    exit_code = 2


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """One mistake in a scenario.

    Attributes:
        file: Path as the user gave it, or the name of a command line option.
        line: 1-based line, 0 when the problem has no position.
        column: 1-based column, 0 when the problem has no position.
        key: Dotted path of the offending key, empty for the file as a whole.
        message: What is wrong and what to do.
    """

    file: str
    line: int
    column: int
    key: str
    message: str

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}:{self.column}" if self.line else self.file
        return f"{place}: {self.key}: {self.message}" if self.key else f"{place}: {self.message}"


class ScenarioError(EquilibriaError):
    """A scenario has one or more mistakes; ``problems`` lists them in file order."""

    exit_code = 2

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems: tuple[Problem, ...] = tuple(sorted(problems))
        super().__init__("\n".join(str(p) for p in self.problems))


class UnknownName(EquilibriaError, LookupError):
    """No registry entry has this name."""

    exit_code = 2


def unknown_name(kind: str, name: str, known: Collection[str]) -> UnknownName:
    """Build the error for a name that no registry entry has."""
    return UnknownName(f"unknown {kind} {name!r}; {did_you_mean(name, known, kind)}")


def did_you_mean(name: str, known: Collection[str], kind: str = "name") -> str:
    """Suggest the nearest known names, or list all of them when none is near."""
    near = difflib.get_close_matches(name, sorted(known), n=3, cutoff=0.6)
    if near:
        return f"did you mean {' or '.join(repr(n) for n in near)}?"
    return f"known {kind}s: {', '.join(sorted(known)) or '(none)'}"


class MissingExtra(EquilibriaError):
    """A part of the product needs an optional dependency that is not installed."""

    exit_code = 2

    def __init__(self, what: str, extra: str) -> None:
        self.extra = extra
        super().__init__(f'{what} needs the extra {extra!r}: pip install "equilibria[{extra}]"')


class PluginError(EquilibriaError):
    """A plugin cannot be imported or breaks its contract; names distribution and entry point."""


class GameError(EquilibriaError):
    """A game cannot be built or played."""


class ImperfectRecall(GameError, ValueError):
    """An infoset joins histories with different own pasts."""


class GameTooLarge(GameError):
    """A game exceeds the node or memory limit; the message gives the count so far and an estimate."""


class UnsupportedGame(GameError, ValueError):
    """An engine cannot host this kind of game."""


class GameFileError(GameError, ValueError):
    """A game file cannot be read.

    Attributes:
        file: Path as the user gave it.
        line: 1-based line, 0 when the error has no position.
        column: 1-based column, 0 when the error has no position.
    """

    exit_code = 2

    def __init__(self, file: str, message: str, *, line: int = 0, column: int = 0) -> None:
        self.file, self.line, self.column = file, line, column
        place = f"{file}:{line}:{column}" if line else file
        super().__init__(f"{place}: {message}")


class IllegalAction(GameError, ValueError):
    """An action is outside the legal set of the moment."""


class SolverError(EquilibriaError):
    """A solver cannot do what was asked."""


class NotConverged(SolverError):
    """An iteration limit was reached before the tolerance."""


class Unsupported(SolverError, ValueError):
    """The solver does not apply to this game or setting."""


class NumericalError(EquilibriaError, ArithmeticError):
    """A non-finite number appeared.

    Attributes:
        step: First bad unit (iteration, period, update), or -1 when unknown.
        variable: Name of the quantity.
    """

    def __init__(self, variable: str, value: float, *, step: int = -1, where: str = "") -> None:
        self.step, self.variable = step, variable
        at = f" at unit {step}" if step >= 0 else ""
        place = f" ({where})" if where else ""
        super().__init__(f"{variable} became {value!r}{at}{place}; expected a finite number")


class WorkerDied(EquilibriaError):
    """A worker process ended without an answer (killed, out of memory)."""


class RunStoreError(EquilibriaError):
    """A run directory cannot be used."""

    exit_code = 4


class RunInUse(RunStoreError):
    """Another process holds the run directory."""


class RunExists(RunStoreError):
    """The place already holds a run that is not the finished one of the same plan."""


class NotARun(RunStoreError):
    """The folder is not a run directory, or holds files that are not ours."""


class CorruptRun(RunStoreError):
    """A file of the run is damaged."""


class FormatTooNew(RunStoreError):
    """The run was written in a newer format than this version reads."""


class StorageFailed(RunStoreError):
    """The disk is full or the place is not writable; what was committed before stays readable."""

    exit_code = 5
