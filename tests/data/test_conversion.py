"""Every format holds every log that it can, to the bit, and says what it cannot hold."""

import hashlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays_of

from micro_rl.cli import main as cli
from micro_rl.data import load
from micro_rl.data.conversion import FORMS, Form, convert, difference, form_of, left_behind
from micro_rl.data.writers import tables
from micro_rl.errors import UserError
from micro_rl.storage.files import CannotWrite, sha256
from micro_rl.training.plan import make_plan
from tests.data.logs import columns, write_hdf5, write_npz

TOLD: dict[str, Any] = {
    "action_low": -3.0,
    "action_high": 2.5,
    "env": "Pendulum-v1",
    "horizon": 9,
    "termination": "never",
    "score_min": -5.25,
    "score_max": 7.0,
    "observation_names": ["oil level", 'ventil "B" [°C]'],
    "observation_units": ["m", ""],
    "action_names": ["valve"],
    "termination_expression": "`oil level` > 1",
}
SUFFIXES = {"hdf5": ".hdf5", "npz": ".npz", "csv": ".csv", "parquet": ".parquet", "minari": ""}


def target(folder: Path, form: Form) -> Path:
    return folder / f"copy-v0{SUFFIXES[form]}"


@pytest.mark.parametrize("form", FORMS)
def test_a_round_trip_keeps_everything(tmp_path: Path, form: Form):
    log = load(write_hdf5(tmp_path / "mine.hdf5", columns(), **TOLD))
    back, _ = convert(log, target(tmp_path, form), form, "the command")
    assert difference(log, back) is None and back.format != "" and len(back) == 9
    assert [str(column) for column in back.columns.observations] == ["oil level [m]", 'ventil "B" [°C]']
    assert (back.action_low, back.action_high) == ([-3], [2.5]) and back.task == log.task
    again, _ = convert(back, tmp_path / "again.hdf5", "hdf5", "")
    assert difference(log, again) is None


@pytest.mark.parametrize("labels", [["ann", "bob "] * 4 + ["ü,"], ["", "NA"] * 4 + ["1"], ["night", "2", "day"]])
@pytest.mark.parametrize("form", FORMS)
def test_step_and_controller_are_kept_or_named_as_lost(tmp_path: Path, form: Form, labels: list[str]):
    own = load(write_hdf5(tmp_path / "mine.hdf5", columns()))
    log = replace(own, step_seconds=0.1, groups=np.array(labels))
    back, lost = convert(log, target(tmp_path, form), form, "")
    each = labels if len(labels) == 9 else ["night"] * 3 + ["2"] * 2 + ["day"] * 4
    without_labels = form == "minari" or (form == "csv" and "NA" in labels)
    assert (back.row_groups is None) if without_labels else (back.row_groups is not None)
    assert without_labels or np.asarray(back.row_groups).tolist() == each
    assert ("who controlled (group)" in lost) == without_labels
    assert back.step_seconds == (None if form in ("csv", "parquet") else 0.1)
    assert ("how long a step is (0.1 s)" in lost) == (form in ("csv", "parquet"))
    again, _ = convert(back, tmp_path / "again.hdf5", "hdf5", "")
    assert difference(back, again) is None and left_behind(again) == []


@pytest.mark.parametrize("form", FORMS)
def test_a_log_that_knows_nothing_of_itself(tmp_path: Path, form: Form):
    log = load(write_npz(tmp_path / "DMSD-mine.npz", columns()))
    back, _ = convert(log, target(tmp_path, form), form, "")
    assert difference(log, back) is None


@pytest.mark.parametrize("form", ["hdf5", "csv", "parquet"])
def test_next_observations_that_are_not_there_stay_away(tmp_path: Path, form: Form):
    arrays = columns()
    del arrays["next_observations"]
    log = load(write_hdf5(tmp_path / "mine.hdf5", arrays))
    back, _ = convert(log, target(tmp_path, form), form, "")
    assert difference(log, back) is None and not back.usable.all()


@pytest.mark.parametrize("form", ["hdf5", "csv", "parquet"])
def test_a_code_for_a_missing_value_is_written_as_it_is(tmp_path: Path, form: Form):
    arrays = columns((30, 30), (False, False))
    del arrays["next_observations"]
    arrays["observations"][40, 0] = -9999
    log = load(write_hdf5(tmp_path / "mine.hdf5", arrays))
    back, _ = convert(log, target(tmp_path, form), form, "")
    assert difference(log, back) is None and np.flatnonzero(~back.usable).tolist() == [29, 39, 40, 59]


@pytest.mark.parametrize("form", ["npz", "minari"])
def test_formats_that_need_the_last_observation(tmp_path: Path, form: Form):
    arrays = columns()
    del arrays["next_observations"]
    log = load(write_hdf5(tmp_path / "mine.hdf5", arrays))
    with pytest.raises(UserError, match=r"has no next observations, and .* needs the one after"):
        convert(log, target(tmp_path, form), form, "")
    assert [path.name for path in tmp_path.iterdir()] == ["mine.hdf5"]


def test_shuffled_rows_are_no_minari_set(tmp_path: Path):
    arrays = columns((6, 6), (False, False))
    arrays["next_observations"][2] += 1
    log = load(write_hdf5(tmp_path / "mine.hdf5", arrays))
    with pytest.raises(UserError, match="not followed by their next observation"):
        convert(log, tmp_path / "copy-v0", "minari", "")
    assert difference(log, convert(log, tmp_path / "copy.csv", "csv", "")[0]) is None


@given(
    arrays_of.arrays(
        np.float32,
        (6, 2),
        elements=st.floats(-(2.0**100), 2.0**100, width=32, allow_nan=False, allow_subnormal=False),
    )
)
def test_a_csv_holds_every_number(tmp_path_factory: pytest.TempPathFactory, values: np.ndarray):
    folder = tmp_path_factory.mktemp("numbers")
    arrays = columns((6,), (False,))
    log = load(write_hdf5(folder / "mine.hdf5", arrays | {"observations": values}))
    assert difference(log, convert(log, folder / "copy.csv", "csv", "")[0]) is None


def test_names_that_a_table_needs_for_itself(tmp_path: Path):
    words = {"observation_names": ["reward", "next_reward"], "action_names": ["episode"]}
    log = load(write_hdf5(tmp_path / "mine.hdf5", columns(), **words))
    assert difference(log, convert(log, tmp_path / "copy.csv", "csv", "")[0]) is None
    twice = load(write_hdf5(tmp_path / "twice.hdf5", columns(), observation_names=["a", "b"], action_names=["a"]))
    with pytest.raises(UserError, match="two columns are called 'a'"):
        convert(twice, tmp_path / "twice.csv", "csv", "")


@pytest.mark.parametrize("form", FORMS)
def test_where_it_came_from_is_in_it(tmp_path: Path, form: Form):
    log = load(write_hdf5(tmp_path / "mine.hdf5", columns()))
    path = target(tmp_path, form)
    convert(log, path, form, "micro-rl data convert mine.hdf5")
    origin = provenance(path, form)
    assert origin["source"] == "mine.hdf5" and origin["source_sha256"] == sha256(tmp_path / "mine.hdf5")
    assert origin["command"] == "micro-rl data convert mine.hdf5"


def provenance(path: Path, form: Form) -> dict[str, Any]:
    if form == "hdf5":
        with h5py.File(path) as file:
            return dict(file.attrs)
    if form == "npz":
        return json.loads(np.load(path)["micro_rl"].tobytes())
    if form == "minari":
        return json.loads((path / "data" / "metadata.json").read_text())["micro_rl"]
    if form == "parquet":
        from pyarrow import parquet

        return json.loads(parquet.read_schema(path).metadata[b"micro_rl"])
    import tomllib

    return tomllib.loads(tables.toml_path(path).read_text())["provenance"]


@pytest.mark.parametrize("form", ["hdf5", "npz", "csv", "parquet"])
def test_the_same_log_gives_the_same_bytes(tmp_path: Path, form: Form):
    log = load(write_hdf5(tmp_path / "mine.hdf5", columns()))
    made = []
    for name in ("one", "two"):
        convert(log, tmp_path / f"{name}{SUFFIXES[form]}", form, "")
        made.append(hashlib.sha256((tmp_path / f"{name}{SUFFIXES[form]}").read_bytes()).hexdigest())
    assert made[0] == made[1]


def test_checksums_cover_the_target(tmp_path: Path):
    log = load(write_hdf5(tmp_path / "mine.hdf5", columns()))
    convert(log, tmp_path / "copy.hdf5", "hdf5", "")
    with h5py.File(tmp_path / "copy.hdf5") as file:
        assert all(isinstance(array, h5py.Dataset) and array.fletcher32 for array in file.values())


@pytest.mark.parametrize("form", FORMS)
def test_what_is_there_stays(tmp_path: Path, form: Form):
    log = load(write_hdf5(tmp_path / "mine.hdf5", columns()))
    path = target(tmp_path, form)
    convert(log, path, form, "first")
    other = load(write_hdf5(tmp_path / "other.hdf5", columns(seed=1)))
    with pytest.raises(UserError, match=r"is there already; .* --force"):
        convert(other, path, form, "second")
    assert difference(log, load(path)) is None
    convert(other, path, form, "second", force=True)
    assert difference(other, load(path)) is None


def test_neither_the_source_nor_a_folder_is_replaced(tmp_path: Path):
    log = load(write_hdf5(tmp_path / "mine.hdf5", columns()))
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "cat.png").touch()
    with pytest.raises(UserError, match="is the log itself"):
        convert(log, tmp_path / "mine.hdf5", "hdf5", "", force=True)
    for form in ("minari", "hdf5"):
        with pytest.raises(UserError, match="no Minari set"):
            convert(log, tmp_path / "photos", form, "", force=True)
    assert (tmp_path / "photos" / "cat.png").exists()
    (tmp_path / "beside.csv.toml").write_text("mine")
    with pytest.raises(UserError, match=r"beside.csv.toml: is there already"):
        convert(log, tmp_path / "beside.csv", "csv", "")


@pytest.mark.parametrize(
    ("source", "copy", "form"),
    [
        ("set-v0", "set-v0", "minari"),
        ("set-v0", "set-v0/data/main_data.hdf5", "hdf5"),
        ("set-v0", "set-v0/new.hdf5", "hdf5"),
        ("parts", "parts/one.parquet", "parquet"),
        ("parts", "parts/more/two.parquet", "parquet"),
        ("parts", "store/linked.parquet", "parquet"),
        ("mine.csv", "mine.csv.toml", "hdf5"),
    ],
)
def test_no_part_of_the_source_is_replaced(tmp_path: Path, source: str, copy: str, form: Form):
    log = load(write_hdf5(tmp_path / "log.hdf5", columns()))
    (tmp_path / "parts").mkdir()
    (tmp_path / "parts" / "two.parquet").symlink_to(tmp_path / "store" / "linked.parquet")
    kinds: dict[str, Form] = {"set-v0": "minari", "mine.csv": "csv"}
    kinds |= {"parts/one.parquet": "parquet", "store/linked.parquet": "parquet"}
    for name, kind in kinds.items():
        convert(log, tmp_path / name, kind, "")
    (tmp_path / "parts" / "one.parquet.toml").rename(tmp_path / "parts.toml")
    own = load(tmp_path / source)
    with pytest.raises(UserError, match="is the log itself, or a part of it"):
        convert(own, tmp_path / copy, form, "", force=True)
    assert difference(own, load(tmp_path / source)) is None


def test_formats_of_one_stem_stand_side_by_side(tmp_path: Path):
    log = load(write_hdf5(tmp_path / "mine.hdf5", columns(), **TOLD))
    for suffix in (".csv", ".parquet", ".npz"):
        back, _ = convert(log, tmp_path / f"mine{suffix}", form_of(Path(f"a{suffix}"), None), "")
        assert difference(log, back) is None
    (tmp_path / "mine.csv.toml").rename(tmp_path / "mine.toml")  # as a person writes it beside a table
    again, _ = convert(load(tmp_path / "mine.csv"), tmp_path / "mine.h5", "hdf5", "")
    assert difference(log, again) is None


def test_a_description_that_is_there_is_not_taken_for_the_target_s(tmp_path: Path):
    log = load(write_hdf5(tmp_path / "mine.hdf5", columns()))
    (tmp_path / "other.toml").write_text("horizon = 2")
    with pytest.raises(UserError, match=r"other.toml: would be taken for the description of other.hdf5"):
        convert(log, tmp_path / "other.hdf5", "hdf5", "")


def test_a_relative_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    log = load(write_hdf5(tmp_path / "mine.hdf5", columns()))
    for form in FORMS:
        assert difference(log, convert(log, target(Path(), form), form, "")[0]) is None


@pytest.mark.parametrize("form", FORMS)
def test_a_target_that_would_not_read_back_is_not_written(tmp_path: Path, form: Form, monkeypatch: pytest.MonkeyPatch):
    log = load(write_hdf5(tmp_path / "mine.hdf5", columns()))
    other = load(write_hdf5(tmp_path / "other.hdf5", columns(seed=1)))
    convert(other, target(tmp_path, form), form, "")
    before = sorted(tmp_path.rglob("*"))
    with monkeypatch.context() as patched:
        patched.setattr("micro_rl.data.conversion.load", lambda path: other)
        with pytest.raises(UserError, match=r"would not read back as .* \(observations\), so it was not written"):
            convert(log, target(tmp_path, form), form, "", force=True)
    assert difference(other, load(target(tmp_path, form))) is None and sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_a_table_without_its_description_does_not_stay(tmp_path: Path, form: Form, monkeypatch: pytest.MonkeyPatch):
    """A disk may be full when the TOML is written: the table alone, or beside an older TOML, would be read wrongly."""

    def refuse(path: Path, content: bytes) -> None:
        raise CannotWrite(f"{path}: cannot be written (No space left on device); free the disk")

    log = load(write_hdf5(tmp_path / "log.hdf5", columns()))
    other = load(write_hdf5(tmp_path / "other.hdf5", columns(seed=1)))
    convert(log, target(tmp_path, form), form, "a test")
    monkeypatch.setattr(tables, "replace_file", refuse)
    with pytest.raises(CannotWrite, match=f"^{target(tmp_path, form)}.toml: .* No space left".replace(" .* ", ".*")):
        convert(other, target(tmp_path, form), form, "a test", force=True)
    assert difference(log, load(target(tmp_path, form))) is None, "what was there stays"


@pytest.mark.parametrize(
    "there", ["data/photo.png", "data/metadata.json data/notes/cat.png", "data/metadata.json cat.png"]
)
def test_a_folder_that_only_looks_like_a_set_is_not_replaced(tmp_path: Path, there: str):
    log = load(write_hdf5(tmp_path / "mine.hdf5", columns()))
    for file in (tmp_path / "folder" / name for name in there.split()):
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("mine")
    with pytest.raises(UserError, match="is a folder that is no Minari set"):
        convert(log, tmp_path / "folder", "minari", "", force=True)
    assert all((tmp_path / "folder" / name).read_text() == "mine" for name in there.split())


def test_the_suffix_tells_the_format():
    assert form_of(Path("a.h5"), None) == "hdf5" and form_of(Path("a.PQ"), None) == "parquet"
    assert form_of(Path("set-v0"), "minari") == "minari"
    with pytest.raises(UserError, match="--to"):
        form_of(Path("a.txt"), None)


def test_a_copy_trains_without_further_flags(tmp_path: Path):
    words = TOLD | {"observation_names": ["a", "b"], "termination_expression": "a > 1"}
    log = load(write_hdf5(tmp_path / "mine.hdf5", columns(), **words))
    convert(log, tmp_path / "copy.csv", "csv", "")
    plan = make_plan(tmp_path / "copy.csv")
    assert (plan.task.env, plan.task.horizon, plan.task.score_max) == ("Pendulum-v1", 9, 7.0)


def test_on_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    path = write_hdf5(tmp_path / "mine.hdf5", columns() | {"infos": np.zeros((9, 2))}, action_low=-1.0, action_high=1.0)
    assert cli.run(["data", "convert", str(path), str(tmp_path / "copy.csv")]) == 0
    output = capsys.readouterr().out
    assert "not kept: infos of mine.hdf5" in output and "not kept: CSV has no checksums" in output
    assert "9 rows, 3 episodes, read back and equal to what was read of" in output
    assert cli.run(["data", "convert", str(path), str(tmp_path / "part.csv"), "--part", "training"]) == 0
    assert "read back and equal to the training part of" in capsys.readouterr().out
    assert cli.run(["data", "convert", str(path), str(tmp_path / "copy.txt")]) == 2
    assert "its suffix names no format" in capsys.readouterr().err
    assert cli.run(["data", "convert", str(path), str(tmp_path / "copy.csv")]) == 2
    assert "is there already" in capsys.readouterr().err
