"""Replay recorded update sequences through the project's own functions: `python tests/golden.py FILE...`.

Prints the largest error per quantity, relative to the largest golden value of that array, and exits 1 past a
tolerance. The files were computed by the authors' released implementation of arXiv 2312.03991.
"""

import sys
from pathlib import Path
from zipfile import BadZipFile

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from micro_rl.algorithms import sac
from micro_rl.algorithms.model_based.candidates import CandidateNoise, candidate_values
from micro_rl.algorithms.model_based.gaps import conservative_term
from micro_rl.algorithms.model_based.micro import ConservativeTarget
from micro_rl.algorithms.slots import Method, MethodContext
from micro_rl.core.networks import MLP, Network
from micro_rl.core.optim import init_opt_state
from micro_rl.core.settings import Settings
from micro_rl.core.types import Batch, Transition
from micro_rl.dynamics.ensemble import Ensemble, Members, Models, predict
from micro_rl.dynamics.losses import fit_loss, holdout_errors, likelihood_loss, weight_decay

TOLERANCES = {
    "predicted": 1e-5,
    "f": 1e-5,
    "target": 1e-4,
    "loss": 1e-4,
    "alpha": 1e-4,
    "gradient": 1e-3,
    "change": 1e-3,
    "model_loss": 1e-4,
    "model_gradient": 1e-3,
}
Errors = dict[str, float]

# Compiled once per sizes: a step then costs milliseconds.
predicted = jax.jit(predict)
nll_of, holdout_of = jax.jit(likelihood_loss), jax.jit(holdout_errors)
model_loss = jax.jit(jax.value_and_grad(fit_loss), static_argnums=3)
candidates_of = jax.jit(candidate_values)
targets_of = jax.jit(sac.targets)
updated = jax.jit(sac.update)
critic_gradient_of = jax.jit(jax.grad(sac.critic_loss, has_aux=True))
actor_gradient_of = jax.jit(jax.grad(sac.actor_loss, has_aux=True))


def error(value: object, golden: object) -> float:
    """max |x - golden| / max |golden|, the latter at least 1e-6."""
    value, golden = np.asarray(value, np.float64), np.asarray(golden, np.float64)
    assert value.shape == golden.shape, (value.shape, golden.shape)
    return float(np.max(np.abs(value - golden)) / max(np.max(np.abs(golden)), 1e-6))


class Golden:
    """One recorded file as the project's own structures."""

    def __init__(self, path: Path):
        with path.open("rb") as file:
            self.arrays = dict(np.load(file))
        self.steps = int(self["steps"])
        self.elites = [int(i) for i in self["elites"]]

    def __getitem__(self, key: str) -> np.ndarray:
        return self.arrays[key]

    def layers(self, prefix: str, names: list[str]) -> MLP:
        return MLP(
            tuple(jnp.asarray(self[f"{prefix}/{name}/weight"]) for name in names),
            tuple(jnp.asarray(self[f"{prefix}/{name}/bias"]) for name in names),
        )

    def actor(self, prefix: str) -> MLP:
        """The two heads side by side in one last layer."""
        body = self.layers(prefix, ["layer0", "layer1"])
        heads = self.layers(prefix, ["mean", "log_std"])
        weight, bias = (jnp.concatenate(parts, axis=-1) for parts in (heads.weights, heads.biases))
        return MLP((*body.weights, weight), (*body.biases, bias))

    def critics(self, prefix: str) -> MLP:
        pair = [self.layers(f"{prefix}{k}", ["layer0", "layer1", "layer2"]) for k in (0, 1)]
        return jax.tree.map(lambda *leaves: jnp.asarray(np.stack(leaves)), *pair)

    def ensemble(self) -> Ensemble:
        """All seven members, the elites first and in their order."""
        order = np.asarray(self.elites + [i for i in range(7) if i not in self.elites])
        net = self.layers("model", [f"layer{i}" for i in range(5)])
        members = Members(net, jnp.asarray(self["model/max_logvar"]), jnp.asarray(self["model/min_logvar"]))
        out = members.max_logvar.shape[0]
        scale = (
            jnp.asarray(self["input_mean"]),
            jnp.asarray(self["input_std"]),
            jnp.zeros(out),
            jnp.ones(out),
        )
        self.unordered = Ensemble(members, *scale)
        return eqx.tree_at(lambda e: e.members.net, self.unordered, jax.tree.map(lambda x: np.asarray(x)[order], net))

    def rows(self, step: int, part: str) -> Transition:
        columns = ("observations", "actions", "rewards", "next_observations")
        parts = (jnp.asarray(self[f"step{step}/{part}/{name}"]) for name in columns)
        return Transition(*parts, discount=1.0 - jnp.asarray(self[f"step{step}/{part}/terminals"], jnp.float32))

    def agent(self) -> sac.Agent:
        actor, critics = self.actor("before/actor"), self.critics("before/critic")
        log_alpha = "log_alpha_before" if self["auto_alpha"] else None
        start = float(self[log_alpha]) if log_alpha else float(np.log(self["alpha_before"]))
        moments = (init_opt_state(actor), init_opt_state(critics), init_opt_state(jnp.zeros(())))
        return sac.Agent(actor, critics, self.critics("before/target"), jnp.asarray(start, jnp.float32), *moments)

    def coefficients(self) -> sac.Coefficients:
        numbers = (
            self["gamma"],
            self["tau"],
            self["actor_lr"],
            self["critic_lr"],
            self["alpha_lr"] if self["auto_alpha"] else 0.0,
            self["target_entropy"],
            float(self["entropy_in_backup"]),
            0.0,
            0.0,
        )
        return sac.Coefficients(*(jnp.asarray(number, jnp.float32) for number in numbers))

    def candidate_noise(self, step: int) -> CandidateNoise:
        """For all rows, the log's first; the reward's draw is not used."""
        state, action = (self[f"step{step}/noise/{name}"] for name in ("next_state", "candidate_action"))
        return CandidateNoise(jnp.asarray(state[..., :-1]), jnp.asarray(action))


def check_predictions(golden: Golden) -> Errors:
    both = jax.tree.map(lambda a, b: np.concatenate([a, b]), golden.rows(0, "real"), golden.rows(0, "model"))
    golden.ensemble()
    mean, std = predicted(golden.unordered, both.observation, both.action)
    return {
        "predicted/mean": error(mean, golden["predicted/mean"]),
        "predicted/std": error(std, golden["predicted/std"]),
    }


def check_model_loss(golden: Golden) -> Errors:
    golden.ensemble()
    members, rows = golden.unordered.members, golden.rows(0, "real")
    rows, mean, std = jax.device_get((rows, golden.unordered.input_mean, golden.unordered.input_std))
    inputs = (np.concatenate([rows.observation, rows.action], axis=-1) - mean) / std
    targets = np.concatenate([rows.next_observation - rows.observation, rows.reward[:, None]], axis=-1)
    sizes = Settings().fit_sizes()
    every = [np.broadcast_to(x, (golden.unordered.size, *x.shape)) for x in (inputs, targets)]
    total, gradient = model_loss(members, *every, sizes)
    errors = {
        "model_loss/nll": error(nll_of(members, *every), golden["model_loss/nll"]),
        "model_loss/weight_decay": error(weight_decay(members, sizes.weight_decay), golden["model_loss/weight_decay"]),
        "model_loss/total": error(total, golden["model_loss/total"]),
        "model_loss/holdout_mse": error(holdout_of(members, inputs, targets), golden["model_loss/holdout_mse"]),
        "model_gradient/max_logvar": error(gradient.max_logvar, golden["model_loss/gradient/max_logvar"]),
        "model_gradient/min_logvar": error(gradient.min_logvar, golden["model_loss/gradient/min_logvar"]),
    }
    for kind, leaves in (("weight", gradient.net.weights), ("bias", gradient.net.biases)):
        for i, leaf in enumerate(leaves):
            errors[f"model_gradient/layer{i}/{kind}"] = error(leaf, golden[f"model_loss/gradient/layer{i}/{kind}"])
    return errors


def by_name(actor: MLP, critics: Network, critic_name: str = "critic") -> dict[str, np.ndarray]:
    """Leaves under the names the files use."""
    named: dict[str, np.ndarray] = {}
    for kind, leaves in (("weight", actor.weights), ("bias", actor.biases)):
        named |= {f"actor/layer{i}/{kind}": np.asarray(leaf) for i, leaf in enumerate(leaves[:-1])}
        mean, log_std = np.split(np.asarray(leaves[-1]), 2, axis=-1)
        named |= {f"actor/mean/{kind}": mean, f"actor/log_std/{kind}": log_std}
    return named | critics_by_name(critics, critic_name)


def critics_by_name(critics: Network, critic_name: str) -> dict[str, np.ndarray]:
    return {
        f"{critic_name}{k}/layer{i}/{kind}": np.asarray(leaf)[k]
        for kind, leaves in (("weight", critics.weights), ("bias", critics.biases))
        for i, leaf in enumerate(leaves)
        for k in (0, 1)
    }


def check_step(
    golden: Golden, step: int, agent: sac.Agent, method: Method, models: Models, c: sac.Coefficients
) -> tuple[sac.Agent, Errors]:
    """One recorded update, through `sac.update`; f and the gradients also through the functions in it."""
    batch = Batch(golden.rows(step, "real"), golden.rows(step, "model"))
    both = jax.tree.map(lambda a, b: jnp.asarray(np.concatenate([a, b])), batch.real, batch.model)
    real, at = batch.real.reward.shape[0], f"step{step}"
    candidates = golden.candidate_noise(step)
    noise = sac.Noise(
        jnp.asarray(golden[f"{at}/noise/next_action"]),
        jnp.asarray(golden[f"{at}/noise/actor_action"]),
        jax.tree.map(lambda leaf: leaf[:, :, real:], candidates),
    )
    context = MethodContext(agent.critics, agent.targets, agent.actor, models, c.discount)
    f = conservative_term(candidates_of(context, models.elites, both, candidates))
    errors = {"f": error(f, golden[f"{at}/f"])}
    for name, lowest in (("target/unclamped", -np.inf), ("target", 0.0)):
        limits = c._replace(min_target=jnp.asarray(lowest, jnp.float32))
        y, _ = targets_of(agent, method, models, batch, noise, limits)
        errors[name] = error(y, golden[f"{at}/{name}"])
    after, logged = updated(agent, method, models, batch, noise, jax.random.key(0), c)
    errors["loss/critic"] = error(logged["loss/critic"], golden[f"{at}/loss/critic"])
    errors["loss/actor"] = error(logged["loss/actor"], golden[f"{at}/loss/actor"])
    if golden["auto_alpha"]:
        errors["loss/alpha"] = error(logged["loss/temperature"], golden[f"{at}/loss/alpha"])
        errors["alpha"] = error(logged["temperature"], golden[f"{at}/alpha_after"])
        errors["alpha/log"] = error(after.log_temperature, golden[f"{at}/log_alpha_after"])
    critic_gradient, _ = critic_gradient_of(agent.critics, both, y)
    actor_gradient, _ = actor_gradient_of(
        agent.actor, after.critics, both.observation, noise.actor_action, sac.temperature(agent)
    )
    for name, leaf in by_name(actor_gradient, critic_gradient).items():
        errors[f"gradient/{name}"] = error(leaf, golden[f"{at}/gradient/{name}"])
    return after, errors


def check_file(path: Path) -> Errors:
    """The largest error of every quantity over the whole sequence."""
    golden = Golden(path)
    errors = check_predictions(golden) | check_model_loss(golden)
    models = Models.of(golden.ensemble(), len(golden.elites))
    draws, beta = int(golden["draws"]), jnp.asarray(float(golden["beta"]), jnp.float32)
    method = Method(target=ConservativeTarget(beta=beta, draws=draws))
    agent, c = golden.agent(), golden.coefficients()
    for step in range(golden.steps):
        agent, differences = check_step(golden, step, agent, method, models, c)
        for name, value in differences.items():
            errors[name] = max(value, errors.get(name, 0.0))
    ended = by_name(agent.actor, agent.critics) | critics_by_name(agent.targets, "target")
    for name, leaf in ended.items():
        before, after = golden[f"before/{name}"], golden[f"after/{name}"]
        errors[f"change/{name}"] = error(leaf.astype(np.float64) - before, after.astype(np.float64) - before)
    return errors


def tolerance(name: str) -> float:
    return TOLERANCES[name.split("/")[0]]


def main(paths: list[str]) -> int:
    """Exit code 1 if any quantity of any file is past its tolerance, 2 if there is no file or one cannot be read."""
    if not paths or paths[0].startswith("-"):
        print("usage: python tests/golden.py FILE...", file=sys.stderr)
        return 2
    failed = False
    for path in paths:
        try:
            with jax.default_matmul_precision("highest"):
                errors = check_file(Path(path))
        except (OSError, EOFError, BadZipFile, KeyError, ValueError) as error:
            reason = str(error).splitlines()[0] if str(error) else type(error).__name__
            print(f"{path}: cannot be replayed ({reason}); give a file of recorded updates", file=sys.stderr)
            return 2
        print(path)
        print("  attack/*: not checked here, attacks are not part of this version")
        for name, value in sorted(errors.items()):
            bad = not value <= tolerance(name)
            failed |= bad
            print(f"  {name:42s} {value:9.2e}  of {tolerance(name):.0e}{'  FAILED' if bad else ''}")
    return int(failed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
