"""Texts of ``equilibria new --plugin``: a package with a world and a metric that keep their contracts.

Placeholders: ``$name`` registry name and package in snake_case, ``$title`` class name,
``$distribution`` name with dashes, ``$version`` of the product.
"""

from __future__ import annotations

from string import Template
from typing import Final

PYPROJECT: Final = """\
[build-system]
requires = ["setuptools>=77"]
build-backend = "setuptools.build_meta"

[project]
name = "$distribution"
version = "0.1.0"
description = "A world and a metric for Equilibria"
requires-python = ">=3.11"
dependencies = ["equilibria>=$version", "numpy>=2.0"]

[project.optional-dependencies]
dev = ["pytest>=8.3"]

# Each entry refers to a descriptor; scenarios name the part by the key on the left.
[project.entry-points."equilibria.games"]
$name = "$name.plugins:game"

[project.entry-points."equilibria.metrics"]
${name}_spread = "$name.plugins:spread"

[tool.setuptools.packages.find]
where = ["src"]
"""

PLUGINS: Final = '''\
"""Descriptors: what `equilibria list` and `describe` show.  This module imports nothing heavy."""

from __future__ import annotations

from equilibria.sim.plugin import Plugin, Settings
from pydantic import Field


class ${title}Settings(Settings):
    """Parameters of the world."""

    walkers: int = Field(default=1000, ge=1, le=10_000_000, description="Number of walkers.")
    step: float = Field(default=1.0, gt=0, description="Length of one step.")


game = Plugin(
    kind="game",
    name="$name",
    summary="Walkers take independent steps to the left or to the right",
    target="$name.world:build",
    settings=${title}Settings,
    engines=("population",),
    reference="Pearson (1905), The problem of the random walk",
)
spread = Plugin(
    kind="metric",
    name="${name}_spread",
    summary="Mean squared distance from the start",
    target="$name.metrics:build",
    engines=("population",),
)
'''

WORLD: Final = '''\
"""The world: N walkers on a line, each takes a step of fixed length left or right in each period.

Randomness is counted: period t draws from a generator made of (key, t), so a run can be split,
stopped and resumed without changing a number.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from equilibria.sim.certificate import Certificate
from equilibria.sim.contract import State
from equilibria.sim.seeds import SeedTree
from equilibria.sim.types import AnyArray

from $name.plugins import ${title}Settings


class $title:
    """A population of walkers; see ``equilibria.sim.contract.PopulationGame``."""

    unit = "period"
    column_names = ("position",)

    def __init__(self, settings: ${title}Settings) -> None:
        self.settings = settings
        self.position = np.zeros(settings.walkers)  # [N], in lengths
        self.period = 0
        self.key = 0

    @property
    def agents(self) -> int:
        """Number of walkers."""
        return self.settings.walkers

    def reset(self, seeds: SeedTree) -> None:
        """Put every walker at the origin."""
        self.key = int(seeds.key())
        self.position = np.zeros(self.settings.walkers)
        self.period = 0

    def run(self, first: int, steps: int) -> None:
        """Perform steps ``first .. first + steps - 1``."""
        for period in range(first, first + steps):
            rng = np.random.Generator(np.random.PCG64DXSM(np.random.SeedSequence((self.key, period))))
            self.position += self.settings.step * (2.0 * rng.integers(0, 2, self.agents) - 1.0)
        self.period = first + steps - 1

    def columns(self) -> Mapping[str, AnyArray]:
        """Return the per-agent columns [N]."""
        return {"position": self.position}

    def save(self) -> State:
        """Return everything needed to go on."""
        return State({"position": self.position.copy()}, {"period": self.period, "key": self.key})

    def load(self, state: State) -> None:
        """Restore what ``save`` returned."""
        self.position = np.array(state.arrays["position"])
        self.period, self.key = int(str(state.meta["period"])), int(str(state.meta["key"]))

    def certificate(self) -> Certificate:
        """Compare the mean position with the law: zero, with variance t step^2 / N after t periods."""
        mean = float(self.position.mean())
        half = 1.96 * self.settings.step * (self.period / self.agents) ** 0.5
        return Certificate(
            measure="mean position",
            value=mean,
            unit="length",
            method="central limit theorem for independent steps",
            kind="estimate",
            low=mean - half,
            high=mean + half,
            confidence=0.95,
            sample_size=self.agents,
        )


def build(settings: ${title}Settings, *, seeds: SeedTree) -> $title:
    """Build the world of a scenario."""
    world = $title(settings)
    world.reset(seeds)
    return world
'''

METRICS: Final = '''\
"""The metric: how far the walkers have spread."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from equilibria.sim.plugin import NoSettings


class Spread:
    """Mean squared distance from the start; grows by step^2 per period."""

    name = "${name}_spread"
    unit = "length^2"
    direction: Literal["lower", "higher", "none"] = "none"
    columns = ("position",)

    def compute(self, view: Any) -> float:
        """Return the mean of the squared positions."""
        return float(np.mean(view.column("position") ** 2))


def build(settings: NoSettings) -> Spread:
    """Build the metric of a scenario."""
    return Spread()
'''

SCENARIO: Final = """\
# What: walkers on a line. Expect: the spread grows by about one per period. Ends within a second.
version: 1
name: $name
game:
  use: $name
  params: {walkers: 1000}
metrics:
  - {use: ${name}_spread, every: 1}
run: {budget: 100, seed: 7}
"""

TEST: Final = '''\
"""The world and its scenario keep the contract of Equilibria."""

from __future__ import annotations

from pathlib import Path

import pytest
from equilibria.sim.scenario import load_plan
from equilibria.sim.seeds import SeedTree
from equilibria.testing import Recording, check_engine, check_game

from $name.plugins import ${title}Settings
from $name.world import build

SCENARIO = Path(__file__).parent.parent / "scenario.yaml"


def test_world_keeps_the_contract() -> None:
    check_game(lambda: build(${title}Settings(walkers=50), seeds=SeedTree(1)))


def test_scenario_keeps_the_contract() -> None:
    check_engine(load_plan(SCENARIO, overrides=["run.budget=8"]).build)


def test_spread_grows_by_one_per_period() -> None:
    engine = load_plan(SCENARIO).build()
    out = Recording()
    engine.start(SeedTree(7))
    engine.advance(100, out)
    # the mean of 1000 squared positions after t periods has standard deviation t sqrt(2 / 1000)
    assert out.metrics[-1][3] == pytest.approx(100, abs=5 * 100 * (2 / 1000) ** 0.5)
'''

README: Final = """\
# $distribution

A world and a metric for Equilibria, made by `equilibria new --plugin $name`.

    pip install -e ".[dev]"
    equilibria describe $name
    equilibria run scenario.yaml
    pytest

`src/$name/plugins.py` describes the parts, `world.py` and `metrics.py` build them, and
`tests/test_contract.py` runs the conformance suites.
"""

FILES: Final = {
    "pyproject.toml": PYPROJECT,
    "README.md": README,
    "scenario.yaml": SCENARIO,
    "src/$name/__init__.py": '"""A world and a metric for Equilibria."""\n',
    "src/$name/plugins.py": PLUGINS,
    "src/$name/world.py": WORLD,
    "src/$name/metrics.py": METRICS,
    "src/$name/py.typed": "",
    "tests/test_contract.py": TEST,
}


def plugin_files(name: str, version: str) -> dict[str, str]:
    """Return the files of a plugin package: relative path to text."""
    words = {
        "name": name,
        "title": "".join(part.capitalize() for part in name.split("_")),
        "distribution": name.replace("_", "-"),
        "version": version,
    }
    return {Template(path).substitute(words): Template(text).substitute(words) for path, text in FILES.items()}
