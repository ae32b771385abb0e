"""A run, or the settings of a sweep: what is compared on one page, with its certificates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import polars as pl
import streamlit as st

from equilibria.dashboards import reader
from equilibria.dashboards.catalogue import name_of
from equilibria.dashboards.figures import bars
from equilibria.dashboards.page import Context
from equilibria.dashboards.views.sweep import short_value
from equilibria.dashboards.widgets import certificate_box, show_figure
from equilibria.sim.analysis.curves import Band, group_curve
from equilibria.sim.analysis.facts import agents_phrase, facts, finite
from equilibria.sim.analysis.samples import Sample, Source, from_run, from_sweep, varying_keys
from equilibria.sim.analysis.statistics import bootstrap_interval
from equilibria.sim.analysis.thinning import Curve
from equilibria.sim.store import Run, Sweep

MAX_GROUPS: Final = 8
ALL: Final = "all"
SEEDS_FOR_INTERVAL: Final = 4


@dataclass(frozen=True, slots=True)
class Groups:
    """Runs by setting.

    Attributes:
        samples: Runs of every setting by its label, in drawing order.
        sweep: Whether they come from a sweep.
    """

    samples: Mapping[str, list[Sample]]
    sweep: bool

    @property
    def first(self) -> Run:
        """One run of the first setting."""
        return next(iter(self.samples.values()))[0].run

    def keys(self, metric: str) -> list[str]:
        """Return the keys of a metric that some setting recorded, in order; ``""`` for a scalar."""
        found = [v.key for s in self.samples.values() for v in reader.values(s[0].run) if v.metric == metric]
        return list(dict.fromkeys(found))

    def recorded(self, metric: str) -> bool:
        """Say whether some setting recorded a metric."""
        return bool(self.keys(metric))

    def curves(self, metric: str, key: str = "") -> list[Curve]:
        """Return a curve per setting: mean over seeds with its band (see ``band``); empty ones are left out."""
        found = [_curve(label, samples, metric, key, self.band) for label, samples in self.samples.items()]
        return [c for c in found if len(c)]

    @property
    def band(self) -> Band:
        """``interval`` with four seeds or more; with fewer Student's t says little, so the range of seeds is shown."""
        return "interval" if min(len(s) for s in self.samples.values()) >= SEEDS_FOR_INTERVAL else "range"

    def seeds(self) -> str:
        """Say how many seeds are behind the curves and what their bands are."""
        counts = {len(s) for s in self.samples.values()}
        if counts == {1}:
            return "One seed each: no interval." if self.sweep else ""
        least, most = min(counts), max(counts)
        number = f"{least}" if least == most else f"{least} to {most}"
        if self.band == "range":
            return f"Mean over {number} seeds; the band runs from the least to the greatest seed."
        return f"Mean over {number} seeds with the 95 % interval of the mean (Student's t)."


def choose(context: Context) -> Groups | None:
    """Show a picker of the runs and sweeps that suit the page, and of settings when a sweep has many.

    Returns:
        The settings, or ``None`` when there is nothing to show (the page has said so).
    """
    found = context.choose(label="Run or sweep", kinds=("run", "sweep"))
    if found is None:
        return None
    if isinstance(found, Run):
        return of_run(found)
    source = from_sweep(found)
    total = len(source.samples) + len(source.failures)
    st.caption(f"{len(source.samples)} of {total} members complete. Game: {_game(source)}.")
    if source.failures:
        context.link("sweep", "What happened to the others", icon=":material/grid_on:", sweep=_name(context, found))
    if not source.samples:
        st.info("No member is complete yet.", icon=":material/hourglass_empty:")
        return None
    return _chosen_settings(source)


def of_run(run: Run) -> Groups:
    """Return a run as the only setting, under the names of its agents."""
    label = agents_phrase(facts(run).resolved) or facts(run).name
    return Groups({label: list(from_run(run).samples)}, sweep=False)


def pick_member(context: Context, groups: Groups) -> Run:
    """Return the run whose details are shown: the only one, or the member chosen by its setting and seed."""
    if not groups.sweep:
        return groups.first
    texts = {
        f"{label}, seed {k} of {len(samples)}" if len(samples) > 1 else label: s
        for label, samples in groups.samples.items()
        for k, s in enumerate(samples, start=1)
    }
    chosen = st.selectbox("Details of", list(texts), key="member", bind="query-params")
    run = texts[chosen].run
    context.link("run", "Open this member", icon=":material/monitoring:", run=name_of(context.root, run.path))
    return run


def certificates(context: Context, groups: Groups) -> None:
    """Show the certificate: of a run in a sentence, of a sweep one value with its interval per setting."""
    if not groups.sweep:
        certificate_box(groups.first)
        return
    frame = certificate_rows(groups)
    if frame.is_empty():
        return
    about = groups.first.certificate
    label = f"{about.get('measure', 'distance')} [{about.get('unit', '')}]" if isinstance(about, Mapping) else ""
    figure = bars.intervals(
        frame["setting"].to_list(),
        frame["value"].to_list(),
        frame["low"].to_list(),
        frame["high"].to_list(),
        x_label=label,
        mode=context.mode,
    )
    show_figure(
        figure,
        name="certificates",
        caption="Certificates: further left is better. With several seeds the mean with its 95 % bootstrap interval, "
        "with one seed the interval of its certificate.",
        rows=frame,
    )


def certificate_rows(groups: Groups) -> pl.DataFrame:
    """Return the certificate of every setting: setting, seeds, value, low, high."""
    rows = []
    for label, samples in groups.samples.items():
        found = [s.run.certificate for s in samples if isinstance(s.run.certificate, Mapping)]
        values = [v for c in found if (v := finite(c.get("value"))) is not None]
        if values:
            ends = [finite(found[0].get(end)) for end in ("low", "high")]
            low, high = (values[0] if end is None else end for end in ends)
            if len(values) > 1:
                interval = bootstrap_interval(values)
                low, high = interval.low, interval.high
            rows.append(_row(label, values, low, high))
    return pl.DataFrame(rows) if rows else pl.DataFrame()


def interval_rows(numbers: Mapping[str, Sequence[float]]) -> pl.DataFrame:
    """Return one row per setting: setting, seeds, mean as ``value`` with its 95 % bootstrap interval over seeds."""
    rows = []
    for label, values in numbers.items():
        if len(values) == 0:
            continue
        interval = bootstrap_interval(list(values)) if len(values) > 1 else None
        low, high = (interval.low, interval.high) if interval else (values[0], values[0])
        rows.append(_row(label, values, low, high))
    return pl.DataFrame(rows) if rows else pl.DataFrame()


def settings_of_game(run: Run) -> Mapping[str, Any]:
    """Return the parameters of a run's game, every default filled in."""
    game = facts(run).resolved.get("game")
    params = game.get("params") if isinstance(game, Mapping) else None
    return params if isinstance(params, Mapping) else {}


def _row(label: str, values: Sequence[float], low: float, high: float) -> dict[str, Any]:
    return {"setting": label, "seeds": len(values), "value": sum(values) / len(values), "low": low, "high": high}


def _chosen_settings(source: Source) -> Groups:
    """Return the settings of a sweep; with many, those that agree in the keys with the fewest values."""
    samples = list(source.samples)
    keys = varying_keys(samples)
    by_size = sorted(keys, key=lambda k: len(_values(samples, k)))
    places = st.columns(max(1, len(keys) - 1))
    for place, key in zip(places, by_size[:-1], strict=False):
        if len({s.group for s in samples}) <= MAX_GROUPS:
            break
        offered = [*_values(samples, key), ALL]
        with place:
            chosen = st.selectbox(key, offered, key=f"only_{key}", bind="query-params")
        if chosen != ALL:
            samples = [s for s in samples if short_value(s.overrides.get(key)) == chosen]
    return Groups(labelled(samples), sweep=True)


def labelled(samples: Sequence[Sample]) -> dict[str, list[Sample]]:
    """Return samples by a label of the keys in which they differ."""
    keys = varying_keys(samples)
    found: dict[str, list[Sample]] = {}
    for s in samples:
        words = [key.rpartition(".")[2] for key in keys]
        # Names speak for themselves when they are all there is, and so do whole parts, for example agents.0.
        alone = len(keys) == 1 and isinstance(s.overrides.get(keys[0]), str)
        words = ["" if alone or word.isdigit() else word for word in words]
        label = ", ".join(short_value(s.overrides.get(k), w) for k, w in zip(keys, words, strict=True))
        found.setdefault(label or agents_phrase(facts(s.run).resolved) or ALL, []).append(s)
    return found


def _values(samples: Sequence[Sample], key: str) -> list[str]:
    return list(dict.fromkeys(short_value(s.overrides.get(key)) for s in samples))


def _curve(label: str, samples: list[Sample], metric: str, key: str, band: Band) -> Curve:
    runs = [s.run for s in samples]
    if len(runs) == 1:
        return reader.curve(runs[0], metric, key, name=label)
    marks = tuple(reader.fingerprint(r) for r in runs)
    return reader.cached(
        runs[0],
        "metrics",
        ("group", marks, metric, key, label, band),
        lambda: group_curve(samples, metric, label, key=key, band=band),
    )


def _game(source: Source) -> str:
    return facts(source.samples[0].run).game if source.samples else "unknown"


def _name(context: Context, sweep: Sweep) -> str:
    return name_of(context.root, sweep.path)
