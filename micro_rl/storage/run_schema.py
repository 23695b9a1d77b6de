"""What a run folder may say of itself: the types of everything that is read from config.json and scores.json.

A folder may come from a stranger. Whoever reads one goes by this, so that a number is a number where it is used.
"""

from collections.abc import Mapping
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, create_model

from micro_rl.core.metric_keys import SCORE_KEYS
from micro_rl.core.setting import settings_in
from micro_rl.core.settings import Settings
from micro_rl.errors import UserError

LONGEST = 1000
"""Characters of a text and parts of a list in names and settings; notes, formulas and what is said of a log may be as
long as the file."""


def _fits_counter(number: int | float) -> int | float:
    if isinstance(number, int) and abs(number) >= 2**63:
        raise ValueError("is larger than a counter")
    return number


def _none_if_unknown(task: Any) -> Any:
    """A run without a task has an empty object there."""
    if task is None:
        raise ValueError("is no object")
    return None if task == {} else task


Text = Annotated[str, Field(max_length=LONGEST)]
Whole = Annotated[int, AfterValidator(_fits_counter)]
Number = Annotated[int | float, AfterValidator(_fits_counter)]
"""Whole or not; NaN and infinities are numbers too, and a truth value is none."""
NumberOrNone = Number | None
Numbers = Annotated[list[Number], Field(max_length=LONGEST)]
Scalar = bool | Number | Text | None
Values = dict[str, Scalar | Annotated[list[Scalar], Field(max_length=LONGEST)]]
LongScalar = bool | Number | str | None
LongValues = dict[str, LongScalar | list[LongScalar]]
SETTING_TYPES = {bool: bool, int: Whole, float: Number, tuple: Numbers}
"""Of a setting in JSON; one of several words is a text, since a later version may know more of them."""


class _Strict(BaseModel):
    """Nothing is converted: a text is no number. Any name may be missing that has a default."""

    model_config = ConfigDict(strict=True, extra="allow")


class _Values(_Strict):
    __pydantic_extra__: Values = Field(init=False)  # pyright: ignore[reportIncompatibleVariableOverride]


class _Log(_Strict):
    __pydantic_extra__: LongValues = Field(init=False)  # pyright: ignore[reportIncompatibleVariableOverride]
    name: str = ""
    path: str = ""
    sha256: str = ""
    format: str = ""
    reading: LongValues = {}


class _Task(_Strict, extra="forbid"):
    env: Text | None
    horizon: Annotated[Whole, Field(ge=1)] | None
    termination: str | None
    score_min: NumberOrNone
    score_max: NumberOrNone


def _in_json(declared: Any) -> Any:
    """The type that a setting has in JSON."""
    if get_origin(declared) in (Union, UnionType):
        first, _ = get_args(declared)
        return _in_json(first) | None
    return SETTING_TYPES.get(get_origin(declared) or declared, Text)


_SETTINGS: Any = {
    name: (_in_json(declared), getattr(Settings, name)) for name, (declared, _) in settings_in(Settings).items()
}


class _Column(_Strict, extra="forbid"):
    name: str
    unit: str
    low: NumberOrNone
    high: NumberOrNone


class _Columns(_Strict, extra="forbid"):
    observations: list[_Column] = []
    actions: list[_Column] = []


class _Config(_Strict):
    method: Text = ""
    preset: Text = ""
    command: str = ""
    episodes_end: str = ""
    notes: list[str] = []
    log: _Log = _Log()
    columns: _Columns = _Columns()
    mapping: str = ""
    reward_rms: float | None = None
    task: Annotated[_Task | None, BeforeValidator(_none_if_unknown)] = None
    options: Values = {}
    settings: create_model("_Settings", __base__=_Values, **_SETTINGS) = {}  # pyright: ignore
    versions: Values = {}


class _Figures(_Strict):
    __pydantic_extra__: dict[str, Number] = Field(init=False)  # pyright: ignore[reportIncompatibleVariableOverride]
    rows: Whole = 0
    episodes: Whole = 0


class _Returns(_Figures):
    return_mean: Number
    return_best: Number


class _Evaluations(_Figures):
    evaluations: Whole
    mean_of_last: Number
    std_of_last: Number
    last: Number
    best: Number


_EVALUATED: Any = {name.replace("/", "_"): (_Evaluations, Field(None, alias=name)) for name in SCORE_KEYS}
_Scores = create_model(
    "_Scores", __base__=_Strict, epochs=(Whole, 0), planned_epochs=(Whole, 0), log=(_Returns, None), **_EVALUATED
)


def validate_config(config: Mapping[str, Any], path: Path) -> None:
    """Check the object of the config.json in `path`; `UserError` names the first part that is not of its type."""
    _validate(_Config, config, path)


def validate_scores(scores: Mapping[str, Any], path: Path) -> None:
    """The same for scores.json."""
    _validate(_Scores, scores, path)


def _validate(model: type[BaseModel], content: Mapping[str, Any], path: Path) -> None:
    try:
        model.model_validate(content)
    except ValidationError as error:
        part, *inner = error.errors()[0]["loc"]
        name = f"{part}, {_shown(inner[0])}" if inner else part
        raise UserError(f"{path}: its {name} is not what a run writes there; restore it from a copy") from error


def _shown(key: str | int) -> str:
    return key[:40] if isinstance(key, str) and key.isidentifier() else f"{key!r:.40}"
