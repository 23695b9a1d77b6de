"""Windows of one length, and the folds that they lie in."""

from dataclasses import replace
from typing import Any

import h5py
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import micro_rl
from micro_rl import Dataset
from micro_rl.data.parts import part
from micro_rl.data.scaling import fit_scaling
from micro_rl.data.stretches import stretches
from micro_rl.errors import TooLittle, UserError
from micro_rl.trust import by_fqe, folds, judge
from micro_rl.trust.apart import labelled, with_length
from micro_rl.trust.difference import spread
from micro_rl.trust.folds import LEFT_OUT
from micro_rl.trust.grouping import folds_of
from micro_rl.trust.judge import left_out, rows_of, strangers
from micro_rl.trust.layout import lay_out
from micro_rl.trust.options import Options
from micro_rl.trust.starts import starts_at
from micro_rl.trust.window_length import choose
from tests.trust import line_world


def log_of(lengths: list[int], terminal: list[bool]) -> Dataset:
    """Episodes of these lengths with rewards 1, 2, 4, ... in each, which do not meet."""
    rewards = np.concatenate([2.0 ** np.arange(length) for length in lengths])
    ends = np.cumsum(lengths) - 1
    terminals, timeouts = np.zeros(len(rewards), bool), np.zeros(len(rewards), bool)
    terminals[ends[terminal]] = True
    timeouts[ends[~np.array(terminal)]] = True
    x = np.arange(len(rewards), dtype=float)[:, None]
    return Dataset.from_arrays(x, np.sin(x), rewards, terminals=terminals, timeouts=timeouts, next_observations=x + 1)


def test_windows_by_hand():
    """Of 5 steps that are cut, windows of 3 begin at rows 0, 1, 2; of 4 steps that terminate, at every row."""
    windows = stretches(log_of([5, 4], [False, True]), 3)
    assert windows.starts.tolist() == [0, 1, 2, 5, 6, 7, 8]
    assert windows.returns.tolist() == [7, 14, 28, 7, 14, 12, 8]
    assert windows.disjoint == 1 + 2
    rows, there = windows.rows()
    assert rows[-1].tolist() == [8, 8, 8] and there[-1].tolist() == [True, False, False]
    assert (windows.stops - 1).tolist() == [2, 3, 4, 7, 8, 8, 8]


def test_a_window_needs_a_step():
    with pytest.raises(ValueError, match="1 or more"):
        stretches(log_of([5], [False]), 0)


@given(st.lists(st.tuples(st.integers(1, 9), st.booleans()), min_size=1, max_size=6), st.integers(1, 10))
def test_windows_are_what_one_would_cut_by_hand(episodes, length):
    dataset = log_of([steps for steps, _ in episodes], [terminal for _, terminal in episodes])
    expected = []
    for piece in dataset.episodes:
        for start in range(piece.start, piece.stop):
            if piece.stop - start >= length or dataset.terminals[piece.stop - 1]:
                expected.append((start, float(dataset.rewards[start : min(start + length, piece.stop)].sum())))
    windows = stretches(dataset, length)
    assert list(zip(windows.starts.tolist(), windows.returns.tolist(), strict=True)) == expected


def test_a_gap_in_an_episode_ends_a_window():
    dataset = line_world.log(episodes=1, length=10)
    moved = dataset.observations.copy()
    moved[5] += 9
    broken = Dataset.from_arrays(
        moved, dataset.actions, dataset.rewards, timeouts=dataset.timeouts, next_observations=dataset.next_observations
    )
    assert stretches(broken, 5).starts.tolist() == [0, 5]


def test_the_length_is_the_longest_that_leaves_enough_windows():
    log = line_world.log(episodes=200, length=60)
    windows, why = choose(log, None, folds.by_time(log))
    assert windows.length == 50 and windows.disjoint == 200
    assert "no longer one leaves 200" in why


def test_folds_by_time_are_whole_episodes():
    dataset = line_world.log(episodes=50, length=20)
    parts = folds.by_time(dataset)
    assert parts.size == 10
    assert all(len(set(parts.of_row[piece])) == 1 for piece in dataset.episodes)
    assert np.bincount(parts.of_row).tolist() == [100] * 10
    few = line_world.log(episodes=5, length=200)
    assert parts.whole(dataset) and not folds.by_time(few).whole(few)
    assert not folds.by_labels(few, list("aabbb")).whole(few), "two groups are cut into blocks of time"


def test_folds_by_behaviour_part_those_who_act_otherwise():
    """Half of the episodes push to the right where they are, half to the left."""
    dataset = line_world.log(episodes=60, length=20)
    kind = np.repeat(np.arange(60) % 2, 20)
    actions = np.clip(dataset.actions + np.where(kind, 0.8, -0.8)[:, None], -1, 1)
    parts = folds.by_behaviour(
        Dataset.from_arrays(
            dataset.observations,
            actions,
            dataset.rewards,
            timeouts=dataset.timeouts,
            next_observations=dataset.next_observations,
        )
    )
    assert parts.size == 10
    first = {int(number) for number in kind[parts.of_row < 5]}
    assert len(first) == 1


def test_clusters_are_those_who_act_alike_as_many_as_there_are():
    """Five controllers, each with a push of its own."""
    dataset = line_world.log(episodes=60, length=20)
    kind = np.repeat(np.arange(60) % 5, 20)
    pushed = replace(dataset, actions=(0.1 * dataset.actions + 0.4 * (kind - 2)[:, None]).astype(np.float32))
    parts = folds.by_clusters(pushed)
    assert parts.size == 5 and parts.made == "5 clusters of episodes by how they act"
    assert len({*zip(kind.tolist(), parts.of_row.tolist(), strict=True)}) == 5
    assert (folds.by_clusters(pushed).of_row == parts.of_row).all()
    two = replace(dataset, actions=(0.1 * dataset.actions + (kind > 2)[:, None]).astype(np.float32))
    assert folds.by_clusters(two).made == "2 clusters of episodes by how they act, each cut into blocks of time"
    with pytest.raises(UserError, match="3 episodes that form no clusters"):
        folds.by_clusters(line_world.log(episodes=3))


def test_a_column_of_the_file_that_is_not_learned_from_names_the_groups(tmp_path):
    names = ["ann", "bob", "cy", "dee"]
    rows = [f"{n % 7},{n % 3},{-n % 5},{n // 20},{names[n // 20 % 4]}" for n in range(160)]
    (tmp_path / "log.csv").write_text("\n".join(["x,a,r,episode,operator", *rows]))
    words = 'observations = ["x"]\nactions = ["a"]\nreward = "r"\nepisode = "episode"\naction_bounds = [-3, 3]\n'
    (tmp_path / "log.toml").write_text(words)
    plain = micro_rl.load(tmp_path / "log.csv")
    assert plain.groups is None and folds_of(plain, None).names[0] == "block 1"
    parts = folds_of(plain, "operator")
    assert parts.names == tuple(names) and parts.of_row[:81:20].tolist() == [0, 1, 2, 3, 0]
    (tmp_path / "log.toml").write_text(words + 'group = "operator"\n')
    assert folds_of(micro_rl.load(tmp_path / "log.csv"), None).names == tuple(names)
    with pytest.raises(UserError, match=r"--groups who: take time, .*clusters, or a column of the log; .*'who'"):
        folds_of(plain, "who")


def test_an_array_beside_the_logs_own_names_the_groups(tmp_path):
    log = line_world.log(episodes=8)
    arrays: dict[str, Any] = {"observations": log.observations, "actions": log.actions, "rewards": log.rewards}
    arrays |= {"terminals": log.terminals, "timeouts": log.timeouts}
    of_episodes, of_rows = np.array(list("abcdabcd")), np.repeat(np.arange(4), 40)
    np.savez(tmp_path / "log.npz", who=of_episodes, shift=of_rows, wide=np.zeros((160, 2)), **arrays)
    with h5py.File(tmp_path / "log.hdf5", "w") as file:
        for name, values in arrays.items():
            file[name] = values
        file["who"], file["shift"], file["wide"] = of_episodes.tolist(), of_rows, np.zeros((160, 2))
    for name in ("log.npz", "log.hdf5"):
        dataset = micro_rl.load(tmp_path / name)
        assert folds_of(dataset, "who").of_row[::20].tolist() == [0, 1, 2, 3, 0, 1, 2, 3]
        assert folds_of(dataset, "shift").names == ("0", "1", "2", "3")
        for wrong, message in (("wide", r"shape \(160, 2\)"), ("none", "no ")):
            with pytest.raises(UserError, match=message):
                folds_of(dataset, wrong)


def test_named_groups_are_kept_cut_or_dealt():
    dataset = line_world.log(episodes=60, length=20)
    assert folds.by_labels(dataset, [f"g{episode % 6}" for episode in range(60)]).names == tuple(
        f"g{number}" for number in range(6)
    )
    two = folds.by_labels(dataset, ["day" if episode % 2 else "night" for episode in range(60)])
    assert two.size == 10 and two.names[0] == "day, block 1"
    assert folds.by_labels(dataset, range(60)).size == 20
    with pytest.raises(UserError, match="7 labels"):
        folds.by_labels(dataset, list("abcdefg"))


def test_windows_of_a_fold_lie_inside_it():
    dataset = line_world.log(episodes=4, length=100)
    parts = folds.by_time(dataset)
    windows, fold = parts.of_windows(stretches(dataset, 20))
    assert all(
        set(parts.of_row[start : start + 20]) == {number} for start, number in zip(windows.starts, fold, strict=True)
    )


@given(st.integers(4, 20))
def test_every_fold_has_a_replica_of_fqe_that_did_not_see_it(count):
    fold = np.repeat(np.arange(count), 10)
    replicas = by_fqe.replica_rows(fold, count)
    assert all(number not in fold[replicas[number // LEFT_OUT]] for number in range(count))


@given(st.integers(4, 20))
def test_two_members_in_a_row_share_a_fold_that_neither_saw(count):
    for fold in range(count):
        first, second = strangers(fold, count)
        assert second == (first + 1) % count
        assert fold in left_out(first, count) and fold in left_out(second, count)


def test_a_long_log_is_thinned_out_evenly_in_every_part_even_where_parts_take_turns(monkeypatch):
    log = line_world.log()
    parts = np.tile(list("abcd"), 30).tolist()
    monkeypatch.setattr(judge, "MOST_ROWS", 20 * 120 // 4)
    assert np.bincount(rows_of(log, folds_of(log, parts))[0].fold).tolist() == [140, 160, 140, 160]  # 7 and 8 of 30
    blocks = rows_of(log, folds_of(log, "time"))[0]
    assert np.array_equal(np.unique(blocks.episode), np.arange(3, 120, 4))
    monkeypatch.setattr(judge, "MOST_ROWS", 20 * 120 * 2 // 3)
    assert np.bincount(rows_of(log, folds_of(log, parts))[0].fold).tolist() == [400] * 4, "no fewer than may be taken"
    rare = ["e", *parts[1:]]
    monkeypatch.setattr(judge, "MOST_ROWS", 20 * 120 // 4)
    assert np.bincount(rows_of(log, folds_of(log, rare))[0].fold)[4] == 20, "no part is left out"
    monkeypatch.setattr(judge, "MOST_ROWS", 1000)
    short = np.where((np.arange(2400) > 1201) & (np.arange(2400) < 1210), "e", np.repeat(list("abcd"), 600)).tolist()
    one = replace(log, timeouts=np.arange(2400) == 2399)
    assert np.bincount(rows_of(one, folds_of(one, short))[0].fold).min() > 0, "nor one within a block"


def test_windows_within_parts_are_counted_as_they_are():
    """Sixty shifts of forty rows without a break, three who take turns: a window of a shift's length is a shift."""
    rows = 60 * 40
    x = np.arange(rows, dtype=float)[:, None]
    log = Dataset.from_arrays(x, np.sin(x), np.sin(0.1 * x[:, 0]), timeouts=np.arange(rows) == rows - 1)
    labels = np.repeat(np.tile(list("abcd"), 15), 40)
    for length, count in ((40, 60), (30, 60), (20, 120)):
        windows, _ = folds_of(log, labels.tolist()).of_windows(stretches(log, length))
        assert windows.disjoint == count
    few = np.repeat(np.arange(300), 8)
    with pytest.raises(TooLittle, match="holds 0 uninterrupted windows of 20 steps where 40 are needed"):
        lay_out(log, 1, Options(20, (few % 5).tolist()))


def test_the_mean_over_a_sample_is_as_certain_as_the_log_has_windows():
    """300 of the 29,401 windows of 295 that do not overlap; rewards are independent."""
    random, rows = np.random.default_rng(0), 29_500
    x = np.arange(rows, dtype=float)[:, None]
    means, told = [], []
    for _ in range(80):
        log = Dataset.from_arrays(x, 0 * x, random.normal(size=rows), timeouts=np.arange(rows) == rows - 1)
        some = stretches(log, 100).evenly(300)
        means.append(some.returns.mean())
        told.append(spread(some.returns[None], some.disjoint)[1])
    assert np.mean(told) == pytest.approx(np.std(means), rel=0.2)


def test_a_part_of_the_log_tells_how_its_groups_came_about():
    log = line_world.log(episodes=120)
    labels, options = labelled(log, Options(10, "behaviour"))
    assert lay_out(part(labels).judging, 1, options).folds.made == "episodes in order of how they act"


def test_the_length_is_one_that_parts_hold():
    log = line_world.log(episodes=60, length=100)
    shifts = np.repeat(np.tile(list("abcde"), 60), 20).tolist()
    assert lay_out(log, 1, Options(None, shifts)).windows.length == 20


def test_exogenous_columns_stand_still_after_a_terminal():
    """The first episode ends in row 5 with its set-point at 1; the next one's is 100."""
    ends, target = np.isin(np.arange(12), [5, 11]), np.repeat([1.0, 100.0], 6)
    observed = np.stack([np.arange(12.0), target], 1)
    after = observed + np.array([1.0, 0.0])
    log = Dataset.from_arrays(observed, np.zeros((12, 1)), np.arange(12.0), ends, np.zeros(12), after, exogenous=["o1"])
    windows = stretches(log, 4)
    replayed = starts_at(log, windows.of(windows.starts == 4), fit_scaling(log, False, False)).replayed
    assert replayed is not None and np.asarray(replayed)[:, 0, 1].tolist() == [1.0] * 4


def test_a_part_is_not_judged_by_windows_that_the_whole_log_is_refused_for():
    short = line_world.log(episodes=150, length=4)
    with pytest.raises(TooLittle):
        lay_out(short, 1, Options())
    assert with_length(part(short).judging, short, Options()) == (Options(), None)
