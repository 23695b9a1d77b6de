"""What runs learn from and with, for methods with a model and without."""

from collections.abc import Sequence

from micro_rl.algorithms.learner import Learner, learner_of
from micro_rl.algorithms.log_epoch import LogProblem
from micro_rl.algorithms.method import AnyMethod
from micro_rl.algorithms.slots import Method
from micro_rl.core.types import Problem, Scaling, Transition
from micro_rl.dynamics.log_units import LogUnits
from micro_rl.dynamics.saved_model import FittedModel
from micro_rl.training.divergence import largest_value
from micro_rl.training.log_support import log_support
from micro_rl.training.plan import Plan
from micro_rl.training.program import Program
from micro_rl.training.set_calibration import calibrated_set


def problem_of(plan: Plan, scaling: Scaling | None = None) -> Problem | LogProblem:
    """The log in core units, with what the method's update looks at; `scaling` where a model brings its own."""
    return plan.model_use.problem(plan.dataset, plan.settings, scaling)


def learner_for(
    plan: Plan, model: FittedModel | None, scaling: Scaling | None = None, log: Transition | None = None
) -> Learner:
    """The plan's method with its coefficients, and the model that it works with.

    Args:
        plan: The run's.
        model: Of the run; None where the method learns none.
        scaling: The units of the rows that it is to hold against the log; None: it does not.
        log: What it is to learn from, in core units; None where it is not to learn.
    """
    method = plan.method if scaling is None else _supported(plan, scaling)
    if model is not None and isinstance(method, Method):
        method = method.paid_by(plan.known_reward)
        method = method.calibrated_by(lambda level: calibrated_set(plan.dataset, model, plan.settings, level))
        method = method if log is None else method.in_units_of(LogUnits(log, model.ensemble))
    return learner_of(method, model and model.ensemble, plan.ends.of(model, plan.newest))


def _supported(plan: Plan, scaling: Scaling) -> AnyMethod:
    """The method, with what becomes of model rows that the log cannot vouch for."""
    method, settings = plan.method, plan.settings
    assert isinstance(method, Method), "the setting is theirs alone"
    return method.supported_by(log_support(plan.dataset, settings.keep_timeouts).slot(settings, scaling))


def program_for(plans: Sequence[Plan], models: Sequence[FittedModel | None], problem: Problem | LogProblem) -> Program:
    """The compiled program of runs whose plans differ in nothing but the values of leaves."""
    settings = [plan.settings for plan in plans]
    units = problem.scaling if any(own.judges_rows for own in settings) else None
    log = problem.log if isinstance(problem.log, Transition) else None
    learners = [learner_for(plan, model, units, log) for plan, model in zip(plans, models, strict=True)]
    seeds, temperatures = [own.seed for own in settings], [own.temperature for own in settings]
    limits = [largest_value(problem, own) for own in settings]
    return Program(learners, problem, seeds, temperatures, limits, settings[0].sizes())
