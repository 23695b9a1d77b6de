"""One run at Weights & Biases, however often it is resumed; nothing is sent from a test."""

import sys
from pathlib import Path
from types import ModuleType

import pytest

import micro_rl
from micro_rl.errors import UserError
from micro_rl.storage.json_files import write_json
from micro_rl.storage.metrics_log import open_metrics
from micro_rl.storage.run_folder import RunFolder
from micro_rl.storage.wandb_log import WandbRun, WandbSettings, tracking_in
from micro_rl.training.runner import execute
from tests.probes import tiny_dataset, tiny_plan


@pytest.fixture
def run(tmp_path: Path) -> RunFolder:
    return RunFolder.create(tmp_path / "run", {"beta": 0.5})


def test_wandb_that_is_not_installed_is_named(run, monkeypatch):
    monkeypatch.setitem(sys.modules, "wandb", None)
    with pytest.raises(UserError, match=r"micro-rl\[wandb\]"):
        WandbRun(run, WandbSettings())


class FakeWandb(ModuleType):
    """Records what it is told, in place of a service."""

    def __init__(self):
        super().__init__("wandb")
        self.started, self.logged, self.finished = [], [], 0

    def init(self, **arguments):
        self.started.append(arguments)
        return self

    def log(self, row, step):
        self.logged.append((step, row))

    def finish(self):
        self.finished += 1


def test_wandb_goes_on_under_one_identity(run, monkeypatch):
    fake = FakeWandb()
    monkeypatch.setitem(sys.modules, "wandb", fake)
    for epoch in (1, 2, 3):
        with open_metrics(run, WandbRun(run, WandbSettings(project="p"))) as log:
            log.append({"epoch": epoch, "loss/critic": 0.5})
    assert [step for step, _ in fake.logged] == [1, 2, 3]
    assert fake.finished == 3
    assert len({arguments["id"] for arguments in fake.started}) == 1
    assert fake.started[0]["mode"] == "offline" and fake.started[0]["project"] == "p"
    assert fake.started[0]["config"]["beta"] == 0.5


def test_rows_that_nobody_has_sent_are_sent_however_the_run_went_on(run, monkeypatch):
    """Without it at first, stopped behind a first look, and without it in between."""
    fake = FakeWandb()
    monkeypatch.setitem(sys.modules, "wandb", fake)
    run.append_metrics({"epoch": 1})
    WandbRun(run, WandbSettings()).close()
    for epoch, settings in ((2, WandbSettings()), (3, None), (4, WandbSettings())):
        with open_metrics(run, settings and WandbRun(run, settings)) as log:
            log.append({"epoch": epoch})
    assert [step for step, _ in fake.logged] == [1, 2, 3, 4]


def test_rows_of_a_run_that_an_older_version_began_are_sent_once(run, monkeypatch):
    fake = FakeWandb()
    monkeypatch.setitem(sys.modules, "wandb", fake)
    run.append_metrics({"epoch": 1})
    write_json(run.path / "wandb.json", {"id": "old"})
    with open_metrics(run, WandbRun(run, WandbSettings())) as log:
        log.append({"epoch": 2})
    assert [step for step, _ in fake.logged] == [2] and fake.started[0]["id"] == "old"


def test_what_it_refuses_costs_no_fit_and_is_one_line(tmp_path, monkeypatch):
    fake = FakeWandb()
    monkeypatch.setitem(sys.modules, "wandb", fake)
    monkeypatch.setattr(fake, "init", refuse)
    with pytest.raises(
        UserError, match=r"^wandb: RuntimeError: No API key; run `wandb login`, or take --wandb offline$"
    ):
        execute(tiny_plan(), tmp_path / "run", wandb=WandbSettings(mode="online"))
    assert not RunFolder.open(tmp_path / "run").fit()


def refuse(**_: object) -> None:
    raise RuntimeError("No API key\nmore")


def test_every_run_of_a_sweep_has_its_own(tmp_path, monkeypatch):
    fake, epochs = FakeWandb(), []
    monkeypatch.setitem(sys.modules, "wandb", fake)
    monkeypatch.setattr("micro_rl.reports.run.write_report", lambda path: None)
    small = {"hidden_sizes": (8,), "batch_size": 8, "updates_per_epoch": 4, "epochs": 2, "eval_every": 2}
    runs = micro_rl.sweep(
        tiny_dataset(),
        "td3_bc",
        scoring_model=False,
        seeds=2,
        out=tmp_path / "sweep",
        wandb="offline",
        on_epoch=lambda name, row, policy: epochs.append((name, row["epoch"])),
        **small,
    )
    assert len({arguments["id"] for arguments in fake.started}) == len(runs) == 2
    assert {arguments["reinit"] for arguments in fake.started} == {"create_new"}
    assert sorted(step for step, _ in fake.logged) == [1, 1, 2, 2] and fake.finished == 2
    assert sorted(epochs) == [("seed0", 1), ("seed0", 2), ("seed1", 1), ("seed1", 2)]


def test_off_tracks_nothing(monkeypatch):
    monkeypatch.setitem(sys.modules, "wandb", FakeWandb())
    assert tracking_in("off") is None
    assert tracking_in("offline") == WandbSettings(mode="offline")
