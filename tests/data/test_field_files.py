"""Files as they lie about: other kinds than their names say, flags as people write them, links that lead nowhere."""

import gzip
import zipfile

import numpy as np
import pytest

from micro_rl.cli.main import run
from micro_rl.data import load
from micro_rl.data.likeness import likeness
from micro_rl.errors import UserError

TEXT = "t,o,a,r\n" + "".join(f"{row},{row}.5,{row % 3},{row}\n" for row in range(40))
TOML = 'observations = ["o"]\nactions = ["a"]\nreward = "r"\naction_bounds = [0, 2]\n'


def refusal(path, **words):
    with pytest.raises(UserError) as error:
        load(path, **words)
    assert "\n" not in str(error.value) and str(path) in str(error.value)
    return str(error.value)


@pytest.mark.parametrize(
    ("yes", "no"),
    [
        ("True", "False"),
        (" yes ", "NO"),
        (" 1", " 0"),
        ("1.000000000e+00", "0.000000000e+00"),
        ("1.", ".0"),
        ("ja", ""),
        ('"1"', '"0"'),
    ],
)
def test_flags_as_people_and_libraries_write_them(tmp_path, yes, no):
    path = tmp_path / "log.csv"
    path.write_text("o,a,r,end\n" + "".join(f"{row}.5,0,1,{yes if row % 10 == 9 else no}\n" for row in range(40)))
    path.with_suffix(".toml").write_text(TOML + 'terminal = "end"\nhorizon = 40\n')
    assert np.flatnonzero(load(path).terminals).tolist() == [9, 19, 29, 39]


def test_a_decimal_comma_in_a_flag_and_a_word_that_means_neither(tmp_path):
    path = tmp_path / "log.csv"
    path.write_text("o;a;r;end\n" + "".join(f"{row},5;0;1;{int(row == 9)},0\n" for row in range(10)))
    path.with_suffix(".toml").write_text(TOML + 'terminal = "end"\nhorizon = 40\ndecimal = ","\n')
    assert np.flatnonzero(load(path).terminals).tolist() == [9]
    path.write_text(path.read_text().replace("1,0", "2,0"))
    assert "column 'end' holds '2,0' in line 11, which is neither 0 nor 1" in refusal(path)


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("log.csv", TEXT.encode("utf-16-le"), "UTF-16 or UTF-32 without a mark that is known: save it as UTF-8"),
        ("log.csv", TEXT.encode("utf-32"), "UTF-16 or UTF-32 without a mark"),
        ("log.csv", TEXT.encode() + bytes(64), "text with null bytes, as a power failure leaves them"),
        ("log.csv", gzip.compress(TEXT.encode()), "gzip: decompress it first"),
        ("log.mat", b"MATLAB 5.0 MAT-file" + bytes(99), "a MATLAB file: save arrays as HDF5"),
        ("log.xls", b"\xd0\xcf\x11\xe0" + bytes(99), "an Excel workbook: save it as CSV"),
        ("log.feather", b"ARROW1\0\0" + bytes(99), "an Arrow file: save it as Parquet"),
        ("log.json", b'{"o": [1, 2]}', "JSON: save a table as CSV"),
        ("log.csv", b'[{"o": 1, "a": 2},\n{"o": 2, "a": 3}]', "JSON: save a table as CSV"),
        ("log.csv", b"<!DOCTYPE html>\n<p>Not found, sorry</p>\n", "a web page: the address was not that of the file"),
    ],
)
def test_what_a_file_is_instead(tmp_path, name, content, words):
    path = tmp_path / name
    path.write_bytes(content)
    assert f"(it looks like {words}" in refusal(path)


def test_what_is_not_known_is_not_guessed():
    assert likeness(b"\x00\x01\x02\x03\xff") == likeness(b"\0\0\0\0") == likeness(b"o") == ""


@pytest.mark.parametrize(
    ("member", "words"),
    [
        ("[Content_Types].xml", "is an Excel workbook or the like, and no log: save the table as CSV"),
        ("log.csv", "is an archive of files such as 'log.csv', not of arrays: unpack it"),
        ("inner.npz", "is an archive of files such as 'inner.npz', not of arrays"),
    ],
)
def test_archives_of_something_else(tmp_path, member, words):
    path = tmp_path / "log.npz"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(member, "a,b\n1,2\n")
    assert words in refusal(path)


def test_a_link_that_leads_nowhere_or_round_is_called_one(tmp_path):
    for name, target in (("gone.csv", "nothing.csv"), ("round.csv", "turn.csv"), ("turn.csv", "round.csv")):
        (tmp_path / name).symlink_to(tmp_path / target)
    assert "nothing.csv', and no file is there: mend the link" in refusal(tmp_path / "gone.csv")
    assert "is a link to" in refusal(tmp_path / "round.csv")


def test_a_last_line_of_sums_and_an_encoding_that_nobody_knows(tmp_path):
    path = tmp_path / "log.csv"
    path.write_text(TEXT + "Total,,,\n")
    path.with_suffix(".toml").write_text(TOML + 'time = "t"\n')
    assert "the time column 't' holds text ('Total' in row 40): repair it, or say how" in refusal(path)
    path.with_suffix(".toml").write_text(TOML + 'time = "t"\nencoding = "klingon"\n')
    assert "there is no encoding 'klingon': say utf-8, latin-1 or cp1252" in refusal(path)


@pytest.mark.parametrize("force", [[], ["--force"]])
def test_data_init_never_takes_a_folder_for_its_file(tmp_path, capsys, force):
    path = tmp_path / "log.csv"
    path.write_text(TEXT)
    path.with_suffix(".toml").mkdir()
    assert run(["data", "init", str(path), *force]) == 2
    assert "log.toml: is a folder: name a file with --out" in capsys.readouterr().err


def test_data_init_never_replaces_the_log(tmp_path, capsys):
    path = tmp_path / "log.csv"
    path.write_text(TEXT)
    assert run(["data", "init", str(path), "--out", str(tmp_path / "." / "log.csv"), "--force"]) == 2
    assert "log.csv: is the log itself: name another file with --out" in capsys.readouterr().err
    assert path.read_text() == TEXT
