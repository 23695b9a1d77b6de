"""micro-rl evaluate: run a trained policy in its simulator."""

import shlex
from dataclasses import dataclass
from pathlib import Path

from micro_rl.core.wording import plural
from micro_rl.errors import UserError


@dataclass(frozen=True)
class Evaluate:
    """Run a trained policy in its simulator."""

    epoch: int | None = None
    """Of this epoch, whose state the folder keeps; by default the last one."""
    env: str | None = None
    """Another simulator than the one it was trained for."""
    episodes: int = 100
    """Deterministic episodes."""
    seed: int = 0
    """Of the simulator's starts."""
    horizon: int | None = None
    """An episode's time limit in steps, where the simulator has none."""


def run(arguments: list[str]) -> None:
    """Carry the command out."""
    from micro_rl.cli.arguments import parse, shape
    from micro_rl.core.tasks import Task, at_limit
    from micro_rl.opened.kept_policy import kept_policy, policy_path
    from micro_rl.policy import Policy
    from micro_rl.simulation.envs import check_matches
    from micro_rl.simulation.evaluation import evaluate, scores
    from micro_rl.storage.run_folder import RunFolder

    inputs = parse("evaluate", arguments, shape("EvaluateRun", Evaluate.__doc__ or "", ("run", Path), options=Evaluate))
    folder, options = RunFolder.open(inputs.run), inputs.options
    path = policy_path(folder)
    folder.verify()
    policy = Policy.load(path) if options.epoch is None else kept_policy(folder, options.epoch)
    task = at_limit(folder.task(), options.horizon)
    env = options.env or task.env
    if env is None:
        raise UserError(
            f"{folder.path}: its log has no known simulator; name one with --env, or judge it by its log: "
            f"micro-rl trust {shlex.quote(str(folder.path))}"
        )
    if ":" in env and options.env is None:
        raise UserError(f"{folder.path}: simulator {env!r} imports a module; to allow that, name it with --env {env}")
    bounds = policy.action_low, policy.action_high
    for note in check_matches(env, policy.observation_size, policy.action_size, bounds).notes:
        print(f"note: {note}")
    horizon = task.horizon if options.horizon is None else options.horizon
    result = evaluate(policy, env, episodes=options.episodes, seed=options.seed, horizon=horizon)
    figures = scores(result, task if env == task.env else Task())
    of = "" if options.epoch is None else f"epoch {options.epoch} in "
    print(f"{of}{env}, {plural(options.episodes, 'episode')}, seeds from {options.seed}")
    print(f"return  {figures['return']:.2f} ± {figures['return_std']:.2f} (standard deviation over episodes)")
    if "normalised_score" in figures:
        print(f"score   {figures['normalised_score']:.2f} ± {figures['normalised_score_std']:.2f}")
    print(f"length  {figures['length']:.1f}")
