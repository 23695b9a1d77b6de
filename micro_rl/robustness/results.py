"""What a protocol found of a policy, on disk: a line for each finished cell, so that a stopped one goes on."""

import csv
import hashlib
import io
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from micro_rl.errors import UserError
from micro_rl.robustness.cells import Cell, Protocol
from micro_rl.robustness.subject import Subject
from micro_rl.robustness.trial import Outcome
from micro_rl.storage.files import append_file, hidden, reading, remove, replace_file, saving
from micro_rl.storage.json_files import FORMAT, json_line, json_round_trip, parse_json, read_json, write_json
from micro_rl.storage.jsonl import whole_lines
from micro_rl.storage.locks import is_locked, locked, process_file

ABOUT, CELLS, LOCK = "robust.json", "cells.jsonl", "lock"


class Results:
    """One policy's folder of one protocol: robust.json, cells.jsonl, and at the end episodes.csv and summary.json."""

    def __init__(self, path: Path):
        self.path = path

    @contextmanager
    def open(self, subject: Subject, protocol: Protocol, critic: str) -> Iterator[None]:
        """Make the folder or go on in it, alone, until the block ends; `critic` names whose critics attack.

        What was begun here without a finished cell is taken away again. Raises `UserError`, and leaves the folder as it
        is, where it holds results of another policy, protocol or seed, or files of others, and where another process is
        at work in it.
        """
        about = json_round_trip(_about(subject, protocol, critic))
        self._check(about)
        begun = [self.path / name for name in (ABOUT, LOCK) if not (self.path / name).exists()]
        new_folders = [folder for folder in (self.path, *self.path.parents) if not folder.exists()]
        with saving(self.path):
            self.path.mkdir(parents=True, exist_ok=True)
        try:
            with locked(self.path / LOCK, "trial"):
                self._begin(about)
                yield
        finally:
            if not (self.path / CELLS).exists() and not is_locked(self.path / LOCK):
                _take_away(begun, new_folders)

    def _begin(self, about: dict[str, Any]) -> None:
        self._check(about)  # again: until the lock was taken, another process could begin here
        if not (self.path / ABOUT).exists():
            write_json(self.path / ABOUT, about)
        self._drop_torn_end()

    def _check(self, about: dict[str, Any]) -> None:
        if (self.path / ABOUT).exists():
            self._check_same(read_json(self.path / ABOUT), about)
            self.finished()
        elif others := self._files_of_others():
            raise UserError(
                f"{self.path}: holds {others[0]} but no {ABOUT}, so it is no folder of a trial; "
                "move that away or choose another folder with --out"
            )

    def _files_of_others(self) -> list[str]:
        """All but what a trial leaves there that was killed before it had begun; its lock is empty."""
        left = {LOCK, process_file(self.path / LOCK).name, hidden(self.path / ABOUT, "tmp").name}
        with reading(self.path):
            entries = sorted(self.path.iterdir()) if self.path.is_dir() else []
            return [entry.name for entry in entries if entry.name not in left or (entry.name == LOCK and _full(entry))]

    def finished(self) -> dict[str, dict[str, Any]]:
        """Finished cells by name; a line torn by a crash is not one. Raises `UserError` for a line that is no cell."""
        path, cells, episodes = self.path / CELLS, {}, None
        for number, line in enumerate(whole_lines(path), start=1):
            where = f"{path}, line {number}"
            cell = parse_json(line, where)
            if not _is_cell(cell) or len(cell["returns"]) != (episodes or len(cell["returns"])):
                raise UserError(f"{where}: is no finished cell; delete the line, and the same command makes it anew")
            cells[cell["cell"]], episodes = cell, len(cell["returns"])
        return cells

    def keep(self, cell: Cell, unfelt: str, outcome: Outcome) -> None:
        """Add a finished cell; raises `CannotWrite`."""
        line = {
            "cell": cell.name,
            "group": cell.group,
            "coordinates": cell.coordinates,
            "inert": unfelt,
            "returns": outcome.returns,
            "lengths": outcome.lengths,
            "unstable": outcome.unstable,
        }
        append_file(self.path / CELLS, json_line(line))

    def finish(self, protocol: Protocol, summary: dict[str, Any]) -> None:
        """Write every episode as a table, in the protocol's order, and the summary."""
        rows, text = self.finished(), io.StringIO()
        axes = list(dict.fromkeys(axis.name for group in protocol.groups for axis in group.axes))
        table = csv.writer(text, lineterminator="\n")
        table.writerow(["group", *axes, "episode", "return", "length", "inert"])
        for cell in protocol.cells:
            row = rows[cell.name]
            coordinates = [row["coordinates"].get(axis, "") for axis in axes]
            for episode, (value, length) in enumerate(zip(row["returns"], row["lengths"], strict=True)):
                table.writerow([cell.group, *coordinates, episode, value, length, row["inert"]])
        replace_file(self.path / "episodes.csv", text.getvalue().encode())
        write_json(self.path / "summary.json", summary)

    def _check_same(self, recorded: dict[str, Any], now: dict[str, Any]) -> None:
        unsaid = {"changes", "critics_sha256"} - set(recorded)  # by folders of earlier versions
        differing = [key for key in now if key not in unsaid and recorded.get(key) != now[key]]
        if differing:
            names = dict.fromkeys(key.removesuffix("_sha256") for key in differing)
            raise UserError(
                f"{self.path}: holds results with another {', '.join(names)}; "
                "remove that folder or choose another with --out"
            )

    def _drop_torn_end(self) -> None:
        """A crash may have left half a line: what is appended must not grow from it."""
        path = self.path / CELLS
        lines = whole_lines(path)
        whole = b"".join(line + b"\n" for line in lines)
        if path.exists() and path.stat().st_size != len(whole):
            replace_file(path, whole)


def _take_away(files: list[Path], new_folders: list[Path]) -> None:
    for file in files:
        remove(file)
    with suppress(OSError):
        for folder in new_folders:
            folder.rmdir()


def _full(file: Path) -> bool:
    return file.stat().st_size > 0


def _about(subject: Subject, protocol: Protocol, critic: str) -> dict[str, Any]:
    """What decides the numbers; `changes` is a digest of what the protocol does in its cells."""
    changes = "\n".join(repr((cell.changes, cell.attack)) for cell in protocol.cells)
    about = {"format": FORMAT, "protocol": protocol.name, "source": protocol.source, "critic": critic}
    about |= subject.about() | {"groups": [_axes(group) for group in protocol.groups]}
    return about | {"changes": hashlib.sha256(changes.encode()).hexdigest()}


def _is_cell(row: dict[str, Any]) -> bool:
    returns, lengths = row.get("returns"), row.get("lengths")
    return (
        isinstance(row.get("cell"), str)
        and isinstance(row.get("inert"), str)
        and isinstance(row.get("coordinates"), dict)
        and isinstance(returns, list)
        and isinstance(lengths, list)
        and len(returns) == len(lengths) > 0
        and all(type(value) in (int, float) for value in returns + lengths)
    )


def _axes(group: Any) -> dict[str, Any]:
    return {"name": group.name, "axes": [{"name": axis.name, "values": list(axis.values)} for axis in group.axes]}


def worst_cell(protocol: Protocol, rows: dict[str, dict[str, Any]]) -> Cell:
    """The finished cell of the least mean return."""
    cells = [cell for cell in protocol.cells if cell.name in rows]
    return min(cells, key=lambda cell: sum(rows[cell.name]["returns"]) / len(rows[cell.name]["returns"]))
