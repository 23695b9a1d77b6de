"""The run folder: all that a training run leaves on disk, and how it goes on from there."""

import json
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from micro_rl.core.renamed import renamed_config
from micro_rl.core.tasks import Task
from micro_rl.errors import UserError
from micro_rl.storage.checkpoints import Checkpoints
from micro_rl.storage.declared import check_config, check_scores
from micro_rl.storage.files import (
    FORMAT,
    append_file,
    check_format,
    parse_json,
    plain,
    read_json,
    reading,
    regular_size,
    remove,
    saving,
    sha256,
    write_json,
)
from micro_rl.storage.jsonl import Row, RowFile, append_row, read_rows, rewind_rows, whole_lines

_MANIFEST = "manifest.json"
_ALWAYS = ("config.json", "metrics.jsonl", "policy.safetensors", "scores.json")
_OFTEN = ("fit.jsonl", "processes.jsonl")
"""Files that a seal lists; those that come often may be missing."""
_ONCE = "report.html"
"""Listed by older versions; a page can be written anew at any time."""


@dataclass(frozen=True)
class RunFolder:
    """One training run on disk; `keep` is how many checkpoints stay. Make it with `create` or `open`."""

    path: Path
    keep: int = 2

    @classmethod
    def create(cls, path: Path | str, config: Mapping[str, Any], keep: int = 2) -> "RunFolder":
        """Begin a run in a new or empty folder; the configuration is the first thing in it."""
        path = Path(path)
        with saving(path):
            path.mkdir(parents=True, exist_ok=True)
            taken = [entry for entry in path.iterdir() if not entry.name.endswith(".tmp")]
        if taken:
            raise UserError(f"{path}: is not empty; continue the run there with --resume or choose another folder")
        write_json(path / "config.json", {"format": FORMAT, **config})
        return cls(path, keep)

    @classmethod
    def open(cls, path: Path | str, keep: int = 2) -> "RunFolder":
        """An existing run, unchanged; raises `UserError` if there is none."""
        path = Path(path)
        with reading(path):
            present = (path / "config.json").exists()
        if not present:
            raise UserError(f"{path}: is not a run folder (it has no config.json); check the path")
        run = cls(path, keep)
        run.config()
        return run

    @property
    def model(self) -> Path:
        """Folder of the ensemble: `read_arrays(run.model, "ensemble")`."""
        return self.path / "model"

    @property
    def checkpoints(self) -> Checkpoints:
        """The states of the training."""
        return Checkpoints(self.path / "checkpoints", self.keep)

    @property
    def fit_checkpoints(self) -> Checkpoints:
        """The states of a dynamics fit that is not finished."""
        return Checkpoints(self.path / "fit", self.keep)

    @property
    def diverged(self) -> Path:
        """What is kept of an epoch that blew up, where one did."""
        return self.path / "diverged"

    @property
    def lock(self) -> Path:
        """Held by the process that trains here; see `locks`."""
        return self.path / "lock"

    @property
    def sealed(self) -> bool:
        """Whether its training went on to its end, or to where it was told to stop."""
        return (self.path / _MANIFEST).exists()

    def config(self) -> dict[str, Any]:
        """The configuration given to `create`, under today's names, and its `format`; `UserError` if it is damaged."""
        path = self.path / "config.json"
        config = renamed_config(read_json(path))
        check_format(config.get("format"), path)
        check_config(config, path)
        return config

    def task(self) -> Task:
        """The task that it was trained for."""
        return Task(**self.config().get("task", {}))

    def append_process(self, told: Mapping[str, Any]) -> None:
        """Add to processes.jsonl what a process that trains here says of itself."""
        append_file(self.path / "processes.jsonl", json.dumps(plain(told), allow_nan=False).encode() + b"\n")

    def processes(self) -> list[dict[str, Any]]:
        """Every process that trained here, oldest first; lines torn by a crash are left out. None in format 1."""
        path, told = self.path / "processes.jsonl", []
        for line in whole_lines(path):
            with suppress(UserError):
                told.append(parse_json(line, str(path)))
        return told

    def append_metrics(self, row: Mapping[str, Any]) -> None:
        """Add an epoch's numbers to metrics.jsonl; the row must hold `epoch`."""
        if "epoch" not in row:
            raise ValueError("a row of metrics needs its epoch")
        append_row(self.path / "metrics.jsonl", row)

    def metrics(self) -> list[Row]:
        """The rows of metrics.jsonl; raises `UserError` where one has no epoch."""
        return _with_epochs(self.path / "metrics.jsonl")

    def fit_rows(self) -> RowFile:
        """Where the epochs of the dynamics fit are written."""
        return RowFile(self.path / "fit.jsonl")

    def fit(self) -> list[Row]:
        """The rows of fit.jsonl; raises `UserError` where one has no epoch."""
        return _with_epochs(self.path / "fit.jsonl")

    def write_scores(self, scores: Mapping[str, Any]) -> None:
        """Replace scores.json."""
        write_json(self.path / "scores.json", scores)

    def scores(self) -> dict[str, Any]:
        """The object in scores.json; raises `UserError` if the run has none yet."""
        scores = read_json(self.path / "scores.json")
        check_scores(scores, self.path / "scores.json")
        return scores

    def seal(self) -> None:
        """List the finished run's files with their SHA-256 in manifest.json."""
        present = [name for name in (*_ALWAYS, *_OFTEN) if (self.path / name).exists()]
        files = {name: {"sha256": sha256(self.path / name)} for name in present}
        write_json(self.path / _MANIFEST, {"format": FORMAT, "files": files})

    def verify(self) -> None:
        """Compare the files that `seal` listed; `UserError` names the first that has changed."""
        path = self.path / _MANIFEST
        if not self.sealed:
            raise UserError(f"{self.path}: its run is not finished; let it go on with micro-rl train LOG --resume")
        manifest = read_json(path)
        check_format(manifest.get("format"), path)
        files = manifest.get("files")
        if not isinstance(files, dict) or not set(_ALWAYS) <= set(files) <= {*_ALWAYS, *_OFTEN, _ONCE}:
            raise UserError(f"{path}: does not list {', '.join(_ALWAYS)}; restore it from a copy")
        for name in files.keys() - {_ONCE}:
            entry = files[name]
            known = entry.get("sha256") if isinstance(entry, dict) else None
            if (
                not (self.path / name).exists()
                or not regular_size(self.path / name)
                or sha256(self.path / name) != known
            ):
                raise UserError(
                    f"{self.path / name}: is not the file this run wrote; restore it from a copy or train again"
                )

    def rewind(self, epoch: int, unwritten: Iterable[Row] = ()) -> None:
        """Make the folder as it was after an epoch: drop what came later, leftovers, and the seal.

        To be called before a stopped run goes on; -1 forgets all epochs. See `rewind_rows` for `unwritten`.
        """
        with saving(self.path):
            (self.path / _MANIFEST).unlink(missing_ok=True)
        remove(self.diverged)
        rewind_rows(self.path / "metrics.jsonl", epoch, unwritten)
        self.checkpoints.drop_after(epoch)


def _with_epochs(path: Path) -> list[Row]:
    rows = read_rows(path)
    for number, row in enumerate(rows, start=1):
        if "epoch" not in row:
            raise UserError(f"{path}, line {number}: has no epoch; delete the line")
    return rows
