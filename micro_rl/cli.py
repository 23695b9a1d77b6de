"""The command line: its verbs, what each takes and prints, and the exit codes."""

import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from micro_rl import __version__
from micro_rl.errors import Diverged, UserError

if TYPE_CHECKING:
    from micro_rl.plan import Plan
    from micro_rl.run import Run
    from micro_rl.settings import ModelSettings

DEMO_LOG = "pendulum-demo"
HELP = f"""micro-rl {__version__}: a log in, a robust policy out (MICRO, arXiv 2312.03991)

  micro-rl demo             learn a policy from the embedded pendulum log and write its page
  micro-rl train LOG        learn a policy from a log
  micro-rl fit LOG          fit the dynamics model alone, to be shared by many runs
  micro-rl evaluate RUN     run a trained policy in its simulator

LOG is a file (D4RL HDF5, NeoRL-2 NPZ), the name of one in $D4RL_DATASET_DIR, or {DEMO_LOG}.
`micro-rl VERB --help` shows every option, `micro-rl --version` the version.
Exit codes: 0 done, 2 a mistake that you can mend, 3 training diverged, 130 interrupted.
"""

INTERRUPTED = {
    "demo": "; the same command goes on from the last checkpoint",
    "train": "; the same command with --resume goes on from the last checkpoint",
}


def main() -> None:
    """Entry point of the command."""
    sys.exit(run(sys.argv[1:]))


def run(arguments: Sequence[str]) -> int:
    """Run one command; its exit code."""
    if not arguments or arguments[0] in ("-h", "--help", "help"):
        print(HELP, end="")
        return 0
    if arguments[0] == "--version":
        print(f"micro-rl {__version__}")
        return 0
    verb = VERBS.get(arguments[0])
    try:
        if verb is None:
            raise UserError(f"there is no verb {arguments[0]!r}; choose one of {', '.join(VERBS)}")
        verb(list(arguments[1:]))
    except (UserError, Diverged) as error:
        print(f"micro-rl: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        print(f"micro-rl: stopped{INTERRUPTED.get(arguments[0], '')}", file=sys.stderr)
        return 130
    except SystemExit as parsed:  # --help ends so when it has been printed
        return parsed.code if isinstance(parsed.code, int) else 0
    return 0


def _console() -> Any:
    from rich.console import Console

    return Console(width=None if sys.stdout.isatty() else 200)


# train


@dataclass(frozen=True)
class Training:
    """What to train on and where to put it."""

    method: str = "micro"
    """micro, or sac for the same without conservatism."""
    preset: str | None = None
    """Settings to start from; by default those of the log's name, else the generic ones."""
    env: str | None = None
    """Simulator to evaluate in, where the log's name does not tell: a Gymnasium id."""
    horizon: int | None = None
    """An episode's time limit in steps, where the log's name does not tell."""
    termination: str | None = None
    """Rule that ends model rows, where the log's name does not tell."""
    action_bounds: tuple[float, float] | None = None
    """Lowest and highest action, in raw units, where the log does not tell."""
    model: Path | None = None
    """Folder of a fitted model to use instead of fitting one."""
    out: Path | None = None
    """The run folder; by default trained/LOG-METHOD-seedN."""
    resume: bool = False
    """Go on from the newest valid checkpoint in the run folder."""
    until: int | None = None
    """Stop after this epoch with everything saved; --resume goes on later."""
    wandb: Literal["off", "offline", "online"] = "off"
    """Send the metrics to Weights & Biases as well (needs the extra micro-rl[wandb])."""


def _train(arguments: list[str]) -> None:
    from micro_rl import methods
    from micro_rl.arguments import parse_with_preset, shape, value_of
    from micro_rl.plan import make_plan, resolve
    from micro_rl.settings import Settings

    named = value_of(arguments, "--method") or "micro"
    explanation = "Learn a policy from a log. The options' defaults are those of the log's preset."
    options = methods.find(named).Options
    kind = shape("Train", explanation, ("log", str), training=Training, settings=Settings, options=options)

    def default(preset: str, log: Any) -> Any:
        return kind(log, Training(), *resolve(named, preset, {}))

    given = parse_with_preset("train", arguments, default)
    asked = given.training
    plan = make_plan(
        given.log,
        named,
        preset=asked.preset,
        env=asked.env,
        horizon=asked.horizon,
        action_bounds=asked.action_bounds,
        ends=asked.termination,
        model=asked.model,
        overrides=asdict(given.settings) | asdict(given.options),
    )
    _execute(plan, asked.out, asked.resume, asked.until, asked.wandb)


def _execute(plan: "Plan", out: Path | None, resume: bool, until: int | None, wandb: str) -> "Run":
    from micro_rl.api import default_folder
    from micro_rl.display import Display, conclude
    from micro_rl.run import execute
    from micro_rl.wandb_run import WandbSettings

    folder, console = out or default_folder(plan), _console()
    console.print(
        f"{plan.method_name} on {plan.dataset.name}: {len(plan.dataset)} rows, {len(plan.dataset.starts)} episodes, "
        f"preset {plan.preset}, into {folder}",
        soft_wrap=True,
        highlight=False,
        markup=False,
    )
    tracking = None if wandb == "off" else WandbSettings(mode=wandb)  # type: ignore[arg-type]
    with Display(min(until or plan.settings.epochs, plan.settings.epochs), console) as display:
        done = execute(plan, folder, resume=resume, until=until, watcher=display, wandb=tracking)
    conclude(done, console)
    return done


# demo


@dataclass(frozen=True)
class Demo:
    """Learn to swing up a pendulum from a log in which nobody ever did."""

    out: Path = Path("trained/demo")
    """The run folder; a demo that was stopped there goes on."""
    seed: int = 0
    """Of everything random in the run."""


def _demo(arguments: list[str]) -> None:
    from micro_rl.arguments import parse
    from micro_rl.plan import make_plan

    asked = parse("demo", arguments, Demo)
    _execute(make_plan(DEMO_LOG, overrides={"seed": asked.seed}), asked.out, True, None, "off")


# fit


@dataclass(frozen=True)
class Fitting:
    """What to fit and where to put it."""

    preset: str | None = None
    """Settings to start from; by default those of the log's name, else the generic ones."""
    horizon: int | None = None
    """An episode's time limit in steps, where the log marks none."""
    action_bounds: tuple[float, float] | None = None
    """Lowest and highest action, in raw units, where the log does not tell."""
    out: Path | None = None
    """The model's folder; by default trained/LOG-model-seedN."""
    seed: int = 0
    """Of everything random in the fit."""


def _fit(arguments: list[str]) -> None:
    from micro_rl.arguments import parse_with_preset, shape
    from micro_rl.plan import resolve
    from micro_rl.settings import ModelSettings

    explanation = "Fit the dynamics model alone; `micro-rl train LOG --model DIR` uses it."
    kind = shape("Fit", explanation, ("log", str), fitting=Fitting, settings=ModelSettings)

    def default(preset: str, log: Any) -> Any:
        settings, _ = resolve("micro", preset, {})
        own = {name: getattr(settings, name) for name in ModelSettings.__dataclass_fields__}
        return kind(log, Fitting(), ModelSettings(**own))

    given = parse_with_preset("fit", arguments, default)
    _fit_model(given.log, given.fitting, given.settings)


def _fit_model(log: str, asked: Fitting, settings: "ModelSettings") -> None:
    from micro_rl.api import fit
    from micro_rl.display import Display
    from micro_rl.plan import read_log

    dataset, console = read_log(log, asked.horizon, asked.action_bounds), _console()
    with Display(settings.max_fit_epochs, console) as display:
        folder, about = fit(dataset, settings, asked.seed, out=asked.out, watcher=display)
    best = ", ".join(f"{error:.5f}" for error in about["holdout"])
    console.print(f"{about['epochs']} epochs; holdout errors of the members: {best}", highlight=False)
    console.print(f"model  {folder}", soft_wrap=True, highlight=False, markup=False)


# evaluate


@dataclass(frozen=True)
class Evaluate:
    """Run a trained policy in its simulator."""

    env: str | None = None
    """Another simulator than the one it was trained for."""
    episodes: int = 100
    """Deterministic episodes."""
    seed: int = 0
    """Of the simulator's starts."""
    horizon: int | None = None
    """An episode's time limit in steps, where the simulator has none."""


def _evaluate(arguments: list[str]) -> None:
    from micro_rl.arguments import parse, shape
    from micro_rl.envs import check_matches
    from micro_rl.evaluation import evaluate, scores
    from micro_rl.policy import Policy
    from micro_rl.store import RunFolder
    from micro_rl.tasks import Task

    given = parse("evaluate", arguments, shape("EvaluateRun", Evaluate.__doc__ or "", ("run", Path), asked=Evaluate))
    folder, asked = RunFolder.open(given.run), given.asked
    if not (folder.path / "policy.safetensors").exists():
        raise UserError(f"{folder.path}: has no policy yet; let it go on with micro-rl train LOG --resume")
    folder.verify()
    policy, task = Policy.load(folder.path / "policy.safetensors"), Task(**folder.config()["task"])
    env = asked.env or task.env
    if env is None:
        raise UserError(f"{folder.path}: its log has no known simulator; name one with --env")
    if ":" in env and asked.env is None:
        raise UserError(f"{folder.path}: simulator {env!r} imports a module; to allow that, name it with --env {env}")
    check_matches(env, policy.observation_size, policy.action_size)
    result = evaluate(policy, env, episodes=asked.episodes, seed=asked.seed, horizon=asked.horizon or task.horizon)
    found = scores(result, task if env == task.env else Task())
    print(f"{env}, {asked.episodes} episodes, seeds from {asked.seed}")
    print(f"return  {found['return']:.2f} ± {found['return_std']:.2f} (standard deviation over episodes)")
    if "normalised_score" in found:
        print(f"score   {found['normalised_score']:.2f} ± {found['normalised_score_std']:.2f}")
    print(f"length  {found['length']:.1f}")


VERBS: dict[str, Callable[[list[str]], None]] = {
    "demo": _demo,
    "train": _train,
    "fit": _fit,
    "evaluate": _evaluate,
}
