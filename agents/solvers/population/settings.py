"""Settings of PSRO; light, because the plugin descriptor refers to them."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, ValidationError, model_validator

from equilibria.sim.errors import InvalidValue, UnknownName
from equilibria.sim.plugin import Settings

Scalar = bool | int | float | str | None


class PSROSettings(Settings):
    """Parameters of PSRO."""

    meta_solver: str = Field(default="shor", description="training meta-solver: whom oracles respond to")
    meta_solver_params: dict[str, Scalar] = Field(default_factory=dict, description="its parameters")
    eval: str | None = Field(
        default=None,
        description="evaluation meta-solver: which mixture is reported; null means the training one, 'best' the best "
        "of shor, pm, rm+ (and nash in two-player zero-sum games) by exact exploitability",
    )
    eval_params: dict[str, Scalar] = Field(
        default_factory=dict, description="parameters of the evaluation meta-solver; with eval: null the training ones"
    )
    oracle: Literal["exact", "exact_openspiel", "ppo", "dqn"] = Field(
        default="exact",
        description="best responses: exact, OpenSpiel's for cross-checks (slow), or trained by PPO or DQN on sampled "
        "episodes (need the extra 'learn')",
    )
    oracle_params: dict[str, Scalar] = Field(
        default_factory=dict, description="parameters of a trained oracle: steps, hidden, features, output ..."
    )
    representation: Literal["auto", "tensor", "operator"] = Field(
        default="auto", description="dense meta-game, tensor-free operator, or the cheaper one"
    )
    ties: Literal["uniform", "first"] = Field(
        default="uniform", description="what an exact best response does among equals"
    )
    tie_tolerance: float = Field(
        default=1e-9, ge=0, lt=1, description="actions within this times the largest payoff magnitude count as equal"
    )
    tolerance: float = Field(
        default=1e-10,
        ge=0,
        description="stop expanding when NashConv of the training mixture is at most this (payoff scale 1)",
    )
    payoffs: Literal["exact", "sampled"] = Field(default="exact", description="how meta-game entries are obtained")
    episodes: int = Field(
        default=100, ge=2, description="episodes per entry with sampled payoffs (the most, if adaptive)"
    )
    half_width: float | None = Field(
        default=None,
        gt=0,
        description="sample an entry until its normal interval is this narrow, at most `episodes` times",
    )
    confidence: float = Field(default=0.95, gt=0, lt=1, description="coverage of the intervals of sampled payoffs")
    workers: int = Field(
        default=1, ge=1, le=256, description="processes for sampled payoffs; results do not depend on it"
    )
    selector: Literal["probabilistic", "uniform", "top_k", "exhaustive", "rectified"] = Field(
        default="probabilistic",
        description="which policy an oracle starts from; 'rectified' also rectifies the opponents",
    )
    num_new: int = Field(default=1, ge=1, le=1000, description="new policies per player and iteration")
    symmetric: bool = Field(
        default=False, description="one population for all players; the game is verified to be symmetric"
    )

    @model_validator(mode="after")
    def _check_names(self) -> PSROSettings:
        from equilibria.agents.solvers.population.meta_solvers.registry import check_solver
        from equilibria.agents.solvers.population.oracle_settings import oracle_settings

        oracle_settings(self.oracle, self.oracle_params)
        try:
            check_solver(self.meta_solver, self.meta_solver_params)
            if self.eval not in (None, "best"):
                check_solver(str(self.eval), self.eval_params)
        except UnknownName as error:
            raise ValueError(str(error)) from None
        if self.eval_params and self.eval in (None, "best"):
            raise ValueError(f"eval_params need an evaluation meta-solver of their own, got eval={self.eval!r}")
        return self


def make_settings(params: dict[str, Any]) -> PSROSettings:
    """Build settings from keyword arguments.

    Raises:
        InvalidValue: If a parameter is unknown or out of range; the message names it.
        UnknownName: If a meta-solver does not exist.
    """
    from equilibria.agents.solvers.population.meta_solvers.registry import resolve

    for name in (params.get("meta_solver"), params.get("eval")):
        if isinstance(name, str) and name != "best":
            resolve(name)
    try:
        return PSROSettings.model_validate(params)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "parameters"
        known = ", ".join(sorted(PSROSettings.model_fields))
        raise InvalidValue(f"PSRO, {where}: {first['msg']}; parameters are: {known}") from None
