"""Metrics of population worlds; ``compute`` takes the population engine's view."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
from pydantic import Field

from equilibria.games.population import measures
from equilibria.sim.errors import InvalidValue, UnknownName, did_you_mean
from equilibria.sim.plugin import NoSettings, Settings

Direction = Literal["lower", "higher", "none"]


class ColumnSettings(Settings):
    """Which per-agent column a metric reads."""

    column: str = Field(default="wealth", min_length=1, description="Per-agent column of the world")


class TopShareSettings(Settings):
    """Parameters of ``top_share``."""

    share: float = Field(
        default=0.1, gt=0.0, le=1.0, description="Richest part of the population, for example 0.1: top decile"
    )


class Gini:
    """Gini coefficient of a per-agent column, 0 (equal) .. 1."""

    name: str = "gini"
    unit: str = "ratio"
    direction: Direction = "none"

    def __init__(self, settings: ColumnSettings) -> None:
        self.columns = (settings.column,)

    def compute(self, view: Any) -> float:
        """Return the coefficient."""
        return measures.gini(view.column(self.columns[0]))


class MeanWealth:
    """Mean wealth; constant, because exchange conserves money."""

    name: str = "mean_wealth"
    unit: str = "money"
    direction: Direction = "none"
    columns = ("wealth",)

    def __init__(self, settings: NoSettings) -> None:
        pass

    def compute(self, view: Any) -> float:
        """Return total wealth over agents."""
        wealth = view.column("wealth")
        return int(wealth.sum(dtype=np.int64)) / int(wealth.size)


class TopShare:
    """Part of all wealth owned by the richest agents; the key is their share of the population."""

    name: str = "top_share"
    unit: str = "share of wealth"
    direction: Direction = "none"
    columns = ("wealth",)

    def __init__(self, settings: TopShareSettings) -> None:
        self._share = settings.share

    def compute(self, view: Any) -> Mapping[str, float]:
        """Return the share by key, for example ``{"0.1": 0.34}``."""
        return {f"{self._share:g}": measures.top_share(view.column("wealth"), self._share)}


Statistic = Literal["mean", "sum", "min", "max", "std", "median"]


class StatisticSettings(Settings):
    """Parameters of ``column_statistic``."""

    column: str = Field(min_length=1, description="Per-agent column of the world")
    statistic: Statistic = Field(default="mean", description="What to take over all agents; std divides by N")


class ColumnStatistic:
    """A statistic of a per-agent column; the key names both, for example ``"mean(wealth)"``."""

    name: str = "column_statistic"
    unit: str = "unit of the column"
    direction: Direction = "none"

    def __init__(self, settings: StatisticSettings) -> None:
        self.columns = (settings.column,)
        self._statistic = settings.statistic

    def compute(self, view: Any) -> Mapping[str, float]:
        """Return the value by key.

        Raises:
            InvalidValue: If the column holds text or there are no agents.
        """
        column = self.columns[0]
        values = view.column(column)
        if values.size == 0 or not np.issubdtype(values.dtype, np.number):
            raise InvalidValue(f"column {column!r} needs numbers of at least one agent for {self._statistic}")
        return {f"{self._statistic}({column})": float(getattr(np, self._statistic)(values, axis=0))}


class ModelValueSettings(Settings):
    """Parameters of ``model_value``."""

    attribute: str = Field(
        min_length=1, description="Attribute, method without arguments, or DataCollector model reporter of a Mesa model"
    )


class ModelValue:
    """A number that a Mesa model reports; the key is its name.

    Looked up in this order: model reporters of the model's ``datacollector`` (evaluated now), then
    attributes and methods without arguments.
    """

    name: str = "model_value"
    unit: str = "as the model defines it"
    direction: Direction = "none"

    def __init__(self, settings: ModelValueSettings) -> None:
        self._attribute = settings.attribute

    def compute(self, view: Any) -> Mapping[str, float]:
        """Return the value by key.

        Raises:
            UnknownName: If the game has no model, or the model no such value.
            InvalidValue: If the value is no finite number.
        """
        model = getattr(view.game, "model", None)
        value = reported(model, self._attribute)
        try:
            number = float(value)
        except (TypeError, ValueError) as error:
            raise InvalidValue(f"model value {self._attribute!r} is {value!r}, expected a number") from error
        if not np.isfinite(number):
            raise InvalidValue(
                f"model value {self._attribute!r} is {number!r} at period {view.period}, expected a finite number"
            )
        return {self._attribute: number}


def reported(model: Any, name: str) -> Any:
    """Return what a Mesa model reports under a name.

    Reporters may be callables of the model, attribute names, methods, or lists of a function and its
    arguments, as ``mesa.DataCollector`` takes them.

    Raises:
        UnknownName: If there is nothing of this name.
    """
    reporters = dict(getattr(getattr(model, "datacollector", None), "model_reporters", None) or {})
    reporter = reporters.get(name, name)
    if isinstance(reporter, list | tuple):
        return reporter[0](*reporter[1])
    if callable(reporter):
        return reporter() if getattr(reporter, "__self__", None) is not None else reporter(model)
    if not hasattr(model, reporter):
        known = [*reporters, *(n for n in vars(model) if n[0] != "_")] if model is not None else []
        raise UnknownName(f"the model has no value {name!r}; {did_you_mean(name, known, 'value')}")
    value = getattr(model, reporter)
    return value() if callable(value) else value


class _WorldMetric:
    """A metric that the world itself computes, by the name of one of its methods."""

    name: str
    unit: str
    direction: Direction
    method: str

    def __init__(self, settings: NoSettings) -> None:
        pass

    def compute(self, view: Any) -> float:
        """Return the value of the present state."""
        return float(getattr(view.game, self.method)())


class SegregationIndex(_WorldMetric):
    """Mean share of like neighbours over the agents that have neighbours."""

    name = "segregation_index"
    unit = "share of neighbours"
    direction: Direction = "none"
    method = "segregation_index"
    columns = ("group",)


class UnhappyShare(_WorldMetric):
    """Share of agents with fewer like neighbours than they want."""

    name = "unhappy_share"
    unit = "share of agents"
    direction: Direction = "lower"
    method = "unhappy_share"
    columns = ("group",)


class Prevalence(_WorldMetric):
    """Share of agents that are infected now."""

    name = "prevalence"
    unit = "share of agents"
    direction: Direction = "lower"
    method = "prevalence"
    columns = ("state",)


class AttackRate(_WorldMetric):
    """Share of agents that were infected at least once, the first cases included."""

    name = "attack_rate"
    unit = "share of agents"
    direction: Direction = "lower"
    method = "attack_rate"
    columns = ("state",)
