"""What the figures of a log mean, in plain sentences; the terminal and the page say the same."""

from micro_rl.core.wording import plural
from micro_rl.data.log_parts import Summary
from micro_rl.reports.log import timing
from micro_rl.reports.log.describe import NEARLY, Insight
from micro_rl.reports.log.learning_curve import Outlook
from micro_rl.reports.log.sample import FOLDS, ROWS

FAR_AWAY = 1000
"""Times the rows beyond which nobody should count."""


def headline(insight: Insight) -> str:
    """The one thing to know before training."""
    if insight.narrow:
        return "Narrow: whoever made this log nearly always did the same in the same place."
    if insight.determinism is None:
        return "Too small to say how it was made."
    if insight.determinism >= NEARLY:
        return "The observation decides much, not all, of what was done."
    return "The same place was left by different actions: there is something to learn from."


def paragraphs(insight: Insight) -> list[str]:
    """Behaviour, density, rows; then what all of that was computed on."""
    texts = [behaviour(insight), density(insight), rows_needed(insight), pace(insight), basis(insight)]
    return [paragraph for paragraph in texts if paragraph]


def behaviour(insight: Insight) -> str:
    """How far the observation decides the action, and what follows."""
    if insight.determinism is None:
        return "There are too few rows to say how far the observation decides the action."
    share = f"{100 * max(0.0, insight.determinism):.0f} %"
    where = "other episodes" if insight.by_episode else "other parts of the log"
    known = f"The observation tells {share} of the variance of the action, by its nearest neighbours in {where}"
    if insight.returns_alike:
        known += (
            f"; the returns differ by {_percent(insight.summary.return_std / abs(insight.summary.return_mean))} only"
        )
    if insight.narrow:
        return (
            f"{known}. So the log hardly shows what other actions would have done. Model-based methods fail on such "
            "logs: the members of the ensemble learn the same, agree, and are wrong together away from the log, where "
            "no penalty on their disagreement sees it. Clone the behaviour first (--method bc), hold a model-based "
            "policy to the log's actions (--bc-weight 10), and believe no score that was not measured on the system "
            "itself."
        )
    if insight.determinism < 0.05:
        return f"{known}. The actions were random, or follow something that was not recorded."
    return f"{known}. The rest varied, by noise or by what was not recorded, and shows what different actions do."


def density(insight: Insight) -> str:
    """How far it is to the nearest row."""
    if insight.closeness is None:
        return ""
    other, half = insight.closeness
    parts = "episodes" if insight.by_episode else "parts of the log"
    text = (
        f"From a row to the nearest one of other {parts} it is {_percent(other)} of the way between two rows drawn at "
        f"random (observation and action together); within a random half of the log, {_percent(half)}."
    )
    if other > 1.25 * half:
        return f"{text} {parts.capitalize()} go where others do not: a policy that leaves one is soon alone."
    return f"{text} Other {parts} are no further away than its own: they cover the same ground."


def pace(insight: Insight) -> str:
    """Delays, noise at this step, and what is proposed."""
    proposal = timing.proposal_words(insight.pace)
    return f"{timing.delay_words(insight.pace)} {timing.step_words(insight.pace)} Proposal: {proposal}."


def rows_needed(insight: Insight) -> str:
    """What more rows would do, as far as that can be said."""
    if not insight.curve or insight.outlook is None:
        return "There are too few rows to say what more of them would do."
    last = insight.curve[-1]
    return (
        f"Predicting one step of {_held_out(insight)}, after {plural(last.rows, 'row')}, a ridge regression leaves "
        f"{_percent(last.ridge)} of the variance, nearest neighbours {_percent(last.neighbours)}. "
        f"{_more(insight.outlook)} This is what two simple regressions need for one step; how many rows a policy "
        "needs, nothing here can tell."
    )


def _more(outlook: Outlook) -> str:
    """The last doublings of the rows, and the next ones."""
    ridge = (
        f"took {_percent(outlook.ridge_gain)} off the first"
        if outlook.ridge_gain > 0.02
        else "did nothing for the first, which has learned what it can"
    )
    much = _percent(outlook.neighbours_gain) if outlook.neighbours_gain > 0.005 else "nothing"
    near = f"{much} off the second"
    joined = f"The last doublings of the rows {ridge}{' and' if 'took' in ridge else ', and took'} {near}"
    if outlook.times_to_halve is None:
        return f"{joined}."
    if outlook.times_to_halve > FAR_AWAY:
        return f"{joined}, which at that pace would not halve with {FAR_AWAY:,} times the rows."
    return f"{joined}, which at that pace would halve with {_times(outlook.times_to_halve)} times the rows."


def basis(insight: Insight) -> str:
    """What was looked at."""
    whole = insight.looked_at < ROWS
    rows = "all usable rows" if whole else f"{insight.looked_at:,} rows drawn with a fixed seed"
    why = "" if insight.by_episode else f", since there are fewer than {FOLDS} episodes"
    return f"Behaviour, density and prediction were computed on samples of {rows}, with {_held_out(insight)}{why}."


def _held_out(insight: Insight) -> str:
    return "episodes held out" if insight.by_episode else "blocks of rows held out"


def steps(few: Summary) -> str:
    """How long episodes are."""
    if few.length_shortest == few.length_longest:
        return plural(few.length_longest, "step")
    return f"{few.length_shortest:,} to {few.length_longest:,} steps"


def _times(factor: float) -> str:
    return f"{factor:.0f}" if factor >= 10 else f"{factor:.1f}"


def _percent(share: float) -> str:
    return f"{100 * share:.2g} %" if abs(share) < 0.1 else f"{100 * share:.0f} %"
