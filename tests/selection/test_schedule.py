"""The time is dealt out as the plan says, by hand."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from micro_rl.selection import schedule
from micro_rl.selection.portfolio import portfolio


@pytest.mark.parametrize(
    ("epochs", "step"), [(-3.0, 1), (0.5, 1), (1.0, 1), (2.9, 2), (3.0, 3), (11.9, 8), (12.0, 12), (100.0, 96)]
)
def test_a_share_is_rounded_down_to_the_ladder(epochs, step):
    assert schedule.rounded(epochs) == step


def test_half_goes_on_and_two_at_least():
    assert schedule.places(7) == (7, 4, 2)
    assert schedule.places(3) == (3, 2, 2)
    assert schedule.places(1) == (1, 1, 1)


def test_every_rung_has_the_same_time_and_cheap_candidates_get_more_epochs():
    # 3 x 96 s on 2 workers: four take two turns of 48 s, 40 after its start; two take one turn of 96 s, or 88
    plan = schedule.plan({"a": 1.0, "b": 4.0, "c": 1.0, "d": 100.0}, 288.0, 2, 500)
    assert plan.places == (4, 2, 2)
    assert [row["a"] for row in plan.until] == [1 + 32, 1 + 32 + 64, 1 + 32 + 64 + 64]
    assert [row["b"] for row in plan.until] == [1 + 8, 1 + 8 + 16, 1 + 8 + 16 + 16]
    assert [row["d"] for row in plan.until] == [2, 3, 4]


def test_a_further_rung_takes_what_is_left_while_it_lasts_for_an_epoch_of_each():
    plan = schedule.Schedule(({"a": 3, "b": 5}, {"a": 4, "b": 9}), (2, 2))
    costs = {"a": 10.0, "b": 1.0}
    longer = schedule.longer(plan, costs, ["a", "b"], 50.0, 2, 500)  # 42 s after the start: 4 epochs, and 32 of 42
    assert longer == ((*plan.until, {"a": 4 + 4, "b": 9 + 32}), (2, 2, 2))
    one_core = schedule.longer(plan, costs, ["a", "b"], 50.0, 1, 500)
    assert one_core is not None and one_core.until[-1] == {"a": 4 + 1, "b": 9 + 16}  # 17 s each
    assert schedule.longer(plan, costs, ["a", "b"], 17.0, 2, 500) is None  # 9 s are no epoch of a
    cheap = schedule.longer(plan, costs, ["b"], 17.0, 2, 500)
    assert cheap is not None and cheap.until[-1]["b"] == 9 + 8
    assert schedule.longer(plan, costs, ["b"], 15.0, 2, 500) is None  # a start takes longer than what follows
    assert schedule.longer(plan, costs, ["a", "b"], 1e6, 2, 125_000) is None  # all are at their most


@given(st.dictionaries(st.sampled_from("abcdefgh"), st.floats(0.01, 100), min_size=1), st.floats(0, 1e5))
def test_epochs_only_grow_and_end(costs, seconds):
    plan = schedule.plan(costs, seconds, 2, 500)
    for before, after in zip(plan.until, plan.until[1:], strict=False):
        assert all(before[name] <= after[name] <= 1000 for name in costs)
    assert all(epoch >= 1 for row in plan.until for epoch in row.values())


def test_what_is_said_of_the_time_counts_turns():
    plan = schedule.plan({"a": 1.0, "b": 1.0, "c": 1.0}, 288.0, 2, 500)  # two turns each, of 48 s less the start
    assert plan.until[0]["a"] == 1 + 32
    assert plan.seconds({"a": 1.0, "b": 1.0, "c": 1.0}, 2) == 2 * (8 + 32) + (8 + 64) + (8 + 64)
    assert plan.seconds({"a": 1.0, "b": 1.0, "c": 1.0}, 2, after=2) == 8 + 64


def test_survivors_stand_highest_and_equals_keep_their_order():
    standings = {"a": 1.0, "b": 3.0, "c": 3.0, "d": -2.0}
    assert schedule.survivors(standings, 3, set(standings)) == ["b", "c", "a"]


def test_places_go_to_those_that_rise_and_none_stays_empty():
    standings = {"a": 1.0, "b": 3.0, "c": 3.0, "d": -2.0}
    assert schedule.survivors(standings, 3, {"a", "d"}) == ["a", "d", "b"]


def test_who_rises_is_above_all_before():
    assert schedule.risen([1.0]) and schedule.risen([1.0, 2.0])
    assert not schedule.risen([1.0, 2.0, 2.0])


def test_what_the_log_is_decides_what_is_tried():
    names = [candidate.name for candidate in portfolio(10.0, 1, narrow=True, negative=True)]
    assert names == ["bc", "td3_bc", "iql", "micro-anchored", "micro-near"]
    broad = {candidate.name: candidate for candidate in portfolio(30.0, 3, narrow=False, negative=False)}
    assert {"micro", "rebrac"} <= set(broad)
    assert broad["micro-anchored"].settings == {"num_samples": 0, "bc_weight": 2.0, "support": "halt", "history": 3}
    assert broad["micro"].settings == {"num_samples": 0, "history": 3} and "num_samples" not in broad["bc"].settings
    assert broad["bc"].choices["scoring_model"] is False and "scoring_model" not in broad["micro"].choices
