"""The library's front door to runs: ``eq.run`` and ``eq.open_run``."""

from __future__ import annotations

import signal
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from equilibria.sim.store.reader import Run, open_run

if TYPE_CHECKING:
    from equilibria.sim.scenario import Plan

__all__ = ["default_out", "open_run", "run"]


def run(
    scenario: str | Path | Plan,
    out: str | Path | None = None,
    *,
    seed: int | None = None,
    overrides: Sequence[str] = (),
    threads: int | None = None,
    progress: bool = False,
) -> Run:
    """Run a scenario and return its run directory, opened for reading.

    Args:
        scenario: Path of a YAML file, name of a shipped scenario, or a plan.
        out: Run directory; ``runs/<name>-<plan hash>-s<seed>`` by default.  The finished run of the
            same plan and seed is returned as it is.
        seed: Replaces the scenario's seed.
        overrides: ``"key.path=value"`` texts as for ``--set``.
        threads: Replaces the scenario's number of threads.
        progress: Draw a progress line when standard error is a terminal.

    Raises:
        ScenarioError: If the scenario is invalid.
        RunStoreError: If ``out`` cannot be used.
        EquilibriaError: What the run raised; its directory has status ``failed``.
        KeyboardInterrupt: After SIGINT, state saved; ``equilibria resume`` goes on.
        SystemExit: After SIGTERM, state saved, with exit code 143.

    Example:
        >>> run("quickstart", out="runs/demo").certificate["sentence"]  # doctest: +SKIP
    """
    from equilibria.sim.run import start_run
    from equilibria.sim.scenario import load_plan

    if isinstance(scenario, (str, Path)):
        plan = load_plan(str(scenario), overrides=tuple(overrides), seed=seed, threads=threads)
    else:
        plan = scenario
    outcome = start_run(plan, Path(out) if out is not None else default_out(plan), progress=progress)
    if outcome.signal == signal.SIGINT:
        raise KeyboardInterrupt(f"interrupted at unit {outcome.unit}, state saved in {outcome.path}")
    if outcome.signal:
        raise SystemExit(outcome.exit_code)
    return open_run(outcome.path)


def default_out(plan: Plan) -> Path:
    """Return ``runs/<name>-<first 8 digits of the plan hash>-s<seed>``."""
    return Path("runs") / f"{plan.name}-{plan.hash[:8]}-s{plan.seed}"
