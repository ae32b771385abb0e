"""Settings of the exact Bayesian-network policy gradient."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from equilibria.sim.plugin import Settings

Graph = Literal["empty", "full", "line", "line_published"]


class BNSettings(Settings):
    """Exact policy gradient on a Bayesian-network joint policy."""

    dag: Literal["subteams"] | Graph | list[list[Literal[0, 1]]] = Field(
        default="full",
        description="Who sees whom: empty (independent agents), full, line, line_published, subteams (complete inside "
        "groups, none between), or a matrix whose entry [j][i] is 1 when agent j is a parent of agent i.",
    )
    subteam_edges: int = Field(default=4, ge=0, description="Largest number of edges of the graph 'subteams'.")
    barrier: float = Field(
        default=0.0,
        ge=0,
        description="Weight of a log barrier: sum over agents of the mean KL(uniform || conditional) is subtracted.",
    )
    rate: float = Field(default=0.01, gt=0, description="Step size eta of the gradient ascent.")
    start: Literal["uniform", "normal"] = Field(
        default="uniform", description="First logits: all 0, or drawn from N(0, 1)."
    )
    starts: int = Field(default=1, ge=1, le=100_000, description="Independent runs side by side.")

    @model_validator(mode="after")
    def _starts_differ(self) -> Self:
        if self.start == "uniform" and self.starts > 1:
            raise ValueError("starts > 1 needs start: normal; uniform starts are all the same")
        return self
