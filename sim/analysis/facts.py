"""What a stored run is about, in the words that tables, sentences and pages need.

The manifest and the summary are read leniently: a damaged or older run shows what it has.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

import polars as pl

from equilibria.sim.errors import EquilibriaError, InvalidValue, unknown_name

Direction = Literal["lower", "higher", "none"]

# Quantities that are distances: not negative, 0 at the goal, best read on a log axis.
_DISTANCES = ("exploitability", "nash_conv", "nashconv", "regret", "gap", "distance", "residual", "error")
_PLURAL = {"iteration": "iterations", "period": "periods", "episode": "episodes", "update": "updates"}


class RunLike(Protocol):
    """The part of ``sim.store.Run`` that the analysis reads."""

    @property
    def path(self) -> Path: ...  # noqa: D102
    @property
    def manifest(self) -> Any: ...  # noqa: D102
    @property
    def status(self) -> Any: ...  # noqa: D102
    @property
    def state(self) -> str: ...  # noqa: D102
    @property
    def error(self) -> Any: ...  # noqa: D102
    @property
    def summary(self) -> Any: ...  # noqa: D102
    @property
    def certificate(self) -> Any: ...  # noqa: D102
    def live(self) -> Any: ...  # noqa: D102
    def metrics(self) -> pl.LazyFrame: ...  # noqa: D102
    def tables(self) -> list[str]: ...  # noqa: D102
    def table(self, name: str) -> pl.LazyFrame: ...  # noqa: D102


@dataclass(frozen=True, slots=True)
class Facts:
    """Identity and progress of a run.

    Attributes:
        name: Scenario name.
        state: ``running``, ``complete``, ``failed``, ``interrupted`` or ``killed``.
        unit: Word for one unit of progress, for example ``"iteration"``.
        done: Units done.
        budget: Units asked for, 0 when unknown.
        seed: Root seed, ``None`` when unknown.
        game: Registry name and parameters of the game as one phrase.
        resolved: Resolved scenario.
        plan_hash: Hash of the plan, empty when unknown.
    """

    name: str
    state: str
    unit: str
    done: int
    budget: int
    seed: int | None
    game: str
    resolved: Mapping[str, Any]
    plan_hash: str

    def progress(self) -> str:
        """Say how far the run is, for example ``1,000 of 1,000 iterations``."""
        words = plural(self.unit)
        return f"{self.done:,} of {self.budget:,} {words}" if self.budget else f"{self.done:,} {words}"


@dataclass(frozen=True, slots=True)
class MetricFacts:
    """How a metric is read.

    Attributes:
        name: Metric name.
        unit: Unit of its values, empty when unknown.
        direction: Which direction is better.
        log: Whether a log axis suits it.
    """

    name: str
    unit: str
    direction: Direction
    log: bool

    @property
    def label(self) -> str:
        """Name and unit for an axis."""
        return f"{self.name} [{self.unit}]" if self.unit else self.name


@dataclass(frozen=True, slots=True)
class FinalValue:
    """Last value of one metric and key.

    Attributes:
        metric: Metric name.
        key: Sub-key, empty for scalars.
        unit: Unit (iteration, period ...) at which it was recorded.
        value: The value.
    """

    metric: str
    key: str
    unit: int
    value: float


def plural(unit: str) -> str:
    """Return the plural of a progress unit."""
    return _PLURAL.get(unit, f"{unit}s" if unit and not unit.endswith("s") else unit or "units")


def facts(run: RunLike) -> Facts:
    """Collect identity and progress of a run."""
    manifest, status = _mapping(run.manifest), _mapping(run.status)
    resolved = resolved_scenario(run)
    settings = _mapping(resolved.get("run"))
    done, unit, seed = status.get("unit"), manifest.get("unit"), manifest.get("seed")
    return Facts(
        name=str(resolved.get("name") or manifest.get("name") or run.path.name),
        state=run.state,
        unit=unit if isinstance(unit, str) else "unit",
        done=int(done) if isinstance(done, (int, float)) else 0,
        budget=int(settings.get("budget") or manifest.get("budget") or 0),
        seed=seed if isinstance(seed, int) else None,
        game=game_phrase(resolved),
        resolved=resolved,
        plan_hash=str(manifest.get("plan_hash") or ""),
    )


def resolved_scenario(run: RunLike) -> Mapping[str, Any]:
    """Return the resolved scenario from a run's manifest, empty if it is missing."""
    return _mapping(_mapping(run.manifest).get("resolved"))


def game_phrase(resolved: Mapping[str, Any]) -> str:
    """Name the game and the parameters that are not at their default, for example ``openspiel(name=leduc_poker)``."""
    game = _mapping(resolved.get("game"))
    params = _mapping(game.get("params"))
    defaults = _defaults(str(game.get("use")))
    inner = ", ".join(f"{k}={v}" for k, v in params.items() if v is not None and (k, v) not in defaults)
    return f"{game.get('use', 'unknown game')}({inner})" if inner else str(game.get("use", "unknown game"))


def agents_phrase(resolved: Mapping[str, Any]) -> str:
    """Name the agents of a scenario, for example ``vad_cfr``."""
    entries = resolved.get("agents")
    names = [str(_mapping(a).get("use", "?")) for a in entries] if isinstance(entries, Sequence) else []
    return ", ".join(names)


def final_values(run: RunLike, *, metric: str = "", at: int | None = None) -> list[FinalValue]:
    """Return the last value of every metric and key, in the order in which they were first recorded.

    Args:
        run: The run.
        metric: Only this metric; all if empty.
        at: Use the last record at or before this unit instead of the last one.
    """
    rows = run.metrics()
    if metric:
        rows = rows.filter(pl.col("metric") == metric)
    if at is not None:
        rows = rows.filter(pl.col("unit") <= at)
    frame = (
        rows.group_by("metric", "key", maintain_order=True).agg(pl.col("unit").last(), pl.col("value").last()).collect()
    )
    return [FinalValue(str(m), str(k), int(u), float(v)) for m, k, u, v in frame.iter_rows()]


def live_values(run: RunLike) -> list[FinalValue]:
    """Return the last values that a run in progress announced before it committed them; empty if there are none."""
    live = _mapping(run.live())
    unit = live.get("unit")
    found = []
    for metric, value in _mapping(live.get("metrics")).items():
        for key, number in (value if isinstance(value, Mapping) else {"": value}).items():
            if finite(number) is not None and isinstance(unit, int):
                found.append(FinalValue(str(metric), str(key), unit, float(number)))
    return found


def first_at_or_below(run: RunLike, metric: str, threshold: float, key: str = "") -> int | None:
    """Return the first recorded unit at which a metric is at most ``threshold``, ``None`` if it never is.

    Raises:
        InvalidValue: If the threshold is not finite.
    """
    if not math.isfinite(threshold):
        raise InvalidValue(f"threshold must be finite, got {threshold!r}")
    series = run.metrics().filter((pl.col("metric") == metric) & (pl.col("key") == key))
    unit = series.filter(pl.col("value") <= threshold).select(pl.col("unit").min()).collect().item()
    return None if unit is None else int(unit)


def metric_facts(run: RunLike, name: str) -> MetricFacts:
    """Return unit and direction of a metric: as its plugin says, else guessed from its name and the certificate.

    A run whose plugin is not installed here stays readable: the guess is used.
    """
    unit, direction = _registered(name)
    distance = any(word in name for word in _DISTANCES)
    certificate = _mapping(run.certificate)
    if not unit and certificate.get("measure") == name:
        unit = str(certificate.get("unit", ""))
    if not direction:
        direction = "lower" if distance else "none"
    return MetricFacts(name, unit, direction, log=distance and direction == "lower")


@functools.cache
def _defaults(game: str) -> list[tuple[str, Any]]:
    """Return the default parameters of a game's plugin, nothing if it is not installed here."""
    from equilibria.sim import registry

    try:
        fields = registry.find("game", game).settings.model_fields
    except EquilibriaError:
        return []
    return [(name, info.default) for name, info in fields.items()]


@functools.cache
def _registered(name: str) -> tuple[str, Direction | Literal[""]]:
    """Return unit and direction from the registry; the target is imported only if the descriptor is silent."""
    from equilibria.sim import registry

    if name not in registry.names("metric"):
        return "", ""
    try:
        plugin = registry.find("metric", name)
        if plugin.unit or plugin.direction:
            return plugin.unit, plugin.direction
        target = plugin.load()
    except EquilibriaError:
        return "", ""
    unit, direction = getattr(target, "unit", ""), getattr(target, "direction", "")
    known: dict[object, Direction] = {"lower": "lower", "higher": "higher", "none": "none"}
    return unit if isinstance(unit, str) else "", known.get(direction, "")


def headline_metric(run: RunLike, values: Sequence[FinalValue]) -> str | None:
    """Choose the metric that speaks for a run: the certified one, else the scenario's first, else the first."""
    recorded = [v.metric for v in values]
    measure = _mapping(run.certificate).get("measure")
    wanted = [measure] if isinstance(measure, str) else []
    entries = resolved_scenario(run).get("metrics")
    if isinstance(entries, Sequence):
        wanted += [str(_mapping(m).get("use")) for m in entries]
    return next((name for name in wanted if name in recorded), recorded[0] if recorded else None)


def headline_first(run: RunLike, values: Sequence[FinalValue]) -> list[FinalValue]:
    """Return the values with those of the headline metric in front, the rest in their order."""
    headline = headline_metric(run, values)
    return sorted(values, key=lambda value: value.metric != headline)


def require_metric(name: str, values: Sequence[FinalValue]) -> str:
    """Return ``name`` if it was recorded.

    Raises:
        UnknownName: If it was not; the message lists or suggests recorded names.
    """
    recorded = list(dict.fromkeys(v.metric for v in values))
    if name not in recorded:
        raise unknown_name("recorded metric", name, recorded)
    return name


def certificate_sentence(run: RunLike) -> str:
    """Return the certificate's sentence, or what to say without one."""
    certificate = _mapping(run.certificate)
    sentence = certificate.get("sentence")
    if isinstance(sentence, str) and sentence:
        return sentence
    if run.state == "complete":
        return "this run has no certificate"
    return f"none yet, the run is {run.state}; a certificate is made when a run completes"


def finite(value: object) -> float | None:
    """Return ``value`` as a float if it is a finite number, else ``None``."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    return float(value) if math.isfinite(value) else None


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
