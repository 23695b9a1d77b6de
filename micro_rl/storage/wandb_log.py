"""A run's numbers for Weights & Biases, which is installed only by those who want it."""

import secrets
from collections.abc import Sequence
from typing import Any, Literal, NamedTuple, get_args

from micro_rl.errors import UserError, require_extra
from micro_rl.storage.json_files import read_json, write_json
from micro_rl.storage.jsonl import Row
from micro_rl.storage.run_folder import RunFolder

Mode = Literal["off", "offline", "online"]


class WandbSettings(NamedTuple):
    """Where rows go; `offline` keeps them in the run folder for `wandb sync`."""

    project: str = "micro-rl"
    mode: Literal["online", "offline"] = "offline"


def tracking_in(mode: Mode) -> WandbSettings | None:
    """The settings of that mode, none where it is off; `UserError` where Weights & Biases is not installed."""
    if mode not in get_args(Mode):
        raise UserError(f"wandb: {mode!r:.40} is none of {', '.join(get_args(Mode))}")
    if mode != "off":
        require_extra("wandb", "wandb", "--wandb")  # before any work
    return None if mode == "off" else WandbSettings(mode=mode)


class WandbRun:
    """Rows for Weights & Biases; a resumed run goes on under its first identity, kept in wandb.json."""

    def __init__(self, run: RunFolder, settings: WandbSettings):
        wandb: Any = require_extra("wandb", "wandb", "--wandb")
        identity = run.path / "wandb.json"
        if not identity.exists():
            write_json(identity, {"id": secrets.token_hex(8)})
        self._run: Any = wandb.init(
            id=read_json(identity).get("id"),
            resume="allow",
            reinit="create_new",  # several runs of one process stand side by side
            dir=str(run.path),
            config=run.config(),
            **settings._asdict(),
        )
        self._written = len(run.metrics())

    def update(self, rows: Sequence[Row]) -> None:
        """See `Mirror`; the rows of an earlier process were sent by it."""
        for row in rows[self._written :]:
            self._run.log(row, step=int(row["epoch"]))
        self._written = len(rows)

    def close(self) -> None:
        """Wait until everything is sent or stored."""
        self._run.finish()
