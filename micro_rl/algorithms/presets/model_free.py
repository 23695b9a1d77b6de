"""Model-free methods on the D4RL tasks: their authors' values, with the source of each.

Sources: [authors] the released code of TD3+BC and of IQL; [corl] CORL's per-task files, for SAC-N and EDAC, and for
ReBRAC, whose authors keep them; [kit] OfflineRL-Kit's run scripts, for CQL and cloning and for EDAC's eta. Timeouts
are dropped, as in all of them. [ours] how often a checkpoint is kept; SAC-N and EDAC on the random logs, for which the
sources have no values: those of medium; IQL's rewards, divided by their root mean square (see docs/methods/iql.md).
"""

from collections.abc import Mapping
from typing import Any

from micro_rl.algorithms.presets.task_columns import LEVELS, ROBOTS, per_task

EVERY_TASK = tuple(f"{robot}-{level}" for robot in ROBOTS for level in (*LEVELS, "random"))

_PUBLISHED: dict[str, Any] = {
    "epochs": 1000,
    "updates_per_epoch": 1000,
    "batch_size": 256,
    "discount": 0.99,
    "tau": 0.005,
    "num_critics": 2,
    "hidden_sizes": (256, 256),
    "actor_lr": 3e-4,
    "critic_lr": 3e-4,
    "temperature_lr": 3e-4,
    "standardise": False,
    "scale_reward": False,
    "keep_timeouts": False,
    "eval_every": 5,
    "eval_episodes": 10,
    "checkpoint_every": 10,
}
# [kit] the same for every task.
_BC = _PUBLISHED | {"epochs": 200, "eval_every": 1, "eval_episodes": 20}
# [authors] the same for every task, observations standardised.
_TD3 = {"policy_noise": 0.2, "noise_clip": 0.5, "policy_delay": 2}
_TD3_BC = _PUBLISHED | _TD3 | {"standardise": True, "alpha": 2.5}
# [authors] the same for every task.
_IQL = _PUBLISHED | {"actor_schedule": "cosine", "scale_reward": True, "expectile": 0.7, "inverse_temperature": 3.0}
# [kit] the same for every task.
_SLOW_ACTOR = {"hidden_sizes": (256, 256, 256), "actor_lr": 1e-4, "temperature_lr": 1e-4}
_CQL = _PUBLISHED | _SLOW_ACTOR | {"entropy_in_backup": False, "eval_every": 1, "cql_weight": 5.0, "drawn_actions": 10}
# [corl]
_MANY_CRITICS = _PUBLISHED | {"epochs": 3000, "hidden_sizes": (256, 256, 256)}
_SAC_N = per_task(EVERY_TASK, _MANY_CRITICS, num_critics=(10, 10, 10, 10, 500, 200, 200, 500, 20, 20, 20, 20))
# [corl] for all but eta, [kit].
_EDAC = per_task(
    EVERY_TASK,
    _MANY_CRITICS,
    num_critics=(10, 10, 10, 10, 50, 50, 50, 50, 10, 10, 10, 10),
    eta=(1.0, 1.0, 5.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 5.0, 1.0),
)
# [corl]
_REBRAC = per_task(
    EVERY_TASK,
    _PUBLISHED | _TD3 | {"batch_size": 1024, "hidden_sizes": (256, 256, 256), "actor_lr": 1e-3, "critic_lr": 1e-3},
    actor_weight=(0.001, 0.01, 0.01, 0.001, 0.01, 0.05, 0.1, 0.001, 0.05, 0.05, 0.01, 0.01),
    critic_weight=(0.01, 0.001, 0.1, 0.1, 0.01, 0.5, 0.01, 0.01, 0.1, 0.01, 0.01, 0.0),
)

TASKS: Mapping[str, Mapping[str, Mapping[str, Any]]] = {
    "td3_bc": dict.fromkeys(EVERY_TASK, _TD3_BC),
    "iql": dict.fromkeys(EVERY_TASK, _IQL),
    "cql": dict.fromkeys(EVERY_TASK, _CQL),
    "edac": _EDAC,
    "sac_n": _SAC_N,
    "rebrac": _REBRAC,
    "bc": dict.fromkeys(EVERY_TASK, _BC),
}
"""By method and task: settings, of which a method takes those it uses, and options."""
