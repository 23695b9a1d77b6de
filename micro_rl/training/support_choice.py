"""`support auto`: what a narrow log needs and a broad one should not pay for, decided by the log alone."""

from dataclasses import replace

from micro_rl.core.settings import Settings
from micro_rl.data import Dataset, windowed
from micro_rl.training.log_support import log_support, refuse_unmeasurable

NARROW = 1 / 3
"""A log is narrow whose breadth (`log_support.LogSupport`) is below this: between SafetyHalfCheetah's 0.15 and
hopper-medium's 0.52, the next of those that were looked at."""
ANCHOR = 2.0
"""The `bc_weight` of narrow logs, where none is given."""


def settled(log: Dataset, settings: Settings) -> tuple[Dataset, Settings, tuple[str, ...]]:
    """The log in windows of the history, the settings with `support auto` resolved, and what to know of the choice."""
    windows = windowed(log, settings.history)
    return windows, *chosen_support(windows, settings)


def chosen_support(dataset: Dataset, settings: Settings) -> tuple[Settings, tuple[str, ...]]:
    """The settings with `support auto` resolved, and what a person should know of the choice.

    Args:
        dataset: the log, in windows of the history.
        settings: of the run.

    Returns:
        On a narrow log support halt, or truncate where an end would be worth more than the log's rewards, and an
        anchor; on a broad one the settings without support. Settings with another `support` stay as they are.

    Raises:
        UserError: the log has too few rows to be measured.
    """
    if settings.support != "auto":
        return settings, ()
    refuse_unmeasurable(dataset, settings)
    log = log_support(dataset, settings.keep_timeouts)
    measured = f"of uniformly drawn actions {log.breadth:.0%} are as near to the log as nine true ones in ten"
    if log.breadth >= NARROW:
        plain = replace(settings, support="off", support_level=None)
        idle = "" if settings.support_level is None else f", and support_level {settings.support_level:g} with it"
        return plain, (f"support auto: {measured}, a third or more, so the log is broad and support stays off{idle}",)
    support = "truncate" if log.mean_reward < 0 else "halt"
    anchor = settings.bc_weight or ANCHOR
    note = (
        f"support auto: {measured}, fewer than a third, so the log is narrow: support {support}, bc_weight {anchor:g}"
    )
    return replace(settings, support=support, bc_weight=anchor), (note,)
