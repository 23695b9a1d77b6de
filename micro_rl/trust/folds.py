"""Folds: the log's episodes in groups, of which each judge leaves some out.

A group that is left out is foreign to the judge: what it returned was measured, what the judge says of it is a
prediction. Groups should therefore differ in behaviour: by who controlled, by time, or by what was done.
"""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float64, Int

from micro_rl.core.arguments import brief
from micro_rl.core.wording import plural
from micro_rl.data import Dataset
from micro_rl.data.stretches import Stretches
from micro_rl.errors import UserError

FOLDS, FEWEST, MOST = 10, 4, 20
"""Groups where nobody names any; how many there must be; as many named ones are kept as they are."""
COMPARED = 1000
"""Episodes whose distances to all others tell how well clusters part."""
LEFT_OUT = 2
"""Each judge leaves out its own fold and the next, so that two judges in a row share one that neither saw."""

EASY = "for want of episodes: they may differ by where in an episode they are, which is easy to foretell"


class Folds(NamedTuple):
    """The fold of every row, what each is called, and how they were made."""

    of_row: Int[np.ndarray, " row"]
    names: tuple[str, ...]
    made: str

    @property
    def size(self) -> int:
        """How many there are."""
        return len(self.names)

    def whole(self, dataset: Dataset) -> bool:
        """Whether no episode is cut: parts of one may differ by where in it they are, which is easy to foretell."""
        return bool(np.isin(np.flatnonzero(np.diff(self.of_row)) + 1, dataset.starts).all())

    def of_windows(self, windows: Stretches) -> tuple[Stretches, Int[np.ndarray, " window"]]:
        """The windows that lie in one fold, and that fold."""
        changes = np.concatenate([[0], np.cumsum(np.diff(self.of_row) != 0)])
        inside = changes[windows.starts] == changes[windows.stops - 1]
        return windows.of(inside), self.of_row[windows.starts[inside]]


def by_time(dataset: Dataset, count: int = FOLDS) -> Folds:
    """Blocks of the log's order with about as many rows each, of whole episodes where there are enough of them."""
    cuts = np.linspace(0, len(dataset), count + 1)[1:-1].round().astype(int)
    whole = len(dataset.stops) >= 2 * count
    if whole:
        cuts = dataset.stops[np.abs(dataset.stops[:, None] - cuts).argmin(0)]
    of_row = np.searchsorted(np.unique(cuts), np.arange(len(dataset)), side="right")
    kind = "blocks of whole episodes in the log's order" if whole else f"blocks of rows in the log's order, {EASY}"
    return _named(of_row, [f"block {number + 1}" for number in range(of_row.max() + 1)], kind)


def by_behaviour(dataset: Dataset, count: int = FOLDS) -> Folds:
    """Episodes in order of how they act where they are: along the axis in which their actions differ most."""
    if len(dataset.stops) < 2 * count:
        raise UserError(
            f"{dataset.name}: {plural(len(dataset.stops), 'episode')} where {2 * count} are needed to group by "
            "behaviour; take --groups time"
        )
    order = np.argsort(_behaviour(dataset), kind="stable")
    shares = np.cumsum(dataset.lengths[order]) / len(dataset)
    fold = np.empty(len(order), np.int64)
    fold[order] = np.minimum((shares * count - 1e-9).astype(int), count - 1)
    fold = np.unique(fold, return_inverse=True)[1]
    names = [f"behaviour {number + 1}" for number in range(fold.max() + 1)]
    return _named(np.repeat(fold, dataset.lengths), names, "episodes in order of how they act")


def by_clusters(dataset: Dataset, most: int = FOLDS) -> Folds:
    """Clusters of episodes that act alike where they are, by k-means; as many as part them best.

    An episode's features are the mean and the deviation of its actions less what a linear regression on the
    observations tells. The number is that of 2 to `most` with the greatest mean silhouette (Rousseeuw, Journal of
    Computational and Applied Mathematics 1987), of those that leave no episode alone.

    Raises:
        UserError: too few episodes, or none that differ.
    """
    from scipy.cluster.vq import kmeans, vq  # slow to import

    left = _unexplained(dataset)
    left = left / (left.std(0) + 1e-9)
    mean = np.add.reduceat(left, dataset.starts) / dataset.lengths[:, None]
    square = np.add.reduceat(left**2, dataset.starts) / dataset.lengths[:, None]
    features = np.concatenate([mean, np.sqrt(np.maximum(square - mean**2, 0))], axis=1)
    counts = range(2, min(most, len(features) // 2) + 1) if np.ptp(features, axis=0).max() > 1e-6 else ()
    tried = [vq(features, kmeans(features, count, iter=10, rng=0)[0])[0] for count in counts]
    tried = [cluster for cluster in tried if np.bincount(cluster)[np.unique(cluster)].min() >= 2]
    if not tried:
        raise UserError(
            f"{dataset.name}: {plural(len(dataset.stops), 'episode')} that form no clusters by how they act; "
            "take --groups time"
        )
    cluster = max(tried, key=lambda cluster: _silhouette(features, cluster))
    numbers, cluster = np.unique(cluster, return_inverse=True)
    names = [f"cluster {number + 1}" for number in range(len(numbers))]
    of_row, made = np.repeat(cluster, dataset.lengths), f"{len(numbers)} clusters of episodes by how they act"
    if len(numbers) < FEWEST:
        return _cut(of_row, names)._replace(made=f"{made}, each cut into blocks of time")
    return _named(of_row, names, made)


def _silhouette(features: Float64[np.ndarray, "episode feature"], cluster: Int[np.ndarray, " episode"]) -> float:
    """How much nearer, on average, an episode is to its own cluster than to the next, as a share of the latter."""
    from scipy.spatial.distance import cdist  # slow to import

    some = np.unique(np.linspace(0, len(features) - 1, min(len(features), COMPARED)).round().astype(int))
    belongs = cluster[:, None] == np.unique(cluster)
    apart = cdist(features[some], features) @ belongs
    own = apart[belongs[some]] / (belongs.sum(0) - 1)[belongs[some].argmax(1)]
    other = np.where(belongs[some], np.inf, apart / belongs.sum(0)).min(1)
    return float(((other - own) / np.maximum(np.maximum(own, other), 1e-12)).mean())


def by_labels(dataset: Dataset, labels: Sequence[Any] | np.ndarray) -> Folds:
    """Groups that somebody names, one label for each row or each episode.

    Few groups are cut into blocks of time, many are dealt out to as many folds as are kept.

    Raises:
        UserError: no list, or another number of labels.
    """
    if not isinstance(labels, Iterable):
        raise UserError(f"groups: {brief(labels)} is no list of labels; give one for each row or each episode")
    values = np.asarray([str(label) for label in labels])
    if len(values) == len(dataset.stops) != len(dataset):
        values = np.repeat(values, dataset.lengths)
    if len(values) != len(dataset):
        raise UserError(
            f"groups: {plural(len(values), 'label')} where the log has {plural(len(dataset), 'row')} and "
            f"{plural(len(dataset.stops), 'episode')}; "
            "give one for each row or each episode"
        )
    found, of_row = np.unique(values, return_inverse=True)
    if len(found) > MOST:
        return _named(of_row % MOST, [f"groups {number + 1}" for number in range(MOST)], f"{len(found)} groups, dealt")
    if len(found) < FEWEST:
        return _cut(of_row, found.tolist())
    return _named(of_row, found.tolist(), "the groups that were named")


def _cut(of_row: Int[np.ndarray, " row"], labels: list[str]) -> Folds:
    """Every group in blocks of time, so that there are about `FOLDS` in all."""
    blocks = -(-FOLDS // len(labels))
    fold = np.empty_like(of_row)
    for label in range(len(labels)):
        rows = np.flatnonzero(of_row == label)
        fold[rows] = label * blocks + np.arange(len(rows)) * blocks // len(rows)
    names = [f"{label}, block {block + 1}" for label in labels for block in range(blocks)]
    used, fold = np.unique(fold, return_inverse=True)
    return _named(fold, [names[number] for number in used], "the groups that were named, each cut into blocks of time")


def _named(of_row: Int[np.ndarray, " row"], names: Sequence[str], made: str) -> Folds:
    return Folds(of_row.astype(np.int64), tuple(names), made)


def _behaviour(dataset: Dataset) -> Float64[np.ndarray, " episode"]:
    """A number for every episode: the mean of its actions less what its observations tell, on the main axis."""
    left = _unexplained(dataset)
    of_episode = np.add.reduceat(left, dataset.starts) / dataset.lengths[:, None]
    scaled = of_episode / (left.std(0) + 1e-9)
    axis = np.linalg.svd(scaled - scaled.mean(0), full_matrices=False)[2][0]
    return (scaled - scaled.mean(0)) @ (axis * np.sign(axis[np.abs(axis).argmax()]))


def _unexplained(dataset: Dataset) -> Float64[np.ndarray, "row act"]:
    """The actions less what a linear regression on the observations tells."""
    observations, actions = (part.astype(np.float64) for part in (dataset.observations, dataset.actions))
    inputs = np.column_stack(
        [(observations - observations.mean(0)) / (observations.std(0) + 1e-9), np.ones(len(dataset))]
    )
    ridge = inputs.T @ inputs + 1e-3 * len(dataset) * np.eye(inputs.shape[1])
    return actions - inputs @ np.linalg.solve(ridge, inputs.T @ actions)
