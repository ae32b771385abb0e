"""The MRA solver: updates, gradients, states, adaptation, meta steps, certificates, bad input."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch

from equilibria.agents.learning.batches import Batch
from equilibria.agents.learning.response import trained_best_response
from equilibria.agents.learning.rollout import evaluate_returns
from equilibria.agents.learning.settings import PPOSettings
from equilibria.agents.meta_representation.model import play
from equilibria.agents.meta_representation.policy import LatentPolicy
from equilibria.agents.meta_representation.settings import MRASettings
from equilibria.agents.meta_representation.solver import MRA
from equilibria.agents.meta_representation.updates import (
    Samples,
    diversify,
    estimate,
    improve,
    inner_step,
    measure_information,
    recognise,
    shifted,
    surrogate,
)
from equilibria.games.vector.families import PopulationFamily, family
from equilibria.games.vector.particles import ResourceOccupation, TreasureCollection
from equilibria.sim.contract import Solver
from equilibria.sim.errors import InvalidValue, NumericalError, Unsupported, UnsupportedGame
from equilibria.sim.seeds import SeedTree


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def worlds(**options: Any) -> PopulationFamily:
    return family(ResourceOccupation, [2, 3], [5], horizon=5, **options)


def solver(seed: int = 0, **options: Any) -> MRA:
    small: dict[str, Any] = {
        "worlds": 4, "epochs": 1, "minibatches": 2, "information_batch": 16, "evaluation_worlds": 6,
        "adaptation_steps": 3, "adaptation_worlds": 4,
    }  # fmt: skip
    return MRA(worlds(), MRASettings(**(small | options)), seeds=SeedTree(seed))


def samples(made: MRA, n: int = 3) -> Samples:
    return made._collect(n, SeedTree(9), None)[0]


def weights(made: MRA) -> dict[str, np.ndarray]:
    return {name: value.detach().numpy().copy() for name, value in made.model.state_dict().items()}


def changed(before: dict[str, np.ndarray], after: dict[str, np.ndarray]) -> set[str]:
    return {name.split(".")[0] for name in before if not np.array_equal(before[name], after[name])}


def test_it_is_a_solver_and_updates_every_network() -> None:
    made = solver()
    assert isinstance(made, Solver)
    before = weights(made)
    made.step(2)
    assert made.iteration == 2
    assert changed(before, weights(made)) == {"relation", "policy", "critic", "encoder", "predictor"}
    history = made.history()
    assert {"mean_return", "reward_2", "reward_3", "policy_loss", "entropy", "information"} <= history.keys()
    assert all(len(values) == 2 for values in history.values())
    assert made.history() == {}


def test_information_gradients_reach_the_relation_network_only() -> None:
    made = solver(information_steps=2)
    before = weights(made)
    diversify(made.model, {3: samples(made)}, made._optimisers, made.settings, torch.Generator().manual_seed(0))
    assert changed(before, weights(made)) == {"relation"}


def test_task_gradients_reach_encoder_and_predictor_only() -> None:
    made = solver()
    data = {n: samples(made, n) for n in (2, 3)}
    before = weights(made)
    recognise(made.model, data, made._optimisers, made.settings, torch.Generator().manual_seed(0))
    assert changed(before, weights(made)) == {"encoder", "predictor"}


def test_the_return_leaves_relations_alone_when_told_so() -> None:
    made = solver(relation_return=False)
    before = weights(made)
    improve(
        made.model, {3: samples(made)}, {3: None}, made._optimisers, made.settings, torch.Generator().manual_seed(0)
    )
    assert changed(before, weights(made)) == {"policy", "critic"}


def test_the_first_ratio_of_an_update_is_one() -> None:
    made = solver()
    acting, _ = surrogate(made.model, samples(made), made.settings)
    assert acting.max_log_ratio < 1e-5


def test_latents_are_drawn_once_per_agent_and_episode() -> None:
    made = solver(worlds=64)
    data = samples(made).z.view(5, 64, 3)
    assert (data == data[:1]).all()
    assert any(len(set(row.tolist())) > 1 for row in data[0])


def test_advantages_are_normalised_within_each_population() -> None:
    made = solver(worlds=64, reward="team")
    for n in (2, 3):
        found = samples(made, n).advantage
        assert float(found.mean()) == pytest.approx(0.0, abs=1e-4)
        assert float(found.std()) == pytest.approx(1.0, abs=0.01)


def test_information_rises_when_it_is_ascended_and_pauses_at_its_target() -> None:
    made = MRA(
        family(ResourceOccupation, [9], horizon=2),
        MRASettings(worlds=32, information_steps=40, information_rate=3e-2, information_batch=32),
        seeds=SeedTree(3),
    )
    with torch.no_grad():
        made.model.policy.head_out.weight.mul_(100)  # a policy that minds whom it attends to
    data, generator = {9: samples(made, 9)}, torch.Generator().manual_seed(0)
    start = measure_information(made.model, data, made.settings, generator)
    diversify(made.model, data, made._optimisers, made.settings, generator)
    end = measure_information(made.model, data, made.settings, generator)
    assert start < 0.05
    assert 0.1 < end <= np.log(5)
    paused = made.settings.model_copy(update={"information_target": 0.02})
    before = weights(made)
    diversify(made.model, data, made._optimisers, paused, generator)
    assert changed(before, weights(made)) == set()


def test_information_is_exactly_zero_with_identical_heads() -> None:
    made = solver()
    with torch.no_grad():
        relation = made.model.relation
        assert relation.sites is not None
        for layer in (m for net in (relation.others, relation.sites) for m in (net.key_out, net.query_out)):
            for value in (layer.weight, layer.bias):
                heads = value.view(6, 16, *value.shape[1:])
                heads.copy_(heads[:1].expand_as(heads).clone())
    data = samples(made)
    found = estimate(made.model, data.rows, data.z, 5, torch.Generator().manual_seed(0))
    assert abs(float(found.detach())) < 1e-6


def test_two_halves_with_a_saved_state_equal_one_run() -> None:
    whole, first, second = solver(), solver(), solver()
    whole.step(3)
    first.step(1)
    second.load(first.save())
    assert second.latest == first.latest
    second.step(2)
    for name, value in weights(whole).items():
        assert np.array_equal(value, weights(second)[name]), name
    a, b = whole.save(), second.save()
    assert a.arrays.keys() == b.arrays.keys()
    assert all(np.array_equal(a.arrays[k], b.arrays[k]) for k in a.arrays)
    assert np.array_equal(whole.evaluate(5), second.evaluate(5))


def test_seeds_are_reproducible_and_differ() -> None:
    a, b, c = solver(1), solver(1), solver(2)
    for each in (a, b, c):
        each.step(1)
    assert changed(weights(a), weights(b)) == set()
    assert "policy" in changed(weights(a), weights(c))


def test_one_set_of_networks_plays_any_population() -> None:
    made = solver()
    for n in (2, 3, 24):
        returns = made.evaluate(n, 3)
        assert returns.shape == (3,)
        assert (returns >= 0).all() and (returns <= 10.5).all()
    assert np.array_equal(made.evaluate(24, 3), made.evaluate(24, 3))


def test_treasure_collection_trains_too() -> None:
    game = family(TreasureCollection, [2, 4], [6], horizon=5)
    made = MRA(game, MRASettings(worlds=4, epochs=1, information_batch=16, evaluation_worlds=4), seeds=SeedTree(0))
    made.step(1)
    assert made.evaluate(6).shape == (4,)


def test_a_single_latent_is_a_shared_policy_without_information() -> None:
    made = solver(latents=1)
    made.step(1)
    assert "information" not in made.latest
    assert made.certificate().value == 0.0


def test_adaptation_moves_the_latents_and_leaves_the_model_as_it_was() -> None:
    made = solver(adaptation_rate=0.5, adaptation_steps=10, adaptation_relation_rate=1e-2, adaptation_policy_rate=1e-2)
    before = weights(made)
    found = made.adapt(5)
    assert changed(before, weights(made)) == set()
    assert found.history.shape == (10,)
    assert float(found.log_p.exp().sum()) == pytest.approx(1.0, abs=1e-5)
    assert found.kept == (found.gain > 0) == (found.weights is not None)
    assert made.adapt(5) is found
    made.step(1)
    assert made.adapt(5) is not found


def test_adaptation_finds_the_latent_that_pays(monkeypatch: pytest.MonkeyPatch) -> None:
    from equilibria.agents.meta_representation import adaptation

    def rigged(*args: Any, **kwargs: Any) -> Any:
        played = play(*args, **kwargs)
        good = (played.z == 2).numpy().astype(np.float64)
        played.reward[:] = good
        played.team[:] = good.sum(axis=1)
        return played

    monkeypatch.setattr(adaptation, "play", rigged)
    made = solver(adaptation_rate=0.05, adaptation_steps=20, adaptation_worlds=12)
    found = made.adapt(5)
    assert found.kept
    assert found.gain > 0
    start = made.model.latent_log_p(5).exp()
    assert float(found.log_p.exp()[2]) > float(start[2]) + 0.1
    assert int(found.log_p.argmax()) == 2


def test_a_critic_that_foresees_part_of_the_credit_removes_that_part() -> None:
    from equilibria.agents.meta_representation.adaptation import _unexplained

    random = np.random.default_rng(0)
    foreseen, luck = random.normal(size=(2, 50, 8))
    for level, scale in ((0.0, 1.0), (7.0, -3.0)):  # neither its level nor its scale matters
        found = _unexplained(2.0 * foreseen + 0.5 * luck, level + scale * foreseen, (0, 1)).numpy()
        assert found.std() == pytest.approx(1.0, abs=1e-3)
        assert np.corrcoef(found.ravel(), foreseen.ravel())[0, 1] == pytest.approx(0.0, abs=1e-5)
        assert np.corrcoef(found.ravel(), luck.ravel())[0, 1] > 0.99
    blind = _unexplained(luck, np.zeros_like(luck), (0, 1)).numpy()
    assert np.corrcoef(blind.ravel(), luck.ravel())[0, 1] > 1 - 1e-6


def test_the_baseline_of_a_latent_does_not_know_that_latent() -> None:
    from equilibria.agents.meta_representation.adaptation import _worth

    made = solver()
    log_p = made.model.latent_log_p(5)
    found = []
    for latent in (0, 3):
        z = torch.full((4, 5), latent)
        played = play(made.model, worlds().world(5), z, 3, torch.Generator().manual_seed(1))
        found.append(_worth(made.model, played, log_p, torch.Generator().manual_seed(2)))
    assert np.array_equal(found[0], found[1])


def test_worse_latents_are_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    from equilibria.agents.meta_representation import adaptation

    made = solver()
    calls: list[float] = []

    def rigged(*args: Any, **kwargs: Any) -> np.ndarray:
        calls.append(1.0)
        return np.array([1.0 if len(calls) == 1 else 2.0])  # adapted first, then the start

    monkeypatch.setattr(adaptation, "evaluate", rigged)
    found = made.adapt(5)
    assert not found.kept
    assert found.gain == -1.0
    assert torch.equal(found.log_p, made.model.latent_log_p(5))


def test_meta_gradients_are_taken_at_shifted_weights_and_applied_to_the_first() -> None:
    made = solver(meta_rate=0.1)
    data = samples(made)
    offsets = inner_step(made.model, data, made.settings)
    assert any(bool(o.any()) for o in offsets)
    before = weights(made)
    with shifted(made.model.relation, offsets):
        assert changed(before, weights(made)) == {"relation"}
        moved, _ = surrogate(made.model, data, made.settings)
        slopes = torch.autograd.grad(moved.loss, list(made.model.relation.parameters()), allow_unused=True)
    assert changed(before, weights(made)) == set()
    plain, _ = surrogate(made.model, data, made.settings)
    others = torch.autograd.grad(plain.loss, list(made.model.relation.parameters()), allow_unused=True)
    assert any(a is not None and b is not None and not torch.equal(a, b) for a, b in zip(slopes, others, strict=True))
    made.step(1)
    assert changed(before, weights(made)) >= {"relation", "policy"}


def test_the_certificate_is_a_lower_bound_over_latents() -> None:
    made = solver()
    made.step(1)
    found = made.certificate()
    assert found.kind == "lower bound"
    assert 0.0 <= found.low <= found.value <= found.high
    assert set(found.details["returns"]) == {"2", "3", "5"}  # type: ignore[arg-type]


def test_a_team_plays_in_the_tools_of_the_learning_core() -> None:
    made, world = solver(), worlds().world(5)
    players = {"agent": made.player(5, greedy=True)}
    returns = evaluate_returns(world, players, episodes=400, key=3)
    assert returns.shape == (400, 5)
    own = made.evaluate(5, 400) * world.horizon
    assert abs(returns[:, 0].mean() - own.mean()) < 4 * own.std() / np.sqrt(200)
    found = trained_best_response(
        world,
        players,
        (0,),
        settings=PPOSettings(worlds=4, steps=5, epochs=1),
        updates=1,
        episodes=8,
        seeds=SeedTree(1),
    )
    assert found.low <= found.gain <= found.high
    with pytest.raises(InvalidValue, match=r"play 3 agents with 6 sites"):
        evaluate_returns(world, {"agent": made.player(3)}, episodes=1, key=0)


def test_a_latent_policy_evaluates_what_it_acted() -> None:
    made = solver()
    policy = LatentPolicy(made.model, 3, made.model.latent_log_p(3))
    generator = torch.Generator().manual_seed(0)
    obs = torch.from_numpy(worlds().world(3).reset(1, 7).observation)
    context = policy.begin(7, generator)
    action = policy.act(obs, None, context, generator)
    assert action.context["latent"] is context["latent"]
    empty = torch.zeros(7)
    batch = Batch(
        obs, empty, None, action.actions, action.log_prob, empty, empty, empty, None, empty, empty, extras=action.extras
    )
    found = policy.evaluate(batch)
    torch.testing.assert_close(found.log_prob, action.log_prob, atol=1e-5, rtol=1e-4)
    assert found.entropy.requires_grad


def test_tables_list_the_latents_of_every_population() -> None:
    made = solver()
    table = made.table("latents")
    assert table["agents"].tolist() == [2] * 6 + [3] * 6 + [5] * 6
    assert table["probability"].reshape(3, 6).sum(axis=1) == pytest.approx(1.0, abs=1e-6)
    with pytest.raises(InvalidValue, match="offers the tables latents"):
        made.table("policy")


def test_weights_that_are_not_finite_stop_the_run_by_name() -> None:
    made = solver()
    with torch.no_grad():
        made.model.policy.head_out.bias[0] = float("nan")
    with pytest.raises(NumericalError, match="action logit of agent 0 of 2 in world 0 at step 0 became nan at unit 0"):
        made.step(1)
    assert made.iteration == 0


def test_wrong_games_opponents_and_states_are_refused_by_name() -> None:
    with pytest.raises(UnsupportedGame, match="plays families of worlds"):
        MRA(ResourceOccupation(3))  # type: ignore[arg-type]
    made = solver()
    with pytest.raises(Unsupported, match="meets no opponents"):
        made.meet({"other": object()})
    with pytest.raises(InvalidValue, match="expected 'mra'"):
        made.load(solver().save().nested("x"))
    with pytest.raises(InvalidValue, match="use the settings the state was made with"):
        made.load(solver(latents=2).save())
