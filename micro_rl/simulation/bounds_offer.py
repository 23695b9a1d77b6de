"""A log without bounds of its actions, and a simulator that has some: they are offered, never taken."""

from collections.abc import Iterator
from contextlib import closing, contextmanager

from micro_rl.data.checks.findings import NoBounds
from micro_rl.errors import UserError
from micro_rl.simulation import envs


@contextmanager
def offering_bounds(env: str | None) -> Iterator[None]:
    """Add a simulator's bounds to the message of a log that is refused for want of some.

    Args:
        env: the simulator that the user named, if any.

    Raises:
        UserError: as the block does, or where that simulator cannot be made.
    """
    try:
        yield
    except NoBounds as error:
        if env is None:
            raise
        with closing(envs.make(env)) as simulator:
            low, high = map(envs.in_short, envs.action_bounds(simulator))
        uniform = not any("," in side for side in (low, high))
        flag = f" (--action-bounds {low} {high})" if uniform else ""
        raise UserError(f"{error}; {env} takes [{low}, {high}]{flag}") from error
