"""The judge of a choice: made of the part that candidates do not see, where that is enough to judge by."""

from typing import NamedTuple

from micro_rl.core.wording import plural
from micro_rl.data import Dataset
from micro_rl.data.parts import Parts, part
from micro_rl.errors import TooLittle
from micro_rl.trust.apart import of_the_part, with_length
from micro_rl.trust.options import Options, Progress
from micro_rl.trust.yardstick import Yardstick, make_yardstick

SHARED = "no rows can be kept from the candidates ({}): the judge sees what they learn from"


class Judged(NamedTuple):
    """The log in its parts, the judge, and whether candidates are kept from what it judges by."""

    parts: Parts
    yardstick: Yardstick
    apart: bool

    @property
    def words(self) -> str:
        """How the judge fared, and what it compares."""
        test, layout = self.yardstick.standard.test, self.yardstick.case.layout
        return (
            f"tested on {plural(len(test.measured), 'part')} that it did not see, it explains "
            f"{100 * max(0.0, test.explained):.0f} % of what they differ by; windows have "
            f"{plural(layout.windows.length, 'step')} ({layout.reason})"
        )


def make_judge(dataset: Dataset, history: int, options: Options, progress: Progress) -> Judged:
    """Makes the judge, and tests it.

    Args:
        dataset: the log, single observations, labelled.
        history: observations that policies see.
        options: the judge's.
        progress: sees how far it is.

    Raises:
        TooLittle: even the whole log is not enough to judge by.
    """
    parts = part(dataset)
    try:
        return Judged(parts, _of_part(parts.judging, dataset, history, options, progress), True)
    except TooLittle as error:
        parts = Parts(dataset, dataset, SHARED.format(error))
        return Judged(parts, make_yardstick(dataset, history, options, progress), False)


def _of_part(judging: Dataset, whole: Dataset, history: int, options: Options, progress: Progress) -> Yardstick:
    """Its windows are as long as the whole log's would be, while the part holds enough of them."""
    options, reason = with_length(judging, whole, of_the_part(whole, options))
    yardstick = make_yardstick(judging, history, options, progress)
    return yardstick if reason is None else yardstick.reasoned(reason)
