"""Run any ``mesa.Model`` from a scenario.

The adapter is a population world around one Mesa model: the population engine drives it, metrics
and per-agent columns go to our run store, and ``DataCollector.collect`` is silenced after the model
is built (reporters are evaluated when a metric asks for them; ``collect: true`` keeps it for the few
models that read back what they collected).

**What the adapter repairs** (facts of Mesa 3.3): importing Mesa switches the program's start method
for processes; the old one is put back.  Models that draw from the global generators of ``random``
or ``numpy.random`` (some shipped examples do) are given private states of them, so they follow the
run's seed too.  ``budget: 10`` performs exactly 10 steps.

**Resume is replay.**  A Mesa model is an object graph that can be saved only by pickling, which loses
agent numbers, fails on lambdas and runs code on loading.  So a checkpoint holds the seed, the number
of steps and a fingerprint of both generators, of the agents' numbers and of their columns; loading
builds the model again and repeats its steps without recording.  That costs the time of the run so
far.  It cannot work for models that read the clock, the operating system's entropy, files that
change, or the order of sets of strings: these are found by the fingerprint and refused by name.

**Certificate.**  The share of agents whose columns changed in the last step: 0 is a state of rest.  A
stochastic model need not come to rest.
"""

from __future__ import annotations

import contextlib
import enum
import hashlib
import importlib
import importlib.util
import inspect
import json
import multiprocessing
import random
import warnings
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar, TypeAlias

import numpy as np
from pydantic import Field

from equilibria.sim.certificate import Certificate
from equilibria.sim.contract import State
from equilibria.sim.errors import CorruptRun, GameError, InvalidValue, MissingExtra, UnknownName, did_you_mean
from equilibria.sim.plugin import Settings
from equilibria.sim.seeds import SeedTree
from equilibria.sim.types import AnyArray, IntArray

Parameter: TypeAlias = int | float | bool | str | list[int] | list[float] | list[str] | None


_PATH = r"^[A-Za-z_][\w.]*:[A-Za-z_]\w*$"


class MesaSettings(Settings):
    """Which model to run, and what of its agents to record."""

    model: str = Field(
        pattern=_PATH,
        description="Model class as module:Class; the module must be importable (installed, or on PYTHONPATH)",
    )
    params: dict[str, Parameter] = Field(
        default={}, description="Keyword arguments of the class; its seed comes from the run's seed"
    )
    scenario: str | None = Field(
        default=None,
        pattern=_PATH,
        description="For models built as Model(scenario=...) (Mesa 3.5 and later): the scenario class as module:Class, "
        "which then receives params and the seed",
    )
    agent_columns: list[str] | None = Field(
        default=None,
        description="Agent attributes to record as columns; null takes all numeric public attributes of the first agent",
    )
    collect: bool = Field(
        default=False,
        description="Let the model's DataCollector collect: slower, memory grows; for models that read it back",
    )


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
            raise GameError(f"{key}: importing {module_name!r} failed: {_said(error)}") from error
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


class PrivateGlobals:
    """States of the global generators that belong to one model; the program's own are untouched."""

    def __init__(self, seeds: SeedTree) -> None:
        self._python = random.Random(seeds.child("random").integer()).getstate()
        self._numpy = np.random.RandomState(seeds.child("numpy").integer()).get_state()

    @contextlib.contextmanager
    def installed(self) -> Iterator[None]:
        """Let the model draw from its own states inside the block."""
        outer = random.getstate(), np.random.get_state()  # noqa: NPY002 (models use these generators, we do not)
        random.setstate(self._python)
        np.random.set_state(self._numpy)  # noqa: NPY002
        try:
            yield
        finally:
            self._python, self._numpy = random.getstate(), np.random.get_state()  # noqa: NPY002
            random.setstate(outer[0])
            np.random.set_state(outer[1])  # noqa: NPY002


class MesaWorld:
    """A Mesa model as a population world.

    Args:
        settings: Model, parameters, columns.

    Raises:
        MissingExtra, UnknownName, InvalidValue, GameError: If the class cannot be used (see ``model_class``).

    Cost: that of the model; columns are collected by one pass over the agents.
    """

    unit: ClassVar[str] = "period"

    def __init__(self, settings: MesaSettings) -> None:
        self._settings = settings
        self._class = model_class(settings.model)
        self._scenario = None
        if settings.scenario is not None:
            self._scenario = load_class(settings.scenario, "game.params.scenario")[1]
        self._seed_name = "rng" if self._scenario is not None else seed_argument(self._class)
        self._check_params()
        self._model: Any = None
        self._seeds = SeedTree(0)
        self._globals = PrivateGlobals(self._seeds)
        self._names: tuple[str, ...] = ()
        self._before: dict[str, AnyArray] | None = None
        self._steps = 0

    @property
    def model(self) -> Any:
        """The Mesa model; metrics read its attributes."""
        return self._model

    @property
    def agents(self) -> int:
        """Number of agents now; it may change during a run."""
        return 0 if self._model is None else len(self._model.agents)

    def agent_ids(self) -> IntArray:
        """Return the agents' ``unique_id`` in ascending order, int64 [N]."""
        return np.array(sorted(int(a.unique_id) for a in self._model.agents), np.int64)

    def reset(self, seeds: SeedTree) -> None:
        """Build the model from the run's seed."""
        self._seeds = seeds
        self._globals = PrivateGlobals(seeds)
        arguments = {**self._settings.params, self._seed_name: seeds.child("mesa").integer()}
        with self._guarded("could not be built"):
            build_model = self._class if self._scenario is None else self._build_with_scenario
            self._model = build_model(**arguments)
        collector = getattr(self._model, "datacollector", None)
        if collector is not None and not self._settings.collect:
            collector.collect = _nothing
        self._names, self._before, self._steps = self._column_names(), None, 0

    def run(self, first: int, steps: int) -> None:
        """Perform steps; a model that set ``running`` to false stays as it is."""
        for number in range(first, first + steps):
            if number == first + steps - 1:
                self._before = dict(self.columns())
            if self._model.running:
                with self._guarded(f"failed in step {number}"):
                    self._model.step()
        self._steps = first + steps - 1

    def columns(self) -> Mapping[str, AnyArray]:
        """Return the recorded attributes [N] in the order of ``agent_ids``; numbers as float64, else text.

        Raises:
            UnknownName: If no agent has a named attribute.
        """
        ordered = sorted(self._model.agents, key=lambda a: int(a.unique_id))
        return {name: _column(name, ordered) for name in self._names}

    def save(self) -> State:
        """Return seed, steps and fingerprint; see the module on resuming."""
        seed: list[Any] = [self._seeds.seed, *self._seeds.path]
        return State({}, {"seed": seed, "steps": self._steps, "fingerprint": self._fingerprint()})

    def load(self, state: State) -> None:
        """Build the model again and repeat its steps.

        Raises:
            CorruptRun: If the repeated run differs from the first one.
        """
        seed, steps = state.meta["seed"], state.meta["steps"]
        if not isinstance(seed, list) or not isinstance(steps, int):
            raise CorruptRun("a saved Mesa run must hold its seed and number of steps")
        numbers = [int(str(part)) for part in seed]
        self.reset(SeedTree(numbers[0], tuple(numbers[1:])))
        if steps > 0:
            self.run(1, steps)
        if self._fingerprint() != state.meta["fingerprint"]:
            raise CorruptRun(
                f"{self._settings.model} cannot be resumed: repeating its first {steps} steps from the same seed gave "
                "another state (it may read the clock, operating system entropy, files, or the order of a set); "
                "run it anew without interruption"
            )

    def certificate(self) -> Certificate:
        """Return the share of agents whose columns changed in the last step, exact."""
        now, before = self.columns(), self._before
        if before is None or not now:
            changed = np.zeros(self.agents, bool)
        elif any(now[name].size != before[name].size for name in now):
            changed = np.ones(self.agents, bool)
        else:
            changed = np.any([_differs(now[name], before[name]) for name in now], axis=0)
        return Certificate(
            measure="share of agents that changed in the last step",
            value=float(changed.mean()) if changed.size else 0.0,
            unit="share of agents",
            method=f"comparing the columns {', '.join(now) or '(none)'} before and after it",
            details={"agents": self.agents, "running": bool(self._model.running)},
            warning="a stochastic model need not come to rest",
        )

    @contextlib.contextmanager
    def _guarded(self, what: str) -> Iterator[None]:
        with self._globals.installed(), kept_start_method(), quiet():
            try:
                yield
            except Exception as error:
                raise GameError(f"Mesa model {self._settings.model} {what}: {_said(error)}") from error

    def _build_with_scenario(self, **arguments: Any) -> Any:
        assert self._scenario is not None
        return self._class(scenario=self._scenario(**arguments))

    def _check_params(self) -> None:
        if {"seed", "rng"} & set(self._settings.params):
            raise InvalidValue("game.params.params must not set seed or rng: the run's seed decides")
        accepted = inspect.signature((self._scenario or self._class).__init__).parameters
        if any(p.kind is inspect.Parameter.VAR_KEYWORD for p in accepted.values()):
            return
        known = [name for name in accepted if name not in ("self", "seed", "rng")]
        for name in self._settings.params:
            if name not in known:
                raise UnknownName(f"game.params.params: {self._settings.model} has no parameter {name!r}; "
                                  f"{did_you_mean(name, known, 'parameter')}")  # fmt: skip

    def _column_names(self) -> tuple[str, ...]:
        if self._settings.agent_columns is not None:
            return tuple(self._settings.agent_columns)
        first = min(self._model.agents, key=lambda a: int(a.unique_id), default=None)
        attributes = {} if first is None else vars(first)
        return tuple(sorted(n for n, v in attributes.items() if _is_number(v) and n[0] != "_" and n != "unique_id"))

    def _fingerprint(self) -> str:
        digest = hashlib.sha256(repr(self._model.random.getstate()).encode())
        digest.update(json.dumps(self._model.rng.bit_generator.state, sort_keys=True, default=str).encode())
        digest.update(self.agent_ids().tobytes())
        for name, values in self.columns().items():
            digest.update(name.encode() + values.tobytes())
        return digest.hexdigest()


def _nothing(*_arguments: Any, **_keywords: Any) -> None:
    """Replace ``DataCollector.collect``, which would keep every step in memory."""


def _said(error: Exception) -> str:
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float | np.integer | np.floating | np.bool_)


def _differs(a: AnyArray, b: AnyArray) -> AnyArray:
    """Compare two columns; two missing values (not-a-number) are equal."""
    if np.issubdtype(a.dtype, np.floating) and np.issubdtype(b.dtype, np.floating):
        return np.asarray((a != b) & ~(np.isnan(a) & np.isnan(b)))
    return np.asarray(a != b)


def _plain(value: Any) -> Any:
    return value.value if isinstance(value, enum.Enum) else value


def _column(name: str, ordered: list[Any]) -> AnyArray:
    """Return one attribute of all agents; agents without it hold not-a-number (or an empty text)."""
    missing = object()
    values = [_plain(getattr(agent, name, missing)) for agent in ordered]
    if values and all(v is missing for v in values):
        have = sorted({key for agent in ordered[:100] for key in vars(agent) if key[0] != "_"})
        raise UnknownName(f"no agent has the attribute {name!r}; {did_you_mean(name, have, 'attribute')}")
    if all(v is missing or v is None or _is_number(v) for v in values):
        return np.array([float(v) if _is_number(v) else np.nan for v in values], np.float64)
    return np.array(["" if v is missing or v is None else str(v) for v in values])


def build(settings: MesaSettings, *, seeds: SeedTree) -> MesaWorld:
    """Import the class and check its parameters; the engine builds the model."""
    return MesaWorld(settings)
