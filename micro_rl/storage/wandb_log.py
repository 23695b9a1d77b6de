"""A run's numbers for Weights & Biases, which is installed only by those who want it."""

import secrets
from collections.abc import Sequence
from typing import Any, Literal, NamedTuple, get_args

from micro_rl.errors import UserError, in_words, require_extra
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
    """Rows for Weights & Biases; a resumed run goes on under its first identity, kept in wandb.json.

    There stands the last epoch that was sent, too, so that rows of processes without it are sent by the next with it.

    Args:
        run: the run's folder.
        settings: where its rows go.

    Raises:
        UserError: it is not installed, or refuses, as where nobody is logged in.
        CannotWrite: the disk refuses the identity.
    """

    def __init__(self, run: RunFolder, settings: WandbSettings):
        wandb: Any = require_extra("wandb", "wandb", "--wandb")
        self._identity = run.path / "wandb.json"
        if not self._identity.exists():
            write_json(self._identity, {"id": secrets.token_hex(8), "sent": 0})
        known = read_json(self._identity)
        self._id, self._sent = known.get("id"), known.get("sent")
        if self._sent is None:  # of an older version, each of whose processes sent its rows
            self._sent = max((int(row["epoch"]) for row in run.metrics()), default=0)
        try:
            self._run: Any = wandb.init(
                id=self._id,
                resume="allow",
                reinit="create_new",  # several runs of one process stand side by side
                dir=str(run.path),
                config=run.config(),
                **settings._asdict(),
            )
        except Exception as error:  # a stranger's
            raise UserError(f"wandb: {in_words(error)}; run `wandb login`, or take --wandb offline") from error

    def update(self, rows: Sequence[Row]) -> None:
        """See `Mirror`."""
        waiting = [row for row in rows if row["epoch"] > self._sent]
        for row in waiting:
            self._run.log(row, step=int(row["epoch"]))
            self._sent = int(row["epoch"])
        if waiting:
            write_json(self._identity, {"id": self._id, "sent": self._sent})

    def close(self) -> None:
        """Wait until everything is sent or stored; once is enough."""
        if self._run is not None:
            self._run.finish()
            self._run = None
