"""Runs overview: what was run, how far it is, how far from equilibrium it ended."""

from __future__ import annotations

import polars as pl
import streamlit as st

from equilibria.dashboards.catalogue import Entry
from equilibria.dashboards.page import Context, Page
from equilibria.dashboards.widgets import STATE_ICONS, show_table

LIVE_SECONDS = 2.0
MAX_SHOWN = 2000


def build() -> Page:
    """Return the page."""
    return Page(title="Runs", section="Runs", icon=":material/list:", order=0, render=render)


def render(context: Context) -> None:
    """Draw the page; while something runs it is drawn again every two seconds."""
    if not context.entries:
        st.info(f"No runs in `{context.root}` yet.", icon=":material/info:")
        context.link("gallery", "Choose a scenario in the gallery", icon=":material/collections:")
        st.code("equilibria run quickstart", language="bash")
        return
    running = any(e.state == "running" for e in context.entries)
    st.fragment(_body, run_every=LIVE_SECONDS if running else None)(context)


def _body(context: Context) -> None:
    context._entries = None
    entries = context.entries
    _counts(entries)
    words, states = st.columns([2, 1])
    text = words.text_input(
        "Filter", key="find", bind="query-params", placeholder="name, scenario, game, agents, certificate"
    )
    known = sorted({_group(e) for e in entries})
    chosen = states.selectbox("State", ["all", *known], key="state", bind="query-params")
    kept = [e for e in entries if _matches(e, text or "") and chosen in ("all", _group(e))]
    if not kept:
        st.info("No run matches the filter.", icon=":material/search_off:")
        return
    broken = [e for e in kept if e.kind == "broken"]
    event = show_table(
        table(kept[:MAX_SHOWN]),
        name="runs",
        caption=f"{len(kept):,} of {len(entries):,} runs and sweeps. Select a row to open it. A certificate of 0 is "
        "an exact equilibrium; its sentence says how it was measured.",
        on_select="rerun",
        placeholder="-",
        height=min(720, 40 + 35 * min(len(kept), MAX_SHOWN)),
        selection_mode="single-row",
        column_config={
            "progress": st.column_config.ProgressColumn("progress", format="percent", min_value=0.0, max_value=1.0),
            "distance": st.column_config.NumberColumn("distance", format="scientific", help="Value of the certificate"),
            "run": st.column_config.TextColumn("run", pinned=True),
        },
    )
    rows = event.selection.rows if event else []
    if rows:
        _open(context, kept[rows[0]])
    for entry in broken[:20]:
        st.error(f"**{entry.name}** cannot be read: {entry.sentence}", icon=":material/report:")


def table(entries: list[Entry]) -> pl.DataFrame:
    """Return the overview as rows."""
    return pl.DataFrame(
        {
            "run": [e.title for e in entries],
            "state": [f"{STATE_ICONS.get(e.state, '?')} {e.state}" for e in entries],
            "progress": [e.progress for e in entries],
            "distance": [e.value for e in entries],
            "certificate": [e.sentence for e in entries],
            "game": [e.game for e in entries],
            "agents": [e.agents for e in entries],
            "seed": [e.seed for e in entries],
            "done": [e.done for e in entries],
            "scenario": [e.scenario for e in entries],
        },
        schema_overrides={"distance": pl.Float64, "seed": pl.Int64, "progress": pl.Float64},
    )


def _counts(entries: list[Entry]) -> None:
    groups = ("complete", "running", "unfinished", "failed or broken")
    counts = {name: sum(_group(e) == name for e in entries) for name in groups}
    with st.container(horizontal=True, gap="large"):
        for name in groups:
            st.metric(name, counts[name], width="content")


def _group(entry: Entry) -> str:
    if entry.state in ("failed", "broken"):
        return "failed or broken"
    return entry.state if entry.state in ("complete", "running") else "unfinished"


def _matches(entry: Entry, text: str) -> bool:
    place = f"{entry.name} {entry.scenario} {entry.game} {entry.agents} {entry.sentence}".lower()
    return all(word in place for word in text.lower().split())


def _open(context: Context, entry: Entry) -> None:
    if entry.kind == "broken":
        return
    page, key = ("sweep", "sweep") if entry.kind == "sweep" else ("run", "run")
    if page in context.links:
        st.switch_page(context.links[page], query_params={key: entry.name})
