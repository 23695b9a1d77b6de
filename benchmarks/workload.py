"""The work that is timed: D4RL hopper's sizes and the authors' settings, on a log of random numbers.

Speed does not depend on what the numbers say, so the networks are fresh and the log is normal noise.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.stages import Lowered

from benchmarks import flops
from micro_rl.algorithms import epoch
from micro_rl.algorithms.coefficients import coefficients
from micro_rl.algorithms.epoch import start
from micro_rl.algorithms.model_based import micro, mobile, sac_on_model
from micro_rl.algorithms.slots import Method
from micro_rl.core.networks import rounded_product
from micro_rl.core.settings import Settings
from micro_rl.core.types import Keys, Problem, Scaling, Transition
from micro_rl.dynamics import fit_epoch as fitting_epoch
from micro_rl.dynamics.ensemble import Ensemble
from micro_rl.dynamics.fit_epoch import finish_fit
from micro_rl.dynamics.termination_rules import RULES, ByRule

OBS, ACT = 11, 3
KEYS = Keys.of(0)


class Scale(NamedTuple):
    """How much work: the sizes themselves stay the published ones."""

    blocks: int
    block_seconds: float
    log_rows: int
    fit_rows: int
    updates: int
    rollout_batch_size: int
    matmul: int


FULL = Scale(9, 1.0, log_rows=400_000, fit_rows=20_000, updates=100, rollout_batch_size=50_000, matmul=2048)
QUICK = Scale(2, 0.05, log_rows=4_000, fit_rows=1_500, updates=4, rollout_batch_size=2_000, matmul=512)


class Case(NamedTuple):
    """One compiled program of the package, called again and again as a run calls it."""

    name: str
    label: str
    call: Callable[[], Any]
    lower: Callable[[], Lowered]
    flops: int
    """0 where nobody counts them."""
    units: int


def hopper(**overrides: Any) -> Settings:
    """What the authors run on hopper, as far as it decides the work of an update."""
    return Settings(**{"real_ratio": 0.05, "rollout_batch_size": 50_000, "rollout_length": 5} | overrides)


def nets(settings: Settings) -> flops.Networks:
    """The widths behind the counts."""
    return flops.networks(OBS, ACT, settings.hidden_sizes, settings.model_hidden_sizes)


def make_problem(rows: int, obs: int = OBS, act: int = ACT) -> Problem:
    """A log of normal noise in which no episode ends."""
    generator = np.random.default_rng(0)

    def normal(*shape: int) -> jax.Array:
        return jnp.asarray(generator.standard_normal(shape, np.float32))

    log = Transition(normal(rows, obs), normal(rows, act), normal(rows), normal(rows, obs), jnp.ones(rows))
    units = (jnp.zeros(obs), jnp.ones(obs), jnp.zeros(act), jnp.ones(act), jnp.ones(()))
    return Problem(log, Scaling(*units))


def fresh_ensemble(problem: Problem, settings: Settings) -> Ensemble:
    """Members as they are before their first fitting step."""
    return finish_fit(fitting_epoch.compiled_start(problem.log, sizes=settings.fit_sizes(), key=KEYS.fit))


def training(
    name: str,
    label: str,
    problem: Problem,
    settings: Settings,
    method: Method,
    draws: int | None,
    units: int,
    values: str = "draws",
) -> Case:
    """Training epochs, state donated from call to call; hopper's rule ends the rollouts."""
    sizes = settings.sizes()
    ensemble = fresh_ensemble(problem, settings)
    state = start(problem, ensemble, method, sizes, settings.temperature, KEYS)
    c = coefficients(settings, ACT)
    static: dict[str, Any] = {"sizes": sizes, "ends": ByRule(RULES["hopper"])}

    def call() -> None:
        nonlocal state
        state, logged, _ = epoch.compiled_epoch(state, method, problem, c, KEYS.epochs, **static)
        jax.block_until_ready((state, logged))

    def lower() -> Lowered:
        return epoch.compiled_epoch.lower(state, method, problem, c, KEYS.epochs, **static)

    return Case(name, label, call, lower, flops.epoch(sizes, nets(settings), draws, values), units)


def mixed(method: Method) -> Method:
    """The same with `--precision mixed`."""
    return replace(method, product=rounded_product)


def learners() -> dict[str, tuple[str, Method, int | None]]:
    """Label, method and draws of those whose updates are timed, by name; what comes after `-` is MICRO's `values`."""
    return {
        "sac": ("SAC", sac_on_model.build(sac_on_model.Options()), None),
        "micro1": ("MICRO, 1 draw", micro.build(micro.Options(beta=0.5, num_samples=1)), 1),
        "micro10": ("MICRO, 10 draws", micro.build(micro.Options(beta=0.5, num_samples=10)), 10),
        "micro10-moments": ("MICRO, moments", micro.build(micro.Options(num_samples=10, values="moments")), 10),
        "micro10-linear": ("MICRO, one slope", micro.build(micro.Options(num_samples=10, values="linear")), 10),
        "mobile10": ("MOBILE, 10 draws", mobile.build(mobile.Options(num_samples=10)), 10),
    }


def updates(problem: Problem, scale: Scale, name: str, precision: str = "float32") -> Case:
    """Updates in one epoch with a rollout so small (256 rows) that it costs less than 0.5 % of SAC's."""
    settings = hopper(updates_per_epoch=scale.updates, rollout_batch_size=256, rollout_length=1)
    label, method, draws = learners()[name]
    values = name.partition("-")[2] or "draws"
    if precision == "mixed":
        method, name, label = mixed(method), f"{name}-mixed", f"{label}, mixed"
    return training(name, f"update, {label}", problem, settings, method, draws, scale.updates, values)


def rollouts(problem: Problem, scale: Scale, precision: str = "float32") -> Case:
    """One step of every row, written to the buffer, with the single SAC update an epoch needs."""
    settings = hopper(updates_per_epoch=1, rollout_batch_size=scale.rollout_batch_size, rollout_length=1)
    label = f"rollout step of {scale.rollout_batch_size:,} rows"
    method, name = sac_on_model.build(sac_on_model.Options()), "rollout"
    if precision == "mixed":
        method, name, label = mixed(method), f"{name}-mixed", f"{label}, mixed"
    return training(name, label, problem, settings, method, None, 1)


def fit(scale: Scale) -> Case:
    """Fitting epochs of the ensemble; a unit is a row learned by one member."""
    problem, sizes = make_problem(scale.fit_rows), hopper().fit_sizes()
    state = fitting_epoch.compiled_start(problem.log, sizes=sizes, key=KEYS.fit)

    def call() -> None:
        nonlocal state
        state, logged, _ = fitting_epoch.compiled_epoch(state, problem.log, sizes=sizes, key=KEYS.fit)
        jax.block_until_ready((state, logged))

    def lower() -> Lowered:
        return fitting_epoch.compiled_epoch.lower(state, problem.log, sizes=sizes, key=KEYS.fit)

    count = flops.fit_epoch(sizes, nets(hopper()), scale.fit_rows)
    learned, _ = flops.fit_rows(sizes, scale.fit_rows)
    return Case("fit", "dynamics fit, member-rows", call, lower, count, sizes.ensemble_size * learned)


def rounded_matmul(size: int) -> Case:
    """A product of two matrices that are rounded to bfloat16 first; its share is its rate over float32's."""
    left, right = jax.random.normal(jax.random.key(0), (2, size, size))
    product = jax.jit(rounded_product)
    label = f"bfloat16 matmul, {size}³"
    return Case(
        "bfloat16",
        label,
        lambda: jax.block_until_ready(product(left, right)),
        lambda: product.lower(left, right),
        2 * size**3,
        1,
    )


def every_case(scale: Scale) -> dict[str, Callable[[], Case]]:
    """What `python -m benchmarks` times, by name."""

    def on_log(make: Callable[..., Case], *more: Any) -> Callable[[], Case]:
        return lambda: make(make_problem(scale.log_rows), scale, *more)

    return {
        **{name: on_log(updates, name) for name in learners()},
        "rollout": on_log(rollouts),
        "fit": lambda: fit(scale),
        "micro10-linear-mixed": on_log(updates, "micro10-linear", "mixed"),
        "micro10-mixed": on_log(updates, "micro10", "mixed"),
        "rollout-mixed": on_log(rollouts, "mixed"),
        "bfloat16": lambda: rounded_matmul(scale.matmul),
    }
