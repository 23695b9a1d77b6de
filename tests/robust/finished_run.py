"""A finished run folder without a training: a policy and critics of random weights, written as a run writes them."""

from dataclasses import asdict
from pathlib import Path

import jax
import numpy as np

from micro_rl.core.networks import uniform_mlp
from micro_rl.core.tasks import Task
from micro_rl.policy import Policy
from micro_rl.storage.pytree_io import to_arrays
from micro_rl.storage.run_folder import RunFolder

OBS, ACT = 3, 1  # Pendulum-v1's
SCORES = {"mean_of_last": -1.0, "std_of_last": 0.0, "evaluations": 1, "last": -1.0, "best": -1.0}


def make_finished_run(
    path: Path, horizon: int = 20, seed: int = 0, score_range: tuple[float, float] | tuple[None, None] = (None, None)
) -> Path:
    """Of Pendulum-v1 with short episodes, two of two epochs done."""
    actor_key, critic_key = jax.random.split(jax.random.key(seed))
    actor = uniform_mlp(actor_key, (OBS, 8, 2 * ACT))
    critics = uniform_mlp(critic_key, (OBS + ACT, 8, 1), (2,))
    task = Task("Pendulum-v1", horizon, "never", *score_range)
    log = {"name": "log", "sha256": "ab" * 32, "observation_std": [0.7, 0.7, 3.0]}
    settings = {"epochs": 2, "scale_reward": True, "standardise": True}
    folder = RunFolder.create(path, {"log": log, "task": asdict(task), "method": "micro", "settings": settings})
    folder.append_metrics({"epoch": 2, "eval/return": -1.0})
    arrays = {f"agent.critics.{name}": array for name, array in to_arrays(critics).items()}
    folder.checkpoints.save(2, arrays)
    Policy(
        list(zip(map(np.asarray, actor.weights), map(np.asarray, actor.biases), strict=True)),
        observation_mean=np.zeros(OBS),
        observation_std=np.array([0.7, 0.7, 3.0]),
        action_mid=np.zeros(ACT),
        action_half=np.full(ACT, 2.0),
        environment="Pendulum-v1",
    ).save(path / "policy.safetensors")
    folder.write_scores({"epochs": 2, "planned_epochs": 2, "eval/return": SCORES})
    folder.seal()
    return path
