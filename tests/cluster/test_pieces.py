"""What a sweep is cut into, where tasks work, what they send home: all without a cluster."""

import pickle
import re
import shutil
import socket
import sys
import threading
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cloudpickle
import gymnasium
import pytest

import micro_rl
from micro_rl.algorithms import registry
from micro_rl.algorithms.model_free import bc
from micro_rl.cli import cluster_display
from micro_rl.cli.cluster_display import ClusterDisplay
from micro_rl.cli.commands.console import console
from micro_rl.cli.main import run
from micro_rl.cluster import address, again, connection, head, leaving, nodes, sweep, tasks, versions
from micro_rl.cluster.capacity import Capacity, Node, capacity_for_work
from micro_rl.cluster.forecast import at_once, seconds_of
from micro_rl.cluster.graph import graph
from micro_rl.cluster.lookout import Lookout
from micro_rl.cluster.packing import Packer, unpacked
from micro_rl.cluster.parcels import Parcels, exchange
from micro_rl.cluster.place import Home, leave_home, make_home, packed, place_in, sees, unpack
from micro_rl.cluster.results import refuse_failures, results
from micro_rl.cluster.sender import Sender, deliver
from micro_rl.cluster.tasks import Order, Outcome
from micro_rl.cluster.watching import Watcher
from micro_rl.errors import Interrupted, UserError
from micro_rl.simulation import env_objects
from micro_rl.storage.files import CannotWrite, replace_file
from micro_rl.storage.run_folder import RunFolder
from micro_rl.training import memory
from micro_rl.training.grid import trials
from micro_rl.training.interrupts import Interrupts
from tests.probes import TINY, tiny_dataset, tiny_plan
from tests.tiny_runs import options, write_log


def test_a_sweep_is_cut_so_that_every_core_has_a_task():
    every = trials(tiny_plan(), 4, {"beta": [0.0, 0.5]})
    cut = graph(every, exact=False, width=None, cores=3, node_memory=0)
    assert [len(chunk.trials) for chunk in cut.chunks] == [2, 3, 3] and len(cut.fits) == 4
    assert cut.chunks[0].fits == ("beta=0-seed0", "beta=0-seed0") and cut.chunks[0].name == "beta=0-seed0 and 1 more"
    assert all(len(chunk.trials) == 1 for chunk in graph(every, True, None, 3, 0).chunks)
    assert [len(chunk.trials) for chunk in graph(every, False, 4, 3, 0).chunks] == [4, 4]
    assert cut.trials == [trial for chunk in cut.chunks for trial in chunk.trials]


def test_a_forecast_ends_with_the_last_task():
    cut = graph(trials(tiny_plan(), 3, {}), exact=True, width=None, cores=2, node_memory=0)
    seconds = {"seed0": 2.0, "seed1": 3.0, "seed2": 4.0}
    room = 10 * cut.chunks[0].bytes
    each = [(Node("one", 2, 0, room),), (Node("one", 8, 0, room),), (Node("one", 8, 1, room),)]
    slots = [at_once(Capacity(nodes, asks_card=nodes[0].cards > 0), cut) for nodes in each]
    assert slots == [2, 3, 1]
    two = tuple(Node(name, 4, 0, cut.chunks[0].bytes) for name in ("one", "two"))
    assert at_once(Capacity(two, asks_card=False), cut) == 2
    assert [seconds_of(cut, seconds, own) for own in slots] == [6.0, 4.0, 9.0]


def test_a_node_holds_no_more_than_its_memory():
    every, each = trials(tiny_plan(), 4, {}), memory.bytes_of_run(tiny_plan())
    assert [len(chunk.trials) for chunk in graph(every, False, None, 1, 3 * each).chunks] == [2, 2]
    with pytest.raises(UserError, match=r"seed0: takes about \d+ MiB, and no node offers more than \d+ for runs"):
        graph(every, False, None, 1, each)


def test_a_folder_is_known_by_its_word(tmp_path):
    home = make_home(tmp_path / "sweep", "word")
    with place_in(home) as place:
        assert place == (tmp_path / "sweep", True)
    with place_in(home._replace(word="another")) as (folder, own):
        (folder / "run").mkdir()
        assert not own and folder != tmp_path / "sweep"
    assert not folder.exists()
    leave_home(home)
    assert not sees(home) and not list((tmp_path / "sweep").iterdir())


def test_what_is_sent_home_is_whole_and_takes_the_place_of_what_was_there(tmp_path):
    run_folder, home = tmp_path / "node" / "run", tmp_path / "home"
    for name, text in {"a/b.txt": "b", "c.txt": "c", "lock": "", "half.tmp": "x", ".d.tmp/e": "x"}.items():
        (run_folder / name).parent.mkdir(parents=True, exist_ok=True)
        (run_folder / name).write_text(text)
    (home / "old").mkdir(parents=True)
    (home / "old" / "checkpoint").write_text("gone on the node")
    unpack(packed(run_folder), home)
    files = {str(path.relative_to(home)): path.read_text() for path in home.rglob("*") if path.is_file()}
    assert files == {"a/b.txt": "b", "c.txt": "c"} and not (home / "old").exists()


def test_a_disk_that_fills_up_keeps_the_rows_of_every_checkpoint_that_came_home(tmp_path, monkeypatch):
    run_folder, home = tmp_path / "node" / "run", tmp_path / "home"
    for name in ("checkpoints/epoch-000002/state.safetensors", "fit.jsonl", "metrics.jsonl"):
        (run_folder / name).parent.mkdir(parents=True, exist_ok=True)
        (run_folder / name).write_text("new")

    def full(path: Path, content: bytes) -> None:
        replace_file(path, content)
        if "checkpoints" in path.parts:
            raise CannotWrite("no space left")

    monkeypatch.setattr("micro_rl.cluster.place.replace_file", full)
    with pytest.raises(CannotWrite):
        unpack(packed(run_folder), home)
    assert (home / "metrics.jsonl").read_text() == (home / "fit.jsonl").read_text() == "new"


def test_a_folder_is_packed_while_its_checkpoints_come_and_go(tmp_path):
    """As the saver of a run at work makes and removes them; what stays is whole."""
    folder, over = tmp_path / "run", threading.Event()
    (folder / "checkpoints").mkdir(parents=True)
    (folder / "config.json").write_text("{}")

    def save() -> None:
        while not over.is_set():
            for number in range(8):
                (folder / "checkpoints" / str(number)).mkdir(exist_ok=True)
                (folder / "checkpoints" / str(number) / "state").write_text("x")
            for number in range(8):
                shutil.rmtree(folder / "checkpoints" / str(number))

    saver = threading.Thread(target=save)
    saver.start()
    try:
        pieces = [packed(folder) for _ in range(500)]
    finally:
        over.set()
        saver.join()
    for piece in pieces[::100]:
        unpack(piece, tmp_path / "home")
        assert (tmp_path / "home" / "config.json").read_text() == "{}"


def test_one_sweep_at_a_time_in_a_folder(tmp_path, monkeypatch):
    """The second is begun while the first, whose nodes go on seeing the folder, waits for its tasks."""
    seen = list[bool]()
    has = Capacity((Node("one", 2, 0, 10 * memory.bytes_of_run(tiny_plan())),), asks_card=False)

    class Driver:
        def __init__(self, ray: Any, has: Capacity, ahead: Any, home: Home, *_: Any):
            self.home = home

        def carry_out(self) -> dict[str, Outcome]:
            if not seen:
                seen.append(sees(self.home))
                with pytest.raises(UserError, match=r"out: another sweep is going on there \(process \d+\)"):
                    carried_out()
                seen.append(sees(self.home))
            return {}

    def carried_out() -> dict[str, Outcome]:
        every, interrupts = trials(tiny_plan(), 1, {}), Interrupts()
        return sweep.carry_out(every, tmp_path / "out", "ray", watcher=Watcher(), interrupts=interrupts)

    monkeypatch.setattr(sweep, "connected", lambda where: nullcontext())
    monkeypatch.setattr(sweep, "capacity_for_work", lambda ray, where: has)
    monkeypatch.setattr(sweep, "_Driver", Driver)
    assert carried_out() == {} and seen == [True, True]
    assert carried_out() == {}


def test_a_fit_is_sent_home_now_and_then_as_a_training_is(tmp_path, monkeypatch, here):
    clock, sent = {"now": 0.0}, list[str]()
    monkeypatch.setattr("micro_rl.cluster.sender.time.monotonic", lambda: clock["now"])
    parcels = SimpleNamespace(put=SimpleNamespace(remote=lambda name, *_: sent.append(name)))
    (tmp_path / "run").mkdir()
    for at_home in (False, True):
        own = Sender(Home("out", "word"), parcels, tmp_path, "run", at_home)
        for second in range(0, 100, 10):
            clock["now"] += 10
            own.fitted({"epoch": 1 + second})
    assert sent == ["run"] * 2, "at 40 and at 80 of 100 seconds, and nothing from a node that sees the folder"


def test_a_piece_is_gone_once_it_is_kept():
    parcels = Parcels()
    parcels.put("run", "first", b"1")
    parcels.put("run", "second", b"2")
    assert parcels.ask("task", ["run", "other"]) == {}
    asked = {("task", "run"), ("task", "other")}
    assert parcels.waiting() == (["run"], asked) and parcels.piece("run") == ("second", b"2")
    assert parcels.piece("other") is None
    assert [parcels.is_kept("run", mark) for mark in ("second", "lost")] == [False, None]
    parcels.put("run", "third", b"3")
    parcels.keep("run", "second")
    assert parcels.piece("run") == ("third", b"3"), "one that came since stays"
    parcels.keep("run", "third")
    assert parcels.waiting() == ([], asked) and parcels.piece("run") is None and parcels.is_kept("run", "third")
    parcels.answer("task", "run", b"2")
    parcels.answer("task", "other", None)
    assert parcels.ask("another", ["run"]) == {}
    assert parcels.ask("task", ["run", "other"]) == {"run": b"2", "other": None}
    assert parcels.waiting() == ([], {("another", "run")}) and parcels.ask("task", ["run"]) == {}


def test_a_folder_that_is_long_on_its_way_is_waited_for_with_a_line_and_a_look_at_the_head(tmp_path):
    """A slow piece is no dead head; only what the actor has is asked for in a bounded time."""
    tries, told, looks = iter(range(100)), list[str](), list[float]()

    def get(value: Any, timeout: float) -> Any:
        if isinstance(value, tuple) and value[0] == "mark" and next(tries) < 7:
            raise TimeoutError
        return value

    ray: Any = SimpleNamespace(get=get, exceptions=SimpleNamespace(GetTimeoutError=TimeoutError))
    parcels, kept = Parcels(), list[str]()
    (tmp_path / "node").mkdir()
    (tmp_path / "node" / "config.json").write_text("{}")
    parcels.put("run", "mark", packed(tmp_path / "node"))
    actor = SimpleNamespace(waiting=_Method(parcels.waiting), piece=_Method(parcels.piece))
    actor.keep = _Method(lambda name, mark: kept.append(mark))
    own: Any = sweep._Driver.__new__(sweep._Driver)
    own._said, own._watcher = set(), SimpleNamespace(note=told.append)
    own._head = SimpleNamespace(answers=lambda: looks.append(1))
    exchange(ray, actor, tmp_path / "out", own._slow)
    assert kept == ["mark"] and (tmp_path / "out" / "run" / "config.json").exists() and len(looks) == 7
    assert told == ["run: its folder has been on its way for 30 seconds"]


def test_a_piece_that_the_actor_has_lost_is_sent_again(tmp_path, here, monkeypatch):
    monkeypatch.setattr("micro_rl.cluster.sender.PAUSE", 0.0)
    answers, sent = iter([False, None, False, True]), list[str]()
    parcels = SimpleNamespace(put=_Method(lambda name, mark, piece: sent.append(mark)))
    parcels.is_kept = _Method(lambda name, mark: next(answers))
    (tmp_path / "run").mkdir()
    deliver([Sender(Home("out", "word"), parcels, tmp_path, name, name != "run") for name in ("run", "at home")])
    assert len(set(sent)) == 2 and next(answers, None) is None


def test_a_task_reads_its_own_trials_and_each_log_once(here):
    every = trials(tiny_plan(), 3, {"beta": [0.0, 0.5], "history": [1, 2]})
    packer = Packer(here)
    own, others = packer.packed(every[:2]), packer.packed(every)
    assert len(own.logs) == 1 and others.logs[0] is own.logs[0] is every[0].plan.log
    read = unpacked(own, here)
    assert list(read) == [every[0].name, every[1].name] and read[every[0].name].plan.log is every[0].plan.log
    assert read[every[1].name].plan.settings == every[1].plan.settings
    assert every[0].plan.method and len(packer.packed(every[:1]).own) < 10_000, "neither log nor compiled functions"


def make_pendulum():
    return gymnasium.make("Pendulum-v1")


def test_a_task_knows_what_makes_a_simulator_that_was_an_object(monkeypatch, here):
    every = trials(tiny_plan(env=make_pendulum, horizon=20), 1, {})
    own = Packer(here).packed(every)
    monkeypatch.setattr(env_objects, "_FACTORIES", {})  # as in the task's process
    read = unpacked(own, here)["seed0"].plan.task.env
    assert read == "make_pendulum (from Python)"
    assert env_objects.make_object(read, 20).observation_space.shape == (3,)
    lock = threading.Lock()
    locked = trials(tiny_plan(env=lambda: lock and make_pendulum(), horizon=20), 1, {})
    with pytest.raises(UserError, match=r"^on: simulator '<lambda> \(from Python\)' cannot be sent to nodes"):
        Packer(here).packed(locked)


def test_a_method_that_this_process_alone_knows_is_refused_before_the_cluster_is_begun(tmp_path, monkeypatch):
    monkeypatch.setattr(registry, "ALL", dict(registry.ALL))
    registry.register("mine", bc)
    with pytest.raises(UserError, match=r"^on: method mine was registered in this process, and no node"):
        micro_rl.sweep(tiny_dataset(), "mine", out=tmp_path / "out", on="nowhere")
    assert not (tmp_path / "out").exists()


def test_versions_that_differ_are_named():
    assert versions.differences(versions.versions()) == ""
    assert versions.differences({"jax": "0.0.1"}).endswith("there and 0.0.1 here")


class _Here:
    """In Ray's place: references are what they refer to, and the actor's methods are called at once."""

    @staticmethod
    def get(value: Any, timeout: float = 0.0) -> Any:
        return value

    put = get


@pytest.fixture
def here(monkeypatch):
    """`_Here` as Ray; its pickler is Gymnasium's."""
    monkeypatch.setitem(sys.modules, "ray", _Here)
    monkeypatch.setitem(sys.modules, "ray.cloudpickle", cloudpickle)
    monkeypatch.setattr(tasks, "PAUSE", 0.0)
    return _Here


class _Method:
    def __init__(self, call: Any):
        self.remote = call


class _Actor:
    """The parcels; whenever a task has asked, the driver looks, whose folder this is."""

    def __init__(self, folder: Path):
        self._parcels, self._folder = Parcels(), folder
        own = self._parcels
        self.put, self.waiting, self.piece = map(_Method, (own.put, own.waiting, own.piece))
        self.keep, self.answer = map(_Method, (own.keep, own.answer))
        self.ask, self.is_kept = _Method(self._ask), _Method(self._is_kept)

    def _ask(self, asker: str, names: list[str]) -> dict[str, bytes | None]:
        there = self._parcels.ask(asker, names)
        exchange(_Here, self, self._folder, slow=lambda name, seconds: None)
        return there

    def _is_kept(self, name: str, mark: str) -> bool | None:
        kept = self._parcels.is_kept(name, mark)
        exchange(_Here, self, self._folder, slow=lambda name, seconds: None)
        return kept


def test_a_blind_node_sends_home_what_one_with_the_folder_leaves_there(tmp_path, monkeypatch, here, capsys):
    """Fit and training on two blind nodes, one after the other: the same policy as in the sweep's own folder.

    Each prints how far it is, for the log of its task.
    """
    monkeypatch.setattr("micro_rl.reports.run.write_page", lambda path, note: None)
    every = {trial.name: trial for trial in trials(tiny_plan(), 1, {"beta": [0.0, 0.5]})}
    first, second = every
    policies = []
    for word in ("word", "unknown"):
        home, packer = make_home(tmp_path / word, "word"), Packer(here)
        actor = _Actor(tmp_path / word)
        order = Order(home._replace(word=word), versions.versions(), actor, (), None, "test")
        assert tasks.fit(order, packer.packed([every[first]]), first) == [Outcome(first, "done", "", ())]
        assert list((tmp_path / word / first / "model").iterdir()), "what Ray begins next finds it at home"
        [outcome] = tasks.train(order, packer.packed([*every.values()]), [second], [first])
        assert outcome.end == "done" and not any("micro-rl-" in note for note in outcome.notes)
        assert outcome.notes[0] == f"takes over the model of {first}"
        policies.append((tmp_path / word / second / "policy.safetensors").read_bytes())
        assert RunFolder(tmp_path / word / second).metrics()[-1]["epoch"] == tiny_plan().settings.epochs
    assert policies[0] == policies[1]
    epochs = tiny_plan().settings.epochs
    lines = [f"{first}: epoch 1 of the fit", f"{second}: epoch 1 of {epochs}", f"{second}: epoch {epochs} of {epochs}"]
    assert capsys.readouterr().out.splitlines() == 2 * lines


def test_what_goes_wrong_on_a_node_is_an_outcome(tmp_path, here):
    home = make_home(tmp_path / "out", "word")
    (tmp_path / "out" / "seed0").write_text("a file in the run's place")
    known = Packer(here).packed(trials(tiny_plan(), 1, {}))
    order = Order(home, versions.versions(), _Actor(tmp_path), (), None, "test")
    [outcome] = tasks.train(order, known, ["seed0"], [None])
    assert outcome.end == "failed" and "seed0" in outcome.line
    [outcome] = tasks.train(order._replace(versions={"jax": "0"}), known, ["seed0"], [None])
    assert "a node has other versions: jax" in outcome.line
    assert nodes.look(versions.versions(), home) == ("", True)


@pytest.mark.parametrize(
    ("where", "message"),
    [
        ("kubernetes", "'kubernetes' is no cluster; say ray, auto or ray://HOST:PORT"),
        ("ray://nowhere", "is no address; write ray://HOST:PORT"),
        ("ray://127.0.0.1:1", "nothing answers there"),
        ("ray://a..b:10001", "nothing answers there"),
        ("ray://127.0.0.1:²", "is no address"),
    ],
)
def test_an_address_that_is_none_is_one_line(tmp_path, capsys, where, message):
    if where.startswith("ray:"):
        pytest.importorskip("ray")
    log = write_log(tmp_path / "log.hdf5")
    for verb, more in (("sweep", options()), ("sweep", ["--dry-run"]), ("choose", [])):
        assert run([verb, str(log), "--out", str(tmp_path / "out"), "--on", where, *more]) == 2
        printed, error = capsys.readouterr()
        assert message in error and error.count("\n") == 1 and "into" not in printed
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("named", ["127.0.0.1:1", "a..b:6379"])
def test_a_running_cluster_that_is_named_and_gone_is_one_line(monkeypatch, named):
    pytest.importorskip("ray")
    monkeypatch.setenv("RAY_ADDRESS", named)
    with pytest.raises(UserError, match=f"on: auto: RAY_ADDRESS {re.escape(named)}: nothing answers there"):
        connection.check("auto")


class _Code:
    name = "UNAUTHENTICATED"


class _Answer(Exception):
    """What gRPC raises: an answer that is an error."""

    def code(self) -> type[_Code]:
        return _Code


@pytest.mark.parametrize(
    ("code", "where", "message"),
    [
        ("UNAUTHENTICATED", "ray://127.0.0.1:{}", "wants another token than ours"),
        (
            "UNIMPLEMENTED",
            "ray://127.0.0.1:{}",
            "not the port of Ray's client; .* RAY_ADDRESS=HOST:PORT",
        ),
        ("UNIMPLEMENTED", "127.0.0.1:{}", "is not the head's own port; .* --on ray://HOST:PORT"),
        ("DEADLINE_EXCEEDED", "127.0.0.1:{}", r"no cluster answers; .* \(6379, unless"),
        ("NOT_FOUND", "ray://127.0.0.1:{}", ""),
    ],
)
def test_what_listens_is_asked_once(monkeypatch, code, where, message):
    monkeypatch.setattr(_Code, "name", code)

    def call(*_: object, **__: object) -> None:
        raise _Answer

    channel = SimpleNamespace(unary_unary=lambda name: call, close=lambda: None)
    parts = {"grpc": {"RpcError": _Answer}, "ray._private.grpc_utils": {"init_grpc_channel": lambda *_, **__: channel}}
    for name, own in (parts | {"ray._private.ray_constants": {"GLOBAL_GRPC_OPTIONS": ()}}).items():
        monkeypatch.setitem(sys.modules, name, SimpleNamespace(**own))
    with socket.create_server(("127.0.0.1", 0)) as server:
        place = where.format(server.getsockname()[1])
        if not message:
            address.refuse_dead("it", place)
            return
        with pytest.raises(UserError, match=f"on: it: .*{message}"):
            address.refuse_dead("it", place)


def test_a_signal_is_what_ray_begins_again_for_and_what_waits_goes_on_waiting(tmp_path, here, monkeypatch):
    """A fit and a training raise where a signal stops them; the exception is packed on its way, and keeps its words."""

    def stop(*_: Any, **__: Any) -> None:
        raise Interrupted(15, "epoch 3 is saved", whole=False)

    home = make_home(tmp_path / "out", "word")
    order = Order(home, versions.versions(), _Actor(tmp_path), (), None, "test")
    known = Packer(here).packed(trials(tiny_plan(), 1, {}))
    monkeypatch.setattr(tasks, "fit_run", stop)
    monkeypatch.setattr(tasks, "execute_all", stop)
    for call in (lambda: tasks.fit(order, known, "seed0"), lambda: tasks.train(order, known, ["seed0"], [None])):
        with pytest.raises(again.Stopped) as caught:
            call()
        read = pickle.loads(pickle.dumps(caught.value))
        assert (str(read), read.whole) == ("seed0: stopped by SIGTERM; epoch 3 is saved", False)


class _Error(Exception):
    """Of Ray's, with what the task raised."""

    def __init__(self, cause: Exception | None = None):
        super().__init__("node\nworker died")
        self.cause = cause


class _Cancelled(_Error):
    """Of a task that had not begun."""


def test_what_was_not_saved_is_said():
    """Of eight tasks that a driver asks to save: two are at it after two minutes, of three the disk had no room."""
    ends: dict[str, Any] = {
        "done": [Outcome("done", "done")],
        "saved": _Error(again.Stopped("saved: epoch 3 is saved")),
        "waits": _Cancelled(),
        "full": _Error(again.Stopped("full: epoch 3 is saved, epoch 4 could not be", False)),
        "refused": [Outcome("refused", "failed", "no space")],
        "dead": _Error(),
        "slow": None,
        "slower": None,
    }

    def get(ref: str, timeout: float = 0.0) -> Any:
        if isinstance(ends[ref], Exception):
            raise ends[ref]
        return ends[ref]

    ray: Any = SimpleNamespace(
        get=get, cancel=lambda ref: None, exceptions=SimpleNamespace(TaskCancelledError=_Cancelled, RayError=_Error)
    )
    left: list[str] = []
    own: Any = sweep._Driver.__new__(sweep._Driver)
    own._ray, own._bring_home, own._interrupts = ray, lambda: None, Interrupts()
    own._interrupts._received = 2
    own._head = SimpleNamespace(wait_for_saves=lambda ray, refs, meanwhile: left)
    with pytest.raises(Interrupted, match="SIGINT; what every node had reached is saved; the same command") as caught:
        own._leave({name: sweep._Work(name, None, (), 0) for name in ("done", "saved", "waits")})
    assert caught.value.whole
    left = ["slow", "slower"]
    with pytest.raises(Interrupted) as caught:
        own._leave({name: sweep._Work(name, None, (), 0) for name in ends})
    said = "5 of 8 tasks did not save what was reached: full (full: epoch 3 is saved, epoch 4 could not be), refused "
    assert f"{said}(no space), dead (worker died) and 2 more; the same command" in str(caught.value)
    assert caught.value.exit_code == 130 and not caught.value.whole
    assert leaving.unsaved(ray, {"slow": "slow"}, left) == ["slow (not in 120 seconds)"]


def test_a_task_has_to_fit_on_one_node():
    small, large = Node("small", 4, 1, 2**30), Node("large", 8, 0, 2**34)
    has = Capacity((small, large), asks_card=True)
    assert (has.nodes, has.cores, has.cards, has.memory) == (2, 12, 1, 2**30), "the large one has no card"
    assert has.slots(0) == 1 and has.holds(2**30) and not has.holds(2**30 + 1)
    without = has._replace(asks_card=False)
    assert without.memory == 2**34 and without.slots(2**33) == 2 and without.slots(2**30) == 9


@pytest.mark.parametrize(
    ("resources", "message"),
    [
        ([], "there is no node"),
        ([{"memory": 2.0**30}], r"no node has a core, and work is cut by what is there .* \(ray start --num-cpus\)"),
        ([{"CPU": 4.0}, {"GPU": 1.0}], "no node has a core beside its cards"),
    ],
)
def test_a_cluster_that_could_do_nothing_is_one_line(resources, message):
    ray = _Nodes(*resources)
    with pytest.raises(UserError, match=f"on: auto: {message}"):
        capacity_for_work(ray, "auto")


class _Nodes:
    """A cluster of nodes with these resources; a node may come and go."""

    def __init__(self, *resources: dict[str, float]):
        self.has = dict(enumerate(resources))

    def nodes(self) -> list[dict[str, Any]]:
        return [{"NodeID": str(number), "Alive": True, "Resources": has} for number, has in self.has.items()]


def test_nodes_that_come_and_go_and_tasks_that_none_can_hold_are_told(monkeypatch):
    clock, told, ray = {"now": 0.0}, list[str](), _Nodes({"CPU": 1.0, "memory": 100.0}, {"CPU": 1.0, "memory": 900.0})
    monkeypatch.setattr("micro_rl.cluster.lookout.time.monotonic", lambda: clock["now"])
    answering = head.Head.__new__(head.Head)
    answering._address = None
    own = Lookout(ray, capacity_for_work(ray, "auto"), answering, told.append)

    def look() -> list[str]:
        told.clear()
        clock["now"] += 6
        own.look({"a": 50, "b": 200, "c": 300, "d": 300, "e": 400})
        return told

    assert look() == []
    ray.has[2] = ray.has.pop(0)
    gone, joined = look()
    assert gone == "a node is gone: what it did begins again elsewhere; 2 nodes now", "as many as before"
    assert joined == "a node has joined; 2 nodes now"
    ray.has.pop(1)
    gone, vain = look()
    assert "1 node now" in gone and vain.startswith(
        "no node that is there could ever hold b, c, d and 1 more, for want"
    )
    assert look() == [], "once"
    ray.has[3] = {"CPU": 1.0, "memory": 500.0}
    assert look() == ["a node has joined; 2 nodes now"]
    own.look({"f": 10**9})
    assert len(told) == 1, "five seconds lie between looks"


def test_a_head_that_is_away_is_waited_for_and_given_up_in_time(monkeypatch):
    """After 60 seconds Ray would end the process without our line, and whatever asks the head waits until then."""
    clock = {"now": 0.0}
    monkeypatch.setattr("micro_rl.cluster.head.time.monotonic", lambda: clock["now"])
    with socket.create_server(("127.0.0.1", 0)) as server:
        place = f"127.0.0.1:{server.getsockname()[1]}"
        monkeypatch.setattr("micro_rl.cluster.head.head_of", lambda ray: ray)
        own = head.Head(place)
        clock["now"] = 30.0
        assert own.answers()
    clock["now"] = 65.0
    assert not own.answers()
    clock["now"] = 71.0
    with pytest.raises(UserError, match=r"its head is gone, .* \(nothing listens at 127\.0\.0\.1:\d+\); .* --resume"):
        own.answers()
    assert head.Head(None).answers() and not address.listens("nonsense")


def test_saves_are_waited_for_as_long_as_the_head_is_there(monkeypatch):
    clock = {"now": 0.0}
    monkeypatch.setattr("micro_rl.cluster.head.time.monotonic", lambda: clock["now"])
    monkeypatch.setattr("micro_rl.cluster.head.head_of", lambda ray: "127.0.0.1:1")

    def wait(refs: list[str], num_returns: int, timeout: float) -> tuple[list[str], list[str]]:
        clock["now"] += 5
        return refs[:ended], refs[ended:]

    ray: Any = SimpleNamespace(wait=wait)
    ended = 1
    head.Head(ray).wait_for_saves(ray, ["a", "b"])
    assert clock["now"] == 10
    ended = 0
    with pytest.raises(head.HeadGone, match=r"nothing listens at 127\.0\.0\.1:1"):
        head.Head(ray).wait_for_saves(ray, ["a", "b"])
    assert clock["now"] == 10 + head.GONE + 5
    monkeypatch.setattr("micro_rl.cluster.head.listens", lambda address: True)
    assert head.Head(ray).wait_for_saves(ray, ["a", "b"]) == ["a", "b"]
    assert clock["now"] == 10 + head.GONE + 5 + head.LEAVING


@pytest.mark.parametrize(
    ("kind", "text", "line"),
    [
        (
            "OutOfMemoryError",
            "Task was killed due to the node running low on memory.\nMemory on the node (IP: 10.0.0.2, ID: 9f) was 1GB",
            "the node at 10.0.0.2 had no memory left, and Ray ended it there 6 times; let fewer tasks run there",
        ),
        ("OutOfMemoryError", "said otherwise", "its node had no memory left"),
        (
            "WorkerCrashedError",
            "The worker died.",
            "was begun again 20 times, and its process or its node was gone once more (The worker died.);",
        ),
        ("RayTaskError", "Traceback\nKeyError: 'ours'", "KeyError: 'ours'; --resume goes on"),
    ],
)
def test_a_task_that_ray_gives_up_is_a_line_with_what_helps(kind, text, line):
    words = again.why_no_more(type(kind, (Exception,), {})(text))
    assert words.startswith(line) and words.endswith("--resume goes on") and "\n" not in words


class _Unable(Exception):
    """Of a node that cannot."""


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ([("", True), ("", False), ("", False)], ""),
        (
            [("", True), ("numpy 1 there and 2 here", True)],
            "the node at 10.0.0.2 has other versions: numpy 1 there and 2",
        ),
        (_Unable("a page\nNo module named 'micro_rl'"), r"cannot run micro-rl \(No module named 'micro_rl'\); install"),
        (TimeoutError(), "a node has not begun a worker in 300 seconds"),
    ],
)
def test_nodes_are_looked_at_before_anything_begins(monkeypatch, answer, message):
    def get(refs: list[Any], timeout: float) -> list[tuple[str, bool]]:
        if isinstance(answer, Exception):
            raise answer
        return answer

    task = SimpleNamespace(remote=lambda *_: None)
    ray = SimpleNamespace(
        nodes=lambda: [
            {"NodeID": place, "NodeManagerAddress": f"10.0.0.{place}", "Alive": True, "Resources": {"CPU": 1.0}}
            for place in range(1, 1 + len(answer) if isinstance(answer, list) else 2)
        ],
        remote=lambda **_: lambda function: SimpleNamespace(options=lambda **_: task),
        get=get,
        exceptions=SimpleNamespace(RayError=_Unable, GetTimeoutError=TimeoutError),
    )
    monkeypatch.setitem(
        sys.modules,
        "ray.util.scheduling_strategies",
        SimpleNamespace(NodeAffinitySchedulingStrategy=lambda node, soft: node),
    )
    home = Home("out", "word")
    if not message:
        assert nodes.look_at_nodes(ray, {}, home) == 2
        return
    with pytest.raises(UserError, match=message):
        nodes.look_at_nodes(ray, {}, home)


def test_without_ray_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(UserError, match=r"pip install 'micro-rl\[cluster\]'"):
        connection.check("ray")


def test_the_display_tells_ends_once_and_how_far_it_is(tmp_path, capsys, monkeypatch):
    every = trials(tiny_plan(), 2, {})
    clock = iter(range(0, 1000, 40))
    monkeypatch.setattr("micro_rl.cli.cluster_display.time.monotonic", lambda: float(next(clock)))
    with ClusterDisplay(every, None, console(), "2 runs, into out") as display:
        display.begins()
        for _ in range(2):
            display.note("a node is gone: what it did begins again elsewhere; 2 nodes now")
        folder = RunFolder.create(tmp_path / "seed1", {})
        (folder.path / "metrics.jsonl").write_text('{"epoch": 1, "eval/return": -3.5}\n')
        done = Outcome("seed0", "done")
        display.ended(done)
        display.look(tmp_path, {"seed0": done})
    printed = capsys.readouterr().out
    assert (
        printed.startswith("2 runs, into out\n") and printed.count("begins again") == 2 and "done    seed0" in printed
    )
    assert "75 %  1 of 2 runs over; seed1 1/2 (return -3.50)" in printed


def test_what_lies_in_the_folders_is_what_a_sweep_here_gives(tmp_path, monkeypatch):
    monkeypatch.setattr("micro_rl.reports.run.write_report", lambda path: None)
    done = micro_rl.sweep(tiny_dataset(), seeds=2, out=tmp_path / "out", **TINY)
    outcomes = {"seed0": Outcome("seed0", "done"), "seed1": Outcome("seed1", "diverged", "epoch 3")}
    read = results(tmp_path / "out", outcomes)
    first, second = done["seed0"], read["seed0"]
    assert isinstance(first, micro_rl.Run) and isinstance(second, micro_rl.Run)
    assert second.scores == first.scores and second.metrics == first.metrics
    assert isinstance(read["seed1"], micro_rl.Diverged)
    failed = {"a": Outcome("a", "failed", "no such log"), **outcomes}
    assert list(results(tmp_path / "out", failed)) == ["seed0", "seed1"]
    said = r"1 of 3 runs came to nothing \(a: no such log\), 1 diverged \(seed1: epoch 3\), the others are done"
    with pytest.raises(UserError, match=said):
        refuse_failures(failed)
    with pytest.raises(UserError, match="neither on_epoch nor wandb"):
        micro_rl.sweep(tiny_dataset(), out=tmp_path / "on", on="ray", on_epoch=lambda *row: None, **TINY)


@pytest.mark.parametrize(
    ("second", "code", "said"),
    [
        (Outcome("seed1", "failed", "no space"), 2, "(seed1: no space), 1 diverged (seed0: epoch 3), the others are"),
        (Outcome("seed1", "diverged", "epoch 4"), 3, "2 of 2 runs diverged; seed0: epoch 3"),
    ],
)
def test_a_failed_run_is_not_hidden_behind_one_that_diverged(tmp_path, monkeypatch, capsys, second, code, said):
    """3 says that all others are done."""
    outcomes = {"seed0": Outcome("seed0", "diverged", "epoch 3"), "seed1": second}
    monkeypatch.setattr(connection, "check", lambda where: None)
    monkeypatch.setattr(sweep, "carry_out", lambda *_, **__: outcomes)
    log = write_log(tmp_path / "log.hdf5")
    assert run(["sweep", str(log), "--seeds", "2", "--out", str(tmp_path / "out"), "--on", "ray", *options()]) == code
    assert said in capsys.readouterr().err.splitlines()[-1]


def test_a_curve_is_read_on_from_where_it_was(tmp_path):
    path, curve = tmp_path / "metrics.jsonl", cluster_display._Curve()
    assert curve.newest(path) == {}
    path.write_text('{"epoch": 1, "eval/return": -3.5, "loss/actor": 2}\n{"epoch": 2, "loss/actor": 1}\n{"epo')
    assert curve.newest(path) == {"epoch": 2.0, "eval/return": -3.5}
    with path.open("a") as file:
        file.write('ch": 3, "eval/return": -2}\nno row\n')
    assert curve.newest(path) == {"epoch": 3.0, "eval/return": -2.0}
    path.write_text('{"epoch": 1}\n')  # begun again
    assert curve.newest(path) == {"epoch": 1.0}
