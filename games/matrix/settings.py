"""Settings of the matrix games."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from equilibria.sim.plugin import Settings

Probability = Annotated[float, Field(ge=0, le=1)]


class ClimbSettings(Settings):
    """The team game whose members all prefer the wrong action."""

    members: int = Field(default=3, ge=2, le=20, description="Team size N.")
    bonus: float = Field(default=1.5, gt=0, description="Payoff C of all-zeros against all-ones.")
    margin: float = Field(
        default=0.1, gt=0, description="Payoff eps of all-zeros against a single one, beyond its own."
    )


class SeekAttackDefendSettings(Settings):
    """Seek-Attack-Defend."""

    members: int = Field(default=4, ge=1, le=6, description="Team size N.")
    levels: int = Field(default=10, ge=1, le=30, description="Highest seek level; actions = levels + 3.")
    attack_force: int = Field(default=2, ge=1, description="Attackers needed for an attack.")
    attack_cost: float = Field(default=0.0, ge=0, description="Cost of each attacker.")


class MatrixSettings(Settings):
    """A symmetric zero-sum matrix game."""

    payoffs: list[list[float]] = Field(description="Antisymmetric payoff matrix of the row strategy.")
    labels: list[str] = Field(default=[], description="Action names, empty for numbers.")


class PreferenceSettings(Settings):
    """A general-preference game."""

    preference: list[list[Probability]] = Field(description="P[i][j] = probability that item i is preferred to item j.")
    labels: list[str] = Field(default=[], description="Item names, empty for numbers.")
    symmetrise: bool = Field(default=False, description="Repair P + P^T != 1 by averaging instead of refusing.")


class MemoryOneSettings(Settings):
    """A memory-one strategy given by its probabilities."""

    name: str = Field(min_length=1, description="Name in tables.")
    probabilities: Annotated[list[Probability], Field(min_length=4, max_length=4)] = Field(
        description="Probability of cooperation after CC, CD, DC, DD (own action first)."
    )
    first: Probability = Field(default=1.0, description="Probability of cooperation in the first turn.")


class IteratedGameSettings(Settings):
    """A two-action game repeated between named strategies."""

    strategies: list[str | MemoryOneSettings] = Field(
        min_length=1, description="Names of the strategy library, or memory-one strategies by probabilities."
    )
    payoff: list[list[float]] = Field(
        default=[[3.0, 0.0], [5.0, 1.0]],
        description="Payoff of the own action (row: cooperate, defect) against the other's.",
    )
    turns: int = Field(default=200, ge=1, le=1_000_000, description="Turns per match.")
    noise: float = Field(default=0.0, ge=0, le=0.5, description="Probability that an action is flipped.")


class PhaseSettings(Settings):
    """A stretch of rounds of the opponent's schedule."""

    rounds: int = Field(ge=1, le=1_000_000, description="Length.")
    defection: Probability = Field(default=0.0, description="Probability that the opponent defects: 0 never, 1 always.")


class ScheduledDilemmaSettings(Settings):
    """A continuous repeated dilemma against an opponent that follows a schedule."""

    phases: list[PhaseSettings] = Field(min_length=1, description="The schedule, in order.")
    payoff: list[list[float]] = Field(
        default=[[3.0, 0.0], [5.0, 1.0]],
        description="Payoff at the corners: own action (row: cooperate, defect) against the other's.",
    )
