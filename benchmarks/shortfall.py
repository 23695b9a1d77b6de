"""How often `micro-rl monitor` contradicts a prediction that is true, and how soon it finds a shortfall.

    python -m benchmarks.shortfall [--records 20000] [--windows 1000] [--log-windows 200] [--log LOG] [--window 20]
        [--seed 0]

Simulates records, each of so many windows, and looks after every one. What made the log is known by so many windows of
the log, drawn anew for each record. Where the prediction is true the windows' mean is the lower end of its interval,
the hardest case: of every kind of windows the share of records is printed that fall short at any time, that are
contradicted downward or upward where the interval is a point, in which the trial against the log decides although
there is no difference, and in which it would if the log's mean were taken for exactly known. `--log` adds a log's own
windows, as many as it has: its episodes in an order that is drawn, each with its windows side by side. Then come the
windows that it takes to find a shortfall, and to find one that begins after fifty.
"""

import argparse
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from micro_rl.data import Dataset, load
from micro_rl.data.stretches import alike, stretches
from micro_rl.trust.trial import ALPHA, effective, margins
from micro_rl.trust.watching import half_widths

Draw = Callable[[np.random.Generator, tuple[int, int]], np.ndarray]
"""Returns of windows [record, window], of mean 0, in the log's standard deviations."""
CHUNK = 2000
SHORTFALLS, HEALTHY = (0.25, 0.5, 1.0, 2.0), 50


def normal(random: np.random.Generator, size: tuple[int, int]) -> np.ndarray:
    """What the test is made for."""
    return random.standard_normal(size)


def skewed(random: np.random.Generator, size: tuple[int, int]) -> np.ndarray:
    """Mostly a little better than the mean, seldom much worse."""
    return 1 - random.standard_exponential(size)


def heavy(random: np.random.Generator, size: tuple[int, int]) -> np.ndarray:
    """Student's t with three degrees of freedom: now and then far off."""
    return random.standard_t(3, size) / np.sqrt(3)


def correlated(random: np.random.Generator, size: tuple[int, int]) -> np.ndarray:
    """Every window like the one before, by 0.3."""
    returns = random.standard_normal(size)
    for window in range(1, size[1]):
        returns[:, window] = 0.3 * returns[:, window - 1] + np.sqrt(1 - 0.3**2) * returns[:, window]
    return returns


def wide(random: np.random.Generator, size: tuple[int, int]) -> np.ndarray:
    """Half as spread again as the log's."""
    return 1.5 * random.standard_normal(size)


ALIKE = "normal, each like the last by 0.3"
KINDS: dict[str, tuple[Draw, float]] = {
    "normal": (normal, 0.0),
    "skewed: 1 less an exponential": (skewed, 0.0),
    "heavy tails: t, 3 degrees of freedom": (heavy, 0.0),
    "normal, 1.5 times as spread as the log's": (wide, 0.0),
    f"{ALIKE}, as in the log": (correlated, 0.3),
    f"{ALIKE}, unlike the log": (correlated, 0.0),
}
"""How they are drawn, and how alike the log's are one after another."""


def of_log(log: Dataset, length: int) -> Draw:
    """The log's own windows, episode by episode in an order that is drawn, less their mean."""
    rewards = (log.rewards[own].astype(np.float64) for own in log.episodes)
    episodes = [own[: len(own) // length * length].reshape(-1, length).sum(-1) for own in rewards if len(own) >= length]
    mean, deviation = np.concatenate(episodes).mean(), stretches(log, length).returns.std(ddof=1)
    shortest = min(map(len, episodes))

    def draw(random: np.random.Generator, size: tuple[int, int]) -> np.ndarray:
        order = random.integers(len(episodes), size=(size[0], -(-size[1] // shortest)))
        drawn = [np.concatenate([episodes[number] for number in row])[: size[1]] for row in order]
        return (np.stack(drawn) - mean) / deviation

    return draw


class Looks(NamedTuple):
    """What every look at records leaves possible of the difference from the log [record, window], and its mean."""

    means: np.ndarray
    lowest: np.ndarray
    highest: np.ndarray


def looks(returns: np.ndarray, known: np.ndarray, alike: float) -> Looks:
    """Look at records after each of their windows, each beside the windows of its own log [record, window]."""
    means = returns.cumsum(-1) / np.arange(1, returns.shape[-1] + 1) - known.mean(-1, keepdims=True)
    of_mean = effective(1.0, alike) / known.shape[-1] ** 0.5
    half = half_widths(returns, 1.0, alike=alike, baseline_deviation=of_mean)
    return Looks(means, means - half, means + half)


class FalseAlarms(NamedTuple):
    """Shares of records whose mean is the predicted one, and the log's, in which that is denied after any window.

    `short` falls short; `either` falls short or is above, the interval being a point; `trial` is decided by the margin
    of a trial's plan, which takes the windows for as spread as the log's; `exact` would be if the log's mean were
    taken for exactly known.
    """

    short: float
    either: float
    trial: float
    exact: float


def false_alarms(draw: Draw, alike: float, records: int, windows: int, of_log: int, seed: int) -> FalseAlarms:
    """Simulate records of this mean, each with a log of its own, and look after every window."""
    random, denied, spread = np.random.default_rng(seed), np.zeros(4), effective(1.0, alike)
    counts, of_mean = np.arange(1.0, windows + 1), spread / of_log**0.5
    for first in range(0, records, CHUNK):
        count = min(CHUNK, records - first)
        sums = looks(draw(random, (count, windows)), draw(random, (count, of_log)), alike)
        short, above = (sums.highest < 0).any(-1), (sums.lowest > 0).any(-1)
        halves = [margins(counts, spread, baseline_deviation=own) for own in (of_mean, 0.0)]
        decided = [(np.abs(sums.means) > half).any(-1) for half in halves]
        denied += [own.sum() for own in (short, short | above, *decided)]
    return FalseAlarms(*(denied / records).tolist())


def found_after(shortfall: float, healthy: int, records: int, windows: int, of_log: int, seed: int) -> np.ndarray:
    """The windows until a shortfall is found that begins after `healthy` ones; infinite where it is not [record]."""
    random, found = np.random.default_rng(seed), []
    for first in range(0, records, CHUNK):
        count = min(CHUNK, records - first)
        returns = normal(random, (count, windows))
        returns[:, healthy:] -= shortfall
        below = looks(returns, normal(random, (count, of_log)), alike=0.0).highest < 0
        found.append(np.where(below.any(-1), below.argmax(-1) + 1.0 - healthy, np.inf))
    return np.concatenate(found)


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    defaults = {"records": 20_000, "windows": 1000, "log-windows": 200, "window": 20, "seed": 0}
    for name, default in defaults.items():
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--log")
    asked = parser.parse_args()
    kinds = {name: (*kind, asked.log_windows) for name, kind in KINDS.items()}
    if asked.log:
        log = load(asked.log)
        own = stretches(log, asked.window)
        like = alike(log, own)
        kinds[f"the log's own (alike by {like:.2f}, {own.disjoint:,})"] = of_log(log, asked.window), like, own.disjoint
    print(
        f"{asked.records:,} records of {asked.windows:,} windows, looked at after every window, alpha {ALPHA}, "
        f"logs of {asked.log_windows:,}"
    )
    print("\n| windows | fall short | contradicted | trial decides | if the log's mean were exact |")
    print("|---|---|---|---|---|")
    for name, (draw, like, known) in kinds.items():
        shares = false_alarms(draw, like, asked.records, asked.windows, known, asked.seed)
        print(f"| {name} | {' | '.join(f'{share:.2%}' for share in shares)} |", flush=True)
    print("\n| shortfall, deviations | healthy before | half found after | 9 of 10 | found |\n|---|---|---|---|---|")
    for healthy in (0, HEALTHY):
        for shortfall in SHORTFALLS:
            found = found_after(shortfall, healthy, asked.records, asked.windows, asked.log_windows, asked.seed)
            half, most = np.quantile(found, [0.5, 0.9], method="higher")
            print(f"| {shortfall} | {healthy} | {half:g} | {most:g} | {np.isfinite(found).mean():.2%} |")


if __name__ == "__main__":
    main()
