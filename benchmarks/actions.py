"""What an update costs as actions grow: `python -m benchmarks.actions [--quick]`.

Hopper's settings with 11 observations and 1 to 28 actions, and with 39 and 28 as Minari's hand has them:
the whole update of three methods (a tenth of an epoch's rollouts included), and by themselves the parts of MICRO's with
one draw: target, critics' step, actor's step. Parts are programs of their own, so that their sum is not the whole.
"""

import argparse
import shlex
import sys
from collections.abc import Callable
from functools import partial

import jax
import jax.numpy as jnp
from jax import Array
from rich.console import Console

from benchmarks import machine, table
from benchmarks.measure import Figure, Timing, interleaved
from benchmarks.workload import FULL, KEYS, OBS, QUICK, Case, Scale, fresh_ensemble, hopper, make_problem, training
from micro_rl.algorithms.coefficients import coefficients
from micro_rl.algorithms.model_based import micro, sac_on_model
from micro_rl.algorithms.sac import (
    Agent,
    Noise,
    anchored_loss,
    critic_loss,
    draw_noise,
    start_agent,
    targets,
    temperature,
)
from micro_rl.algorithms.slots import Method
from micro_rl.core.optim import adam_step
from micro_rl.core.settings import Settings
from micro_rl.core.types import Batch, Transition
from micro_rl.dynamics.ensemble import Models

SIZES = ((OBS, 1), (OBS, 3), (OBS, 6), (OBS, 12), (OBS, 28), (39, 28))
"""Observations and actions; the last are Minari's hand."""
METHODS: dict[str, Callable[[], Method]] = {
    "SAC on the model": lambda: sac_on_model.build(sac_on_model.Options()),
    "MICRO, 1 draw": lambda: micro.build(micro.Options(num_samples=1)),
    "MICRO, 10 draws": lambda: micro.build(micro.Options(num_samples=10)),
}
STARTS_PER_UPDATE = 50
LONG = FULL._replace(blocks=3, block_seconds=0.7, log_rows=100_000)
Part = Callable[[Agent, Batch, Noise], Agent]


def whole(label: str, size: tuple[int, int], scale: Scale) -> Case:
    """A tenth of an epoch of the method, rollouts included."""
    settings = hopper(updates_per_epoch=scale.updates, rollout_batch_size=STARTS_PER_UPDATE * scale.updates)
    name = f"{label}, {size[0]} observations, {size[1]} actions"
    case = training(name, name, make_problem(scale.log_rows, *size), settings, METHODS[label](), None, scale.updates)
    return case._replace(flops=0)


def part(label: str, size: tuple[int, int], scale: Scale) -> Case:
    """So many times one part of MICRO's update, each with draws of its own."""
    settings = hopper()
    method, problem = METHODS["MICRO, 1 draw"](), make_problem(scale.log_rows, *size)
    models = Models.of(fresh_ensemble(problem, settings), settings.num_elites)
    agent = start_agent(KEYS.agent, *size, settings.hidden_sizes, settings.num_critics, settings.temperature)
    step, log = parts(method, models, settings, size[1])[label], problem.log
    assert isinstance(log, Transition)

    @jax.jit
    def repeated(agent: Agent) -> Agent:
        def once(agent: Agent, number: Array) -> tuple[Agent, None]:
            row_key, noise_key = jax.random.split(jax.random.fold_in(KEYS.epochs, number))
            batch = drawn(row_key, log, settings)
            return step(agent, batch, draw_noise(noise_key, method, batch, models)), None

        return jax.lax.scan(once, agent, jnp.arange(scale.updates))[0]

    def call() -> None:
        jax.block_until_ready(repeated(agent))

    name = f"{label}, {size[0]} observations, {size[1]} actions"
    return Case(name, name, call, partial(repeated.lower, agent), 0, scale.updates)


def drawn(key: Array, log: Transition, settings: Settings) -> Batch:
    """Rows of the log, as many for either half as an update has; other ones each time, or XLA would predict once."""
    number = jax.random.randint(key, (settings.batch_size,), 0, log.reward.shape[0])
    rows, real = jax.tree.map(lambda column: column[number], log), settings.sizes().real_rows
    return Batch(
        *(jax.tree.map(lambda column, half=half: column[half], rows) for half in (slice(real), slice(real, None)))
    )


def joined(batch: Batch) -> Transition:
    """Both halves."""
    return jax.tree.map(lambda real, model: jnp.concatenate([real, model]), batch.real, batch.model)


def parts(method: Method, models: Models, settings: Settings, act: int) -> dict[str, Part]:
    """What an update is made of, each as a change of the agent."""
    c = coefficients(settings, act)

    def target(agent: Agent, batch: Batch, noise: Noise) -> Agent:
        y, _ = targets(agent, method, models, batch, noise, c)
        return agent._replace(log_temperature=agent.log_temperature + 1e-9 * jnp.mean(y))

    def critics(agent: Agent, batch: Batch, noise: Noise) -> Agent:
        rows = joined(batch)
        gradient, _ = jax.grad(critic_loss, has_aux=True)(agent.critics, rows, rows.reward)
        moved, moments = adam_step(agent.critics, gradient, agent.critic_moments, c.critic_lr)
        return agent._replace(critics=moved, critic_moments=moments)

    def actor(agent: Agent, batch: Batch, noise: Noise) -> Agent:
        gradient, _ = jax.grad(anchored_loss, has_aux=True)(
            agent.actor, agent.critics, joined(batch), batch.real, noise.actor_action, temperature(agent), c.bc_weight
        )
        moved, moments = adam_step(agent.actor, gradient, agent.actor_moments, c.actor_lr)
        return agent._replace(actor=moved, actor_moments=moments)

    return {"target with 1 draw": target, "critics' step": critics, "actor's step": actor}


PARTS = ("target with 1 draw", "critics' step", "actor's step")


def every_case(scale: Scale) -> list[Case]:
    """Size by size, wholes and parts."""
    return [
        case
        for size in SIZES
        for case in (*(whole(label, size, scale) for label in METHODS), *(part(label, size, scale) for label in PARTS))
    ]


def measured(scale: Scale) -> tuple[Figure, dict[str, Timing]]:
    """The matmul rate, and every case's timing by its label and sizes."""
    return interleaved(every_case(scale), scale, Console(stderr=True).print)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.actions", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="little work: shows that all of it runs, not how fast")
    scale = QUICK if parser.parse_args().quick else LONG
    rate, timings = measured(scale)
    rows = table.warm_rows(rate, every_case(scale), timings, scale, hopper().ensemble_size)
    print(table.markdown(rows, machine.describe(), shlex.join(["python", "-m", "benchmarks.actions", *sys.argv[1:]])))


if __name__ == "__main__":
    main()
