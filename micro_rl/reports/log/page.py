"""A log's page: one self-contained HTML file that tells what is in it."""

from pathlib import Path

from micro_rl._version import __version__
from micro_rl.core.wording import number, plural
from micro_rl.data import Dataset
from micro_rl.reports.log import Insight, words
from micro_rl.reports.run.page import Fact, environment
from micro_rl.reports.run.story import Figure, Story
from micro_rl.storage.files import replace_file


def write_log_page(dataset: Dataset, insight: Insight, path: Path) -> None:
    """Write a log's page, whole or not at all.

    Args:
        dataset: The log.
        insight: What `describe` gives for it.
        path: The file.

    Raises:
        CannotWrite: The disk refuses it.
    """
    replace_file(path, render(dataset, insight).encode())


def render(dataset: Dataset, insight: Insight) -> str:
    """The page as text: no script, and nothing that is loaded from elsewhere."""
    from micro_rl.reports.log import panels

    main = [
        panels.returns(dataset, insight),
        panels.lengths(dataset),
        panels.projection(dataset),
        panels.learning(insight),
    ]
    drawn = panels.channels(dataset)
    return (
        environment()
        .get_template("log.html")
        .render(
            title=f"The log {dataset.name}",
            story=Story(words.headline(insight), _figures(insight), words.paragraphs(insight)),
            main=[panel for panel in main if panel],
            channels=drawn,
            left_out=len(insight.channels) - len(drawn),
            notes=dataset.notes,
            table=insight.channels,
            facts=_facts(dataset, insight),
            number=number,
            version=__version__,
        )
    )


def _figures(insight: Insight) -> list[Figure]:
    """Three numbers worth a large type."""
    few = insight.summary
    share = "unknown" if insight.determinism is None else f"{100 * max(0.0, insight.determinism):.0f} %"
    best = [f"best {number(few.return_best)}, worst {number(few.return_worst)}"]
    if insight.score_mean is not None:
        best.append(f"normalised score {number(insight.score_mean)}")
    return [
        Figure("of the action is told by the observation", share, ["near 100 %: nothing shows what other actions do"]),
        Figure("mean return", number(few.return_mean), best),
        Figure("rows", f"{few.rows:,}", [plural(few.episodes, "episode")]),
    ]


def _facts(dataset: Dataset, insight: Insight) -> list[Fact]:
    few = insight.summary
    return [
        Fact(
            "Rows",
            f"{few.rows:,}, {plural(few.observation_size, 'observation')} and {plural(few.action_size, 'action')} each",
        ),
        Fact("Episodes", f"{few.episodes:,}: {few.terminals:,} terminate, {few.timeouts:,} time out"),
        Fact("Episodes last", words.steps(few)),
        Fact("Returns", f"{number(few.return_mean)} ± {number(few.return_std)} (standard deviation over episodes)"),
        Fact("Format", dataset.format),
        Fact("SHA-256", dataset.sha256, True),
    ]
