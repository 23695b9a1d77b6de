"""How often a healthy plant alarms its guard when the policy acts: `python -m runs.guard_loop FOLDER`.

FOLDER holds what `python -m runs.loop make` wrote. Sixty shifts of eight hours under operators as in the log, and the
same sixty under the policy: the share of steps above the guard's limit, alarms in a thousand steps, and the share of
steps in alarm. Then the guard learns from 10 and 30 other shifts of the policy beside the log, and the sixty come
again. The valve stays with the policy in alarms, so that all shifts are alike.
"""

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from micro_rl import Controller, Dataset, Guard, Policy, load
from runs.trust_plants import PLANTS, tanks_controller
from runs.usage import words

STEPS, JUDGED, LEARNED = 96, range(100, 160), (10, 30)
PLANT = PLANTS["two-tanks"]


def shifts(controller: Controller, seeds: Iterable[int], by_policy: bool) -> np.ndarray:
    """Runs shifts: the share of steps above the limit, alarms in a thousand steps, the share of steps in alarm."""
    assert controller.guard is not None
    above, alarm, begins = [], [], []
    for seed in seeds:
        env = PLANT.make()
        observation, _ = env.reset(seed=500_000 + seed)
        hand = tanks_controller(seed % 3, observation, np.random.default_rng(900 + seed))
        controller.reset()
        applied = None
        for _ in range(STEPS):
            decision = controller.step(observation.astype(np.float64), applied)
            assert decision.advised is not None and decision.score is not None
            applied = decision.advised if by_policy else np.clip(hand(observation), 0, 100)
            above.append(decision.score > controller.guard.threshold)
            begins.append(decision.alarm and not (alarm and alarm[-1]))
            alarm.append(decision.alarm)
            observation = env.step(applied.astype(np.float32))[0]
    return np.array([np.mean(above), 1000 * np.mean(begins), np.mean(alarm)])


def recorded(policy: Policy, guard: Guard, count: int, folder: Path) -> Dataset:
    """A record of so many shifts of the policy, all of its steps taken for healthy, for nothing fails in them."""
    path = folder / "shifts.csv"
    path.unlink(missing_ok=True)
    with Controller(policy, guard, record=path) as controller:
        shifts(controller, range(count), True)
    toml = path.with_name(path.name + ".toml")
    toml.write_text("".join(f"{line}\n" for line in toml.read_text().splitlines() if not line.startswith("where")))
    return load(path)


def main(folder: Path) -> None:
    """Prints a line for each guard."""
    policy, log = Policy.load(folder / "controller" / "policy.safetensors"), load(folder / "tanks.csv")
    print("| rate | the guard learned from | who acts | above the limit | alarms in 1,000 steps | in alarm |")
    print("|---|---|---|---|---|---|")
    for rate in (0.01, 0.002):
        alone = Guard.fit(log, rate)
        guards = {"the log": alone}
        for count in LEARNED:
            guards[f"the log and {count} shifts"] = Guard.fit(
                log, rate, records=[recorded(policy, alone, count, folder)]
            )
        for name, guard in guards.items():
            for who, by_policy in (("operators", False), ("the policy", True)):
                above, alarms, share = shifts(Controller(policy, guard), JUDGED, by_policy)
                print(f"| {rate:g} | {name} | {who} | {above:.1%} | {alarms:.1f} | {share:.1%} |", flush=True)


if __name__ == "__main__":
    main(Path(words(__doc__, 1)[0]))
