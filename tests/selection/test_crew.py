"""A choice's tasks on a cluster, with functions in Ray's place: what begins again, what comes to nothing, and why."""

from typing import Any

import pytest

from micro_rl.cluster import again
from micro_rl.cluster.place import make_home
from micro_rl.cluster.versions import versions
from micro_rl.errors import Diverged, Interrupted, UserError
from micro_rl.selection import crew, task
from micro_rl.selection.needs import bytes_of
from micro_rl.selection.task import Task
from micro_rl.selection.workers import Failure
from micro_rl.training import memory
from micro_rl.training.plan import make_plan
from tests.tiny_runs import SETTINGS, write_log


class _Broken(Exception):
    """A node that is gone for good."""


class _Ray:
    """Calls at once; references are thunks."""

    class exceptions:
        RayError = _Broken

    def __init__(self, cards: int = 0):
        self.cards, self.cancelled, self.asked = cards, list[Any](), dict[str, int]()
        self.memory = 2.0**30

    def nodes(self) -> list[dict[str, Any]]:
        has = {"CPU": 3.0, "GPU": float(self.cards), "memory": self.memory}
        return [{"NodeID": "one", "Alive": True, "Resources": has}]

    def remote(self, **needs: Any):
        asked = self.asked
        assert needs["retry_exceptions"] == [again.Stopped] and needs["max_retries"] == again.TRIES

        class Remote:
            def options(self, name: str, memory: int):
                asked[name] = memory
                return self

            def remote(self, *given: Any):
                return lambda: crew.on_node(*given)

        return lambda function: Remote()

    def wait(self, refs: list[Any], num_returns: int, timeout: float):
        return refs[:1], refs[1:]

    def get(self, ref: Any) -> Any:
        return ref()

    def cancel(self, ref: Any) -> None:
        self.cancelled.append(ref)


@pytest.fixture(autouse=True)
def whole(monkeypatch):
    """Nodes that see the folder; what asks them needs Ray itself."""
    monkeypatch.setattr(crew, "look_at_nodes", lambda *_: 0)


def tasks(*names: str) -> list[Task]:
    return [Task(name, "log", "out", "bc", {}, (0,), 2) for name in names]


def test_failures_keep_none_of_the_others(tmp_path, monkeypatch):
    tries: list[str] = []

    def work(own: Task) -> None:
        tries.append(own.name)
        if own.name == "wrong":
            raise UserError("no such log")
        if own.name == "wild":
            raise Diverged("epoch 3")

    monkeypatch.setattr(task, "carry_out", work)
    cluster, seen = crew.Cluster(_Ray(), make_home(tmp_path, "word"), "auto"), list[int]()
    failures = cluster.carry_out(tasks("a", "b", "wrong", "wild"), tmp_path, 2, lambda own: seen.append(len(own)))
    assert failures == [Failure("wrong", "no such log"), Failure("wild", "epoch 3")]
    assert sorted(tries) == ["a", "b", "wild", "wrong"] and max(seen) == 3
    assert cluster.size == 3 and crew.Cluster(_Ray(cards=2), make_home(tmp_path, "word"), "auto").size == 2


def test_a_node_without_the_folder_or_with_other_versions_ends_the_choice_and_no_candidate(tmp_path, monkeypatch):
    """A candidate that only met such a node would be left out of the plan for good."""
    home = make_home(tmp_path, "word")
    [own] = tasks("a")
    assert crew.on_node(own, home, {"jax": "0"})[1].startswith("a node has other versions: jax")
    end, line = crew.on_node(own, home._replace(word="other"), versions())
    assert end == crew.UNFIT and f"a node does not see {tmp_path}" in line
    cluster = crew.Cluster(_Ray(), home._replace(word="other"), "auto")
    with pytest.raises(UserError, match=r"does not see .* under the same path; .* then go on with --resume"):
        cluster.carry_out([own], tmp_path, 1, lambda own: None)
    monkeypatch.setattr(crew, "look_at_nodes", lambda *_: 1)
    with pytest.raises(UserError, match=r"choose: a node does not see .*; name it with --out"):
        crew.Cluster(_Ray(), home, "auto")


def test_a_task_that_a_node_takes_with_it_ends_the_choice_and_the_others_save(tmp_path, monkeypatch):
    ray = _Ray()

    def work(own: Task) -> None:
        raise _Broken("worker died\nout of memory")

    monkeypatch.setattr(task, "carry_out", work)
    with pytest.raises(UserError, match=r"choose: a: out of memory; --resume goes on"):
        crew.Cluster(ray, make_home(tmp_path, "word"), "auto").carry_out(tasks("a", "b"), tmp_path, 2, lambda own: None)
    assert len(ray.cancelled) == 1


def test_a_task_that_a_signal_stops_is_one_that_ray_begins_again(tmp_path, monkeypatch):
    def work(own: Task) -> None:
        raise Interrupted(15, "epoch 3 is saved")

    monkeypatch.setattr(task, "carry_out", work)
    [own] = tasks("a")
    with pytest.raises(again.Stopped, match="stopped by SIGTERM; epoch 3 is saved"):
        crew.on_node(own, make_home(tmp_path, "word"), versions())


def test_a_head_that_is_gone_ends_the_choice_and_nobody_is_asked_to_save(tmp_path, monkeypatch):
    """Whatever asks Ray then waits until Ray ends the process, without our line."""
    clock, ray = iter([0.0, 18.0, 20.0, 21.0, 50.0]), _Ray()
    monkeypatch.setattr("micro_rl.cluster.head.head_of", lambda ray: "127.0.0.1:1")
    monkeypatch.setattr("micro_rl.cluster.head.time.monotonic", lambda: next(clock))
    monkeypatch.setattr(task, "carry_out", lambda own: None)
    with pytest.raises(UserError, match=r"its head is gone, .* \(nothing listens at 127\.0\.0\.1:1\); .* --resume"):
        crew.Cluster(ray, make_home(tmp_path, "word"), "auto").carry_out(tasks(*"abc"), tmp_path, 2, lambda own: None)
    assert not ray.cancelled and next(clock, None) is None


def test_a_task_asks_for_the_memory_that_a_sweep_would(tmp_path, monkeypatch):
    """As many tasks at once as it leaves; what no node holds ends the choice before it is tried."""
    log = str(write_log(tmp_path / "log.hdf5"))
    each = memory.bytes_of_run(make_plan(log, "micro", **SETTINGS))
    own = Task("micro", log, "out", "micro", SETTINGS | {"model": "of all"}, (0, 1), 2)
    monkeypatch.setattr(task, "carry_out", lambda own: None)
    ray, home = _Ray(), make_home(tmp_path, "word")
    cluster = crew.Cluster(ray, home, "auto")
    assert (
        cluster.carry_out([own, own._replace(name="fit", until=None, seeds=(0,))], tmp_path, 2, lambda own: None) == []
    )
    assert ray.asked == {"micro": 2 * each, "fit": each} and cluster.size == 3
    assert [bytes_of(own, room) for room in (0, 4 * each, 2 * each)] == [2 * each, 2 * each, each]
    ray.memory = 4.0 * each
    small = crew.Cluster(ray, home, "auto")
    small.carry_out([own], tmp_path, 2, lambda own: None)
    assert small.size == 2
    ray.memory = 1.0 * each
    with pytest.raises(
        UserError, match=r"choose: micro: takes about \d+ MiB, and no node offers .* for runs; add a larger node"
    ):
        crew.Cluster(ray, home, "auto").carry_out([own], tmp_path, 2, lambda own: None)


def test_without_a_cluster_this_machine_works(tmp_path):
    with crew.crew_for(None, tmp_path, print) as here:
        assert here.size >= 1 and not list(tmp_path.iterdir())
