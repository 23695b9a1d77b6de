"""Put a judgement into the page trust.html: one file, without scripts, that loads nothing."""

from functools import partial
from pathlib import Path

from micro_rl.core.wording import duration, number, plural
from micro_rl.reports.run.page import Fact, environment
from micro_rl.reports.run.story import Figure, Story
from micro_rl.reports.trust import panels, words
from micro_rl.reports.trust.record import Judgement, PolicyJudgement
from micro_rl.storage.files import make_parent, replace_file


def write(judgement: Judgement, path: Path) -> Path:
    """Write the page, whole or not at all.

    Raises:
        CannotWrite: the disk refuses it.
    """
    make_parent(path)
    replace_file(path, render(judgement).encode())
    return path


def render(judgement: Judgement) -> str:
    """The page as text."""
    sentences = (words.yardstick, words.against_measured, words.tested, words.vouched)
    paragraphs = [*(sentence(judgement) for sentence in sentences), words.NEVER_KNOWN]
    return (
        environment()
        .get_template("trust.html")
        .render(
            title=f"Can it be trusted? Policies of the log {judgement.log}",
            story=Story(words.headline(judgement), _figures(judgement), paragraphs),
            main=[panels.differences(judgement), panels.self_test(judgement)],
            policies=judgement.ranked,
            trial=partial(words.trial, judgement),
            estimates=_estimates,
            judgement=judgement,
            facts=_facts(judgement),
            number=number,
            version=judgement.version,
        )
    )


def _figures(judgement: Judgement) -> list[Figure]:
    best = judgement.ranked[0]
    own = best.difference
    return [
        Figure(
            f"{best.name} a window, against {judgement.opponent}",
            f"{'+' if own.mean > 0 else ''}{number(own.mean)}",
            [f"between {number(own.low)} and {number(own.high)}"],
        ),
        Figure("what made the log, a window", number(judgement.measured), ["measured"]),
        Figure("of its steps the log can vouch for", f"{100 * best.evidence.support:.0f} %", []),
    ]


def _estimates(judgement: Judgement, policy: PolicyJudgement) -> list[Fact]:
    """Every estimator's figure, a window and a step."""

    def both(value: float) -> str:
        return f"{number(value)} a window, {number(value / judgement.window)} a step"

    evidence = policy.evidence
    model, by_fqe = evidence.model, evidence.fqe
    importance = (
        f"{both(policy.importance)}"
        if policy.importance is not None
        else f"not possible: the weights leave {policy.effective_last:.0f} of the windows, and 30 are needed"
    )
    return [
        Fact(
            "Difference, by the model", f"{both(model.mean)}; from {number(model.low)} to {number(model.high)} a window"
        ),
        Fact("Difference, by FQE", f"{both(by_fqe.mean)}; from {number(by_fqe.low)} to {number(by_fqe.high)} a window"),
        Fact("Its own windows, by the model", both(policy.value)),
        Fact("The same of what it is compared with", both(policy.baseline)),
        Fact("Its own windows, by FQE", both(policy.fqe_value)),
        Fact("Its own windows, by importance sampling", importance),
        Fact(
            "Windows of the log that resemble it", f"{100 * evidence.effective:.1f} % after one step, by their weights"
        ),
        Fact(
            "Worst tenth of its windows",
            f"{number(evidence.worst_tenth)}, against {number(evidence.baseline_worst_tenth)} of the other",
        ),
    ]


def _facts(judgement: Judgement) -> list[Fact]:
    facts = [
        Fact("Log", judgement.log),
        Fact("SHA-256", judgement.sha256, True),
        Fact(
            "Windows",
            f"{plural(judgement.windows, 'window')} of {plural(judgement.window, 'step')} that do not overlap",
        ),
        Fact("Parts", f"{len(judgement.folds)}, {judgement.folds_made}"),
        Fact("Compared with", judgement.baseline),
        Fact("Limits", "; ".join(judgement.limits) or "none"),
    ]
    if judgement.limits:
        facts.append(Fact("The log breaks them in", f"{100 * judgement.log_violations:.2f} % of its steps"))
    return [*facts, Fact("Time", duration(judgement.seconds))]
