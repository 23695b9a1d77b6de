"""MICRO's neighbours on the D4RL tasks: what each has its own way, as published with its code.

Sources: [mobile] the authors' repository; [kit] OfflineRL-Kit's run scripts, for MOPO, COMBO and RAMBO and for MOBILE
on the random logs' rollout length. [ours] MOPO, COMBO and RAMBO on the random logs, for which the source has no values:
those of medium; MOReL, whose values for these tasks are not in any: its defaults, and no floor under the targets.
"""

from typing import Any

from micro_rl.algorithms.presets.task_columns import LEVELS, ROBOTS, per_task

_NINE = [f"{robot}-{level}" for robot in ROBOTS for level in LEVELS]
_RANDOM = [f"{robot}-random" for robot in ROBOTS]
_ALL = [*_NINE, *_RANDOM]

# [mobile] deterministic backup, targets of at least 0; rollout length and penalty per task.
_MOBILE = per_task(
    _ALL,
    {"num_samples": 10, "real_ratio": 0.05, "entropy_in_backup": False, "min_target": 0.0, "patience": 5},
    rollout_length=[5, 5, 5, 5, 5, 5, 5, 1, 1, 5, 5, 5],
    penalty=[0.5, 0.1, 1.0, 1.5, 0.1, 1.5, 0.5, 0.5, 1.5, 0.5, 5.0, 2.0],
)
_MOBILE["halfcheetah-medium-expert"]["real_ratio"] = 0.5
for _task in ("hopper-medium", "hopper-medium-replay"):
    _MOBILE[_task] |= {"temperature": 0.2, "learn_temperature": False}
# [kit] for all of its methods; the limit of a fit is `settings.py`'s.
_NO_CLAMP = {
    "min_target": None,
    "learn_temperature": True,
    "temperature": 1.0,
    "patience": 5,
    "max_fit_epochs": 1000,
}
# [kit] rollout length and lambda; entropy in the backup.
_MOPO = per_task(
    _NINE,
    {**_NO_CLAMP, "real_ratio": 0.05, "entropy_in_backup": True},
    rollout_length=[5, 5, 5, 5, 5, 5, 5, 1, 1],
    penalty=[0.5, 0.5, 2.5, 5.0, 2.5, 5.0, 0.5, 2.5, 2.5],
)
# [kit] its scores come from a logsumexp over three values (docs/methods/combo.md); here it is over all.
_COMBO = per_task(
    _NINE,
    {**_NO_CLAMP, "real_ratio": 0.5, "epochs": 1000, "hidden_sizes": (256, 256, 256), "entropy_in_backup": False},
    rollout_length=[5, 5, 5, 5, 5, 5, 1, 1, 1],
    cql_weight=[0.5, 0.5, 5.0, 5.0, 0.5, 5.0, 5.0, 0.5, 5.0],
)
# [kit] observations standardised, no schedule, rollouts four times an epoch; its own fit; the model's steps against the
# policy run along episodes as long as its rollouts.
_RAMBO = per_task(
    _NINE,
    {
        **_NO_CLAMP,
        "real_ratio": 0.5,
        "epochs": 2000,
        "actor_schedule": "constant",
        "temperature_lr": 1e-4,
        "rollout_every": 250,
        "rollouts_kept": 20,
        "standardise": True,
        "model_lr": 3e-4,
        "holdout_fraction": 0.1,
        "patience": 10,
        "logvar_weight": 0.001,
        "entropy_in_backup": True,
    },
    rollout_length=[5, 5, 5, 5, 5, 5, 5, 5, 2],
    adversarial_length=[5, 5, 5, 5, 5, 5, 5, 5, 2],
    adversarial_weight=[3e-4, 3e-4, 0.0, 3e-4, 3e-4, 0.0, 0.0, 0.0, 3e-4],
)
# [ours]
for _own in (_MOPO, _COMBO, _RAMBO):
    _own |= {task: _own[task.replace("random", "medium")] for task in _RANDOM}
# [ours] a floor at 0 would cut off what unknown rows cost.
_MOREL = {task: {"min_target": None} for task in _ALL}

NEIGHBOURS: dict[str, dict[str, dict[str, Any]]] = {
    "mobile": _MOBILE,
    "mopo": _MOPO,
    "combo": _COMBO,
    "rambo": _RAMBO,
    "morel": _MOREL,
}
"""By method and task; a method without values for a task has the task's and its own defaults."""
