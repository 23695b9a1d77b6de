"""The command line: verbs, their arguments, what they print and the exit codes. Nothing else parses arguments."""

import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, make_dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from micro_rl import __version__
from micro_rl.errors import Diverged, UserError

if TYPE_CHECKING:
    from micro_rl.plan import Plan
    from micro_rl.run import Run

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
    except SystemExit as parsed:  # tyro ends so after --help and after a wrong option, which it has explained
        return parsed.code if isinstance(parsed.code, int) else 0
    return 0


# What several verbs share


def _parse(kind: Any, arguments: list[str], verb: str, **options: Any) -> Any:
    import tyro

    return tyro.cli(kind, args=arguments, prog=f"micro-rl {verb}", **options)


def _value_of(arguments: list[str], option: str) -> str | None:
    """What an option is set to, before the rest can be understood."""
    for here, following in zip(arguments, [*arguments[1:], None], strict=True):
        if here == option:
            return following
        if here.startswith(option + "="):
            return here.partition("=")[2]
    return None


def _console(error: bool = False) -> Any:
    from rich.console import Console

    return Console(stderr=error, width=None if sys.stdout.isatty() else 200)


def _load(log: str, horizon: int | None, bounds: tuple[float, float] | None) -> Any:
    from micro_rl.data import load

    low, high = bounds or (None, None)
    return load(log, action_low=low, action_high=high, horizon=horizon)


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
    import tyro

    from micro_rl import methods, presets
    from micro_rl.data.names import locate, title
    from micro_rl.plan import make_plan, resolve
    from micro_rl.settings import Settings

    method = methods.find(_value_of(arguments, "--method") or "micro")
    fields = [
        ("log", tyro.conf.Positional[str]),
        ("training", Annotated[Training, tyro.conf.arg(name="")]),
        ("settings", Annotated[Settings, tyro.conf.arg(name="")]),
        ("options", Annotated[method.Options, tyro.conf.arg(name="")]),
    ]
    kind = make_dataclass("Train", fields, frozen=True)
    kind.__doc__ = "Learn a policy from a log. The options' defaults are those of the log's preset."

    def parse(preset: str, log: Any = tyro.MISSING) -> Any:
        settings, options = resolve(_name(method), preset, {})
        return _parse(kind, arguments, "train", default=kind(log, Training(), settings, options))

    named = _value_of(arguments, "--preset")
    first = parse(named or "generic")
    if named is None:
        first = parse(presets.name_for(title(locate(first.log))))
    asked = first.training
    plan = make_plan(
        _load(first.log, asked.horizon, asked.action_bounds),
        _name(method),
        preset=asked.preset,
        env=asked.env,
        horizon=asked.horizon,
        ends=asked.termination,
        model=asked.model,
        overrides=asdict(first.settings) | asdict(first.options),
    )
    _execute(plan, asked.out, asked.resume, asked.until, asked.wandb)


def _name(method: Any) -> str:
    return method.__name__.rpartition(".")[2]


def _execute(plan: "Plan", out: Path | None, resume: bool, until: int | None, wandb: str) -> "Run":
    from micro_rl.api import default_folder
    from micro_rl.display import Display
    from micro_rl.run import execute
    from micro_rl.wandb_run import WandbSettings

    folder, console = out or default_folder(plan), _console()
    console.print(
        f"{plan.method_name} on {plan.dataset.name}: {len(plan.dataset)} rows, {len(plan.dataset.starts)} episodes, "
        f"preset {plan.preset}, into {folder}",
        soft_wrap=True,
        highlight=False,
    )
    tracking = None if wandb == "off" else WandbSettings(mode=wandb)  # type: ignore[arg-type]
    with Display(min(until or plan.settings.epochs, plan.settings.epochs), console) as display:
        done = execute(plan, folder, resume=resume, until=until, watcher=display, wandb=tracking)
    _conclude(done, console)
    return done


def _conclude(done: "Run", console: Any) -> None:
    """The score beside the log's own, and where to look."""
    from rich.table import Table

    log = done.scores["log"]
    table, scored = Table(box=None, pad_edge=False), "normalised_return_mean" in log
    for column in ("", "return", "score") if scored else ("", "return"):
        table.add_column(column, justify="left" if not column else "right")

    def row(label: str, value: float, score: float | None) -> None:
        table.add_row(label, f"{value:.1f}", *([] if score is None else [f"{score:.1f}"]))

    row("the log's episodes, mean", log["return_mean"], log.get("normalised_return_mean"))
    row("the log's best episode", log["return_best"], log.get("normalised_return_best"))
    evaluated, score = done.scores.get("eval/return"), done.scores.get("eval/normalised_score", {})
    if evaluated:
        count = evaluated["evaluations"]
        label = f"mean of its last {count} evaluations" if count > 1 else "its only evaluation"
        row(f"the policy, {label}", evaluated["mean_of_last"], score.get("mean_of_last"))
    elif "model_estimate/return" in done.scores:
        row("the policy, by the model's own estimate", done.scores["model_estimate/return"]["last"], None)
    console.print(table)
    console.print(f"page    {done.path / 'report.html'}", soft_wrap=True, highlight=False)
    console.print(f"policy  {done.path / 'policy.safetensors'}", soft_wrap=True, highlight=False)


# demo


@dataclass(frozen=True)
class Demo:
    """Learn to swing up a pendulum from a log in which nobody ever did."""

    out: Path = Path("trained/demo")
    """The run folder; a demo that was stopped there goes on."""
    seed: int = 0
    """Of everything random in the run."""


def _demo(arguments: list[str]) -> None:
    asked = _parse(Demo, arguments, "demo")
    from micro_rl.plan import make_plan

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
    import tyro

    from micro_rl import presets
    from micro_rl.data.names import locate, title
    from micro_rl.plan import resolve
    from micro_rl.settings import ModelSettings

    fields = [
        ("log", tyro.conf.Positional[str]),
        ("fitting", Annotated[Fitting, tyro.conf.arg(name="")]),
        ("settings", Annotated[ModelSettings, tyro.conf.arg(name="")]),
    ]
    kind = make_dataclass("Fit", fields, frozen=True)
    kind.__doc__ = "Fit the dynamics model alone; `micro-rl train LOG --model DIR` uses it."

    def parse(preset: str) -> Any:
        settings, _ = resolve("micro", preset, {})
        own = {name: getattr(settings, name) for name in ModelSettings.__dataclass_fields__}
        return _parse(kind, arguments, "fit", default=kind(tyro.MISSING, Fitting(), ModelSettings(**own)))

    named = _value_of(arguments, "--preset")
    asked = parse(named or "generic")
    if named is None:
        asked = parse(presets.name_for(title(locate(asked.log))))
    _fit_model(asked.log, asked.fitting, asked.settings)


def _fit_model(log: str, asked: Fitting, settings: Any) -> None:
    from micro_rl.display import Display
    from micro_rl.fitting import fit_model, problem_of, save_model
    from micro_rl.settings import Settings, check

    check(Settings(**asdict(settings), elites=1))  # the rest of the settings are none of a fit's
    dataset, console = _load(log, asked.horizon, asked.action_bounds), _console()
    folder = asked.out or Path("trained") / f"{dataset.name}-model-seed{asked.seed}"
    if folder.exists():
        raise UserError(f"{folder}: exists; choose another folder with --out")
    with Display(settings.max_fit_epochs, console) as display:
        for note in dataset.notes:
            display.note(note)
        model = fit_model(dataset, problem_of(dataset, settings), settings, asked.seed, display.fitted)
    save_model(folder, model)
    best = ", ".join(f"{error:.5f}" for error in model.about["holdout"])
    console.print(f"{model.about['epochs']} epochs; holdout errors of the members: {best}", highlight=False)
    console.print(f"model  {folder}", soft_wrap=True, highlight=False)


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
    import tyro

    kind = make_dataclass(
        "EvaluateRun",
        [("run", tyro.conf.Positional[Path]), ("asked", Annotated[Evaluate, tyro.conf.arg(name="")])],
        frozen=True,
    )
    kind.__doc__ = Evaluate.__doc__
    parsed = _parse(kind, arguments, "evaluate")
    from micro_rl.envs import check_matches
    from micro_rl.evaluation import evaluate, scores
    from micro_rl.policy import Policy
    from micro_rl.store import RunFolder
    from micro_rl.tasks import Task

    folder, asked = RunFolder.open(parsed.run), parsed.asked
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
