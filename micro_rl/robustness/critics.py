"""The critics that attack: read from runs, and asked in the attacked policy's units."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import jax.numpy as jnp
import numpy as np

from micro_rl.core.networks import MLP, Network, NormalisedMLP
from micro_rl.core.wording import plural
from micro_rl.errors import UserError
from micro_rl.policy import Policy
from micro_rl.robustness.attacks import Critics
from micro_rl.storage.run_folder import RunFolder


def critics_of(runs: Sequence[Path], policy: Policy) -> tuple[Critics, ...]:
    """Every run's critics, to be asked by the attacker of `policy`.

    Args:
        runs: Run folders.
        policy: The attacked policy, in whose units they are asked.

    Returns:
        The critics of each run.

    Raises:
        UserError: A run has none (cloning), has no checkpoint left, or is of another system, or several were trained on
            different logs or rewards, whose values cannot be averaged.
    """
    folders = [RunFolder.open(run) for run in runs]
    _check_alike(folders)
    return tuple(_critics_of(folder, policy) for folder in folders)


def _check_alike(folders: Sequence[RunFolder]) -> None:
    values = [
        (folder.config().get("log", {}).get("sha256"), folder.config().get("settings", {}).get("scale_reward"))
        for folder in folders
    ]
    for folder, value in zip(folders, values, strict=True):
        if value != values[0]:
            raise UserError(
                f"{folder.path}: was trained on another log or reward scale than {folders[0].path}, so their critics' "
                "values cannot be averaged; name runs of one log with --critic"
            )


def _critics_of(folder: RunFolder, attacked: Policy) -> Critics:
    checkpoint = folder.checkpoints.newest()
    if checkpoint is None:
        raise UserError(
            f"{folder.path}: has no checkpoint, so its critics are not known; name another run with --critic"
        )
    net = critics_in(checkpoint.arrays)
    if net is None:
        method = folder.config().get("method")
        raise UserError(f"{folder.path}: its method ({method}) has no critics; name another run with --critic")
    own = Policy.load(folder.path / "policy.safetensors")
    if (own.observation_size, own.action_size, own.history) != (attacked.observation_size, attacked.action_size, 1):
        raise UserError(
            f"{folder.path}: its critics take {plural(own.observation_size, 'observation')}, "
            f"{plural(own.action_size, 'action')} and a "
            f"history of {own.history}, the attacked policy {attacked.observation_size}, {attacked.action_size} and 1: "
            "name a run of the same system with --critic"
        )
    return _in_units_of(net, own, attacked)


def _in_units_of(net: Network, own: Policy, attacked: Policy) -> Critics:
    """The affine maps between two runs' core units, by way of raw ones."""
    maps = (
        attacked.observation_std / own.observation_std,
        (attacked.observation_mean - own.observation_mean) / own.observation_std,
        attacked.action_half / own.action_half,
        (attacked.action_mid - own.action_mid) / own.action_half,
    )
    return Critics(net, *(jnp.asarray(part, jnp.float32) for part in maps))


def critics_in(arrays: Mapping[str, np.ndarray]) -> Network | None:
    """Find the online critics among a checkpoint's arrays, plain or normalised; None where there are none."""
    plain, within = _numbered(arrays, "agent.critics.weights"), _numbered(arrays, "agent.critics.net.weights")
    if plain:
        return MLP(plain, _numbered(arrays, "agent.critics.biases"))
    if within:
        net = MLP(within, _numbered(arrays, "agent.critics.net.biases"))
        scales, shifts = (_numbered(arrays, f"agent.critics.{part}") for part in ("scales", "shifts"))
        return NormalisedMLP(net, scales, shifts)
    return None


def _numbered(arrays: Mapping[str, np.ndarray], prefix: str) -> tuple:
    """Arrays called prefix.0, prefix.1 and so on."""
    count = sum(re.fullmatch(re.escape(prefix) + r"\.[0-9]+", name) is not None for name in arrays)
    return tuple(jnp.asarray(arrays[f"{prefix}.{number}"]) for number in range(count))
