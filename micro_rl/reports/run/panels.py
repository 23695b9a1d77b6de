"""The page's figures, each with what it shows in words; one whose numbers were not logged says why."""

from collections.abc import Callable
from typing import NamedTuple

from micro_rl.core.metric_keys import CRITICS_RETURN, EVAL_RETURN, MODEL_RETURN, WINDOW_DIFFERENCE
from micro_rl.core.wording import number, plural
from micro_rl.reports.run import figures
from micro_rl.reports.run.figures import (
    BLUE,
    DASHED,
    DOTTED,
    FULL,
    GREEN,
    GREY,
    INK,
    NARROW,
    PURPLE,
    ROW,
    THIRD,
    VERMILION,
    Chart,
    Level,
    Line,
    Size,
)
from micro_rl.reports.run.record import Record, Series, elites, kept_errors, series


class Swatch(NamedTuple):
    """A legend's entry."""

    label: str
    colour: str
    dash: str


class Panel(NamedTuple):
    """A titled figure, drawn once for every size it is shown at."""

    title: str
    caption: str
    legend: list[Swatch]
    drawings: list[tuple[str, str]]


class Missing(NamedTuple):
    """Why a figure is not there."""

    title: str
    reason: str


def learning_curve(record: Record) -> Panel | Missing:
    """Return over epochs, measured where there is a simulator, beside the log's mean and best."""
    title = "Learning curve"
    if curve := record.series(EVAL_RETURN):
        line = Line("policy, mean of an evaluation", curve, BLUE, spread=_spread(record, curve))
        caption = "Mean return of each evaluation’s episodes"
        caption += "; the band is one standard deviation over them." if line.spread else "."
        unit, range_ = "return of an episode", _score_range(record)
    elif curve := record.series(WINDOW_DIFFERENCE):
        return _window_curve(record, curve)
    elif curve := record.series(MODEL_RETURN):
        title = "The model’s own estimate of the return, not a measurement"
        line = Line("model’s own estimate", curve, BLUE)
        caption = "Return of whole episodes imagined by the learned model. No simulator was asked."
        unit, range_ = "estimated return of an episode", None
    elif curve := record.series(CRITICS_RETURN):
        caption = "What the critics expect from the log’s first observations on. No simulator was asked."
        line = Line("critics’ own estimate", curve, BLUE)
        chart = Chart("estimated discounted return", [line])
        return drawn("curve", "The critics’ own estimate, not a measurement", caption, chart, (FULL, NARROW))
    else:
        return Missing(title, "no evaluation was recorded")
    levels = _log_levels(record) + _score_level(record, curve)
    return drawn("curve", title, caption, Chart(unit, [line], levels, range_), (FULL, NARROW))


def _window_curve(record: Record, curve: Series) -> Panel:
    """The difference from the log in windows, with its interval."""
    high, spread = record.series("window_estimate/high"), None
    if high.epochs == curve.epochs:
        spread = [end - value for end, value in zip(high.values, curve.values, strict=True)]
    model = "its own model" if record.learns_model else "the model that scores it"
    line = Line(f"policy less log, by {model}", curve, BLUE, spread=spread)
    level = Level("what made the log", 0.0, INK, DASHED)
    band = "; the band is a 90 % interval over members and rows" if spread else ""
    caption = (
        f"What the policy collects in a window of {plural(record.log.get('window', 0), 'step')} in {model}, less "
        f"what the log measured from the same rows{band}. No simulator was asked."
    )
    chart = Chart("difference a window", [line], [level])
    return drawn("curve", "Better than the log? The model’s own estimate", caption, chart, (FULL, NARROW))


def _spread(record: Record, curve: Series) -> list[float] | None:
    spread = record.series("eval/return_std")
    return spread.values if spread.epochs == curve.epochs else None


def _score_range(record: Record) -> tuple[float, float] | None:
    task = record.config.get("task", {})
    low, high = task.get("score_min"), task.get("score_max")
    return None if low is None or high is None else (low, high)


def _log_levels(record: Record) -> list[Level]:
    named = (("return_mean", "log’s mean return", DASHED), ("return_best", "log’s best episode", DOTTED))
    return [
        Level(f"{name} {number(record.log[key])}", record.log[key], INK, dash)
        for key, name, dash in named
        if key in record.log
    ]


def _score_level(record: Record, curve: Series) -> list[Level]:
    """The final score over the evaluations it is the mean of."""
    score = record.scores.get(EVAL_RETURN)
    if score is None or score["evaluations"] < 2:
        return []
    span = (curve.epochs[-min(score["evaluations"], len(curve.epochs))], curve.epochs[-1])
    label = f"score {number(score['mean_of_last'])}: mean of the last {score['evaluations']}"
    return [Level(label, score["mean_of_last"], VERMILION, figures.SOLID, span)]


def promise(record: Record) -> Panel | Missing:
    """What the critics expect from the start states against the discounted return obtained from them."""
    title = "Promised and obtained"
    expected, obtained = record.series("eval/critic_estimate"), record.series("eval/discounted_return")
    if obtained and not expected:
        return Missing(title, f"the method {record.config.get('method')} has no critics")
    if not expected or expected.epochs != obtained.epochs:
        return Missing(
            title, "the critics’ value is compared with returns measured in a simulator, and none were recorded"
        )
    lines = [Line("critics’ estimate Q", expected, VERMILION, DASHED), Line("return obtained", obtained, BLUE)]
    difference = expected.last - obtained.last
    beyond = f"{entropy_bonus(record)} {beyond_the_limit(record)}"
    caption = (
        f"From the same start states, both discounted by {record.settings.get('discount')} a step. At the end the "
        f"critics expect {number(expected.last)} and the policy obtains {number(obtained.last)}: "
        f"{number(abs(difference))} too {'much' if difference > 0 else 'little'}.{beyond}"
    )
    return drawn("promise", title, caption.strip(), Chart("discounted return", lines, gap=True), (ROW, NARROW))


def entropy_bonus(record: Record) -> str:
    """Where the target counts the next action's entropy, critics are no estimate of the return alone."""
    counted = record.settings.get("entropy_in_backup")
    return " Q also counts the entropy bonus, which no return does." if counted else ""


def beyond_the_limit(record: Record) -> str:
    """Critics value what would follow the time limit; an evaluation stops there."""
    horizon, discount = record.config.get("task", {}).get("horizon"), record.settings.get("discount")
    if not horizon or not discount or discount**horizon < 0.01:
        return ""
    share = f"{100 * discount**horizon:.0f} %"
    return (
        f"Critics also count what would follow step {horizon:,}, where evaluations stop: {share} of the value of a "
        "steady reward."
    )


def model_error(record: Record) -> Panel | Missing:
    """Each member's error on rows it never saw, of the run's model or of the one that scores it."""
    title = "Error of the model that scores it" if record.scored_by_model else "Model error"
    members = sorted(kept_errors(record.fit))
    if not record.learns_model and not record.scored_by_model:
        return Missing(title, f"the method {record.config.get('method')} learns no model")
    if not members:
        shared = record.config.get("model")
        return Missing(title, "the run took a model that had been fitted before" if shared else "no fit was recorded")
    best = elites(record.fit, record.count_elites(len(members)))
    ordered = best + [member for member in members if member not in best]
    lines = [_member(record, member, member in best) for member in ordered]
    errors = sorted(kept_errors(record.fit).values())[: len(best)]
    scaled = record.settings.get("standardise_targets")
    apart = " Nothing was learned in it: it tells the difference from the log alone." if record.scored_by_model else ""
    caption = (
        f"Mean squared error of each member’s prediction on rows held out of the fit"
        f"{', in standard deviations squared: 1 is no better than predicting the mean' if scaled else ''}. The "
        f"{plural(len(best), 'elite')} at their best epochs: {number(errors[0])} to {number(errors[-1])}.{apart}"
    )
    return drawn("model", title, caption, Chart("holdout error", lines, logarithmic=True), (ROW, NARROW))


def _member(record: Record, member: int, elite: bool) -> Line:
    data = series(record.fit, f"holdout/member{member}")
    return Line("elite", data, BLUE, weight=1.3) if elite else Line("other member", data, GREY, DASHED, weight=1.3)


def conservative_term(record: Record) -> Panel | Missing:
    """MICRO's f over epochs, and what of it is taken off the targets."""
    title, beta = "Conservative term", record.config.get("options", {}).get("beta")
    term = record.series("conservative_term")
    if not term:
        method = record.config.get("method", "the method")
        return Missing(title, "it was not recorded" if method == "micro" else f"the method {method} has none")
    lines = [Line("term f", term, PURPLE)]
    caption = (
        "How far the worst elite’s value of the next state lies below the elites’ average, over model rows: where the "
        f"members disagree, f is large. At the end {number(term.last)}"
    )
    if beta is not None:
        taken = Series(term.epochs, [beta * value for value in term.values])
        lines.append(Line("taken off the next state’s value, β f", taken, GREEN, DASHED))
        caption += f", of which β = {beta:g} takes off {number(taken.last)}"
    q = record.series("q/model")
    caption += f", beside a mean Q of {number(q.last)} on those rows." if q else "."
    return drawn("term", title, caption, Chart("value", lines), (ROW, NARROW))


_DETAILS = (
    ("loss/critic", "Critic loss", "squared error of reward-scaled values"),
    ("loss/actor", "Actor loss", "α log π − Q, reward-scaled"),
    ("temperature", "Temperature α", "weight of the entropy"),
    ("entropy", "Entropy of the policy", "nats"),
    ("q/real", "Q on the log’s rows", "discounted return"),
    ("q/model", "Q on the model’s rows", "discounted return"),
    ("rollout/reward", "Reward in rollouts", "mean of a model step"),
    ("rollout/length", "Length of rollouts", "steps until the end or the limit"),
    ("time/updates_per_second", "Speed", "updates a second"),
)


def details(record: Record) -> list[Panel]:
    """The quantities one looks at when something went wrong."""
    panels = []
    for index, (key, title, unit) in enumerate(_DETAILS):
        if data := record.series(key):
            chart = Chart(unit, [Line(title, data, BLUE, weight=1.5)])
            panels.append(drawn(f"detail{index}", title, "", chart, (THIRD,)))
    return panels


MAIN: tuple[Callable[[Record], Panel | Missing], ...] = (learning_curve, promise, model_error, conservative_term)


def drawn(name: str, title: str, caption: str, chart: Chart, sizes: tuple[Size, ...]) -> Panel:
    """A chart at each of these sizes; `name` makes the ids of its drawings unique in the page."""
    drawings = []
    for size in sizes:
        kind = "narrow" if size == NARROW else "wide" if NARROW in sizes else "only"
        drawings.append((kind, figures.svg(chart, size, f"{name}-{kind}", title)))
    swatches = [Swatch(item.label, item.colour, item.dash) for item in (*chart.lines, *chart.levels)]
    legend = list(dict.fromkeys(swatches))
    return Panel(title, caption, legend if len(legend) > 1 else [], drawings)
