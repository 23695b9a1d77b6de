"""Saves beside the work: one at a time, waited for at the end, and their errors heard."""

import threading

import pytest

from micro_rl.storage.background import Background
from micro_rl.storage.files import CannotWrite


def test_it_is_busy_until_the_save_is_done_and_the_work_goes_on_meanwhile():
    errors: list[CannotWrite] = []
    go_on, done = threading.Event(), []

    def slow() -> None:
        go_on.wait(10)
        done.append(1)

    with Background(errors.append) as background:
        assert not background.busy()
        background.submit(slow)
        assert background.busy() and not done
        go_on.set()
        assert background.wait() and done == [1]
        assert not background.busy()
    assert errors == []


def test_a_refusal_is_told_and_the_next_save_is_tried():
    errors: list[CannotWrite] = []

    def refused() -> None:
        raise CannotWrite("the disk is full")

    with Background(errors.append) as background:
        background.submit(refused)
        assert not background.wait()
        background.submit(lambda: None)
        assert background.wait()
    assert [str(error) for error in errors] == ["the disk is full"]


def test_a_mistake_in_a_save_is_not_swallowed():
    def mistaken() -> None:
        raise ZeroDivisionError

    background = Background(lambda error: None)
    background.submit(mistaken)
    with pytest.raises(ZeroDivisionError):
        background.wait()
    background.submit(mistaken)
    with pytest.raises(ZeroDivisionError):
        background.close()
