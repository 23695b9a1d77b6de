"""The time left, with a clock of the test's own: compiling is no part of an epoch, nor is a fit."""

from micro_rl.cli.time_left import TimeLeft


def row(epoch: int, seconds: float, speed: float = 500.0) -> dict[str, float]:
    """An epoch of 1,000 updates, which take two seconds at 500 a second."""
    return {
        "epoch": epoch,
        "updates": 1000.0 * epoch,
        "time/seconds": seconds,
        "time/updates_per_second": speed,
    }


class Clock:
    """Stands still until it is told to go on."""

    def __init__(self) -> None:
        self.time = 0.0

    def __call__(self) -> float:
        return self.time


def test_the_first_epochs_compiling_is_not_expected_again():
    left = TimeLeft(1, 10, Clock())
    left.begin(new_program=True)
    left.see(row(1, seconds=32.0), first=True)  # 30 seconds of compiling
    assert left.seconds() == 9 * 2.0


def test_nor_is_the_first_evaluations_which_the_second_epoch_waits_for():
    left = TimeLeft(1, 10, Clock())
    left.begin(new_program=True)
    left.see(row(1, seconds=32.0), first=True)
    left.see(row(2, seconds=9.0), first=False)  # 7 seconds beside its two of computing
    assert left.seconds() == 8 * 2.0
    left.see(row(3, seconds=3.0), first=False)
    assert left.seconds() == 7 * 3.0
    left.see(row(4, seconds=6.0), first=False)
    assert left.seconds() == 6 * (2.0 + 2.5)  # waits of 1 and 4 seconds, the 7 left out


def test_where_epochs_take_longer_and_longer_the_mean_counts():
    left = TimeLeft(1, 4, Clock())
    left.begin(new_program=True)
    left.see(row(1, seconds=2.0), first=True)
    left.see(row(2, seconds=4.0, speed=250.0), first=False)
    assert left.seconds() == 2 * 3.0


def test_epochs_of_earlier_processes_are_not_waited_for():
    left = TimeLeft(1, 10, Clock())
    left.begin(new_program=True)
    left.see(row(8, seconds=32.0), first=True)
    assert left.seconds() == 2 * 2.0


def test_runs_side_by_side_share_the_time():
    left = TimeLeft(2, 2 * 4, Clock())
    for new in (True, False):
        left.begin(new_program=new)
    for _ in range(2):
        left.see(row(1, seconds=32.0), first=True)
    assert left.seconds() == 6 * 2.0 / 2
    for _ in range(2):
        left.see(row(2, seconds=9.0), first=False)
    assert left.seconds() == 4 * 2.0 / 2
    for _ in range(2):
        left.see(row(3, seconds=4.0), first=False)
    assert left.seconds() == 2 * (4.0 / 2)


def test_programs_to_come_fit_and_compile_again():
    clock = Clock()
    left = TimeLeft(3, 3 * 2, clock)
    left.begin(new_program=True)
    clock.time = 62.0  # 60 seconds of fit and compiling, and 2 of the epoch
    left.see(row(1, seconds=32.0), first=True)
    assert left.seconds() == 5 * 2.0 + 2 * 60.0
    left.see(row(2, seconds=2.0), first=False)
    left.begin(new_program=True)
    clock.time += 32.0
    left.see(row(1, seconds=12.0), first=True)
    assert left.seconds() == 3 * 2.0 + 1 * 45.0  # the mean of 60 and 30


def test_nothing_is_left_at_the_end():
    left = TimeLeft(1, 1, Clock())
    left.begin(new_program=True)
    left.see({"epoch": 1, "time/seconds": 2.0}, first=True)
    assert left.seconds() == 0
