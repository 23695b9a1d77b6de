"""Where the checks of episodes, of order and of breaks begin to speak, and the whole sentence."""

from dataclasses import replace

import numpy as np
import pytest

from micro_rl.core.tasks import Task
from micro_rl.core.wording import with_verb
from micro_rl.data import Dataset
from micro_rl.data.checks import breaks, episodes, order
from micro_rl.data.checks.order import Order
from tests.data.noise import LENGTH, log, sentence


def episodes_of(lengths, ends="terminals", **parts) -> Dataset:
    """Episodes of these lengths that all end so."""
    rows = sum(lengths)
    flags = np.isin(np.arange(rows), np.cumsum(lengths) - 1)
    other = {"terminals": "timeouts", "timeouts": "terminals"}[ends]
    return log(rows, **{ends: flags, other: np.zeros(rows, bool)} | parts)


@pytest.mark.parametrize(
    ("lengths", "texts"),
    [
        (
            (4, 2, 4, 4),
            {
                "terminal-at-limit": "3 of 4 terminals come after exactly 4 steps, the longest episode: if that is a "
                "time limit they are timeouts, and as terminals they teach that nothing comes after (data check LOG "
                "--fix OUT --horizon 4 marks them as timeouts)"
            },
        ),
        ((4, 2, 4), {}),
        ((2, 2, 2), {"terminal-at-limit": None}),
        (
            (1, 3, 1),
            {"single-step": "2 of 3 episodes are a single step: marked ends in the wrong column?"},
        ),
        ((1, 1, 1), {"single-step": "3 of 3 episodes are a single step: marked ends in the wrong column?"}),
        (
            (6,),
            {
                "one-episode": "the log is one episode: figures per episode, and errors on episodes held out, say "
                "nothing"
            },
        ),
        ((3, 4), {}),
    ],
)
def test_whole_episodes(lengths, texts):
    rows = sum(lengths)
    few = f"{rows} rows are fewer than a batch (256), which holds them more than once: log more"
    there = {problem.kind: problem.text for problem in episodes.odd(episodes_of(lengths))}
    expected = {kind: there[kind] if text is None else text for kind, text in texts.items()}
    assert there == expected | {"few-rows": few}


def test_a_batch_that_the_log_fills():
    whole = episodes_of((3, 4))
    assert episodes.small(whole, 7) == []
    assert [problem.kind for problem in episodes.small(whole, 8)] == ["few-rows"]
    assert episodes.terminals_at(whole, 3).tolist() == [2]


@pytest.mark.parametrize(("horizon", "rows"), [(5, (2, 6)), (4, (2,)), (3, (6,)), (None, ())])
def test_timeouts_before_the_time_limit(horizon, rows):
    whole = replace(episodes_of((3, 4, 2), "timeouts"), task=Task(horizon=horizon))
    early = sentence(episodes.odd(whole), "early-timeouts")
    come = with_verb(len(rows), "timeout", "comes", "come")
    text = f"{come} before the time limit of {horizon} steps that the log or its name tells: "
    assert early == (text + "cut by hand, or marked by mistake" if rows else None)


@pytest.mark.parametrize(("far", "speaks"), [(2, False), (3, True), (6, True)])
def test_ends_that_jump(far, speaks):
    """Six episodes; of their last steps so many lead far."""
    whole = episodes_of((LENGTH,) * 6, "timeouts")
    after = whole.next_observations.copy()
    after[whole.stops - 1] = whole.observations[whole.stops - 1] + 0.01
    after[whole.stops[:far] - 1, 1] += 9
    text = f"{far} of 6 episodes end with a step longer than 99 % of the others: their next observation may be the "
    problems = episodes.odd(episodes_of((LENGTH,) * 6, "timeouts", next_observations=after))
    assert sentence(problems, "ends-jump") == (text + "next episode's start" if speaks else None)


@pytest.mark.parametrize(("count", "speaks"), [(4, False), (5, True)])
def test_fewer_than_five_ends_tell_nothing(count, speaks):
    whole = episodes_of((LENGTH,) * count, "timeouts")
    after = whole.next_observations.copy()
    after[whole.stops - 1] += 9
    problems = episodes.odd(episodes_of((LENGTH,) * count, "timeouts", next_observations=after))
    assert (sentence(problems, "ends-jump") is not None) is speaks


@pytest.mark.parametrize(
    ("explained", "alone", "best", "suspicious"),
    [
        ((0.0, 0.0, 0.0, 0.5, 0.0), -np.inf, 1, True),
        ((0.0, 0.5, 0.0, 0.0, 0.0), -np.inf, -1, True),
        ((0.6, 0.0, 0.0, 0.5, 0.0), -np.inf, 1, True),  # 0.4 and 0.5 left are alike: the nearer
        ((0.7, 0.0, 0.0, 0.5, 0.0), -np.inf, -2, True),
        ((0.0, 0.0, 0.4, 0.0, 0.5), -np.inf, 0, False),
        ((0.0, 0.0, 0.0, 0.0, 0.25), -np.inf, 2, False),  # not worth it
        ((-0.2, -0.2, -0.2, -0.2, 0.26), -np.inf, 2, True),
        ((0.0, 0.0, 0.2, 0.0, 0.42), -np.inf, 2, False),  # 0.58 of 0.8 left, more than 0.7
        ((0.0, 0.0, 0.2, 0.0, 0.45), -np.inf, 2, True),
        ((0.0, 0.0, 0.9, 0.0, 0.96), -np.inf, 2, False),  # 0.04 of 0.1, more than a quarter
        ((0.0, 0.0, 0.9, 0.0, 0.98), -np.inf, 2, True),
        ((0.0, 0.0, 0.89, 0.0, 0.93), -np.inf, 2, True),
        ((0.0, 0.0, 0.0, 0.0, 0.5), 0.36, 2, False),  # an observation alone explains it
        ((0.0, 0.0, 0.0, 0.0, 0.5), 0.34, 2, True),
    ],
)
def test_an_order_that_explains_clearly_more(explained, alone, best, suspicious):
    measured = Order(explained, alone)
    assert (measured.best, measured.suspicious) == (best, suspicious)


def test_shifted_rewards_and_actions_in_whole_sentences(monkeypatch):
    monkeypatch.setattr(order, "reward_order", lambda _: Order((0.0, 0.8123, -0.1, 0.0, 0.0)))
    monkeypatch.setattr(order, "action_order", lambda _: Order((0.91, 0.0, 0.125, 0.0, 0.0), column="o1"))
    rewards, actions = order.shifted(log())
    assert rewards.text == (
        "rewards do not follow the transitions: row i's transition explains 81 % of the variance of the reward in row "
        "i-1, 0 % of its own: put each reward into the row of the step that earned it"
    )
    assert actions.text == (
        "actions do not follow the transitions: with the action of row i-2, 91 % of the variance of the step of o1 "
        "in row i is explained, with its own 12 %: each action stands in the row of another step, or the system acts 2 "
        "rows late; put each into the row of the observation that it answered"
    )
    monkeypatch.setattr(order, "action_order", lambda _: Order((0.0, 0.0, 0.0, 0.9, 0.0)))
    assert order.shifted(log())[1].text.endswith(
        "of another step; put each into the row of the observation that it answered"
    )
    monkeypatch.setattr(order, "action_order", lambda _: None)
    assert len(order.shifted(log())) == 1


@pytest.mark.parametrize(("rows", "measured"), [(204, True), (203, False)])
def test_an_order_needs_two_hundred_rows_whose_neighbours_are_of_their_episode(rows, measured):
    one = log(rows, timeouts=np.arange(rows) == rows - 1)
    assert (order.reward_order(one) is not None) is measured
    assert (order.action_order(one) is not None) is measured


def test_an_order_of_what_never_changes_is_none():
    rows = 300
    ends = np.arange(rows) == rows - 1
    assert order.reward_order(log(rows, rewards=np.ones(rows), timeouts=ends)) is None
    assert order.action_order(log(rows, observations=np.ones((rows, 2)), timeouts=ends)) is None


def jumping(*rows: int, by: tuple[float, ...] = (60.0, 60.0)) -> Dataset:
    """Noise with a start elsewhere from each of these rows on, and nothing marked there."""
    observations = log().observations.copy()
    for row in rows:
        observations[row + 1 :] += by
    after = np.concatenate([observations[1:], observations[-1:]])
    after[LENGTH - 1 :: LENGTH] = observations[LENGTH - 1 :: LENGTH] + 0.01
    return log(observations=observations, next_observations=after)


def test_jumps_in_a_whole_sentence():
    rest = "no transition but an end that is not marked, rows lost, or files strung together? Mark an end there"
    [alone] = breaks.odd(jumping(120))
    assert alone.text == f"1 row (120) inside episodes leads much further than steps do, as row 120 does: {rest}"
    assert breaks.odd(jumping(120, by=(10.0, 10.0))) == [], "nearly six times a usual step, and less than eight"
    [several] = breaks.odd(jumping(120, 222))
    assert several.text == (
        f"2 rows (120, 222) inside episodes lead much further than steps do, as row 120 does: {rest}"
    )


@pytest.mark.parametrize(
    ("ends", "rows", "text"),
    [
        ([49, 110, 180, 260, 350], [69, 130, 200, 280, 370], ", most of them 20 rows after a marked end"),
        ([49, 110, 180, 260, 350], [29, 90, 160, 240, 330], ", most of them 20 rows before a marked end"),
        ([49, 110, 180, 260, 350], [69, 130, 200, 280, 371], ", most of them 20 rows after a marked end"),
        ([49, 110, 180, 260, 350], [69, 130, 200, 281, 371], ""),  # three of five are not most
        ([49, 110, 180, 260, 350], [69, 130, 200, 280], ""),  # four jumps, or four ends, are too few
        ([49, 110, 180, 260], [69, 130, 200, 280, 281], ""),
        ([49, 110, 180, 260, 399], [69, 130, 200, 280, 290], ""),
        ([49, 110, 180, 260, 350], [69, 130, 173, 200, 280, 370], ", most of them 20 rows after a marked end"),
    ],
)
def test_how_far_from_the_marked_ends_jumps_stand(ends, rows, text):
    """Of 400 rows; an end in the last is none."""
    flags = np.isin(np.arange(400), [*ends, 399])
    assert breaks._distance(np.array(rows), flags) == text


@pytest.mark.parametrize(("inner", "speaks"), [(100, True), (99, False)])
def test_fewer_than_a_hundred_rows_inside_episodes_tell_nothing_of_steps(inner, speaks):
    observations = log(inner + 1).observations.copy()
    observations[50:] += 60
    whole = log(inner + 1, observations=observations, timeouts=np.arange(inner + 1) == inner)
    assert [problem.rows for problem in breaks.odd(whole)] == [(49,)] * speaks
