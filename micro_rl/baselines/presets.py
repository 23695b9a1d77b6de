"""Model-free methods on the D4RL tasks: their authors' values, with the source of each.

Sources: [td3_bc] the authors' released code; [kit] OfflineRL-Kit's run script, for cloning. Timeouts are dropped, as in
all of them. [ours] how often a checkpoint is kept.
"""

from collections.abc import Mapping
from typing import Any

ROBOTS = ("halfcheetah", "hopper", "walker2d")
LEVELS = ("medium", "medium-replay", "medium-expert", "random")
EVERY_TASK = tuple(f"{robot}-{level}" for robot in ROBOTS for level in LEVELS)

_PUBLISHED: dict[str, Any] = {
    "updates": 1000,
    "discount": 0.99,
    "target_rate": 0.005,
    "critics": 2,
    "standardise": False,
    "scale_reward": False,
    "keep_timeouts": False,
    "evaluation_episodes": 10,
    "evaluate_every": 10,
    "checkpoint_every": 10,
}

# [kit] the same for every task.
_BC = _PUBLISHED | {
    "epochs": 200,
    "batch": 256,
    "hidden": (256, 256),
    "actor_rate": 3e-4,
    "evaluate_every": 1,
    "evaluation_episodes": 20,
}

# [td3_bc] the same for every task: a million updates, evaluated every 5,000; observations standardised.
_TD3_BC = _PUBLISHED | {
    "epochs": 1000,
    "batch": 256,
    "hidden": (256, 256),
    "actor_rate": 3e-4,
    "critic_rate": 3e-4,
    "standardise": True,
    "evaluate_every": 5,
    "weight": 2.5,
    "target_noise": 0.2,
    "noise_limit": 0.5,
    "actor_every": 2,
}

TASKS: Mapping[str, Mapping[str, Mapping[str, Any]]] = {
    "bc": dict.fromkeys(EVERY_TASK, _BC),
    "td3_bc": dict.fromkeys(EVERY_TASK, _TD3_BC),
}
"""By method and task: settings, of which a method takes those it uses, and options."""
