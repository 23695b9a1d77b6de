"""All figures of a log together, and what they say about learning from it."""

from dataclasses import dataclass

from micro_rl.core import tasks
from micro_rl.data import Dataset
from micro_rl.data.log_parts import Summary
from micro_rl.reports.log import learning_curve, neighbours, sample
from micro_rl.reports.log.channel_facts import Channel, channels
from micro_rl.reports.log.learning_curve import Outlook, Point
from micro_rl.reports.log.neighbours import Closeness
from micro_rl.reports.log.timing import Timing, timing

DETERMINED = 0.8
"""From this share of the actions' variance on, a log is called narrow; the logs behind it: docs/guides/checking.md."""
NEARLY = 0.6
"""From this share on it is called so where all the returns are alike, too."""
ALIKE = 0.05
"""Returns whose deviation is below this share of their mean are alike."""


@dataclass(frozen=True)
class Insight:
    """What is in a log; None, or an empty list, where it is too small to tell."""

    summary: Summary
    score_mean: float | None
    score_best: float | None
    channels: list[Channel]
    looked_at: int
    by_episode: bool
    determinism: float | None
    closeness: Closeness | None
    curve: list[Point]
    outlook: Outlook | None
    pace: Timing

    @property
    def narrow(self) -> bool:
        """Whether the observation all but decides the action, so that nothing tells what other actions do."""
        if self.determinism is None:
            return False
        return self.determinism >= DETERMINED or (self.returns_alike and self.determinism >= NEARLY)

    @property
    def returns_alike(self) -> bool:
        """Whether all episodes went about equally well."""
        few = self.summary
        return few.episodes > 1 and few.return_std < ALIKE * abs(few.return_mean)


def describe(dataset: Dataset) -> Insight:
    """Every figure; the same log gives the same figures."""
    summary, task = dataset.summary(), tasks.at_limit(dataset.task, dataset.reading.horizon)
    looked = sample.draw(dataset)
    points = learning_curve.curve(looked)
    return Insight(
        summary=summary,
        score_mean=tasks.normalised(summary.return_mean, task),
        score_best=tasks.normalised(summary.return_best, task),
        channels=channels(dataset),
        looked_at=len(looked.rows),
        by_episode=looked.by_episode,
        determinism=neighbours.determinism(looked),
        closeness=neighbours.closeness(looked),
        curve=points,
        outlook=learning_curve.outlook(points),
        pace=timing(dataset),
    )
