"""Makes the embedded log, micro_rl/data/pendulum-demo.hdf5.

Run it with `python runs/make_pendulum_demo.py`: half a minute on one core. The log that is embedded was made by an
earlier version of the learner: the same recipe now makes another log of the same kind, so give `--out`.
"""

import argparse
from importlib import metadata
from pathlib import Path

import numpy as np

from micro_rl._version import __version__
from micro_rl.data.log_paths import EMBEDDED
from micro_rl.data.writers import hdf5
from micro_rl.simulation.online_sac import Progress, learn, random_experience
from micro_rl.simulation.online_settings import OnlineSettings
from micro_rl.simulation.recorder import joined

ENV, EPISODE = "Pendulum-v1", 200
RANDOM_EPISODES = 50
ENOUGH = -600.0
SEED = 0
LEARNER = OnlineSettings(
    steps=20_000,
    random_steps=1000,
    reward_scale=8.0,
    eval_every=EPISODE,
    eval_episodes=10,
    seed=SEED,
)
RECIPE = (
    f"{RANDOM_EPISODES} episodes of uniformly random actions, then everything that a fresh online soft "
    f"actor-critic saw (sampled actions; the first {LEARNER.random_steps} uniformly random; rewards / "
    f"{LEARNER.reward_scale:g} for its learning; one update a step, in turns of {LEARNER.turn}), evaluated "
    f"after every episode of {EPISODE} steps, until the mean return of {LEARNER.eval_episodes} "
    f"deterministic episodes first passed {ENOUGH:g}, and no further"
)


def main() -> None:
    """Collects, writes and says what came out."""
    parser = argparse.ArgumentParser(description="Makes the embedded log.")
    parser.add_argument("--out", type=Path, default=EMBEDDED["pendulum-demo"])
    out = parser.parse_args().out
    by_chance = random_experience(ENV, RANDOM_EPISODES * EPISODE, SEED + 1)
    last = first_success()
    rows = joined([by_chance, last.experience])
    hdf5.write(out, rows._asdict(), attributes(len(by_chance.rewards), last))
    returns = last.experience.rewards.reshape(-1, EPISODE).sum(1)
    print(f"the learner's episodes: {np.round(returns).astype(int).tolist()}")
    print(f"{out}: {out.stat().st_size:,} bytes")


def first_success() -> Progress:
    """The learner as it stands when its evaluation first passes."""
    for progress in learn(ENV, LEARNER):
        mean = progress.evaluation.returns.mean()
        print(f"step {progress.steps:6d}: evaluation {mean:8.1f}", flush=True)
        if mean > ENOUGH:
            return progress
    raise SystemExit(f"no evaluation passed {ENOUGH:g} in {LEARNER.steps} steps")


def attributes(random_rows: int, last: Progress) -> dict[str, object]:
    """All it takes to know what the file is; with the same versions, to make it again."""
    packages = ("gymnasium", "jax", "numpy")
    return {
        "env": ENV,
        "recipe": RECIPE,
        "command": "python runs/make_pendulum_demo.py",
        "seed": SEED,
        "action_low": last.policy.action_low.astype(np.float32),
        "action_high": last.policy.action_high.astype(np.float32),
        "random_rows": random_rows,
        "learner_rows": last.steps,
        "last_evaluation": float(last.evaluation.returns.mean()),
        "versions": ", ".join([f"micro-rl {__version__}", *(f"{name} {metadata.version(name)}" for name in packages)]),
    }


if __name__ == "__main__":
    main()
