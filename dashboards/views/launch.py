"""Launch: choose or paste a scenario, check it with positions, run it in the background, watch, stop, resume."""

from __future__ import annotations

import hashlib

import polars as pl
import streamlit as st

from equilibria.dashboards import reader
from equilibria.dashboards.jobs import Job
from equilibria.dashboards.page import Context, Page, errors_in_place
from equilibria.dashboards.widgets import show_table, state_badge
from equilibria.sim.analysis.facts import facts
from equilibria.sim.analysis.ticks import short
from equilibria.sim.errors import EquilibriaError, ScenarioError
from equilibria.sim.scenario import Plan, plan_from_bytes, shipped
from equilibria.sim.store import Run, open_any

SHOWN_AS = "scenario"
LIVE_SECONDS = 1.5


def build() -> Page:
    """Return the page."""
    return Page(title="Launch", section="Runs", icon=":material/rocket_launch:", order=4, render=render)


def render(context: Context) -> None:
    """Draw the page."""
    if context.read_only:
        st.info(
            "This server is read-only: it listens on an address that others can reach, or was started with "
            "`--read-only`. Start runs with `equilibria run`.",
            icon=":material/lock:",
        )
    names = shipped.names()
    start = names.index("quickstart") if "quickstart" in names else 0
    chosen = st.selectbox("Shipped scenario", names, index=start, key="scenario", bind="query-params")
    given = (shipped.folder() / f"{chosen}.yaml").read_text(encoding="utf-8")
    text = st.text_area(
        "Scenario (YAML): edit it, or paste your own",
        given,
        height=320,
        key=f"text_{hashlib.sha256(given.encode()).hexdigest()[:8]}",
        max_chars=1_000_000,
    )
    plan = _check(text or "")
    if plan is not None:
        _start(context, plan, text or "")
    _jobs(context)


def _check(text: str) -> Plan | None:
    """Check the text with the reader of the command line; show every mistake with its place."""
    try:
        plan = plan_from_bytes(text.encode("utf-8", "surrogatepass"), SHOWN_AS)
    except ScenarioError as error:
        st.error(f"{len(error.problems)} mistake(s); nothing can be started yet.", icon=":material/error:")
        lines = text.splitlines()
        frame = pl.DataFrame(
            {
                "line": [p.line or None for p in error.problems],
                "column": [p.column or None for p in error.problems],
                "key": [p.key for p in error.problems],
                "what is wrong and what to do": [p.message for p in error.problems],
                "the line": [lines[p.line - 1][:120] if 0 < p.line <= len(lines) else "" for p in error.problems],
            },
            schema_overrides={"line": pl.Int64, "column": pl.Int64},
        )
        show_table(frame, name="mistakes", caption="Every mistake, in the order of the file.")
        return None
    engine = plan.resolved["game"]["engine"]
    members = f", sweep of {len(plan.members())} runs" if plan.sweep else ""
    st.success(
        f"Valid: {plan.name}, plan {plan.hash[:8]}, engine {engine}, budget {plan.budget:,}{members}",
        icon=":material/check_circle:",
    )
    return plan


def _start(context: Context, plan: Plan, text: str) -> None:
    left, middle, right = st.columns([3, 1, 1], vertical_alignment="bottom")
    given = middle.text_input("Seed", str(plan.seed), key=f"seed_{plan.hash[:8]}") or ""
    seed = int(given) if given.isascii() and given.isdigit() and len(given) < 40 else None
    if seed is None:
        st.error(f"the seed must be a whole number of at least 0, found {given[:40]!r}", icon=":material/error:")
        return
    sweep = plan.sweep is not None and right.toggle("Whole sweep", value=True, key="as_sweep")
    default = f"{plan.name}-{plan.hash[:8]}-" + ("sweep" if sweep else f"s{seed}")
    name = left.text_input("Name of the run directory", default, key=f"name_{default}")
    if st.button(
        "Run in the background", icon=":material/play_arrow:", type="primary", key="start", disabled=context.read_only
    ):
        try:
            context.jobs.start(text, name or "", seed=None if sweep else seed, sweep=bool(sweep))
        except EquilibriaError as error:
            st.error(str(error), icon=":material/error:")
        else:
            st.toast(f"Started {name}")


def _jobs(context: Context) -> None:
    jobs = context.jobs.all()
    if not jobs:
        st.caption("Runs that you start here go on when this page or the server is closed.")
        return
    st.subheader("Started here")
    running = any(job.exit_code is None for job in jobs)
    st.fragment(_watch, run_every=LIVE_SECONDS if running else None)(context, running)


def _watch(context: Context, running: bool) -> None:
    jobs = context.jobs.all()
    for job in jobs[:10]:
        with errors_in_place(context.name):
            _job(context, job)
    if running and all(job.exit_code is not None for job in jobs):
        st.rerun()


def _job(context: Context, job: Job) -> None:
    with st.container(border=True, key=f"job_{job.name}"):
        run = _opened(context, job)
        with st.container(horizontal=True, vertical_alignment="center"):
            state_badge(run.state if isinstance(run, Run) else _word(job))
            st.markdown(f"**{job.command}** `{job.name}`")
        if isinstance(run, Run):
            about = facts(run)
            if about.budget:
                st.progress(min(1.0, about.done / about.budget), text=about.progress())
            last = reader.values(run)[:4]
            if last:
                st.caption(", ".join(f"{v.metric}{f'[{v.key}]' if v.key else ''} {short(v.value)}" for v in last))
        _buttons(context, job, run)
        text = job.tail()
        if text:
            st.code(text, language=None)


def _buttons(context: Context, job: Job, run: Run | None) -> None:
    with st.container(horizontal=True):
        if job.exit_code is None and st.button("Stop and save", key=f"stop_{job.name}", icon=":material/stop_circle:"):
            context.jobs.stop(job.name)
        unfinished = isinstance(run, Run) and run.state in ("interrupted", "killed", "failed")
        if (
            job.exit_code is not None
            and unfinished
            and st.button("Resume", key=f"resume_{job.name}", icon=":material/play_circle:")
        ):
            context.jobs.resume(job.name, context.root / job.name)
            st.rerun()
        if isinstance(run, Run):
            context.link("run", "Open the run", icon=":material/monitoring:", run=job.name)
        elif job.command == "sweep":
            context.link("sweep", "Open the sweep", icon=":material/grid_on:", sweep=job.name)


def _opened(context: Context, job: Job) -> Run | None:
    try:
        found = open_any(context.root / job.name)
    except EquilibriaError:
        return None  # it has not begun yet, or ended before it began: its output says why
    return found if isinstance(found, Run) else None


def _word(job: Job) -> str:
    code = job.exit_code
    if code is None:
        return "running"
    return {0: "complete", 130: "interrupted", 143: "interrupted"}.get(code, "failed")
