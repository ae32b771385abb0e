"""The body-reservoir agent: closed forms, published behaviour, independence of replicas."""

from __future__ import annotations

import numpy as np
import pytest
from pydantic import ValidationError

from equilibria.agents.reservoir import kernels
from equilibria.agents.reservoir.axelrod_player import ReservoirState
from equilibria.agents.reservoir.body import make_body, self_consistent_state, spectral_radius
from equilibria.agents.reservoir.divergence import gaussian_divergence, neighbour_divergence
from equilibria.agents.reservoir.settings import BodySettings, BRGSettings, SentinelSettings
from equilibria.agents.reservoir.solver import BodyReservoir
from equilibria.games.matrix.repeated import Phase, ScheduledDilemma
from equilibria.sim.contract import Solver
from equilibria.sim.errors import InvalidValue
from equilibria.sim.seeds import SeedTree

DILEMMA = np.array([[3.0, 0.0], [5.0, 1.0]])
SMALL = BodySettings(habituation=20, epoch=200)
MULTI_PHASE = (Phase(500, 0), Phase(50, 1), Phase(500, 0), Phase(200, 0.3), Phase(500, 0))


def _agent(game: ScheduledDilemma, replicas: int = 4, alpha: float | None = None, seed: int = 1) -> BodyReservoir:
    return BodyReservoir(game, BRGSettings(body=SMALL, replicas=replicas, alpha=alpha), seeds=SeedTree(seed))


def test_payoffs_at_the_corners_and_inside() -> None:
    game = ScheduledDilemma((Phase(1, 0),), DILEMMA)
    own, other = np.array([1, 0, 1, 0, 0.98]), np.array([1, 1, 0, 0, 1.0])
    np.testing.assert_allclose(game.payoffs(own, other), [3, 5, 0, 1, 3.04])


def test_tit_for_tat_earns_3051_on_cooperation_defection_cooperation() -> None:
    game = ScheduledDilemma((Phase(500, 0), Phase(50, 1), Phase(500, 0)), DILEMMA)
    agent = _agent(game, replicas=1, alpha=0.0)
    agent.step(game.rounds)
    assert agent.payoffs().sum() == pytest.approx(3051)


@pytest.mark.parametrize(("discomfort", "alpha"), [(0.13, 0.55), (0.18, 0.05), (0.05, 0.85)])
def test_sentinel_settles_at_its_closed_form(discomfort: float, alpha: float) -> None:
    # a silent body with habit 1/2 and a running mean at the wanted distance makes a constant discomfort
    memory = np.array([0.85, 0.5, 0.5])
    sentinel = np.array([-1.0, 0.85, 0.05, 0.05, 0.5, 0.1, 0.0, 0.0, 1.0, 0.98])
    zero = np.zeros(1)
    opponent = np.full(400, 0.5 + discomfort)
    memory[2] = 0.5 + discomfort
    _, receptivity, _ = kernels.play_(
        zero.copy(), memory, zero.copy(), np.zeros((1, 1)), np.zeros((1, 2)), zero, zero, 0.0, opponent, sentinel,
        0.0, np.uint64(0), 0,
    )  # fmt: skip
    assert receptivity[-1] == pytest.approx(alpha, abs=1e-9)


def test_divergence_of_normals_matches_the_closed_form() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(20_000, 2))
    assert gaussian_divergence(x, x) == pytest.approx(0.0, abs=1e-9)
    # N(1, 1) against N(0, 1) is 1/2 per dimension; 5 standard errors of the fitted means
    assert gaussian_divergence(x + 1, rng.normal(size=(20_000, 2))) == pytest.approx(1.0, abs=0.08)
    assert neighbour_divergence(x[:4000] + 1, rng.normal(size=(4000, 2))) == pytest.approx(1.0, abs=0.15)


def test_body_alone_smooths_a_noisy_cooperator() -> None:
    game = ScheduledDilemma((Phase(1500, 0.1),), DILEMMA)
    copying, habitual = _agent(game, alpha=0.0), _agent(game, alpha=1.0)
    for agent in (copying, habitual):
        agent.step(game.rounds)
    variance = copying.actions[:, 500:].var(axis=1).mean()
    assert variance == pytest.approx(0.09, abs=0.01)
    assert habitual.actions[:, 500:].var(axis=1).mean() < variance / 50


def test_fixed_point_of_the_body_is_cooperative_and_stable() -> None:
    body = make_body(SMALL, SeedTree(3))
    x, radius = self_consistent_state(body)
    assert np.abs(x).max() < 1 and radius < 1
    assert body.habit(x) > 0.9


@pytest.mark.heavy
def test_sentinel_beats_tit_for_tat_and_every_fixed_receptivity() -> None:
    game = ScheduledDilemma(MULTI_PHASE, DILEMMA)
    sentinel = BodyReservoir(game, BRGSettings(replicas=20), seeds=SeedTree(0))
    sentinel.step(game.rounds)
    total = sentinel.payoffs().sum(axis=1)
    # published mean 5105 +- 31 over 20 seeds; an independent port found 5116
    assert total.mean() == pytest.approx(5110, abs=40)
    assert sentinel.receptivity[:, 505].mean() < 0.1
    assert sentinel.receptivity[:, 1050:1250].mean() == pytest.approx(0.19, abs=0.03)
    assert sentinel.actions[:, 500:550].mean() == pytest.approx(0.08, abs=0.02)
    for alpha in (0.0, 0.7, 0.85, 1.0):
        fixed = BodyReservoir(game, BRGSettings(replicas=20, alpha=alpha), seeds=SeedTree(0), bodies=sentinel.bodies)
        fixed.step(game.rounds)
        better = int((total > fixed.payoffs().sum(axis=1)).sum())
        assert better >= 15  # one-sided sign test of 20 pairs: p < 0.05 needs 15


def test_adding_replicas_never_changes_the_others() -> None:
    game = ScheduledDilemma((Phase(30, 0.3),), DILEMMA)
    few, many = _agent(game, replicas=1), _agent(game, replicas=3)
    few.step(30)
    many.step(30)
    np.testing.assert_array_equal(few.actions[0], many.actions[0])


def test_resumed_agent_goes_on_bit_identically() -> None:
    game = ScheduledDilemma((Phase(40, 0.3),), DILEMMA)
    whole, first, second = (_agent(game, replicas=2) for _ in range(3))
    whole.step(40)
    first.step(25)
    second.load(first.save())
    second.step(15)
    np.testing.assert_array_equal(whole.actions, second.actions)
    np.testing.assert_array_equal(whole.receptivity, second.receptivity)
    assert isinstance(whole, Solver)
    assert whole.certificate().value > 0


def test_late_information_plays_like_the_schedule_kernel() -> None:
    # noise-free: the player that learns actions a round late must act as the vectorised agent does
    quiet = BRGSettings(body=BodySettings(habituation=5, epoch=50, state_noise=0.0), replicas=1)
    game = ScheduledDilemma((Phase(20, 0), Phase(20, 1)), DILEMMA)
    agent = BodyReservoir(game, quiet, seeds=SeedTree(2))
    agent.step(40)
    late = ReservoirState(quiet, SeedTree(2).child("replica", 0))
    opponents = agent.opponents[0]
    played = [late.act(None)] + [late.act(float(o)) for o in opponents[:-1]]
    np.testing.assert_allclose(played, agent.actions[0], atol=1e-12)


def test_power_iteration_is_biased_for_complex_eigenvalues() -> None:
    spiral = np.array([[0.0, -2.0], [0.5, 0.0]])  # eigenvalues +-i, modulus 1
    assert spectral_radius(spiral) == pytest.approx(1.0)
    assert abs(spectral_radius(spiral, "power") - 1.0) > 0.1


def test_wrong_settings_are_refused() -> None:
    with pytest.raises(ValidationError):
        BodySettings(dimension=0)
    with pytest.raises(ValidationError, match="sum to 1"):
        SentinelSettings(weights=(0.5, 0.5, 0.5))
    with pytest.raises(ValidationError, match="minimum"):
        SentinelSettings(minimum=0.9)
    with pytest.raises(ValidationError):
        SentinelSettings(threshold=-0.1)
    with pytest.raises(InvalidValue, match="rounds >= 1"):
        Phase(0, 0.5)
    short = ScheduledDilemma((Phase(5, 0.0),), DILEMMA)
    with pytest.raises(InvalidValue, match="5 rounds"):
        _agent(short, replicas=1).step(6)
    with pytest.raises(InvalidValue, match="at least"):
        gaussian_divergence(np.ones((1, 2)), np.ones((5, 2)))


def test_complexity_and_free_energy_are_reported_after_the_burn_in() -> None:
    game = ScheduledDilemma((Phase(120, 0.1),), DILEMMA)
    options = BRGSettings(body=SMALL, replicas=2, alpha=0.0, complexity="gaussian", burn_in=20)
    agent = BodyReservoir(game, options, seeds=SeedTree(1))
    agent.step(25)
    assert "complexity" not in agent.metrics()  # too few rounds after the burn-in
    agent.step(95)
    found = agent.metrics()
    assert found["complexity"] > 0
    assert found["action_variance"] == pytest.approx(agent.actions[:, 20:].var(axis=1).mean())
    assert found["free_energy_3"] == pytest.approx(3 * found["complexity"] - agent.payoffs()[:, 20:].mean())
    # play is not touched by measuring, and a body alone under cooperation is close to its baseline
    calm = ScheduledDilemma((Phase(1500, 0.0),), DILEMMA)
    quiet = BodyReservoir(
        calm, BRGSettings(body=SMALL, replicas=2, alpha=1.0, complexity="neighbours"), seeds=SeedTree(1)
    )
    quiet.step(1500)
    assert abs(quiet.metrics()["complexity"]) < 0.5 < found["complexity"]
