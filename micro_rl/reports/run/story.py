"""The run in plain words: what came out, whether it is better than the log, and what that does not say."""

from typing import Any, NamedTuple

from micro_rl.core.metric_keys import CRITICS_RETURN, EVAL_RETURN, EVAL_SCORE, MODEL_RETURN, WINDOW_DIFFERENCE
from micro_rl.core.wording import number, plural
from micro_rl.reports.run.record import Record

NOT_MEASURED = "Not measured: this log has no simulator."


class Figure(NamedTuple):
    """One number worth a large type."""

    name: str
    value: str
    notes: list[str]


class Story(NamedTuple):
    """The headline, the figures beside each other, and the paragraphs."""

    headline: str
    figures: list[Figure]
    paragraphs: list[str]


def _last(score: dict[str, Any], thing: str) -> str:
    count = score["evaluations"]
    return f"only {thing}" if count == 1 else f"last {plural(count, thing)}"


def tell(record: Record) -> Story:
    """The story of a run that diverged, that was measured, that had no simulator, or that is not finished."""
    if record.diverged:
        return _diverged(record)
    if EVAL_RETURN in record.scores:
        return _measured(record, record.scores[EVAL_RETURN])
    if WINDOW_DIFFERENCE in record.scores:
        return _by_windows(record, record.scores[WINDOW_DIFFERENCE])
    if MODEL_RETURN in record.scores:
        return _estimated(record, record.scores[MODEL_RETURN])
    if CRITICS_RETURN in record.scores:
        return _by_critics(record, record.scores[CRITICS_RETURN])
    if record.policy is not None:
        return _unknown(record)
    return Story(
        "No score yet.",
        _log_figures(record),
        ["The folder holds no final score: the run has not finished, or it never evaluated its policy."],
    )


def _diverged(record: Record) -> Story:
    done, planned = int(record.metrics[-1]["epoch"]) if record.metrics else 0, record.settings.get("epochs")
    far = f"{done:,} of {plural(planned, 'epoch')}" if planned else plural(done, "epoch")
    return Story(
        "Diverged.",
        _log_figures(record),
        [
            f"The training blew up after {far}, so it reached no final score. The same settings would diverge again: "
            "branch off with others from its newest checkpoint, micro-rl train LOG --out RUN --branch NEW."
        ],
    )


def verdict(score: float, mean: float, best: float) -> str:
    """Policy against log, in one sentence."""
    if score > best:
        return "Better than the best episode in the log."
    if score > mean:
        return "Better than the log’s average, not better than its best episode."
    return "Worse than the log’s average." if score < mean else "Just as good as the log’s average."


def _measured(record: Record, score: dict[str, Any]) -> Story:
    mean, best = record.log["return_mean"], record.log["return_best"]
    value = score["mean_of_last"]
    notes = [f"mean of the {_last(score, 'evaluation')}"]
    if normalised := record.scores.get(EVAL_SCORE):
        notes.append(f"normalised score {number(normalised['mean_of_last'])}")
    own = Figure("the policy’s return", number(value), notes)
    paragraphs = [
        _comparison(score, mean, best),
        _meaning(score, mean, best),
    ]
    if score["evaluations"] > 1:
        paragraphs.append(
            f"The best single evaluation gave {number(score['best'])}. It is noted here and is not the score: "
            "whoever picks the best of many measurements reports luck."
        )
    return Story(
        verdict(value, mean, best), [own, *_log_figures(record)], paragraphs + _limits(record, score, "evaluated")
    )


def _comparison(score: dict[str, Any], mean: float, best: float) -> str:
    value = score["mean_of_last"]
    return (
        f"Averaged over its {_last(score, 'evaluation')} in the simulator, the policy "
        f"returns {number(value)} per episode. The episodes in the log return {number(mean)} on average, "
        f"{_distance(mean, value)}; the best of them returns {number(best)}, {_distance(best, value)}."
    )


def _distance(reference: float, value: float) -> str:
    if reference == value:
        return "the same"
    return f"{number(abs(reference - value))} {'more' if reference > value else 'less'} than the policy"


_WORSE = (
    "so do not put the policy in its place. The figures below show where to look first: critics that promise more than "
    "was obtained, or a model with a large error."
)


def _meaning(score: dict[str, Any], mean: float, best: float) -> str:
    value, spread = score["mean_of_last"], score["std_of_last"]
    name, reference = ("best episode", best) if value > best else ("average", mean)
    if score["evaluations"] < 2:
        unknown = (
            "A single evaluation does not say how much evaluations differ among themselves, so whether the distance to "
            f"the log’s {name} is more than chance is not known."
        )
        return unknown if value >= reference else f"{unknown} Whatever made the log did better, {_WORSE}"
    differ = f"The evaluations differ among themselves by {number(spread)} (one standard deviation)"
    if abs(value - reference) <= spread:
        return f"{differ}, no less than the distance to the log’s {name}: do not rely on that difference."
    if value > reference:
        return f"{differ}, less than the distance to the log’s {name}."
    return f"Whatever made the log does better than this policy, {_WORSE}"


def _by_windows(record: Record, score: dict[str, Any]) -> Story:
    value, log = score["mean_of_last"], record.log
    steps, measured = log["window"], log["window_return"]
    sign = "+" if value > 0 else ""
    model, trust = (
        ("the model that it was trained on", "A policy pleases the model that trained it, so this is usually too high.")
        if record.learns_model
        else ("a model fitted to score it", "That model saw the episodes that the policy learned from.")
    )
    own = Figure(
        "a window, by the model’s own estimate", f"{sign}{number(value)}", ["against the log; imagined, not measured"]
    )
    window = Figure("the log, a window", number(measured), [f"measured, over {plural(steps, 'step')}"])
    paragraphs = [
        f"There is no simulator for this log. In windows of {plural(steps, 'step')} from the log’s own states the "
        f"policy collects {number(abs(value))} {'more' if value > 0 else 'less'} than what made the log, by the "
        f"opinion of {model}, averaged over the {_last(score, 'estimate')}{_last_interval(record, steps)}",
        f"{trust} The command micro-rl trust asks a "
        "model that was fitted on other episodes, tests it on this log, and says whether the difference is shown.",
    ]
    return Story(
        NOT_MEASURED, [own, window, *_log_figures(record)[:1]], paragraphs + _limits(record, score, "estimated")
    )


def _last_interval(record: Record, steps: int) -> str:
    """Where the last estimate lies and what that says; only the sentence's end where an end of it is not known."""
    last = record.series(WINDOW_DIFFERENCE).epochs[-1:]
    low, high = (record.series(f"window_estimate/{end}") for end in ("low", "high"))
    if not low or not high or not low.epochs[-1:] == high.epochs[-1:] == last:
        return "."
    ends, a_step = ([number(end.last / count) for end in (low, high)] for count in (1, steps))
    return (
        f"; the last lies between {' and '.join(ends)} ({' and '.join(a_step)} a step). {opinion(low.last, high.last)}"
    )


def opinion(low: float, high: float) -> str:
    """What an interval of the difference says, by the model's own opinion.

    Args:
        low: its lower end, raw units a window.
        high: its upper end.
    """
    if low > 0:
        return "By that opinion it is better."
    if high < 0:
        return "Even by that opinion it does worse than what made the log."
    return "By that opinion it may be better or worse."


def _estimated(record: Record, score: dict[str, Any]) -> Story:
    value = number(score["mean_of_last"])
    own = Figure("the model’s own estimate", value, ["imagined, not measured"])
    paragraphs = [
        "There is no simulator for this log, so nobody knows what the policy returns. Run for whole episodes inside "
        f"the learned model, it collects {value} on average over the {_last(score, 'estimate')}. "
        "That is the model’s opinion of a policy that was trained to please the model, and usually too high.",
        "The log’s figures beside it were measured, over episodes whose lengths may differ from the estimate’s: the "
        "two cannot be compared. The command micro-rl trust compares windows of one length.",
    ]
    return Story(
        NOT_MEASURED,
        [own, *_log_figures(record)],
        paragraphs + _limits(record, score, "estimated"),
    )


def _by_critics(record: Record, score: dict[str, Any]) -> Story:
    value = number(score["last"])
    own = Figure("the critics’ own estimate", value, ["discounted; expected, not measured"])
    paragraphs = [
        "There is no simulator for this log, and the method learns no model, so nobody knows what the policy returns. "
        f"Its critics expect {value} from the first observations of the log’s episodes, discounted by "
        f"{record.settings.get('discount')} a step. That is the opinion that the policy was trained to please, and "
        "critics that were never contradicted are often far off.",
        "The log’s figures beside it are undiscounted returns that were measured: the two are not to be compared. "
        "The command micro-rl trust compares both over windows of one length.",
    ]
    return Story(NOT_MEASURED, [own, *_log_figures(record)], paragraphs + _limits(record, score, "estimated"))


def _unknown(record: Record) -> Story:
    return Story(
        NOT_MEASURED,
        _log_figures(record),
        [
            "There is no simulator for this log, and the method learns neither a model nor critics, so nobody knows "
            "what the policy returns, and nothing here estimates it. The log’s figures beside were measured.",
        ],
    )


def _log_figures(record: Record) -> list[Figure]:
    names = (("return_mean", "the log’s mean return"), ("return_best", "the log’s best episode"))
    episodes = record.log.get("episodes")
    figures = []
    for key, name in names:
        if key in record.log:
            mean = key == "return_mean"
            notes = (
                [f"over {plural(episodes, 'episode')}" if mean else f"of {plural(episodes, 'episode')}"]
                if episodes
                else []
            )
            if (score := record.log.get(f"normalised_{key}")) is not None:
                notes.append(f"normalised score {number(score)}")
            figures.append(Figure(name, number(record.log[key]), notes))
    return figures


def _limits(record: Record, score: dict[str, Any], evaluated: str) -> list[str]:
    """What a careful reader should hold against the number above."""
    limits = []
    planned, done_epochs = record.settings.get("epochs"), record.scores.get("epochs")
    if planned and done_epochs and done_epochs < planned:
        limits.append(f"The run made {done_epochs:,} of its {plural(planned, 'epoch')}.")
    if score["evaluations"] < 10:
        times = "once" if score["evaluations"] == 1 else f"{score['evaluations']} times"
        limits.append(f"The policy was {evaluated} {times}, fewer than the ten that make a score.")
    limits.append("This is one seed; another seed gives another policy.")
    return [" ".join(limits)]
