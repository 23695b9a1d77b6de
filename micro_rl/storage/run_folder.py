"""The run folder: all that a training run leaves on disk, and how it goes on from there."""

import shlex
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from micro_rl.core.renamed import renamed_config
from micro_rl.core.tasks import Task
from micro_rl.errors import UserError
from micro_rl.storage.checkpoints import Checkpoints
from micro_rl.storage.files import reading, regular_size, remove, saving, sha256
from micro_rl.storage.json_files import FORMAT, check_format, json_line, parse_json, read_json, write_json
from micro_rl.storage.jsonl import (
    Row,
    RowFile,
    append_line,
    append_row,
    digests_by_line,
    read_rows,
    rewind_rows,
    whole_lines,
)
from micro_rl.storage.run_schema import validate_config, validate_scores

_MANIFEST = "manifest.json"
_ALWAYS = ("config.json", "metrics.jsonl", "policy.safetensors", "scores.json")
_GROWS = "processes.jsonl"
"""Of a finished run too, where the same command is given again: the seal vouches for how it begins."""
_OFTEN = ("fit.jsonl", _GROWS)
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
        """Begin a run; the configuration is the first thing in its folder. See `locks.begun`.

        Args:
            path: a new or empty folder.
            config: what JSON can hold of the run's plan.
            keep: how many checkpoints stay.

        Raises:
            UserError: where the folder is not empty.
            CannotWrite: where the disk refuses.
        """
        path = Path(path)
        with saving(path):
            path.mkdir(parents=True, exist_ok=True)
        refuse_taken(path)
        write_json(path / "config.json", {"format": FORMAT, **config})
        return cls(path, keep)

    @classmethod
    def open(cls, path: Path | str, keep: int = 2) -> "RunFolder":
        """Open an existing run, unchanged.

        Raises:
            UserError: where there is none, or its configuration is damaged.
            NewerFormat: where a later version wrote it.
        """
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
    def scoring_model(self) -> Path:
        """Folder of the ensemble that scores a method without a model of its own, of the same form."""
        return self.path / "scoring-model"

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
    def inherited(self) -> Path:
        """What a run with a model fitted anew took over from the run that it branched off from."""
        return self.path / "inherited"

    @property
    def lock(self) -> Path:
        """Held by the process that trains here; see `locks`."""
        return self.path / "lock"

    @property
    def sealed(self) -> bool:
        """Whether its training went on to its end, or to where it was told to stop."""
        return (self.path / _MANIFEST).exists()

    @property
    def way_on(self) -> str:
        """How a run that is not finished comes to its end; one that diverged would do so again as it is."""
        if self.diverged.exists():
            command = f"micro-rl train LOG --out {shlex.quote(str(self.path))} --branch NEW"
            return f"it diverged, and the same settings would again: branch off with others, {command}"
        return "let it go on with micro-rl train LOG --resume"

    def config(self) -> dict[str, Any]:
        """Read the configuration given to `create`, under today's names, and its `format`; `UserError` if damaged."""
        path = self.path / "config.json"
        config = renamed_config(read_json(path))
        check_format(config.get("format"), path)
        validate_config(config, path)
        return config

    def task(self) -> Task:
        """The task that it was trained for."""
        return Task(**self.config().get("task", {}))

    def append_process(self, process: Mapping[str, Any]) -> None:
        """Add to processes.jsonl what a process that trains here says of itself; raises `CannotWrite`."""
        append_line(self.path / "processes.jsonl", json_line(process))

    def processes(self) -> list[dict[str, Any]]:
        """Read what every process that trained here says, oldest first, without torn lines; [] in format 1."""
        path, processes = self.path / "processes.jsonl", []
        for line in whole_lines(path):
            with suppress(UserError):
                processes.append(parse_json(line, str(path)))
        return processes

    def append_metrics(self, row: Mapping[str, Any]) -> None:
        """Add an epoch's numbers to metrics.jsonl; the row must hold `epoch`."""
        if "epoch" not in row:
            raise ValueError("a row of metrics needs its epoch")
        append_row(self.path / "metrics.jsonl", row)

    def metrics(self) -> list[Row]:
        """Read the rows of metrics.jsonl; `UserError` where one has no epoch."""
        return _with_epochs(self.path / "metrics.jsonl")

    def fit_rows(self) -> RowFile:
        """Where the epochs of the dynamics fit are written."""
        return RowFile(self.path / "fit.jsonl")

    def fit(self) -> list[Row]:
        """Read the rows of fit.jsonl; `UserError` where one has no epoch."""
        return _with_epochs(self.path / "fit.jsonl")

    def write_scores(self, scores: Mapping[str, Any]) -> None:
        """Replace scores.json; raises `CannotWrite`."""
        write_json(self.path / "scores.json", scores)

    def scores(self) -> dict[str, Any]:
        """Read scores.json; `UserError` if the run has none yet, or a part is not of its type."""
        scores = read_json(self.path / "scores.json")
        validate_scores(scores, self.path / "scores.json")
        return scores

    def seal(self) -> None:
        """List the finished run's files with their SHA-256 in manifest.json; raises `CannotWrite`."""
        present = [name for name in (*_ALWAYS, *_OFTEN) if (self.path / name).exists()]
        files = {name: {"sha256": sha256(self.path / name)} for name in present}
        write_json(self.path / _MANIFEST, {"format": FORMAT, "files": files})

    def verify(self) -> None:
        """Compare the files that `seal` listed; `UserError` names the first that has changed, or says that none are."""
        path = self.path / _MANIFEST
        if not self.sealed:
            raise UserError(f"{self.path}: its run is not finished; {self.way_on}")
        manifest = read_json(path)
        check_format(manifest.get("format"), path)
        files = manifest.get("files")
        if not isinstance(files, dict) or not set(_ALWAYS) <= set(files) <= {*_ALWAYS, *_OFTEN, _ONCE}:
            raise UserError(f"{path}: does not list {', '.join(_ALWAYS)}; restore it from a copy")
        for name in files.keys() - {_ONCE}:
            entry = files[name]
            known = entry.get("sha256") if isinstance(entry, dict) else None
            if not _vouched_for(self.path / name, known):
                raise UserError(
                    f"{self.path / name}: is not the file this run wrote; restore it from a copy or train again"
                )

    def rewind(self, epoch: int, unwritten: Iterable[Row] = ()) -> None:
        """Make the folder as it was after an epoch, before a stopped run goes on: drop what came later, and the seal.

        Args:
            epoch: the last that stays; -1 forgets all.
            unwritten: see `rewind_rows`.

        Raises:
            CannotWrite: where the disk refuses.
        """
        with saving(self.path):
            (self.path / _MANIFEST).unlink(missing_ok=True)
        remove(self.diverged)
        rewind_rows(self.path / "metrics.jsonl", epoch, unwritten)
        self.checkpoints.drop_after(epoch)


def _vouched_for(path: Path, known: Any) -> bool:
    """Whether a file is the one with that SHA-256, or begins with it where lines may have come since."""
    if not path.exists() or not regular_size(path):
        return False
    return sha256(path) == known or (path.name == _GROWS and known in digests_by_line(path))


def taken(path: Path) -> bool:
    """Whether a folder holds more than what a run leaves that was stopped before it was begun; raises `OSError`."""
    names = [entry.name for entry in path.iterdir()] if path.exists() else []
    return any(not name.endswith(".tmp") and name not in ("lock", "lock.pid") for name in names)


def refuse_taken(path: Path) -> None:
    """`UserError` where no run can be begun in a folder, since something is there."""
    with saving(path):
        full = taken(path)
    if full:
        raise UserError(f"{path}: is not empty; continue the run there with --resume or choose another folder")


def _with_epochs(path: Path) -> list[Row]:
    rows = read_rows(path)
    for number, row in enumerate(rows, start=1):
        if "epoch" not in row:
            raise UserError(f"{path}, line {number}: has no epoch; delete the line")
    return rows
