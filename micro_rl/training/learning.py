"""What runs learn from and with, for methods with a model and without: the difference is decided here alone."""

from collections.abc import Sequence

from micro_rl.algorithms.learner import Learner, LogLearner, ModelLearner
from micro_rl.algorithms.log_epoch import LogProblem, problem_of
from micro_rl.algorithms.model_free.base import ModelFreeMethod
from micro_rl.core.types import Problem
from micro_rl.dynamics.saved_model import FittedModel
from micro_rl.training.divergence import largest_value
from micro_rl.training.host_log import on_host, refuse_on_host
from micro_rl.training.interrupts import Interrupts
from micro_rl.training.job import Job
from micro_rl.training.models import prepare_models, termination_of
from micro_rl.training.plan import Plan
from micro_rl.training.program import Program


def problem_for(jobs: Sequence[Job], interrupts: Interrupts) -> Problem | LogProblem:
    """The log in core units. Jobs whose methods learn a model have it, or the error of its fit, afterwards."""
    plan = jobs[0].plan
    if not plan.learns_model:
        return problem_of(plan.dataset, plan.settings)
    problem = prepare_models(jobs, interrupts)
    if on_host(problem.log):  # refused with the plan already, but for memory that was taken since
        refuse_on_host(plan.method, plan.method_name, plan.settings.log_on)
    return problem


def learner_for(plan: Plan, model: FittedModel | None) -> Learner:
    """The plan's method with its coefficients, and the model that it works with."""
    method = plan.method
    if isinstance(method, ModelFreeMethod):
        return LogLearner(method)
    assert model is not None, "prepared before"
    return ModelLearner(method, model.ensemble, termination_of(model, plan))


def program_for(plans: Sequence[Plan], models: Sequence[FittedModel | None], problem: Problem | LogProblem) -> Program:
    """The compiled program of runs whose plans differ in nothing but the values of leaves."""
    learners = [learner_for(plan, model) for plan, model in zip(plans, models, strict=True)]
    settings = [plan.settings for plan in plans]
    seeds, temperatures = [own.seed for own in settings], [own.temperature for own in settings]
    limits = [largest_value(problem, own.discount) for own in settings]
    return Program(learners, problem, seeds, temperatures, limits, settings[0].sizes())
