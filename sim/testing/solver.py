"""Conformance of solvers: steps, resumption, certificate."""

from __future__ import annotations

from collections.abc import Callable

from equilibria.sim.contract import Solver
from equilibria.sim.testing.states import check_certificate, demand, difference, frozen


def check_solver(make: Callable[[], Solver], *, steps: int = 6) -> None:
    """Check a solver.

    Args:
        make: Builds a fresh solver with the same game, settings and seed.
        steps: Iterations to do, at least 2.

    Raises:
        PluginError: If a promise of ``sim.contract.Solver`` is broken.
    """
    demand(steps >= 2, f"check_solver needs steps >= 2, got {steps}")
    solver = make()
    demand(isinstance(solver, Solver), f"{type(solver).__name__} must have step, policy, save, load, certificate")
    demand(solver.iteration == 0, f"a fresh solver has iteration 0, got {solver.iteration}")
    frozen(solver.save(), "solver")

    solver.step(steps)
    demand(solver.iteration == steps, f"after step({steps}) iteration must be {steps}, got {solver.iteration}")
    end = frozen(solver.save(), "solver")
    demand(solver.policy() is not None, "policy() must return the output policy")
    check_certificate(solver.certificate(), "solver")
    text = difference(end, frozen(solver.save(), "solver"))
    demand(not text, f"policy() and certificate() must not change the solver: {text}")

    split = make()
    split.step(1)
    for _ in range(steps - 1):
        split.step()
    text = difference(end, frozen(split.save(), "solver"))
    demand(not text, f"step(1) {steps} times must equal step({steps}): {text}")

    middle = steps // 2
    first = make()
    first.step(middle)
    saved = first.save()
    kept = frozen(saved, "solver")
    second = make()
    second.load(kept)
    demand(second.iteration == middle, f"load must restore the iteration {middle}, got {second.iteration}")
    second.step(steps - middle)
    text = difference(end, frozen(second.save(), "solver"))
    demand(not text, f"a resumed solver must end where an uninterrupted one does: {text}")
    first.step(steps - middle)
    text = difference(kept, frozen(saved, "solver"))
    demand(not text, f"a saved state must not change when the solver goes on (copy the arrays): {text}")
    text = difference(end, frozen(first.save(), "solver"))
    demand(not text, f"save() must not change the solver: {text}")
