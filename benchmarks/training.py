"""Acting and training on simple spread with 3 agents, two layers of 64 units, one thread; part of ``marl``.

Peers: the same update written with torch's own layers, losses and optimiser, and BenchMARL's MAPPO on VMAS's simple
spread, when it is installed.  The arithmetic limit is the rate at which torch multiplies large matrices.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.util
import tempfile
import time
from collections.abc import Callable, Iterator
from typing import Any

import torch

from equilibria.agents.learning.learner import Learner
from equilibria.agents.learning.networks import Trunk
from equilibria.agents.learning.settings import MAPPOSettings
from equilibria.agents.learning.tensors import one_thread
from equilibria.benchmarks.common import Row, medians
from equilibria.games.vector.spread import SimpleSpread
from equilibria.sim.seeds import SeedTree

WORLDS, STEPS = 128, 25
UNIT = "world steps/s"
_CUBE = 768


def training_rows(rounds: int, budget: float) -> Iterator[Row]:
    """Yield the rows of the first update, of acting and of training."""
    start = time.process_time()
    learner(4, 4).step()
    yield Row(
        case="first MAPPO update, 128 worlds x 25",
        ours=time.process_time() - start,
        unit="s",
        target=5.0,
        note="with a warm compile cache; imports excluded",
    )
    yield _acting(rounds, budget)
    for epochs, parts, target in ((10, 1, None), (4, 4, 30_000.0), (2, 4, None)):
        yield _update(epochs, parts, target, rounds, budget)
    if importlib.util.find_spec("benchmarl") is not None:
        for epochs, parts in ((10, 1), (4, 4)):
            yield _against_benchmarl(epochs, parts, rounds, budget)


class Plain(Learner):
    """The same learner through torch's autograd and optimiser."""

    compiled = False


def learner(epochs: int, parts: int, kind: type[Learner] = Learner) -> Learner:
    """Return MAPPO on simple spread with so many passes of so many minibatches."""
    settings = MAPPOSettings(worlds=WORLDS, steps=STEPS, epochs=epochs, minibatches=parts)
    return kind(SimpleSpread(), settings, seeds=SeedTree(1))


def operations(epochs: int) -> float:
    """Return the floating-point operations of matrix products per world step: acting, values and the passes."""
    agents, hidden, actions = 3, 64, 5
    actor = agents * ((18 + agents) * hidden + hidden * hidden + hidden * actions)
    critic = agents * 18 * hidden + hidden * hidden + hidden * agents
    below = agents * (hidden * hidden + hidden * actions) + hidden * hidden + hidden * agents
    return 2.0 * (actor + critic) * (1 + 2 * epochs) + 2.0 * below * epochs


def _product() -> Callable[[], object]:
    a, b, out = (torch.ones(_CUBE, _CUBE) for _ in range(3))

    def multiply() -> None:
        with one_thread():
            torch.mm(a, b, out=out)

    return multiply


def _acting(rounds: int, budget: float) -> Row:
    acting = Learner(SimpleSpread(), MAPPOSettings(worlds=1024, steps=STEPS), seeds=SeedTree(1))
    acting.step()
    rollout, buffer = acting._worlds(), acting._storage()

    def act() -> None:
        with one_thread():
            rollout.collect(acting.updates.acting(), acting.critic, acting._generator, buffer)

    times = medians({"act": act}, rounds=rounds, budget=budget)
    return Row(case="acting with values, 1024 worlds", ours=1024 * STEPS / times["act"], unit=UNIT, target=250_000.0)


def _update(epochs: int, parts: int, target: float | None, rounds: int, budget: float) -> Row:
    plain = learner(epochs, parts, Plain)

    def torch_only() -> None:
        fast = Trunk.headed
        Trunk.headed = _plain_headed  # type: ignore[method-assign]
        try:
            plain.step()
        finally:
            Trunk.headed = fast  # type: ignore[method-assign]

    functions = {"ours": learner(epochs, parts).step, "peer": torch_only, "limit": _product()}
    times = medians(functions, rounds=rounds, budget=budget)
    rate = WORLDS * STEPS / times["ours"]
    peak = 2.0 * _CUBE**3 / times["limit"]
    return Row(
        case=f"MAPPO, 128 worlds x 25, {epochs} passes x {parts} minibatches",
        ours=rate,
        peer=WORLDS * STEPS / times["peer"],
        peer_name=f"the same with layers of torch {importlib.metadata.version('torch')}",
        unit=UNIT,
        ratio=times["peer"] / times["ours"],
        limit_fraction=rate * operations(epochs) / peak,
        note="" if target is None else f"promised: {target:,.0f} world steps/s",
    )


def _plain_headed(self: Any, head: Any, x: Any, hidden: Any = None, begun: Any = None) -> tuple[Any, Any]:
    """Do what ``Trunk.headed`` does with torch's layers."""
    seen = self._seen(x)
    for linear, norm in zip(self.linears, self.norms, strict=True):
        seen = torch.nn.functional.linear(seen, linear.weight[0], linear.bias[0])
        seen = torch.nn.functional.layer_norm(torch.tanh(seen), seen.shape[-1:], norm.weight[0], norm.bias[0])
    return torch.nn.functional.linear(seen, head.weight[0], head.bias[0]), None


def _against_benchmarl(epochs: int, parts: int, rounds: int, budget: float) -> Row:
    """Compare with BenchMARL: same worlds, steps, passes, minibatches, layers and normalisation."""
    with tempfile.TemporaryDirectory() as folder:
        peer = _benchmarl(epochs, parts, folder)
        times = medians({"ours": learner(epochs, parts).step, "peer": peer}, rounds=rounds, budget=budget)
    names = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in ("benchmarl", "torchrl", "vmas"))
    return Row(
        case=f"MAPPO against BenchMARL, {epochs} passes x {parts} minibatches",
        ours=WORLDS * STEPS / times["ours"],
        peer=WORLDS * STEPS / times["peer"],
        peer_name=names,
        unit=UNIT,
        ratio=times["peer"] / times["ours"],
        target=3.0,
    )


def _benchmarl(epochs: int, parts: int, folder: str) -> Callable[[], object]:
    """Return a call that does one iteration of BenchMARL's MAPPO on one thread, without its logging."""
    algorithms, experiments, models, tasks = (
        importlib.import_module(f"benchmarl.{name}")
        for name in ("algorithms", "experiment", "models.mlp", "environments")
    )
    config = experiments.ExperimentConfig.get_from_yaml()
    wanted = {
        "sampling_device": "cpu", "train_device": "cpu", "buffer_device": "cpu", "prefer_continuous_actions": False,
        "gamma": 0.99, "lr": 7e-4, "adam_eps": 1e-5, "clip_grad_val": 10.0, "max_n_iters": 100_000,
        "max_n_frames": None, "on_policy_collected_frames_per_batch": WORLDS * STEPS,
        "on_policy_n_envs_per_worker": WORLDS, "on_policy_n_minibatch_iters": epochs,
        "on_policy_minibatch_size": WORLDS * STEPS // parts, "evaluation": False, "render": False, "loggers": [],
        "create_json": False, "checkpoint_interval": 0, "save_folder": folder,
    }  # fmt: skip
    for name, value in wanted.items():
        setattr(config, name, value)
    algorithm = algorithms.MappoConfig.get_from_yaml()
    algorithm.entropy_coef, algorithm.lmbda, algorithm.loss_critic_type = 0.01, 0.95, "smooth_l1"
    task = tasks.VmasTask.SIMPLE_SPREAD.get_from_yaml()
    task.config.update(max_steps=STEPS, n_agents=3)
    model = models.MlpConfig(
        num_cells=[64, 64], activation_class=torch.nn.Tanh, layer_class=torch.nn.Linear,
        norm_class=torch.nn.LayerNorm, norm_kwargs={"normalized_shape": 64},
    )  # fmt: skip
    experiment = experiments.Experiment(
        task=task, algorithm_config=algorithm, model_config=model, critic_model_config=model, seed=0, config=config
    )
    batches = iter(experiment.collector)

    def iterate() -> None:
        with one_thread():
            batch = next(batches).detach()
            batch = batch.exclude(*experiment._get_excluded_keys("agents"))
            batch = experiment.algorithm.process_batch("agents", batch).reshape(-1)
            experiment.replay_buffers["agents"].extend(batch)
            for _ in range(epochs * parts):
                experiment._optimizer_loop("agents")
            experiment.collector.update_policy_weights_()

    return iterate
