"""What a protocol found of a policy, on disk: a line for each finished cell, so that a stopped one goes on."""

import csv
import io
import json
from pathlib import Path
from typing import Any

from micro_rl.errors import UserError
from micro_rl.files import (
    FORMAT,
    append_file,
    json_bytes,
    parse_json,
    plain,
    read_json,
    replace_file,
    saving,
    write_json,
)
from micro_rl.robust.cells import Cell, Protocol
from micro_rl.robust.subject import Subject
from micro_rl.robust.trial import Outcome
from micro_rl.rows import whole_lines


class Results:
    """One policy's folder of one protocol: robust.json, cells.jsonl, and at the end episodes.csv and summary.json."""

    def __init__(self, path: Path):
        self.path = path

    def begin(self, subject: Subject, protocol: Protocol, critic: str) -> None:
        """Make the folder or go on in it; `critic` names whose critics attack.

        Raises `UserError` where it holds results of another policy, protocol or seed.
        """
        about = {"format": FORMAT, "protocol": protocol.name, "source": protocol.source, "critic": critic}
        about |= subject.about() | {"groups": [_axes(group) for group in protocol.groups]}
        file = self.path / "robust.json"
        if file.exists():
            self._check_same(read_json(file), parse_json(json_bytes(about), str(file)))
            return
        with saving(self.path):
            self.path.mkdir(parents=True, exist_ok=True)
        write_json(file, about)

    def done(self) -> dict[str, dict[str, Any]]:
        """Finished cells by name; a line torn by a crash is not one."""
        path, cells = self.path / "cells.jsonl", {}
        for number, line in enumerate(whole_lines(path), start=1):
            cell = parse_json(line, f"{path}, line {number}")
            cells[str(cell.get("cell"))] = cell
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
        }
        self._drop_torn_end()
        append_file(self.path / "cells.jsonl", json.dumps(plain(line), allow_nan=False).encode() + b"\n")

    def finish(self, protocol: Protocol, summary: dict[str, Any]) -> None:
        """Write every episode as a table, in the protocol's order, and the summary."""
        done, text = self.done(), io.StringIO()
        axes = list(dict.fromkeys(axis.name for group in protocol.groups for axis in group.axes))
        table = csv.writer(text, lineterminator="\n")
        table.writerow(["group", *axes, "episode", "return", "length", "inert"])
        for cell in protocol.cells:
            found = done[cell.name]
            place = [found["coordinates"].get(axis, "") for axis in axes]
            for episode, (value, length) in enumerate(zip(found["returns"], found["lengths"], strict=True)):
                table.writerow([cell.group, *place, episode, value, length, found["inert"]])
        replace_file(self.path / "episodes.csv", text.getvalue().encode())
        write_json(self.path / "summary.json", summary)

    def _check_same(self, kept: dict[str, Any], now: dict[str, Any]) -> None:
        differing = [key for key in now if kept.get(key) != now[key]]
        if differing:
            raise UserError(
                f"{self.path}: holds results with another {', '.join(differing)}; "
                "remove that folder or choose another with --out"
            )

    def _drop_torn_end(self) -> None:
        """A crash may have left half a line: what is appended must not grow from it."""
        path = self.path / "cells.jsonl"
        lines = whole_lines(path)
        whole = b"".join(line + b"\n" for line in lines)
        if path.exists() and path.stat().st_size != len(whole):
            replace_file(path, whole)


def _axes(group: Any) -> dict[str, Any]:
    return {"name": group.name, "axes": [{"name": axis.name, "values": list(axis.values)} for axis in group.axes]}


def worst_cell(protocol: Protocol, done: dict[str, dict[str, Any]]) -> Cell:
    """The finished cell of the least mean return."""
    cells = [cell for cell in protocol.cells if cell.name in done]
    return min(cells, key=lambda cell: sum(done[cell.name]["returns"]) / len(done[cell.name]["returns"]))
