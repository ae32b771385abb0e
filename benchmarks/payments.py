"""Payment transactions, exploration and regression oracles against plain loops and scikit-learn.

Peers: one transaction at a time in Python with numpy's generator (the same model and rule), the exploration rules as
whole-array numpy, and scikit-learn's histogram trees and logistic regression on the same data, on one thread.  Models
must be equally good: the error of predicted chances is compared with the truth on fresh transactions.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np

from equilibria.agents.payments import kernels
from equilibria.agents.payments.exploration import distribution
from equilibria.agents.payments.logistic import LogisticByAction, regression
from equilibria.agents.payments.settings import PaymentBanditSettings
from equilibria.agents.payments.trees import GradientTrees
from equilibria.benchmarks.common import Row, medians
from equilibria.games.payments.world import PaymentsWorld, Transactions
from equilibria.sim.errors import SolverError
from equilibria.sim.seeds import SeedTree
from equilibria.sim.types import BoolArray, FloatArray, IntArray

GAMMA = 1000.0
BATCH = 20_000
_CLOSE = 0.05
"""Largest relative excess of our error over the peer's."""


def rows(*, quick: bool = False) -> Iterator[Row]:
    """Yield one row per case as it is measured.

    Raises:
        ModuleNotFoundError: If scikit-learn is not installed; the cases without it come first.
        SolverError: If numbers that must agree with the peer's do not.
    """
    rounds, budget = (3, 0.05) if quick else (5, 0.5)
    world = PaymentsWorld(seeds=SeedTree(1))
    yield _serving(world, rounds, budget, few=300 if quick else 2000)
    yield from _probabilities(world, rounds, budget)
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    with threadpool_limits(1):
        yield from _trees(world, rounds, budget)
        yield _regression(world, rounds, budget)
        yield _logistic(world, rounds, budget)


def _serving(world: PaymentsWorld, rounds: int, budget: float, *, few: int) -> Row:
    """Draw a generation, explore by SquareCB around the true chances, draw actions, log propensities and outcomes."""
    key = SeedTree(2).key()
    logs: dict[str, tuple[IntArray, FloatArray, BoolArray]] = {}

    def ours() -> None:
        batch = world.generation(1)
        p = distribution("square_cb", batch.chance, batch.available, GAMMA)
        action, propensity = np.empty(BATCH, np.int64), np.empty(BATCH)
        kernels.draw(key, 1, p, action, propensity)
        logs["ours"] = action, propensity, batch.outcome(action)

    def peer() -> None:
        logs["peer"] = plain_serving(world, few)

    times = medians({"ours": ours, "peer": peer}, rounds=rounds, budget=budget)
    shares = {name: float(log[2].mean()) for name, log in logs.items()}
    error = math.sqrt(sum(shares[n] * (1.0 - shares[n]) / len(logs[n][2]) for n in shares))
    _demand(abs(shares["ours"] - shares["peer"]) < 4.5 * error, f"shares authorised differ: {shares}")
    own, theirs = BATCH / times["ours"], few / times["peer"]
    return Row(
        case="transactions, SquareCB, log of propensities", ours=own, peer=theirs, unit="transactions/s",
        peer_name=f"numpy {np.__version__} per transaction", ratio=own / theirs,
        note=f"d = 8, K = 10; share authorised {shares['ours']:.3f} and {shares['peer']:.3f} (other random numbers)",
    )  # fmt: skip


def plain_serving(world: PaymentsWorld, count: int) -> tuple[IntArray, FloatArray, BoolArray]:
    """Serve transactions one by one with numpy's generator; return actions, propensities and outcomes [count]."""
    s, rng, weights = world.settings, np.random.default_rng(1), world.weights(1)
    log = []
    for _ in range(count):
        x, issuer = rng.normal(size=s.features), int(rng.integers(s.issuers))
        available = rng.random(s.actions) < s.availability
        while available.sum() < s.least_actions:
            available = rng.random(s.actions) < s.availability
        z = s.base + world.by_issuer[issuer] + weights @ x + world.pairs[:, issuer]
        chance = 1.0 / (1.0 + np.exp(-z))
        feasible = np.flatnonzero(available)
        p = plain_square_cb(chance[feasible], GAMMA)
        k = int(rng.choice(len(feasible), p=p))
        log.append((int(feasible[k]), float(p[k]), bool(rng.random() < chance[feasible[k]])))
    action, propensity, won = zip(*log, strict=True)
    return np.array(action), np.array(propensity), np.array(won)


def plain_square_cb(predicted: FloatArray, gamma: float) -> FloatArray:
    """Return the probabilities of one transaction's feasible actions."""
    best = int(predicted.argmax())
    p = 1.0 / (len(predicted) + gamma * (predicted[best] - predicted))
    p[best] = 0.0
    p[best] = 1.0 - p.sum()
    return np.asarray(p)


def _probabilities(world: PaymentsWorld, rounds: int, budget: float) -> Iterator[Row]:
    batch = world.generation(1)
    cases: dict[str, Callable[[FloatArray, BoolArray, float], FloatArray]] = {
        "square_cb": array_square_cb, "fast_cb": array_fast_cb,
    }  # fmt: skip
    for scheme, peer in cases.items():
        ours = partial(distribution, scheme, batch.chance, batch.available, GAMMA)
        theirs = partial(peer, batch.chance, batch.available, GAMMA)
        gap = float(np.abs(ours() - theirs()).max())
        _demand(gap < 1e-12, f"{scheme}: probabilities differ by {gap:.1e}")
        times = medians({"ours": ours, "peer": theirs}, rounds=rounds, budget=budget)
        yield Row(
            case=f"probabilities of {scheme}, {BATCH:,} x 10", ours=times["ours"] / BATCH * 1e9,
            peer=times["peer"] / BATCH * 1e9, unit="ns/transaction", peer_name=f"numpy {np.__version__} on whole arrays",
            ratio=times["peer"] / times["ours"], note=f"checks of the input included; differ by {gap:.1e}",
        )  # fmt: skip


def array_square_cb(predicted: FloatArray, available: BoolArray, gamma: float) -> FloatArray:
    """Return SquareCB's probabilities [B, K] with numpy."""
    rows_, best, top, count = _best(predicted, available)
    p = np.where(available, 1.0 / (count + gamma * (top - predicted)), 0.0)
    return _with_rest(p, rows_, best)


def array_fast_cb(predicted: FloatArray, available: BoolArray, gamma: float) -> FloatArray:
    """Return FastCB's probabilities [B, K] with numpy; losses are 1 - predicted."""
    rows_, best, top, count = _best(predicted, available)
    least = 1.0 - top
    below = count * least + gamma * (top - predicted)
    p = np.divide(least, below, out=np.zeros_like(below), where=available & (least > 0.0))
    return _with_rest(p, rows_, best)


def _best(predicted: FloatArray, available: BoolArray) -> tuple[IntArray, IntArray, FloatArray, IntArray]:
    shown = np.where(available, predicted, -1.0)
    rows_, best = np.arange(len(shown)), shown.argmax(axis=1)
    return rows_, best, shown[rows_, best][:, None], available.sum(axis=1)[:, None]


def _with_rest(p: FloatArray, rows_: IntArray, best: IntArray) -> FloatArray:
    p[rows_, best] = 0.0
    p[rows_, best] = 1.0 - p.sum(axis=1)
    return p


def _data(world: PaymentsWorld) -> tuple[Transactions, IntArray, FloatArray, Transactions]:
    """Return a generation served uniformly: transactions, actions, rewards; and fresh transactions for judging."""
    batch = world.generation(1)
    score = np.where(batch.available, np.random.default_rng(3).random(batch.available.shape), -1.0)
    action = score.argmax(axis=1)
    return batch, action, batch.outcome(action).astype(np.float64), world.judges(BATCH, 1)


def _trees(world: PaymentsWorld, rounds: int, budget: float) -> Iterator[Row]:
    """100 trees of 31 leaves; issuer and action are categories; no early stopping, so both grow all trees."""
    import sklearn  # type: ignore[import-untyped]
    from sklearn.ensemble import HistGradientBoostingClassifier  # type: ignore[import-untyped]

    batch, action, reward, fresh = _data(world)
    d, settings = batch.features.shape[1], PaymentBanditSettings(patience=0)
    ours = GradientTrees(world.settings.issuers, world.actions, settings)
    theirs = HistGradientBoostingClassifier(
        max_iter=100, categorical_features=[d, d + 1], early_stopping=False, random_state=1
    )
    columns = np.column_stack([batch.features, batch.issuer, action])
    peer_name = f"scikit-learn {sklearn.__version__}, histogram trees"
    times = medians(
        {
            "ours": lambda: ours.fit(batch.features, batch.issuer, action, reward, SeedTree(4)),
            "peer": lambda: theirs.fit(columns, reward),
        },
        rounds=rounds, budget=budget,
    )  # fmt: skip
    at = np.argwhere(fresh.available)
    every = np.column_stack([fresh.features[at[:, 0]], fresh.issuer[at[:, 0]], at[:, 1]])

    def predict_ours() -> FloatArray:
        return ours.predict(fresh.features, fresh.issuer, fresh.available)

    def predict_theirs() -> FloatArray:
        return np.asarray(theirs.predict_proba(every)[:, 1])

    errors = _errors(predict_ours()[fresh.available], predict_theirs(), fresh)
    yield Row(
        case=f"fit of 100 trees to {BATCH:,} outcomes", ours=times["ours"], peer=times["peer"], unit="s",
        peer_name=peer_name, ratio=times["peer"] / times["ours"],
        note=f"one thread; error of predicted chances {errors[0]:.4f} and {errors[1]:.4f}",
    )  # fmt: skip
    times = medians({"ours": predict_ours, "peer": predict_theirs}, rounds=rounds, budget=budget)
    yield Row(
        case=f"prediction of {len(at):,} feasible pairs by 100 trees", ours=times["ours"], peer=times["peer"],
        unit="s", peer_name=peer_name, ratio=times["peer"] / times["ours"],
        note="our binning of features once per transaction included; the peer's rows were laid out before",
    )  # fmt: skip


def _regression(world: PaymentsWorld, rounds: int, budget: float) -> Row:
    """One logistic regression with a normal prior: the same objective, the same optimum."""
    import sklearn
    from sklearn.linear_model import LogisticRegression  # type: ignore[import-untyped]

    batch, _, reward, _ = _data(world)
    x = np.zeros((BATCH, 1 + batch.features.shape[1] + world.settings.issuers))
    x[:, 0], x[:, 1 : 1 + batch.features.shape[1]] = 1.0, batch.features
    x[np.arange(BATCH), 1 + batch.features.shape[1] + batch.issuer] = 1.0
    theirs = LogisticRegression(C=1.0, fit_intercept=False, solver="newton-cholesky", tol=1e-8)
    zero, one, everything = np.zeros(x.shape[1]), np.ones(x.shape[1]), np.arange(BATCH)

    def ours() -> FloatArray:
        return regression(batch.features, batch.issuer, reward, everything, zero, one)

    times = medians({"ours": ours, "peer": lambda: theirs.fit(x, reward)}, rounds=rounds, budget=budget)
    gap = float(np.abs(ours() - theirs.coef_[0]).max())
    _demand(gap < 1e-5, f"coefficients differ by {gap:.1e}")
    return Row(
        case=f"one logistic regression, {BATCH:,} x {x.shape[1]}", ours=times["ours"] * 1e3, peer=times["peer"] * 1e3,
        unit="ms", peer_name=f"scikit-learn {sklearn.__version__}, newton-cholesky",
        ratio=times["peer"] / times["ours"], note=f"coefficients differ by {gap:.1e}",
    )  # fmt: skip


def _logistic(world: PaymentsWorld, rounds: int, budget: float) -> Row:
    """Regressions by action around a common one, against one regression on crosses with the action's indicators."""
    import sklearn
    from scipy.sparse import csr_matrix
    from sklearn.linear_model import LogisticRegression

    batch, action, reward, fresh = _data(world)
    ours = LogisticByAction(world.settings.issuers, world.actions, PaymentBanditSettings(oracle="logistic"))
    theirs = LogisticRegression(C=0.1, fit_intercept=False, max_iter=1000)

    def crosses(t: Transactions, row: IntArray, act: IntArray) -> Any:
        """Return common columns, and the same columns again in the block of the action."""
        d, size = t.features.shape[1], 1 + t.features.shape[1] + world.settings.issuers
        one = np.ones((len(row), 1))
        values = np.concatenate([one, t.features[row], one], axis=1)
        place = np.concatenate(
            [np.tile(np.arange(1 + d), (len(row), 1)), (1 + d + t.issuer[row])[:, None]], axis=1
        )  # fmt: skip
        blocks = np.concatenate([place, place + size * (1 + act[:, None])], axis=1)
        ends = np.arange(len(row) + 1) * blocks.shape[1]
        shape = (len(row), size * (1 + world.actions))
        return csr_matrix((np.tile(values, (1, 2)).ravel(), blocks.ravel(), ends), shape=shape)

    columns = crosses(batch, np.arange(BATCH), action)
    times = medians(
        {
            "ours": lambda: ours.fit(batch.features, batch.issuer, action, reward, SeedTree(0)),
            "peer": lambda: theirs.fit(columns, reward),
        },
        rounds=rounds, budget=budget,
    )  # fmt: skip
    at = np.argwhere(fresh.available)
    predicted = ours.predict(fresh.features, fresh.issuer, fresh.available)[fresh.available]
    errors = _errors(predicted, theirs.predict_proba(crosses(fresh, at[:, 0], at[:, 1]))[:, 1], fresh)
    return Row(
        case=f"logistic regression by action, {BATCH:,} outcomes", ours=times["ours"] * 1e3, peer=times["peer"] * 1e3,
        unit="ms", peer_name=f"scikit-learn {sklearn.__version__}, lbfgs on sparse crosses",
        ratio=times["peer"] / times["ours"],
        note=f"one thread; error of predicted chances {errors[0]:.4f} and {errors[1]:.4f}",
    )  # fmt: skip


def _errors(ours: FloatArray, theirs: FloatArray, fresh: Transactions) -> tuple[float, float]:
    """Return root mean square errors of predicted chances of feasible pairs; ours must not be worse than the peer's."""
    truth = fresh.chance[fresh.available]
    own, peer = (float(np.sqrt(((p - truth) ** 2).mean())) for p in (ours, theirs))
    _demand(own < (1.0 + _CLOSE) * peer, f"our error {own:.4f} is above the peer's {peer:.4f}")
    return own, peer


def _demand(holds: bool, otherwise: str) -> None:
    if not holds:
        raise SolverError(f"benchmark payments: {otherwise}")
