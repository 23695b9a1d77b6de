"""The front door: runs, files or policies in, a judgement out."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from os import PathLike
from pathlib import Path
from typing import Any

from micro_rl.core import arguments
from micro_rl.core.expression import Expression, parse
from micro_rl.data import Dataset, load
from micro_rl.data.parts import part
from micro_rl.data.run_log import whole_log_of
from micro_rl.dynamics.known_reward import find
from micro_rl.errors import TooLittle, UserError
from micro_rl.policy import Policy
from micro_rl.reports.trust.record import Judgement
from micro_rl.storage.run_folder import RunFolder
from micro_rl.trust import apart
from micro_rl.trust.current import with_columns_read
from micro_rl.trust.judging import judge_policies
from micro_rl.trust.options import Groups, Options, Progress

Judgeable = str | Path | Policy


def trust(
    policies: Judgeable | Sequence[Judgeable],
    log: str | Path | Dataset | None = None,
    *,
    window: str | int | None = None,
    groups: Groups | None = None,
    limits: Sequence[str] = (),
    current: Callable[[Any], Any] | Any | None = None,
    termination: str | None = None,
    known_reward: str | None = None,
    seed: int = 0,
    folder: str | Path | None = None,
    progress: Progress = lambda *_: None,
) -> Judgement:
    """Say of policies whether they are better than what made the log, and how sure that is.

    Args:
        policies: run folders, policy files, or policies; one or several, which share the judge.
        log: a path, a name, or a log that is loaded; by default the log of the first run. Where every run learned from
            its training part alone (`ReadOptions.part`), they are judged by the other part, if that is enough.
        window: steps of a window, or a time such as "8h"; by default as many as leave enough windows.
        groups: parts of the log that the judge is tested on: "time", "behaviour", "clusters", the name of a column of
            the file, or a label for each row or each episode; by default the log's own `group`, else "time".
        limits: conditions on the raw observations that should hold, such as "o8 <= 3.2".
        current: what acts today, to be beaten too: a function of one raw observation [obs] that gives an action
            [act], its actions in the log's rows [row, act], or the columns of the log's table that hold these, one for
            each action, with commas between.
        termination: when episodes end, as for training.
        known_reward: the formula of what a step pays, as for training; by default the one that every run learned by.
        seed: of the judge.
        folder: where judges are kept: the same log is judged by the same one again, which saves most of the time.
        progress: called with what is being done and the share that is behind.

    Returns:
        The judgement, raw units; `micro_rl.reports.trust.page.write` makes a page of it.

    Raises:
        UserError: the log is too small, a policy has other columns, or whatever else is wrong, in one line.
    """
    several = _several(policies)
    seed = arguments.whole("seed", seed, 0)
    dataset = log if isinstance(log, Dataset) else own_log(several[0]) if log is None else load(log)
    expected = conditions(dataset, limits)
    current = with_columns_read(current, dataset)
    judges = arguments.optional_path("folder", folder)
    formula = arguments.optional_formula("known_reward", known_reward)
    dataset, formula = _own_formula(several, dataset) if formula is None else (dataset, formula)
    options = Options(window, groups, expected, termination, seed, current, folder=judges, known_reward=formula)
    return _judge(dataset, several, options, progress)


def _several(policies: Any) -> list[Judgeable]:
    """What is to be judged, one or several."""
    several = list(policies) if isinstance(policies, Iterable) and not isinstance(policies, str) else [policies]
    if not several or policies is None:
        raise UserError("trust: name a run or a policy to judge")
    for item in several:
        if not isinstance(item, str | PathLike | Policy):
            raise UserError(f"trust: {arguments.brief(item)} is no run, no policy's file and no policy")
    return several


def _judge(dataset: Dataset, several: Sequence[Judgeable], options: Options, progress: Progress) -> Judgement:
    """By what the policies did not see where that is known and enough, else by all of the log."""
    policies, logs, parts = named(several), logs_of(several), part(dataset)
    if apart.learned_apart(parts, logs):
        judging = apart.apart(dataset, parts, options)
        try:
            judgement = judge_policies(judging.dataset, policies, judging.options, progress)
            return judgement if judging.reason is None else judgement._replace(window_reason=judging.reason)
        except TooLittle as error:
            dataset = replace(dataset, notes=(*dataset.notes, apart.TOO_FEW.format(reason=error)))
    dataset = replace(dataset, notes=(*dataset.notes, *apart.notes(dataset, parts, logs)))
    return judge_policies(dataset, policies, options, progress)


def logs_of(several: Sequence[Judgeable]) -> dict[str, dict[str, Any]]:
    """What the runs among them, by name, recorded of the log that they learned from."""
    runs = [item for item in several if not isinstance(item, Policy) and Path(item).is_dir()]
    return {str(item): RunFolder.open(Path(item)).config().get("log", {}) for item in runs}


def _own_formula(several: Sequence[Judgeable], dataset: Dataset) -> tuple[Dataset, str | None]:
    """What a step pays where all are runs that learned by one formula, if the log's rewards are its; or a note."""
    runs = [Path(item) for item in several if not isinstance(item, Policy) and Path(item).is_dir()]
    formulas = {RunFolder.open(run).config().get("settings", {}).get("known_reward") for run in runs}
    formula = formulas.pop() if len(formulas) == 1 and len(runs) == len(several) else None
    try:
        return dataset, formula and find(formula, dataset).formula.text
    except UserError as error:
        note = f"the runs' own formula is not this log's, and the judge predicts rewards: {error}"
        return replace(dataset, notes=(*dataset.notes, note)), None


def conditions(dataset: Dataset, limits: Sequence[str]) -> tuple[Expression, ...]:
    """The limits, read.

    Raises:
        UserError: one names no column of the log, or is no condition.
    """
    columns = [column.name for column in dataset.columns.observations]
    texts = arguments.names("limits", limits, "['level <= 3']", "conditions")
    read = tuple(parse(text, columns, "limits") for text in texts)
    for condition in read:
        if not condition.condition:
            raise UserError(f"limits: {condition.text!r} is a number, not a condition; compare it, as in x <= 3")
    return read


def named(several: Sequence[Judgeable]) -> dict[str, Policy]:
    """The policies by name: the run's folder, the file, or their number."""
    policies: dict[str, Policy] = {}
    for number, item in enumerate(several):
        name = f"policy {number + 1}" if isinstance(item, Policy) else str(item)
        policies[name] = item if isinstance(item, Policy) else Policy.load(_file(Path(item)))
    return policies


def _file(path: Path) -> Path:
    """A policy's file, its own or the run folder's."""
    if not path.is_dir():
        return path
    folder = RunFolder.open(path)
    file = folder.path / "policy.safetensors"
    if not file.exists():
        raise UserError(f"{path}: has no policy yet; {folder.way_on}")
    return file


def own_log(item: Judgeable) -> Dataset:
    """The whole log of a run, read as the run read it.

    Raises:
        UserError: nothing there, a policy's file, which tells no log, or a log that is no file or is gone.
    """
    if not isinstance(item, Policy) and not Path(item).exists():
        raise UserError(f"{item}: no such file or folder; check the path")
    if isinstance(item, Policy) or not Path(item).is_dir():
        raise UserError("trust: a policy's file does not tell its log: name it with --log")
    return whole_log_of(Path(item), RunFolder.open(Path(item)).config())
