"""Settings of neural Bayesian-network policies; light to import."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from equilibria.agents.bayesian_network.settings import Graph
from equilibria.agents.learning.settings import PPOSettings
from equilibria.sim.plugin import Settings


class SparsitySettings(Settings):
    """Drives the density of learned graphs from 1 to 0, so that the policy ends decentralised.

    The loss gains alpha * |density - rho|.  rho is 1 until the share ``begin`` of the updates, falls linearly
    to 0 at the share ``end``, and stays there; alpha rises from ``alpha`` to ``alpha_end`` over the share
    ``ramp`` after that.  ``most`` caps rho: a target of 1 can only be approached by ever larger logits, whose
    gradients vanish, and the density then falls long after its target.
    """

    begin: float = Field(default=0.4, ge=0, le=1, description="Share of the updates before the density target falls.")
    end: float = Field(default=0.7, gt=0, le=1, description="Share of the updates at which the target reaches 0.")
    alpha: float = Field(default=0.1, ge=0, description="Weight of the distance to the target density.")
    alpha_end: float = Field(default=1.0, ge=0, description="Weight after the ramp.")
    ramp: float = Field(default=0.1, gt=0, le=1, description="Share of the updates over which the weight rises.")
    most: float = Field(default=1.0, gt=0, le=1, description="Largest target; .95 keeps the graphs able to change.")

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if not self.begin < self.end:
            raise ValueError(f"begin must lie before end, got {self.begin} and {self.end}")
        return self

    def target(self, progress: float) -> float:
        """Return rho in [0, 1] at a share of the updates.

        Example:
            >>> SparsitySettings().target(0.55)
            0.5
        """
        left = (self.end - progress) / (self.end - self.begin)
        return round(min(self.most, max(0.0, left)), 12)

    def weight(self, progress: float) -> float:
        """Return alpha at a share of the updates."""
        done = min(1.0, max(0.0, (progress - self.end) / self.ramp))
        return self.alpha + (self.alpha_end - self.alpha) * done


class AgainSettings(Settings):
    """Lets a schedule start over, for a team that has to organise itself anew, as when its edges go.

    From the share ``at`` of the updates the first value holds again, until the share ``begin``; the last value is
    reached at the share ``end``.
    """

    at: float = Field(default=0.4, gt=0, le=1, description="Share of the updates at which the first value is back.")
    begin: float = Field(default=0.7, ge=0, le=1, description="Share of the updates until which it then stays.")
    end: float = Field(default=0.85, gt=0, le=1, description="Share of the updates from which the last value holds.")

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if not self.at <= self.begin < self.end:
            raise ValueError(f"at, begin and end must rise, got {self.at}, {self.begin} and {self.end}")
        return self


class Passage(Settings):
    """The way from a first value to a last one, over the shares ``begin`` to ``end`` of the updates, perhaps twice."""

    begin: float = Field(default=0.4, ge=0, le=1, description="Share of the updates until which the first value holds.")
    end: float = Field(default=0.7, gt=0, le=1, description="Share of the updates from which the last value holds.")
    again: AgainSettings | None = Field(default=None, description="Lets the schedule start over; none: it does not.")

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if not self.begin < self.end:
            raise ValueError(f"begin must lie before end, got {self.begin} and {self.end}")
        if self.again is not None and self.again.at < self.end:
            raise ValueError(f"again.at must not lie before end, got {self.again.at} and {self.end}")
        return self

    def done(self, progress: float) -> float:
        """Return the share of the way that is done, in [0, 1], at a share of the updates."""
        begin, end = self.begin, self.end
        if self.again is not None and progress >= self.again.at:
            begin, end = self.again.begin, self.again.end
        return min(1.0, max(0.0, (progress - begin) / (end - begin)))


class LossScaleSettings(Passage):
    """A curriculum for rewards with rare large losses: negative rewards are multiplied by a scale that grows to 1.

    The scale is ``first`` until the share ``begin`` of the updates, rises geometrically to 1 at the share ``end``
    and stays there, or starts over as ``again`` says.  Evaluation always uses the game's rewards.
    """

    first: float = Field(default=0.002, gt=0, le=1, description="Scale of negative rewards at the beginning.")
    begin: float = Field(default=0.4, ge=0, le=1, description="Share of the updates before the scale rises.")
    end: float = Field(default=0.7, gt=0, le=1, description="Share of the updates from which rewards are the game's.")

    def at(self, progress: float) -> float:
        """Return the scale at a share of the updates.

        Example:
            >>> LossScaleSettings(first=0.01, begin=0, end=1).at(0.5)
            0.1
        """
        return float(self.first * (1 / self.first) ** self.done(progress))


class EntropySettings(Passage):
    """Lets the entropy bonus fall, so that near ties are settled by what they are worth.

    The weight is ``entropy_weight`` until the share ``begin`` of the updates, falls linearly to ``last`` at the
    share ``end`` and stays there, or starts over as ``again`` says.  A weight that begins high and falls slowly
    anneals: symmetry breaks late, and all agents settle together instead of the first ones alone.
    """

    begin: float = Field(default=0.6, ge=0, le=1, description="Share of the updates before the weight falls.")
    end: float = Field(default=0.8, gt=0, le=1, description="Share of the updates from which the weight is the last.")
    last: float = Field(default=0.0, ge=0, description="Weight of the entropy bonus at the end.")

    def weight(self, first: float, progress: float) -> float:
        """Return the weight at a share of the updates when it begins at ``first``.

        Example:
            >>> EntropySettings(begin=0.5, end=1).weight(0.01, 0.75)
            0.005
        """
        return first + (self.last - first) * self.done(progress)


class GraphSettings(Settings):
    """Who conditions on whose action, and how."""

    dag: Literal["learned", "subteams"] | Graph | list[list[Literal[0, 1]]] = Field(
        default="learned",
        description="learned (sampled per state), empty (independent agents), full, line, line_published, subteams "
        "(complete inside groups, none between), or a matrix whose entry [j][i] is 1 when j is a parent of i.",
    )
    order: Literal["identity", "plackett_luce", "sinkhorn"] = Field(
        default="identity", description="Order of a learned graph: by number, or learned by one of two relaxations."
    )
    parent_input: Literal["actions", "observed_actions"] = Field(
        default="observed_actions",
        description="What a child sees of a parent: its action, or its observation and action.",
    )
    context: Literal["all", "first"] = Field(
        default="all", description="Input of the graph sampler: all observations, or the first agent's."
    )
    temperature: float = Field(default=1.0, gt=0, description="Temperature of the relaxed graph samples.")
    edge_bias: float = Field(default=0.0, description="Added to the edge logits; 3 begins with nearly all edges.")
    graph_gain: float = Field(
        default=1.0, gt=0, description="Speed of the graph networks' outputs in units of the policy's learning rate."
    )
    subteam_edges: int = Field(default=10, ge=0, description="Largest number of edges of the graph 'subteams'.")
    sparsity: SparsitySettings | None = Field(default=None, description="Schedule of the density of a learned graph.")
    greedy_roots: Literal["likeliest", "draw"] = Field(
        default="likeliest",
        description="What agents without parents do where likeliest actions are asked for; draw: they keep drawing, so "
        "that a coin which others answer stays a coin.",
    )

    @model_validator(mode="after")
    def _sparsity_needs_learning(self) -> Self:
        if self.sparsity is not None and self.dag != "learned":
            raise ValueError("sparsity needs dag: learned; a fixed graph has a fixed density")
        return self


class BNMAPPOSettings(GraphSettings, PPOSettings):
    """PPO with a team value on a Bayesian-network joint policy.

    Agents share the layers that read observations and have heads of their own, so ``agent_ids`` does not apply.
    """

    activation: Literal["tanh", "relu"] = Field(default="relu", description="Activation of hidden layers.")
    values: Literal["agent", "team"] = Field(
        default="team", description="agent: each agent learns from its reward; team: all from the mean reward."
    )
    loss_scale: LossScaleSettings | None = Field(
        default=None, description="Curriculum that shrinks losses early in training; none: the game's rewards always."
    )

    entropy_schedule: EntropySettings | None = Field(
        default=None, description="Lets the entropy bonus fall late in training; none: it stays."
    )

    @model_validator(mode="after")
    def _known_parts(self) -> Self:
        if self.recurrent or self.share != "all":
            raise ValueError("bn_mappo has no recurrent networks and shares its trunk: leave recurrent and share alone")
        return self


class CoordinationRatioSettings(Settings):
    """The metric ``coordination_ratio``."""

    discount: float = Field(default=0.95, ge=0, lt=1, description="Discount factor of the exact returns.")
