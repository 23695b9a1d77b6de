"""Other names of settings and options: those up to format 2 of a run folder, and those of other libraries."""

import re
from collections.abc import Collection, Mapping
from types import MappingProxyType
from typing import Any

SETTINGS: Mapping[str, str] = MappingProxyType(
    {
        "actor_rate": "actor_lr",
        "critic_rate": "critic_lr",
        "temperature_rate": "temperature_lr",
        "model_rate": "model_lr",
        "rate": "lr",
        "target_rate": "tau",
        "updates": "updates_per_epoch",
        "batch": "batch_size",
        "model_batch": "model_batch_size",
        "members": "ensemble_size",
        "elites": "num_elites",
        "critics": "num_critics",
        "hidden": "hidden_sizes",
        "model_hidden": "model_hidden_sizes",
        "anchor": "bc_weight",
        "minimum_target": "min_target",
        "rollout_starts": "rollout_batch_size",
        "evaluate_every": "eval_every",
        "evaluation_episodes": "eval_episodes",
    }
)
"""Of runs, of fits and of the learners that collect logs (`rate` is theirs)."""

_TD3 = {"target_noise": "policy_noise", "noise_limit": "noise_clip", "actor_every": "policy_delay"}
OPTIONS: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {
        "micro": {"draws": "num_samples"},
        "mobile": {"draws": "num_samples"},
        "combo": {"weight": "cql_weight"},
        "rambo": {
            "adversarial_rate": "adversarial_lr",
            "adversarial_batch": "adversarial_batch_size",
            "clone_rate": "clone_lr",
        },
        "td3_bc": {"weight": "alpha", **_TD3},
        "rebrac": _TD3,
        "cql": {"weight": "cql_weight"},
        "iql": {"sharpness": "inverse_temperature"},
        "edac": {"diversity": "eta"},
    }
)
"""By method."""


LATER: Mapping[str, Any] = MappingProxyType({"model_lr_drops": 0})
"""What older folders have of settings that came later, where today's default is another; they stand beside a fit's."""


def new_name(old: str, known: Collection[str]) -> str | None:
    """Which of the known settings and options had this name; None where none had."""
    return next((table[old] for table in (SETTINGS, *OPTIONS.values()) if table.get(old) in known), None)


ELSEWHERE: Mapping[str, str] = MappingProxyType(
    {
        "learning_rate": "lr",
        "gamma": "discount",
        "discount_factor": "discount",
        "polyak": "tau",
        "batchsize": "batch_size",
        "n": "num",
        "number": "num",
        "output": "out",
        "dir": "out",
    }
)
"""Words of other libraries, and ours for them."""


def in_our_words(name: str) -> str:
    """A name as it would be called here, to look for what is near it: `learning_rate` as `lr`."""
    name = name.replace("-", "_")
    for theirs, ours in ELSEWHERE.items():
        name = re.sub(rf"(?<![^_]){theirs}(?![^_])", ours, name)
    return name


def renamed(values: Mapping[str, Any], names: Mapping[str, str] = SETTINGS) -> dict[str, Any]:
    """The same values in the same order under the present names."""
    return {names.get(name, name): value for name, value in values.items()}


def renamed_config(config: Mapping[str, Any]) -> dict[str, Any]:
    """A config.json with its settings and options under the present names; what is no object is left as it is.

    Settings of a fit that it does not name yet are as they were then.
    """
    tables = {"settings": SETTINGS, "options": OPTIONS.get(str(config.get("method")), {})}
    parts = {part: config[part] for part in tables if isinstance(config.get(part), dict)}
    present = {part: renamed(values, tables[part]) for part, values in parts.items()}
    if "model_lr" in present.get("settings", {}):
        present["settings"] = {**LATER, **present["settings"]}
    return dict(config) | present
