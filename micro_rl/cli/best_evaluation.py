"""Which epoch of a finished run was evaluated best, what that is worth, and how its policy is had."""

import shlex

from micro_rl.core.metric_keys import EVAL_RETURN, EVAL_SCORE, SCORE_KEYS
from micro_rl.core.wording import number, plural
from micro_rl.storage.jsonl import Row
from micro_rl.storage.run_folder import RunFolder
from micro_rl.training.job import Run


def best_evaluation(run: Run) -> str:
    """A line on the best of a run's evaluations; empty where there are not two to compare.

    It chooses nothing: the run's score stays the mean of its last evaluations.
    """
    key = next((key for key in SCORE_KEYS if key in run.scores), None)
    values = {int(row["epoch"]): row[key] for row in _of_one_judge(run, key) if key is not None and key in row}
    if len(values) < 2:
        return ""
    best = _best(values)
    saved = {epoch: values[epoch] for epoch in RunFolder(run.path).checkpoints.epochs() if epoch in values}
    worth, state = _worth(run, key), _state(run, best, saved)
    return f"epoch {best} of {len(values)} evaluated, {number(values[best])} {worth}; {state}"


def _best(values: dict[int, float]) -> int:
    """The epoch of the greatest value, the latest of equal ones, as checkpoints are kept."""
    return max(values, key=lambda epoch: (values[epoch], epoch))


def _of_one_judge(run: Run, key: str | None) -> list[Row]:
    """The rows whose values can be compared: a branch with a model fitted anew has another model's before its own."""
    origin = RunFolder.open(run.path).config().get("branched_off") or {}
    if key in (EVAL_RETURN, EVAL_SCORE) or not origin.get("refit"):
        return run.metrics
    return [row for row in run.metrics if row["epoch"] > origin["epoch"]]


def _worth(run: Run, key: str | None) -> str:
    if key not in (EVAL_RETURN, EVAL_SCORE):
        return "by its own estimate, which nobody measured: no reason to prefer it to another"
    episodes = RunFolder.open(run.path).config()["settings"]["eval_episodes"]
    return f"over {plural(episodes, 'episode')}, the best of many and so in part luck"


def _state(run: Run, best: int, saved: dict[int, float]) -> str:
    """Where the best epoch's state is, else the best of those that are kept."""
    path = shlex.quote(str(run.path))
    if best == max(run.metrics, key=lambda row: row["epoch"])["epoch"]:
        return "it is the last, so policy.safetensors is its policy"
    if best in saved:
        return f"`micro-rl evaluate {path} --epoch {best}` measures it anew, `micro-rl export` so writes its policy"
    others = (
        f"the best of the kept is epoch {_best(saved)} ({number(saved[_best(saved)])})" if saved else "none is kept"
    )
    return f"its state was not kept (see --checkpoint-every); {others}"
