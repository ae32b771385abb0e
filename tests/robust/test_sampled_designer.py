"""Hyper-gradients from roll-outs, designers that climb them, and discovery with an oracle."""

from __future__ import annotations

import numpy as np
import pytest

from equilibria.agents.robust import Designer, discover, discover_by, hypergradient, sampled_hypergradient
from equilibria.agents.robust.bilevel import soft_response
from equilibria.games.robust import Design, LafferCurve, PostedPrice
from equilibria.games.robust.payoffs import EXAMPLE
from equilibria.sim.errors import InvalidValue, NumericalError, Unsupported
from equilibria.sim.seeds import SeedTree


def random_design(seed: int, *, leak: float = 0.0) -> Design:
    rng = np.random.default_rng(seed)
    s, a, k = 4, 3, 2
    return Design(
        transitions=(1 - leak) * rng.dirichlet(np.ones(s), (s, a)),
        rewards=rng.standard_normal((s, a)),
        rewards_by=rng.standard_normal((k, s, a)),
        utility=rng.standard_normal((s, a)),
        utility_by=rng.standard_normal((k, s, a)),
        start=np.full(s, 1 / s),
        discount=0.8,
    )


@pytest.mark.parametrize("leak", [0.0, 0.2])
def test_roll_outs_estimate_the_exact_hyper_gradient(leak: float) -> None:
    """Without bias: 400,000 samples lie within four standard errors, and the error is small beside the gradient."""
    design = random_design(1, leak=leak)
    exact = hypergradient(design, 0.5)
    policy = exact.response.policy
    found = sampled_hypergradient(design, policy, 0.5, samples=400_000, rng=np.random.default_rng(2))
    assert (np.abs(found.gradient - exact.gradient) < 4 * found.error).all()
    assert found.error.max() < 0.1 * np.abs(exact.gradient).max()
    assert np.allclose(found.naive, exact.naive, atol=0.1)


def test_one_state_has_the_known_gradient() -> None:
    design = Design(
        transitions=np.zeros((1, 3, 1)), rewards=np.zeros((1, 3)), rewards_by=np.eye(3)[:, None],
        utility=np.array([[1.0, 0.0, -1.0]]), utility_by=np.zeros((3, 1, 3)), start=np.ones(1),
    )  # fmt: skip
    policy = soft_response(design, 0.5).policy
    found = sampled_hypergradient(design, policy, 0.5, samples=100_000, rng=np.random.default_rng(0))
    assert np.allclose(found.gradient, [2 / 3, 0.0, -2 / 3], atol=4 * found.error.max())


@pytest.mark.parametrize("first", [0.1, 0.9])
def test_designers_reach_the_optimum_by_roll_outs(first: float) -> None:
    for game in (LafferCurve(first=first), PostedPrice(first=first)):
        solver = Designer(game, steps=200, final_temperature=0.02, samples=2000, seeds=SeedTree(3))
        solver.step(200)
        assert abs(float(solver.parameters[0]) - 0.5) < 0.03
        assert solver.look(solver.final_temperature).payoff > 0.245


def test_a_saved_designer_draws_on() -> None:
    made = [Designer(LafferCurve(), steps=20, samples=50, seeds=SeedTree(1)) for _ in range(2)]
    made[0].step(10)
    made[1].load(made[0].save())
    for solver in made:
        solver.step(5)
    assert np.array_equal(made[0].parameters, made[1].parameters)


def test_an_exact_oracle_discovers_what_the_table_does() -> None:
    table = np.array(EXAMPLE, np.float64)

    def respond(rows: tuple[int, ...]) -> tuple[int, float]:
        gain = table - table[list(rows)].max(axis=0)
        row, opponent = np.unravel_index(int(gain.argmax()), gain.shape)
        return int(row), float(gain[row, opponent])

    rows, gaps = discover_by(respond, 0)
    known = discover(table)
    assert rows == known.policies == (0, 5, 1)
    assert gaps == (6.0, 2.0, 0.0)
    assert discover_by(respond, 0, most=2) == ((0, 5), (6.0,))
    assert discover_by(respond, 0, delta=2.5)[0] == (0, 5)


def test_bad_input_has_names() -> None:
    design = random_design(1)
    policy, rng = np.full((4, 3), 1 / 3), np.random.default_rng(0)
    with pytest.raises(InvalidValue, match="distribution per state"):
        sampled_hypergradient(design, policy / 2, 0.5, samples=10, rng=rng)
    with pytest.raises(InvalidValue, match="temperature"):
        sampled_hypergradient(design, policy, 0.0, samples=10, rng=rng)
    with pytest.raises(InvalidValue, match="samples"):
        Designer(LafferCurve(), samples=1)
    fields = {name: getattr(design, name) for name in design.__dataclass_fields__}
    moving = Design(**{**fields, "transitions_by": np.zeros((2, 4, 3, 4))})
    with pytest.raises(Unsupported, match="model"):
        sampled_hypergradient(moving, policy, 0.5, samples=10, rng=rng)
    with pytest.raises(NumericalError, match="oracle"):
        discover_by(lambda found: (0, float("nan")), 0)
    with pytest.raises(InvalidValue, match="most"):
        discover_by(lambda found: (0, 0.0), 0, most=0)
