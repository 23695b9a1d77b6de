"""What runs learn from and with, for methods with a model and without."""

from collections.abc import Sequence

from micro_rl.algorithms.learner import Learner, learner_of
from micro_rl.algorithms.log_epoch import LogProblem
from micro_rl.core.types import Problem, Scaling
from micro_rl.dynamics.saved_model import FittedModel
from micro_rl.training.divergence import largest_value
from micro_rl.training.plan import Plan
from micro_rl.training.program import Program


def problem_of(plan: Plan, scaling: Scaling | None = None) -> Problem | LogProblem:
    """The log in core units, with what the method's update looks at; `scaling` where a model brings its own."""
    return plan.model_use.problem(plan.dataset, plan.settings, scaling)


def learner_for(plan: Plan, model: FittedModel | None) -> Learner:
    """The plan's method with its coefficients, and the model that it works with."""
    return learner_of(plan.method, model and model.ensemble, plan.ends.of(model, plan.newest))


def program_for(plans: Sequence[Plan], models: Sequence[FittedModel | None], problem: Problem | LogProblem) -> Program:
    """The compiled program of runs whose plans differ in nothing but the values of leaves."""
    learners = [learner_for(plan, model) for plan, model in zip(plans, models, strict=True)]
    settings = [plan.settings for plan in plans]
    seeds, temperatures = [own.seed for own in settings], [own.temperature for own in settings]
    limits = [largest_value(problem, own.discount) for own in settings]
    return Program(learners, problem, seeds, temperatures, limits, settings[0].sizes())
