"""`data init`: what can be guessed of a table is, what cannot is said, and the file it writes is read."""

import tomllib

import numpy as np
import pytest

from micro_rl.cli.main import run
from micro_rl.data import Column, load
from micro_rl.data.guesses.by_name import assigned
from micro_rl.data.guesses.columns import decimal_sign, guess
from micro_rl.data.guesses.description import draft
from micro_rl.data.toml_file import read

PLANT = """\
# a historian's export
Zeit;Level [m];Level SP [m];T_out (°C);Valve [%];Mode;Pump speed
01.03.2025 10:00:00;1,50;2,0;11,5;10,0;AUTO;1450
01.03.2025 10:01:00;1,75;2,0;Bad Input;20,5;AUTO;1450
01.03.2025 10:02:00;;2,0;12,0;30,0;MAN;1450
13.03.2025 10:03:00;2,25;2,0;12,5;25,0;AUTO;1450
13.03.2025 10:04:00;2,30;2,5;12,5;25,5;AUTO;1450
"""


@pytest.fixture
def plant(tmp_path):
    path = tmp_path / "plant.csv"
    path.write_text(PLANT, "cp1252")
    return path


def test_a_plants_export(plant):
    made = draft(plant)
    table = tomllib.loads(made.text)
    assert table == {
        "observations": ["Level [m]", "Level SP [m]", "T_out (°C)"],
        "actions": ["Valve [%]"],
        "exogenous": ["Level SP [m]", "T_out (°C)"],
        "time": "Zeit",
        "time_format": "%d.%m.%Y %H:%M:%S",
        "decimal": ",",
        "encoding": "cp1252",
        "missing_values": ["Bad Input"],
        "bounds": {"Valve [%]": [0, 100]},
        "units": {"Level [m]": "m", "Level SP [m]": "m", "T_out (°C)": "°C", "Valve [%]": "%"},
    }
    assert made.open == ["the reward: what is a good row?"]
    for comment in (
        "# never change, left out: Pump speed",
        "# Mode holds texts: 'AUTO' 4 times, 'MAN' 1 time",
        "# where = \"`Mode` == 'AUTO'\"",
        '# fill = {"Level [m]" = "linear", "T_out (°C)" = "linear", limit = 1}',
        "60 s from row to row; 1 gaps longer than three such steps",
        "# NOT GUESSED: the reward",
    ):
        assert comment in made.text


def test_the_command_and_the_edits_of_a_person(plant, capsys):
    assert run(["data", "init", str(plant)]) == 0
    assert "not guessed: the reward: what is a good row?" in capsys.readouterr().out
    toml = plant.with_suffix(".toml")
    read(toml)
    text = toml.read_text().replace("# fill", "fill").replace("# where", "where").replace("# missing", "missing")
    toml.write_text("reward = '-abs(`Level [m]` - `Level SP [m]`)'\n" + text)
    log = load(plant)
    assert len(log) == 3 and log.exogenous == (1, 2)
    assert log.columns.actions == (Column("Valve [%]", "%"),)
    assert run(["data", "init", str(plant)]) == 2
    assert "is there already" in capsys.readouterr().err
    assert run(["data", "init", str(plant), "--force"]) == 0
    assert run(["data", "init", str(plant), "--out", str(plant.with_name("other.toml"))]) == 0


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a,b\n1.5,2\n2.5,3\n", "where episodes end: there is no column of times"),
        ("a,b\n1.5,2\n2.5,3\n", "the actions: no name says"),
        ("valve,level,level\n1,2,3\n3,2,1\n", "which of the columns called 'level' is which"),
        ("valve,valve,level\n1,2,3\n3,,\n2,5,1\n", "which of the columns called 'valve' is which"),
        ("valve,level,level SP,level SP\n1,5,2,3\n3,6,2.5,1\n", "which of the columns called 'level SP' is which"),
        (
            "Date,Time,x,valve\n03/04/2025,10:00,1,0.1\n03/04/2025,10:01,2,0.2\n",
            "whether day or month comes first in 'Date'",
        ),
        ("t,x,valve\n03/04/2025 10:00,1,0.1\n03/04/2025 10:01,2,0.2\n", "whether day or month comes first in 't'"),
        ("valve,pump\n1,2\n3,2\n", "the observations: no column of numbers is left"),
    ],
)
def test_what_cannot_be_guessed_is_said(tmp_path, text, words):
    path = tmp_path / "log.csv"
    path.write_text(text)
    made = draft(path)
    tomllib.loads(made.text)
    assert any(words in sentence for sentence in made.open), made.open


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "holds no line of names"),
        (b"a,b\n", "holds no line of names"),
        (b"a\n1\n2\n", "names one column only"),
        (b"\x80\x00\x01", "is no text and no Parquet file (it looks like a pickle): data init describes tables"),
        (b"PK\x03\x04\x00", "(it looks like a zip archive, as .npz and .xlsx are: save the table as CSV)"),
        ("a,b\n1,2\n".encode("utf-16-le"), "(it looks like UTF-16 or UTF-32 without a mark that is known: save it as"),
        (b"PAR1 and no more", "cannot be read as Parquet"),
        (b'valve,"x\n1,2\n3,4\n', "all its lines are one row"),
        (b"valve,x\n1," + b"a" * 140_000 + b"\n2,3\n", "is no CSV (field larger than field limit (131072))"),
    ],
)
def test_no_table(tmp_path, capsys, content, words):
    path = tmp_path / "log.csv"
    path.write_bytes(content)
    assert run(["data", "init", str(path)]) == 2
    assert words in capsys.readouterr().err
    assert not path.with_suffix(".toml").exists()
    assert run(["data", "init", str(tmp_path / "nothing.csv")]) == 2


@pytest.mark.parametrize(
    ("content", "table"),
    [
        (b"valve,x\r1,2\r3,4\r", {"observations": ["x"], "actions": ["valve"], "bounds": {"valve": [1, 3]}}),
        (b"a\x01b,valve,x\nu,1,2\nv,2,3\n", {"observations": ["x"], "actions": ["valve"], "bounds": {"valve": [1, 2]}}),
        (b"a\x01b,valve,x\n1,1,2\n1,2,3\n", {"observations": ["x"], "actions": ["valve"], "bounds": {"valve": [1, 2]}}),
        (
            b"valve,valve,x\n1,2,3\n2,3,4\n",
            {"observations": ["x"], "actions": ["valve", "valve"], "bounds": {"valve": [1, 2]}},
        ),
        (
            b"valve,x\n-1e308,2\n1e308,3\n1,4\n2,5\n",
            {
                "observations": ["x"],
                "actions": ["valve"],
                "missing_values": ["-1e308", "1e308"],
                "bounds": {"valve": [1, 2]},
            },
        ),
    ],
    ids=["lines end by carriage returns", "signs in a text's name", "in a constant's", "twice", "no numbers of a log"],
)
def test_what_fuzzing_brought_up_is_described_in_toml(tmp_path, content, table):
    path = tmp_path / "log.csv"
    path.write_bytes(content)
    assert tomllib.loads(draft(path).text) == table


def test_a_text_with_a_quotation_mark_is_proposed_so_that_it_can_be_read(tmp_path):
    path = tmp_path / "log.csv"
    path.write_text("t,valve,x,mode\n1,1,2,it's \\ on\n2,2,3,it's \\ on\n3,3,4,off\n")
    path.with_suffix(".toml").write_text("reward = 'x'\n" + draft(path).text.replace("# where", "where"))
    assert load(path).observations[:, 0].tolist() == [2.0, 3.0]


def test_parquet_and_utf_16(tmp_path):
    pa = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    path = tmp_path / "log.parquet"
    parquet.write_table(pa.table({"level": [1.0, 2.0, 3.0], "valve": [0.5, None, 0.75]}), path)
    assert tomllib.loads(draft(path).text)["actions"] == ["valve"]
    wide = tmp_path / "log.csv"
    wide.write_text("level;valve\n1,5;2\n2,5;3\n", "utf-16")
    table = tomllib.loads(draft(wide).text)
    assert ("encoding" in table, table["decimal"], table["observations"]) == (False, ",", ["level"])  # its mark says it


@pytest.mark.parametrize(
    ("cells", "kind"),
    [
        (["1", "2.5", "-3e4"], "number"),
        (["0", "1", "0"], "flag"),
        (["7", "7", "7"], "constant"),
        (["", "NaN", ""], "empty"),
        (["on", "off", "on"], "text"),
        (["2025-03-01 10:00:00", "2025-03-01 10:00:01"], "time"),
        (["01.03.2025", "02.03.2025"], "date"),
        (["10:00", "10:01"], "clock"),
    ],
)
def test_kinds(cells, kind):
    assert guess("x", cells, decimal_sign([cells])).kind == kind


@pytest.mark.parametrize(
    ("name", "role"),
    [
        ("Valve 3 [%]", "actions"),
        ("FIC_101_SP", "exogenous"),
        ("TOutdoor", "observations"),
        ("Temp_außen [°C]", "exogenous"),
        ("u1", "actions"),
    ],
)
def test_names(name, role):
    columns = [guess("level", ["1", "2", "4"], None), guess(name, ["1", "2.5", "3"], None)]
    assert name in [column.name for column in getattr(assigned(columns), role)]


EXPORT = """Export der Anlage 3
Datum;Uhrzeit;Stellgröße;T_Luft;Status
;;%;°C;
01.03.2024;23:58:00;10,5;20,1;AUTO
01.03.2024;23:59:00;11,5;20,3;HAND
02.03.2024;00:00:00;12,5;20,2;AUTO
"""


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_an_export_with_a_title_units_and_times_in_two_columns_is_read_by_its_guesses(tmp_path, encoding, capsys):
    path = tmp_path / "anlage.csv"
    path.write_text(EXPORT, encoding)
    assert run(["data", "init", str(path)]) == 0
    assert "not guessed: the reward" in capsys.readouterr().out
    toml = path.with_suffix(".toml")
    table = tomllib.loads(toml.read_text())
    assert (table["time"], table["time_format"]) == (["Datum", "Uhrzeit"], "%d.%m.%Y %H:%M:%S")
    assert (table["skip_rows"], table["decimal"]) == (1, ",")
    assert (table["observations"], table["actions"]) == (["T_Luft"], ["Stellgröße"])
    toml.write_text("reward = '-abs(T_Luft - 21)'\n" + toml.read_text())
    log = load(path)
    np.testing.assert_allclose(log.observations[:, 0], [20.1, 20.3, 20.2], rtol=1e-6)
    assert len(log.starts) == 1
    assert log.columns.observations == (Column("T_Luft", "°C"),)
    assert log.columns.actions == (Column("Stellgröße", "%"),)
