"""Protocols of one's own: what a TOML file means, and what is wrong with it where something is."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from micro_rl.errors import UserError
from micro_rl.robustness import protocol_file
from micro_rl.robustness.cells import Attack
from micro_rl.robustness.parameters import Physics
from micro_rl.robustness.protocol_file import protocol_of, read
from micro_rl.robustness.signals import Interface
from micro_rl.robustness.substeps import ActuatorDelay

WHOLE = """
episodes = 4

[[group]]
name = "weak and heavy"
axes = { gain = [0.6, 1.0], kg = [1.0, 2.0, 3.0] }
changes = [
    { parameter = "gain", scale = "gain" },
    { parameter = "mass", set = "kg", of = ["torso"] },
    { observation = "delay", amount = 2 },
]
inert = "weight may rest on the ground"

[[group]]
name = "late motors"
axes = { substeps = [1, 2] }
changes = [{ actuator-delay = "substeps" }]

[[group]]
name = "climb"
axes = { epsilon = [0.05, 0.1] }
attack = { aim = "min Q", form = "gradient" }
"""

MANY = list(range(50))


def written(folder: Path, text: str) -> Path:
    path = folder / "mine.toml"
    path.write_text(text)
    return path


def test_a_file_becomes_cells_with_the_nominal_world_first(tmp_path: Path):
    protocol = protocol_of(str(written(tmp_path, WHOLE)), "Hopper-v4")
    assert (protocol.name, protocol.episodes) == ("mine", 4)
    assert [(group.name, len(group.cells)) for group in protocol.groups] == [
        ("nominal", 1),
        ("weak and heavy", 6),
        ("late motors", 2),
        ("climb", 2),
    ]
    cell = protocol.groups[1].cells[4]
    assert cell.coordinates == {"gain": 1.0, "kg": 2.0}
    assert cell.changes == (
        Physics("gain", 1.0),
        Physics("mass", 2.0, "set", ("torso",)),
        Interface("observation", "delay", 2.0),
    )
    assert cell.may_be_inert == "weight may rest on the ground"
    assert protocol.groups[2].cells[1].changes == (ActuatorDelay(2),)
    assert protocol.groups[3].cells[0].attack == Attack("min Q", 0.05, "gradient")
    assert len({cell.name for cell in protocol.cells}) == 11


def test_the_example_in_the_modules_own_words_is_one(tmp_path: Path):
    example = "\n".join(line[4:] for line in (protocol_file.__doc__ or "").splitlines() if line.startswith("    "))
    assert [group.name for group in read(written(tmp_path, example)).groups][1:] == [
        "weak motors and heavy torso",
        "late sensors",
        "gradient attack",
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("group = 1", r"has no \[\[group\]\]"),
        ("[[group", "not valid TOML"),
        ("episodes = 0\n[[group]]\nname = 'a'", "episodes = 0: give a whole number"),
        ("[[group]]\nchanges = []", "group 1: needs a name"),
        ("[[group]]\nname = 'a'", "group 'a': needs either changes or an attack"),
        ("[[group]]\nname = 'a'\nchanges = []", "group 'a': changes is a list of tables"),
        ("[[group]]\nname = 'a'\nchanges = [1]", "a change is a table"),
        (
            "[[group]]\nname = 'a'\nchanges = [{actuator-delay = 1}, {actuator-delay = 3}]",
            "actuator-delay stands there twice: add both up to one",
        ),
        ("[[group]]\nname = 'a'\nchanges = [{}]", "has parameter, observation, action or actuator-delay"),
        ("[[group]]\nname = 'a'\nchange = []", "group 1: 'change' is not known here"),
        ("[[group]]\nname = 'a'\naxes = {x = []}\nchanges = [{}]", "axis 'x' needs a list of different numbers"),
        ("[[group]]\nname = 'a'\naxes = {x = [inf]}\nchanges = [{}]", "axis 'x' needs a list of different numbers"),
        (f"[[group]]\nname = 'a'\naxes = {{x = [1{'0' * 400}]}}\nchanges = [{{}}]", "axis 'x' needs a list of"),
        (f"[[group]]\nname = 'a'\naxes = {{x = {list(range(1001))}}}\nchanges = [{{}}]", "at most 1000"),
        (
            f"[[group]]\nname = 'a'\naxes = {{x = {MANY}, y = {MANY}, z = {MANY}}}\nchanges = [{{}}]",
            "more than 100000 cells",
        ),
        ('[[group]]\nname = "a\\u001b[1m"\nchanges = [{}]', "group 1: needs a name"),
        ('[[group]]\nname = "a\\nb"\nchanges = [{}]', "printable"),
        (
            "[[group]]\nname = 'a'\naxes = {x = [1000001, 1000002]}\nattack = {aim = 'random', epsilon = 'x'}",
            "two cells are called 'a: x 1e.06', which shows six digits",
        ),
        (
            "[[group]]\nname = 'a'\naxes = {x = [1.5]}\nchanges = [{actuator-delay = 'x'}]",
            "actuator delay 1.5: give a whole number",
        ),
        (
            "[[group]]\nname = 'a'\naxes = {x = [1, 2]}\nchanges = [{parameter = 'mass', scale = 2}]",
            "no change uses axis 'x'",
        ),
        (
            "[[group]]\nname = 'a'\naxes = {friction = [1, 2]}\nchanges = [{parameter = 'friction', scale = 0.7}]",
            "no change uses axis 'friction'",
        ),
        (
            "[[group]]\nname = 'a'\naxes = {delay = [1, 2]}\nchanges = [{observation = 'delay', amount = 1}]",
            "no change uses axis 'delay'",
        ),
        (
            "[[group]]\nname = 'a'\naxes = {random = [1, 2]}\nattack = {aim = 'random', epsilon = 1}",
            "no change uses axis 'random'",
        ),
        ("[[group]]\nname = 'a'\naxes = {x = [1, 1]}\nchanges = [{}]", "axis 'x' needs a list of different numbers"),
        (
            "[[group]]\nname = 'a'\nchanges = [{parameter = 'mass', scale = 'x'}]",
            "'x' is neither a number nor one of the axes",
        ),
        (
            "[[group]]\nname = 'a'\nchanges = [{parameter = 'mas', scale = 2}]",
            "no parameter 'mas' .did you mean 'mass'",
        ),
        ("[[group]]\nname = 'a'\nchanges = [{parameter = 'mass'}]", "needs one of scale, set and add"),
        ("[[group]]\nname = 'a'\nattack = {aim = 'max Q', epsilon = 1}", "no attack 'max Q'"),
        (
            "[[group]]\nname = 'a'\nattack = {aim = 'random', epsilon = 1, form = 'mixed'}",
            "attack random: 'form' is not known here; it may have aim, epsilon$",
        ),
        (
            "[[group]]\nname = 'a'\nattack = {aim = 'min Q', epsilon = 1, steps = 2000}",
            "attack min Q: 'steps' is not known here; it may have aim, epsilon, form$",
        ),
        (
            "[[group]]\nname = 'a'\ninert = 'b'\nattack = {aim = 'random', epsilon = 1}",
            "an attack: 'inert' is not known",
        ),
        ("[[group]]\nname = 'nominal'\nattack = {aim = 'random', epsilon = 1}", "two groups are called 'nominal'"),
    ],
)
def test_what_is_wrong_is_named_with_the_file(tmp_path: Path, text: str, message: str):
    with pytest.raises(UserError, match=message) as raised:
        read(written(tmp_path, text))
    assert str(raised.value).startswith(str(tmp_path / "mine.toml"))
    assert "\n" not in str(raised.value)


def test_a_name_that_is_no_protocol_lists_them():
    with pytest.raises(UserError, match=r"no protocol 'mirco' .did you mean 'micro'.*industrial.*TOML"):
        protocol_of("mirco", "Hopper-v4")
    with pytest.raises(UserError, match="defined for hopper, halfcheetah, walker2d, not for 'Pendulum-v1'"):
        protocol_of("rrls", "Pendulum-v1")
    with pytest.raises(UserError, match=r"nowhere.toml"):
        protocol_of("nowhere.toml", "Hopper-v4")


@given(st.text(alphabet='[]{}=",.ab1\n group'), st.binary(max_size=40))
def test_anything_else_is_one_of_our_own_errors(tmp_path_factory: pytest.TempPathFactory, text: str, noise: bytes):
    path = tmp_path_factory.getbasetemp() / "noise.toml"
    path.write_bytes(text.encode() + noise)
    with pytest.raises(UserError):
        read(path)
