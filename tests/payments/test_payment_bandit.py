"""Payment bandits: what reaches the model and when, exact numbers, estimates from the log, contract, regret growth."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from equilibria.agents.payments.bandit import PaymentBandit, build
from equilibria.agents.payments.settings import PaymentBanditSettings
from equilibria.agents.payments.trees import GradientTrees
from equilibria.games.payments.settings import PaymentsSettings
from equilibria.games.payments.world import PaymentsWorld, Transactions
from equilibria.sim.errors import UnsupportedGame
from equilibria.sim.scenario import plan_from_bytes
from equilibria.sim.seeds import SeedTree
from equilibria.testing import check_engine, check_solver


def world(seed: int = 1, **change: Any) -> PaymentsWorld:
    return PaymentsWorld(PaymentsSettings.model_validate({"batch": 2000, **change}), seeds=SeedTree(seed))


def bandit(game: PaymentsWorld, **change: Any) -> PaymentBandit:
    return PaymentBandit(game, PaymentBanditSettings.model_validate({"iterations": 10, **change}), seeds=SeedTree(9))


class Knowing:
    """A model that predicts the truth, or what it is given."""

    def __init__(self, batch: Transactions) -> None:
        self.chance = batch.chance

    def predict(self, features: Any, issuer: Any, available: Any) -> Any:
        return self.chance


def knowing(game: PaymentsWorld, **change: Any) -> PaymentBandit:
    learner = bandit(game, judged=2000, **change)
    learner._model, learner._fitted = Knowing(game.judges(2000, 0)), True  # type: ignore[assignment]
    return learner


@pytest.mark.parametrize("memory", [1, 3])
def test_the_model_sees_what_arrived_in_the_last_generations(memory: int, monkeypatch: pytest.MonkeyPatch) -> None:
    game = world(batch=300)
    learner = bandit(game, memory=memory, exploration="uniform")
    seen: list[Any] = []
    fit = GradientTrees.fit

    def listening(self: GradientTrees, *data: Any) -> None:
        seen.append(data[0])
        fit(self, *data)

    monkeypatch.setattr(GradientTrees, "fit", listening)
    learner.step(5)
    for number, found in enumerate(seen, start=1):
        parts = []
        for g in range(max(1, number - memory), number + 1):
            batch = game.generation(g)
            timely, late = g > number - memory, g < number
            parts.append(batch.features[(~batch.late & timely) | (batch.late & late)])
        np.testing.assert_array_equal(found, np.concatenate(parts))


def test_a_model_that_knows_the_chances_has_no_regret_and_uniform_actions_the_expected_one() -> None:
    game = world()
    found = knowing(game, exploration="greedy").certificate()
    assert found.value == 0.0
    assert found.kind == "estimate"
    judged = game.judges(2000, 0)
    gap = judged.best - np.where(judged.available, judged.chance, 0).sum(axis=1) / judged.available.sum(axis=1)
    assert knowing(game, exploration="uniform").certificate().value == pytest.approx(gap.mean(), rel=1e-12)
    assert found.details["regret_of_uniform_actions"] == pytest.approx(gap.mean(), rel=1e-12)
    # inverse gap weighting with the truth loses at most 2 A / gamma
    square = knowing(game, exploration="square_cb", gamma=1000.0).certificate()
    assert 0.0 < square.value <= 2 * 10 / 1000
    assert square.low <= square.value <= square.high


def test_numbers_of_a_generation_are_those_of_its_log() -> None:
    game = world()
    learner = bandit(game, exploration="square_cb", gamma=50.0)
    assert learner.metrics()["authorisation_rate"] == {}
    assert learner.metrics()["payment_regret_total"] == 0.0
    learner.step(2)
    rate = learner.metrics()["authorisation_rate"]
    assert isinstance(rate, dict)
    log: dict[str, Any] = dict(learner.table("log"))
    batch = game.generation(2)
    np.testing.assert_array_equal(log["reward"], batch.outcome(log["action"]))
    assert rate["realised"] == pytest.approx(log["reward"].mean())
    assert rate["best"] == pytest.approx(batch.best.mean())
    assert max(rate["uniform"], rate["policy"]) < rate["best"]
    assert abs(rate["realised"] - rate["policy"]) < 4.5 * 0.5 / np.sqrt(2000)
    shares: dict[str, Any] = dict(learner.table("actions"))
    np.testing.assert_allclose(shares["share"], np.bincount(log["action"], minlength=10) / 2000)
    total = learner.metrics()["payment_regret_total"]
    assert isinstance(total, float)
    assert total > 2000 * (rate["best"] - rate["policy"])


def test_the_value_of_uniform_actions_is_estimated_from_the_log_of_square_cb() -> None:
    learner = bandit(world(batch=20_000), exploration="square_cb", gamma=100.0)
    learner.step(2)
    found = learner.metrics()["uniform_estimate"]
    assert isinstance(found, dict)
    error = (found["high"] - found["low"]) / 2 / 1.96
    assert abs(found["estimate"] - found["truth"]) < 4 * error
    assert error < 0.006


def test_regret_grows_slower_than_time_with_a_regression_that_can_be_right() -> None:
    """Logistic rewards, logistic regression on all data, gamma_t = 10 sqrt(t): the theory asks for a slope of 1/2."""
    game = world(seed=4, batch=500, issuers=3, features=3, actions=4, availability=1.0, pair_deviation=1.0)
    regrets = {}
    for rule in ("square_cb", "uniform"):
        learner = bandit(game, exploration=rule, gamma=10.0, schedule="power", memory=40, oracle="logistic")
        learner.step(4)
        early = learner.metrics()["payment_regret_total"]
        learner.step(36)
        late = learner.metrics()["payment_regret_total"]
        assert isinstance(early, float)
        assert isinstance(late, float)
        regrets[rule] = np.log10(late / early), late
    assert regrets["uniform"][0] == pytest.approx(1.0, abs=0.02)
    assert regrets["square_cb"][0] <= 0.7
    assert regrets["square_cb"][1] < regrets["uniform"][1] / 4


@pytest.mark.parametrize("oracle", ["trees", "logistic"])
def test_the_learner_keeps_the_contract(oracle: str) -> None:
    check_solver(lambda: bandit(world(batch=200), oracle=oracle, judged=200, memory=2))


def test_the_engine_keeps_its_contract() -> None:
    metrics = ("authorisation_rate", "payment_regret", "payment_regret_total", "exploration", "model_error")
    scenario = {
        "version": 1,
        "name": "payments",
        "game": {"use": "contextual_payments", "params": {"batch": 200, "drift": 0.02}},
        "agents": [{"use": "payment_bandit", "params": {"iterations": 3, "judged": 200, "schedule": "theory"}}],
        "metrics": [{"use": m, "every": 1} for m in (*metrics, "uniform_estimate")],
        "tables": [{"name": "actions", "every": 2}, {"name": "log", "every": 3, "sample": 20}],
        "run": {"budget": 5, "seed": 1},
    }
    check_engine(plan_from_bytes(json.dumps(scenario).encode(), "payments.yaml").build)


def test_other_games_are_refused_by_name() -> None:
    with pytest.raises(UnsupportedGame, match="payment_bandit plays contextual_payments, got object"):
        build(PaymentBanditSettings(), game=object(), roles=("all",), seeds=SeedTree(0), budget=1)
