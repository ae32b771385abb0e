"""A random walk that records much and fails on demand: the toy of the run store's tests."""

from __future__ import annotations

import hashlib
import math
import os
import signal
import time
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from pydantic import Field

from equilibria.sim.certificate import Certificate
from equilibria.sim.contract import EngineContext, Recorder, State
from equilibria.sim.errors import SolverError
from equilibria.sim.plugin import Plugin, Settings
from equilibria.sim.seeds import SeedTree


class CounterSettings(Settings):
    """Settings of the toy world; units at which things go wrong are 0 for never."""

    walkers: int = Field(default=3, ge=1, description="Rows per unit.")
    delay: float = Field(default=0.0, ge=0, description="Seconds per unit.")
    finish_at: int = Field(default=0, ge=0, description="Unit at which nothing is left to do.")
    fail_at: int = Field(default=0, ge=0, description="Unit at which the engine raises.")
    failure: str = Field(default="value", description="value | named | nan | memory | certificate")
    block: int = Field(default=0, ge=0, description="Rounds of work at unit 1 that no Python handler interrupts.")
    build_error: str = Field(default="", description="Message of a ValueError raised when the game is built.")
    kill_at: int = Field(default=0, ge=0, description="Unit at which the process kills itself with SIGKILL.")
    kill_once: str = Field(
        default="", description="File to create when dying or blocking; dies only when it is absent."
    )


class CounterGame:
    """Holds the settings."""

    def __init__(self, settings: CounterSettings) -> None:
        self.settings = settings


class CounterEngine:
    """Moves walkers by a random step per unit; unit t depends on (key, t) only."""

    unit: ClassVar[str] = "period"

    def __init__(self, context: EngineContext) -> None:
        self.context, self.settings = context, context.game.settings
        self.key = 0
        self.position = np.zeros(self.settings.walkers)
        self.done = 0
        self.begun = False

    def start(self, seeds: SeedTree) -> None:
        self.key = int(seeds.child("engine").key())

    def advance(self, n: int, out: Recorder) -> int:
        if not self.begun:
            self.begun = True
            self._record(out)
        last = self.settings.finish_at or self.context.budget
        todo = min(n, last - self.done)
        if todo == 0:
            out.metric("final", self.done, float(self.done))
        for _ in range(todo):
            self._step()
            self._record(out)
        return todo

    def _step(self) -> None:
        self.done += 1
        if self.settings.delay:
            time.sleep(self.settings.delay)
        if self.settings.block and self.done == 1:
            Path(self.settings.kill_once).touch()
            hashlib.pbkdf2_hmac("sha256", b"", b"", self.settings.block)
        if self.done == self.settings.kill_at:
            self._kill()
        if self.done == self.settings.fail_at:
            self._fail()
        rng = np.random.Generator(np.random.PCG64DXSM(np.random.SeedSequence((self.key, self.done))))
        self.position += rng.normal(size=self.position.size)

    def _kill(self) -> None:
        marker = self.settings.kill_once
        if marker:
            if Path(marker).exists():
                return
            Path(marker).touch()
        os.kill(os.getpid(), signal.SIGKILL)

    def _fail(self) -> None:
        if self.settings.failure == "named":
            raise SolverError(f"the walk cannot pass unit {self.done}")
        if self.settings.failure == "memory":
            raise MemoryError
        if self.settings.failure == "value":
            raise ValueError("wrong by intent")
        if self.settings.failure == "nan":
            self.position[:] = math.nan

    def _record(self, out: Recorder) -> None:
        t = self.done
        for spec in self.context.metrics:
            if t % spec.every == 0 or t == self.context.budget:
                out.metric("mean_position", t, float(self.position.mean()))
                out.metric("extreme", t, float(self.position.min()), key="low")
                out.metric("extreme", t, float(self.position.max()), key="high")
        for table in self.context.tables:
            if t % table.every == 0:
                size = self.position.size
                names = np.array(["even", "odd", "third"])[np.arange(size) % 3]
                columns: dict[str, Any] = {
                    "unit": np.full(size, t, np.int64),
                    "agent": np.arange(size, dtype=np.int32),
                    "position": self.position,
                    "name": names,
                    "right": self.position > 0,
                }
                out.table(table.name, columns)

    def save(self) -> State:
        return State({"position": self.position}, {"done": self.done, "key": self.key, "begun": self.begun})

    def load(self, state: State) -> None:
        self.position = np.array(state.arrays["position"])
        self.done, self.key = int(state.meta["done"]), int(state.meta["key"])  # type: ignore[arg-type]
        self.begun = bool(state.meta["begun"])

    def certificate(self) -> Certificate:
        if self.settings.failure == "certificate":
            raise SolverError("no certificate today")
        return Certificate(measure="drift", value=float(self.position.mean()), unit="cells", method="mean position")


def build_game(settings: CounterSettings, *, seeds: SeedTree) -> CounterGame:
    """Build the game."""
    if settings.build_error:
        raise ValueError(settings.build_error)
    return CounterGame(settings)


def build_engine(context: EngineContext) -> CounterEngine:
    """Build the engine."""
    return CounterEngine(context)


COUNTER_ENGINE = Plugin(kind="engine", name="counter", summary="Counts.", target="equilibria_run_toys:build_engine")
COUNTER_GAME = Plugin(
    kind="game",
    name="counter",
    summary="A walk.",
    target="equilibria_run_toys:build_game",
    settings=CounterSettings,
    engines=("counter",),
)
MEAN_POSITION = Plugin(kind="metric", name="mean_position", summary="Mean.", target="equilibria_run_toys:build_game")
