"""The exported C: equal to its policy under the sanitisers, its names, its memory, and what it refuses."""

import re
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from micro_rl.core.columns import Column, Columns
from micro_rl.deploy import c_tables, rounding
from micro_rl.deploy.c_files import c_text
from micro_rl.deploy.c_names import checked_name, in_comment, of_columns
from micro_rl.deploy.equality import Decisions, compared
from micro_rl.deploy.running import compiler, run_c
from micro_rl.deploy.source import Source
from micro_rl.deploy.trial import draw
from micro_rl.errors import UserError
from micro_rl.policy import Policy
from tests.deploy.policies import BY_HAND, decided, random_guard, random_policy
from tests.deploy.sanitiser import sanitiser

ODD = Columns(
    (Column("T_air [°C]", "°C", 3.0, 40.0), Column("T air (°C)"), Column("*/ ??/ /*\u202e\n\\")),
    (Column("Ventil"), Column("ventil")),
)


def write(policy: Policy, folder: Path, stem: str = "exported", prefix: str = "exported") -> Path:
    text = c_text(Source(policy), prefix, stem)
    (folder / f"{stem}.h").write_text(text.header)
    (folder / f"{stem}.c").write_text(text.code)
    return folder / f"{stem}.c"


def test_a_history_under_the_sanitisers_with_names_that_need_mending(tmp_path: Path):
    policy = random_policy(1, history=4, hidden=(7, 5), columns=ODD, offset=100.0)
    trial = draw(policy, single=True)
    decisions = run_c(write(policy, tmp_path), "exported", Source(policy), trial, sanitiser())
    difference = compared(policy, trial, decisions, "C file")
    assert difference.rows == 1000 and 0 < difference.largest <= 1e-5 and difference.unsettled < 100


@pytest.mark.skipif(compiler() is None, reason="no C compiler")
@pytest.mark.parametrize("language", ["c99", "gnu99", "gnu11", "gnu17", None])
def test_no_name_is_one_of_the_c_librarys(tmp_path: Path, language: str | None):
    """Outside of C99 <math.h> declares what BSD and POSIX have too, `finite` among it."""
    policy = random_policy(1, history=2)
    text = c_text(Source(policy).guarded(random_guard(policy, 1)), "p", "p")
    (tmp_path / "p.h").write_text(text.header)
    (tmp_path / "p.c").write_text(text.code)
    flags = ["-Wall", "-Wextra", "-Werror", *([f"-std={language}"] if language else ["-D_GNU_SOURCE"])]
    done = subprocess.run([str(compiler()), *flags, "-fsyntax-only", "p.c"], cwd=tmp_path, capture_output=True)
    assert (done.returncode, done.stderr) == (0, b"")


@pytest.mark.skipif(compiler() is None, reason="no C compiler")
def test_a_file_that_is_c99_alone_is_refused(tmp_path: Path):
    file = write(BY_HAND, tmp_path)
    file.write_text(file.read_text().replace("all_finite", "finite"))
    with pytest.raises(UserError, match=r"on the exported C file ended with 1 \(.*finite"):
        run_c(file, "exported", Source(BY_HAND), draw(BY_HAND, single=True))


@pytest.mark.skipif(compiler() is None, reason="no C compiler")
@pytest.mark.parametrize(("seed", "accepted"), [(1, True), (2, False), (None, False)])
def test_a_header_of_another_export_is_refused(tmp_path: Path, seed: int | None, accepted: bool):
    """A kill between the two files leaves the new header beside the old code; an older version's has no digest."""
    file = write(random_policy(1), tmp_path)
    header = c_text(Source(random_policy(seed or 1)), "exported", "exported").header
    header = header if seed else re.sub("#define EXPORTED_DIGEST.*", "", header)
    file.with_suffix(".h").write_text(header)
    command = [str(compiler()), "-Wall", "-Wextra", "-Werror", "-fsyntax-only", file.name]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert (done.returncode == 0) is accepted
    assert ("exported.h is of another export than this file: take both from one" in done.stderr) is not accepted


def test_networks_of_every_kind_in_one_program(tmp_path: Path):
    """Five policies, each called by its own prefix, on extreme rows and on one that is not finite; sanitised."""
    policies = {
        "hand": BY_HAND,
        "linear": random_policy(2, hidden=()),
        "deep": random_policy(3, 5, 3, (16, 1, 9)),
        "steep": random_policy(4, hidden=(32, 32), gain=10.0),
        "offset": random_policy(5, offset=1e6),
    }
    parts = [f'#include "{name}.h"\n' for name in policies]
    parts += ["#include <math.h>\n#include <stdio.h>\nint main(void)\n{\n"]
    for name in policies:
        write(policies[name], tmp_path, name, name)
        rows = draw(policies[name], 60, single=True).observations.astype(np.float32)
        (tmp_path / f"{name}.rows").write_bytes(rows.tobytes())
        parts.append(
            f"    {{\n        float row[{name.upper()}_OBSERVATIONS];\n        {name}_decision decision;\n"
            f'        FILE *rows = fopen("{name}.rows", "rb"), *out = fopen("{name}.out", "wb");\n'
            "        while (fread(row, sizeof row, 1, rows) == 1) {\n"
            f"            if ({name}_act(row, &decision)) return 1;\n"
            "            fwrite(&decision, sizeof decision, 1, out);\n        }\n"
            "        fclose(rows);\n        fclose(out);\n        row[0] = NAN;\n"
            f"        if (!{name}_act(row, &decision)) return 2;\n    }}\n"
        )
    (tmp_path / "main.c").write_text("".join([*parts, "    return 0;\n}\n"]))
    files = ["main.c", *(f"{name}.c" for name in policies)]
    flags = ["-std=c99", "-pedantic", "-Wall", "-Wextra", "-Wconversion", "-Wshadow", "-Wdouble-promotion", "-Werror"]
    flags += sanitiser()
    subprocess.run([str(compiler()), *flags, *files, "-o", "main", "-lm"], cwd=tmp_path, check=True)
    assert subprocess.run(["./main"], cwd=tmp_path).returncode == 0
    for name, policy in policies.items():
        output = np.fromfile(tmp_path / f"{name}.out", np.float32).reshape(60, -1)
        decisions = Decisions(*np.split(output, 3, axis=-1))
        compared(policy, draw(policy, 60, single=True), decisions, name)


@pytest.mark.parametrize("part", ["action", "mean", "log_std"])
def test_an_export_that_decides_otherwise_is_refused(part: str):
    policy = random_policy(7)
    trial = draw(policy)
    decisions = decided(policy, trial)
    assert compared(policy, trial, decisions, "file").largest == 0
    changed = getattr(decisions, part).copy()
    changed[0, 1] += 3e-5 * (2 * policy.action_half[1] if part == "action" else 1)
    with pytest.raises(UserError, match=f"the file does not decide as the policy does: {part} differs by [23]"):
        compared(policy, trial, decisions._replace(**{part: changed}), "file")


def test_a_far_row_that_decides_otherwise_is_refused_too():
    """What float32 leaves open far out is little: a wrong sign, or values that are not clamped, are noticed."""
    policy = random_policy(8)
    trial = draw(policy)
    right = decided(policy, trial)
    wrong = right.action.copy()
    wrong[9] = policy.action_low + policy.action_high - wrong[9]
    with pytest.raises(UserError, match="action differs"):
        compared(policy, trial, right._replace(action=wrong), "file")


def far_out(weight: float) -> Policy:
    """A policy of two columns, of which the layer takes the difference: at 10^20 deviations float32 may overflow."""
    return Policy(
        [([[weight, 0.0], [-weight, 0.0]], [0.0, 0.0])],
        observation_mean=[0.0, 0.0],
        observation_std=[1.0, 1.0],
        action_mid=[30.0],
        action_half=[20.0],
    )


def infinity_less_infinity() -> Policy:
    """A policy that takes the difference of two units that overflow alike, so that a fused product cannot help it."""
    return Policy(
        [([[1e19, 1e19], [0.0, 0.0]], [0.0, 0.0]), ([[1.0, 0.0], [-1.0, 0.0]], [0.0, 0.0])],
        observation_mean=[0.0, 0.0],
        observation_std=[1.0, 1.0],
        action_mid=[30.0],
        action_half=[20.0],
    )


def test_where_float32_may_overflow_actions_are_finite_and_within_their_range():
    policy = far_out(3e17)
    trial = draw(policy)
    right = decided(policy, trial)
    difference = compared(policy, trial, right, "file")
    assert difference.overflowing == 100 and difference.unsettled < 500
    row = int(np.argmax(np.abs(trial.observations).max(-1)))
    for value, words in ((np.nan, "nan"), (np.inf, "inf"), (50.01, "50.01")):
        action = right.action.copy()
        action[row] = value
        with pytest.raises(UserError, match=rf"the file gives the action \[{words}\d*\], beyond its range, at"):
            compared(policy, trial, right._replace(action=action), "file")
    policy = infinity_less_infinity()
    with np.errstate(over="ignore", invalid="ignore"):
        decisions = decided(policy, trial)
    with pytest.raises(UserError, match=r"gives the action \[nan\], beyond its range"):
        compared(policy, trial, decisions, "file")
    with pytest.raises(UserError, match=r"the policy itself gives the action \[nan\]"):
        compared(policy, trial, decisions._replace(action=np.nan_to_num(decisions.action, nan=30.0)), "file")


def test_what_float32_leaves_open_is_accepted_and_no_more():
    policy = random_policy(9, hidden=(32, 32), offset=0.0, gain=3.0)
    trial = draw(policy)
    for factor, accepted in ((1 + 2**-24, True), (1 + 1e-4, False)):
        decisions = decided(policy, trial._replace(observations=trial.observations * factor))
        if accepted:
            assert compared(policy, trial, decisions, "file").unsettled < 200
        else:
            with pytest.raises(UserError, match="mean differs"):
                compared(policy, trial, decisions._replace(action=policy(trial.observations)), "file")


def test_wide_layers_have_a_wide_bound_that_few_rows_may_use():
    """What rounding can do at the worst is no allowance for all rows."""
    policy = random_policy(11, hidden=(128, 128), offset=0.0)
    trial = draw(policy, 400)
    for share, accepted in ((0.05, True), (1.0, False)):
        decisions = decided(policy, trial)
        expected, bound = rounding.expected(policy, trial.observations), rounding.bound(policy, trial.observations)
        rows = np.flatnonzero((expected > 1e-5).all(-1))
        rows = rows[: int(share * len(rows))]
        mean = decisions.mean.copy()
        mean[rows] += (bound[rows, :2] / 2).astype(np.float32)
        assert (bound[rows, :2] / 2 > 2 * expected[rows, :2]).all()
        changed = decisions._replace(mean=mean)
        if accepted:
            compared(policy, trial, changed, "file")
        else:
            with pytest.raises(UserError, match="mean differs"):
                compared(policy, trial, changed, "file")


def test_memory_by_hand(tmp_path: Path):
    text = c_text(Source(BY_HAND), "p", "p")
    # layers 2 x 2 + 2 and 2 x 2 + 2, mean twice, deviation, middle twice, half range, bounds: 6 + 6 + 4 + 2 + 2 + 1 + 2
    assert c_tables.memory(Source(BY_HAND)) == (4 * 23, 0, 4 * (2 + 2))
    assert "92 bytes of tables (flash); 0 bytes of RAM for each system's past; 16 bytes of arrays" in text.header
    tables = re.findall(r"static const float \w+\[(\d+)\]", text.code)
    assert sum(map(int, tables)) == 23
    with_past = random_policy(1, 3, 2, (8,), history=4)
    assert c_tables.memory(Source(with_past))[1:] == (4 * (3 * 3 + 3 * 2 + 1), 4 * (18 + 18 + 8))


def test_numbers_are_read_back_to_the_bit():
    values = np.array([0, 1, -1.5, 1e-45, 3.4028235e38, 1 / 3, 123456.79, 1e20, -2e-5, 1e7], np.float32)
    for value in values:
        text = c_tables.number(value)
        assert text.endswith("f") and ("." in text or "e" in text)
        assert np.float32(text[:-1]) == value


def test_columns_have_names_of_their_own():
    names = ["T_air [°C]", "T air (°C)", "°", "größe", "2nd"]
    own = ["P_T_AIR_C", "P_T_AIR_C_2", "P_COLUMN2", "P_GRO_E", "P_N2ND"]
    assert of_columns("P", names) == own
    names = of_columns("P", ["a", "a 2", "a", "A", "x" * 80, "x" * 90])
    assert len(set(names)) == 6 and max(map(len, names)) < 45
    assert in_comment("a */ b /* ??/ \\ \u202e \n") == "a * / b / * ? ?/ / ? ?"
    assert in_comment("Plant???/ ????") == "Plant? ? ?/ ? ? ? ?" and in_comment("a *\\ b") == "a * / b"


@pytest.mark.parametrize(
    ("name", "prefix"),
    [("policy", "policy"), ("Pump-3 v2", "pump_3_v2"), ("3dof", "n3dof"), ("a" * 90, "a" * 15 + "_489a")],
)
def test_the_prefix_is_the_files_name(name: str, prefix: str):
    assert checked_name(Path(f"{name}.c")) == prefix


def test_long_names_that_begin_alike_keep_apart():
    one, other = (checked_name(Path(f"reactor_temperature_control_{end}.c")) for end in "ab")
    assert one != other and len(one) <= 20


@pytest.mark.parametrize("name", ["math.c", "String.c", "policy.cpp", "policy", 'a"b.c'])
def test_names_that_no_c_file_can_have(name: str):
    with pytest.raises(UserError, match=r"^--out "):
        checked_name(Path(name))


def test_numbers_that_single_precision_lacks_are_refused():
    columns = Columns((Column("level", "m"), Column("flow")), (Column("valve"),))
    for changed, words in (
        ({"observation_std": [1.0, 1e-40]}, r"observation 1 \(flow\) has the standard deviation 1e-40"),
        ({"observation_mean": [1e39, 0.0]}, r"observation 0 \(level \[m\]\) has the mean 1e\+39"),
        ({"action_half": [1e39]}, r"action 0 \(valve\) has the bound"),
    ):
        usual = {"observation_mean": [0, 0], "observation_std": [1, 1], "action_mid": [0], "action_half": [1]}
        arrays: dict[str, Any] = usual | changed
        policy = Policy([(np.ones((2, 2)), np.ones(2))], **arrays, columns=columns)
        with pytest.raises(UserError, match=words):
            c_text(Source(policy), "p", "p")
