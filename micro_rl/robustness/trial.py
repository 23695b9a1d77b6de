"""What a process needs to evaluate a policy cell after cell: open simulators, the policy, critics that attack it."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

from micro_rl.errors import UserError
from micro_rl.policy import Policy
from micro_rl.robustness.cells import Attack, Cell
from micro_rl.robustness.stability import unstable, warn_nowhere
from micro_rl.robustness.subject import Subject
from micro_rl.robustness.worlds import unfelt, world
from micro_rl.simulation.evaluation import Evaluator, play
from micro_rl.simulation.guarded import SimulatorFault


@dataclass(frozen=True)
class Outcome:
    """A cell's episodes: undiscounted returns, raw units, and lengths in steps.

    `unstable`: in how many of them the simulation broke down, so that MuJoCo put the robot back to its start.
    """

    returns: list[float]
    lengths: list[int]
    unstable: int = 0


class Trial:
    """Evaluates one policy in any number of cells, in the same open simulators; a context manager that closes them."""

    def __init__(self, subject: Subject):
        """Raises `UserError` where the policy cannot be read or the simulator cannot be made."""
        self._subject = subject
        self._policy = Policy.load(subject.policy)
        self._evaluator = Evaluator(subject.env, episodes=subject.episodes, horizon=subject.horizon)
        self._simulators = self._evaluator.environments.members
        self._critics: tuple[Any, ...] | None = None
        self._observation_std = np.array(subject.observation_std)
        warn_nowhere(self._simulators[0])

    def check(self, cell: Cell) -> str:
        """What of the cell does nothing, as the protocol declares; see `worlds.unfelt`.

        Raises `UserError` where the cell cannot be evaluated, before time is spent on it.
        """
        if cell.attack and cell.attack.aim != "learned":
            self._acting(cell)
        return unfelt(self._simulators[0], cell, self._observation_std)

    def run(self, cell: Cell) -> Outcome:
        """The cell's episodes; the same cell gives the same numbers, whatever was run before.

        Raises `UserError` where the world breaks down, so that its observations are no numbers.
        """
        with world(self._simulators, cell.changes, self._observation_std, _stream(cell)) as environments:
            try:
                evaluation = play(environments, self._acting(cell), seed=self._subject.seed)
            except (ValueError, SimulatorFault) as error:
                remedy = "; change less in that cell or leave it out" if cell.changes else ""
                raise UserError(f"cell '{cell.name}': {error}{remedy}") from error
        return Outcome(evaluation.returns.tolist(), evaluation.lengths.tolist(), sum(map(unstable, self._simulators)))

    def film(self, cells: Sequence[Cell], path: Path) -> None:
        """One episode of each cell as a strip of pictures; raises `UserError` where the simulator is not on MuJoCo."""
        from micro_rl.robustness.film import draw, filmed  # imports matplotlib

        strips = {}
        for cell in cells:
            with world(self._simulators[:1], cell.changes, self._observation_std, _stream(cell)) as environments:
                strips[cell.name] = filmed(environments.members[0], self._acting(cell), self._subject.seed)
        draw(strips, path)

    def _acting(self, cell: Cell) -> Any:
        if cell.attack is None or (cell.attack.aim == "learned" and not cell.attack.epsilon):
            return self._policy  # within 0 there is nothing to learn
        from micro_rl.robustness.attacked import (  # imports JAX: worlds without attacks do not need it
            Attacked,
            Perturbed,
        )

        if cell.attack.aim == "learned":
            return Perturbed(self._policy, self._adversary(cell.attack))
        critics = self._attackers() if cell.attack.aim == "min Q" and cell.attack.epsilon else ()
        return Attacked(self._policy, cell.attack, self._observation_std, critics, self._subject.seed)

    def _adversary(self, attack: Attack) -> Any:
        """What it learned to add to an observation."""
        from micro_rl.robustness.learned_attack import learn_adversary

        size = attack.epsilon * self._observation_std
        about = self._subject
        adversary = learn_adversary(
            self._policy, about.env, about.horizon, size, self._observation_std, attack.steps, about.seed
        )
        return lambda observation: size * adversary(observation)

    def _attackers(self) -> tuple[Any, ...]:
        """The critics, read once."""
        if self._critics is None:
            from micro_rl.robustness.critics import critics_of

            self._critics = critics_of(self._subject.critics, self._policy)
        return self._critics

    def close(self) -> None:
        """Frees the simulators."""
        self._evaluator.close()

    def __enter__(self) -> "Trial":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _stream(cell: Cell) -> int:
    """A number of the cell's own for the random numbers of its faults."""
    return int.from_bytes(hashlib.sha256(cell.name.encode()).digest()[:6], "big")
