"""All meta-solvers by name, and the functions that make and run one."""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from numpy.typing import ArrayLike
from pydantic import ValidationError

from equilibria.agents.solvers.population.meta_game import DenseMetaGame, MetaStrategy
from equilibria.agents.solvers.population.meta_solvers.base import MetaSolver, Purpose
from equilibria.sim.errors import InvalidValue, unknown_name
from equilibria.sim.plugin import Settings
from equilibria.sim.seeds import SeedTree
from equilibria.sim.types import JSON

_HERE = "equilibria.agents.solvers.population.meta_solvers"


@dataclass(frozen=True, slots=True, kw_only=True)
class MetaSolverSpec:
    """What the registry knows about a meta-solver.

    Attributes:
        target: ``"module:Class"`` within this package.
        summary: One sentence.
        zero_sum: Only for two-player constant-sum meta-games.
        tensor: Needs the dense payoff tensor.
        joint: Returns a correlated meta-strategy; ``"ce"`` or ``"cce"`` says of which kind, empty for none.
        rectified: Oracles respond only to opponents that the policy beats or ties.
    """

    target: str
    summary: str
    zero_sum: bool = False
    tensor: bool = False
    joint: str = ""
    rectified: bool = False

    def load(self) -> type[MetaSolver]:
        """Import and return the class."""
        module, _, attribute = self.target.partition(":")
        loaded: type[MetaSolver] = getattr(importlib.import_module(f"{_HERE}.{module}"), attribute)
        return loaded


def _spec(target: str, summary: str, **flags: bool | str) -> MetaSolverSpec:
    return MetaSolverSpec(target=target, summary=summary, **flags)  # type: ignore[arg-type]


META_SOLVERS: Mapping[str, MetaSolverSpec] = {
    "uniform": _spec("simple:Uniform", "equal weight on every policy"),
    "uniform_biased": _spec("simple:UniformBiased", "softmax over the policy index, newest highest"),
    "last": _spec("simple:Last", "all weight on the newest policy"),
    "fp": _spec("dynamics:Fp", "fictitious play in the meta-game"),
    "rm": _spec("dynamics:Rm", "regret matching, simultaneous, plain average"),
    "rm+": _spec("dynamics:RmPlus", "regret matching+, alternating, linear average"),
    "prd": _spec("dynamics:Prd", "projected replicator dynamics, average"),
    "nash": _spec("nash:Nash", "zero-sum Nash equilibrium, incremental linear program", zero_sum=True, tensor=True),
    "nash_maxent": _spec("nash:NashMaxent", "zero-sum Nash equilibrium of most entropy", zero_sum=True, tensor=True),
    "rectified": _spec("nash:Nash", "Nash with rectified training", zero_sum=True, tensor=True, rectified=True),
    "alpharank": _spec("alpharank:AlphaRankSolver", "marginals of alpha-rank's stationary distribution", tensor=True),
    "mgce": _spec("correlated:Correlated", "maximum Gini correlated equilibrium", tensor=True, joint="ce"),
    "mgcce": _spec("correlated:Correlated", "maximum Gini coarse correlated equilibrium", tensor=True, joint="cce"),
    "mwce": _spec("correlated:Correlated", "maximum welfare correlated equilibrium", tensor=True, joint="ce"),
    "mwcce": _spec("correlated:Correlated", "maximum welfare coarse correlated equilibrium", tensor=True, joint="cce"),
    "rvce": _spec("correlated:Correlated", "random vertex correlated equilibrium", tensor=True, joint="ce"),
    "rvcce": _spec("correlated:Correlated", "random vertex coarse correlated equilibrium", tensor=True, joint="cce"),
    "shor": _spec("shor:Shor", "smoothed hybrid optimistic regret"),
    "pm": _spec("pm:Pm", "projection matching (reconstruction)"),
}
_ALIASES = {"alpha_rank": "alpharank", "rm_plus": "rm+", "rmplus": "rm+"}


def resolve(name: str) -> str:
    """Return the registered name of a meta-solver.

    Raises:
        UnknownName: With the nearest names, or the list of all.
    """
    resolved = _ALIASES.get(name, name)
    if resolved not in META_SOLVERS:
        raise unknown_name("meta-solver", name, META_SOLVERS)
    return resolved


def check_solver(name: str, params: Mapping[str, JSON]) -> Settings:
    """Return the settings of a meta-solver; raises as ``meta_solver`` does."""
    known = resolve(name)
    model = META_SOLVERS[known].load().settings_model
    try:
        return model.model_validate(dict(params))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "parameters"
        allowed = ", ".join(sorted(model.model_fields)) or "(none)"
        raise InvalidValue(
            f"meta-solver {known!r}, parameter {where!r}: {first['msg']}, got {first['input']!r}; "
            f"parameters are: {allowed}"
        ) from None


def meta_solver(
    name: str,
    params: Mapping[str, JSON] | None = None,
    *,
    purpose: Purpose = "train",
    seeds: SeedTree | None = None,
) -> MetaSolver:
    """Make a meta-solver.

    Args:
        name: Registered name.
        params: Parameters of its settings model.
        purpose: ``"train"`` or ``"eval"``; only ``shor``, ``pm`` and ``nash`` behave differently.
        seeds: Seed node for solvers with random objectives.

    Raises:
        UnknownName: If the name is not registered.
        InvalidValue: If a parameter is unknown or out of range; the message names it.
    """
    settings = check_solver(name, params or {})
    known = resolve(name)
    cls = META_SOLVERS[known].load()
    return cls(known, settings, purpose=purpose, seeds=seeds or SeedTree(0).child("meta_solver"))


def solve_meta_game(
    name: str,
    payoffs: Sequence[ArrayLike],
    params: Mapping[str, JSON] | None = None,
    *,
    purpose: Purpose = "train",
) -> MetaStrategy:
    """Solve a normal-form game with a meta-solver.

    Args:
        name: Registered name.
        payoffs: One tensor [k_1, ..., k_n] per player, or one matrix for a zero-sum game.
        params: Parameters of the meta-solver.
        purpose: ``"train"`` or ``"eval"``.

    Example:
        >>> solve_meta_game("nash", [[[2, -1], [-1, 1]]]).marginals[0].round(6).tolist()
        [0.4, 0.6]
    """
    return meta_solver(name, params, purpose=purpose).solve(DenseMetaGame(payoffs))
