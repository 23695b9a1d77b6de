"""Which part of two logs differs, and what a conversion leaves behind."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from micro_rl.core.columns import Column, Columns
from micro_rl.core.tasks import Task
from micro_rl.data import conversion, load
from tests.data import logs
from tests.data.noise import log


def test_logs_that_differ():
    whole = log(100)
    assert conversion.difference(whole, whole) is None
    named = replace(whole, columns=Columns((Column("p"), Column("q")), whole.columns.actions))
    for other, what in (
        ({"rewards": whole.rewards + 1}, "rewards"),
        ({"action_high": whole.action_high + 1}, "action_high"),
        ({"columns": named.columns}, "names or units of columns"),
        ({"exogenous": (0,)}, "exogenous columns"),
        ({"step_seconds": 60.0}, "how long a step is"),
        ({"groups": np.array(["ann"] * 100)}, "who controlled"),
    ):
        assert conversion.difference(whole, replace(whole, **other)) == what
        assert conversion.difference(replace(whole, **other), whole) == what
    known = replace(whole, task=Task(horizon=5))
    assert conversion.difference(known, whole) == "horizon" and conversion.difference(whole, known) is None


def test_what_a_conversion_leaves_behind(tmp_path: Path):
    arrays = logs.columns()
    stored: dict[str, Any] = {logs.NEORL2_KEYS[key]: values for key, values in arrays.items()}
    stored["obs"] = stored["obs"].astype(np.float64)
    np.savez(tmp_path / "log.npz", **stored, extra=np.zeros(3), also=np.zeros(3))
    assert conversion.left_behind(load(tmp_path / "log.npz")) == [
        "also, extra of log.npz",
        "obs beyond float32's digits",
    ]
    arrays["rewards"] = arrays["rewards"].astype(np.float64)
    path = logs.write_hdf5(tmp_path / "log.hdf5", arrays | {"extra": np.zeros(3)})
    assert conversion.left_behind(load(path)) == ["extra of log.hdf5", "rewards beyond float32's digits"]
    assert conversion.left_behind(load(logs.write_npz(tmp_path / "good.npz", logs.columns()))) == []
    assert conversion.left_behind(log(100)) == []
