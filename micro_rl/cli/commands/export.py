"""micro-rl export: a policy as Python, C or ONNX, or that of an epoch, from the state that the run folder keeps."""

import re
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from micro_rl.core.wording import plural
from micro_rl.errors import UserError, require_extra

if TYPE_CHECKING:
    from micro_rl.control.guard import Guard
    from micro_rl.deploy.exporting import Exported
    from micro_rl.policy import Policy


@dataclass(frozen=True)
class Export:
    """Which policy, and as what."""

    to: Literal["python", "c", "onnx", "safetensors"] | None = None
    """As what: python is a file that needs NumPy alone, c is C99 for a controller, onnx (with micro-rl[onnx] installed)
    is for any runtime of such files, safetensors (with --epoch) for Policy.load. By default as the name in --out ends;
    without one python, or with --epoch safetensors."""
    guard: Path | None = None
    """A guard's file (Guard.save, Controller.save), whose score is to be with every decision of python, c and onnx. A
    controller's folder has its own; the policy's file in it is exported without."""
    epoch: int | None = None
    """An epoch of a run's whose state is kept: the newest two, and the best by score of those that were saved; by
    default the last. Without --to and --out it is written as safetensors, not as Python."""
    out: Path | None = None
    """The file; by default in RUN, policy.py, .c or .onnx, policy_epoch_N.c, policy-epoch-N.safetensors."""


EXPLANATION = """Write a policy as a file of Python, C or ONNX, after trying it against the policy; or that of an epoch.

RUN is a run's folder, a choice's, a controller's, or a policy's file; what is in it stays. A run's last policy is there
as safetensors already; --epoch N, without --to and --out, writes that of another epoch so, as training would have
written it then.
"""

SUFFIXES = {"python": ".py", "c": ".c", "onnx": ".onnx", "safetensors": ".safetensors"}


def run(arguments: list[str]) -> None:
    """Carry the command out."""
    require_extra("tyro", "serve", "micro-rl export")  # micro-rl has it without the extra, micro-rl-runtime with it
    from micro_rl.cli.arguments import parse, shape

    inputs: Any = parse("export", arguments, shape("ExportRun", EXPLANATION, ("run", Path), options=Export))
    kind = _kind(inputs.options)
    if kind == "safetensors":
        _of_epoch(inputs.run, inputs.options)
    else:
        _as_code(inputs.run, kind, inputs.options)


def _kind(options: Export) -> str:
    """As what a policy is exported."""
    by_name = {suffix: kind for kind, suffix in SUFFIXES.items()}
    if options.to is not None:
        return options.to
    if options.out is None:
        return "python" if options.epoch is None else "safetensors"
    if options.out.suffix not in by_name:
        raise UserError(
            f"--out {options.out}: its name ends in none of {', '.join(by_name)}, which say as what it is written: "
            "choose one of them"
        )
    return by_name[options.out.suffix]


def _of_epoch(run: Path, options: Export) -> None:
    from micro_rl.opened.exported import is_run
    from micro_rl.opened.kept_policy import kept_policy, policy_path
    from micro_rl.storage.files import make_parent
    from micro_rl.storage.run_folder import RunFolder

    if options.guard is not None:
        raise UserError("export: --guard goes into --to python, c and onnx; Controller.save writes it beside a policy")
    if options.epoch is None and not is_run(run):
        raise UserError(f"export: {run} has its policy as safetensors already; say as what with --to python, c or onnx")
    folder, epoch = RunFolder.open(run), options.epoch
    if epoch is None:
        names = ", ".join(map(str, folder.checkpoints.epochs())) or "none"
        raise UserError(
            f"export: {policy_path(folder)} is the last epoch's policy as safetensors; say as what else with --to "
            f"python, c or onnx, or name an epoch with --epoch: {folder.path} keeps the states of: {names}"
        )
    if folder.sealed:
        folder.verify()
    policy, path = kept_policy(folder, epoch), options.out or folder.path / f"policy-epoch-{epoch}.safetensors"
    if options.out is not None:
        _check_free(path, policy)
    make_parent(path)
    policy.save(path)
    print(f"policy  {path}")


def _check_free(path: Path, policy: "Policy") -> None:
    """Refuse another name than a policy's, and to replace what is not this policy: a log, a run's or another policy."""
    from micro_rl.storage.files import reading

    if path.suffix != ".safetensors":
        raise UserError(f"--out {path}: a policy's file ends in .safetensors; --to python, c and onnx write others")
    with reading(path), tempfile.TemporaryDirectory() as folder:
        if path.exists():
            policy.save(Path(folder) / "policy.safetensors")
            same = path.is_file() and path.read_bytes() == (Path(folder) / "policy.safetensors").read_bytes()
            if not same:
                raise UserError(f"{path}: is there and is not this policy; choose another name with --out")


def _as_code(run: Path, kind: str, options: Export) -> None:
    from micro_rl.deploy.exporting import export_c, export_onnx, export_python
    from micro_rl.opened.exported import source_in

    source = source_in(run, options.epoch, options.guard)
    path = options.out or _beside(run, SUFFIXES[kind], options.epoch)
    exported = {"python": export_python, "c": export_c, "onnx": export_onnx}[kind](source, path)
    print(f"policy  {', '.join(map(str, exported.files))}")
    if exported.memory is not None:
        memory = exported.memory
        print(f"flash   {memory.flash:,} bytes of tables")
        print(f"RAM     {memory.state:,} bytes of each system's past, {memory.stack:,} bytes of arrays on the stack")
    print(f"tried   {_tried(exported)}")
    if options.to is None and options.out is None:
        print("note    as Python, which needs NumPy alone; --to c and --to onnx write others")
    if source.guard is not None:
        print(f"guard   {_guarded(source.guard, exported)}")
    if decision := dict(source.known).get("decision"):
        print(f"note    the choice that it is from says: {decision}")
    elif source.of_two_logs:
        print(
            "note    the guard was fitted on another log than the policy's: micro-rl controller RUN fits one on its own"
        )


def _beside(run: Path, suffix: str, epoch: int | None) -> Path:
    """In the folder, policy.py or policy_epoch_40.py; beside a policy's file, its name with what Python can import."""
    if run.is_file():
        name = re.sub(r"\W+", "_", run.stem, flags=re.ASCII)
        return run.with_name(f"{'policy_' if name[:1].isdigit() else ''}{name}{suffix}")
    return run / f"policy{'' if epoch is None else f'_epoch_{epoch}'}{suffix}"


def _tried(exported: "Exported") -> str:
    from micro_rl.deploy.equality import TOLERANCE

    difference = exported.difference
    if difference is None:
        return f"not run: {exported.tried}, so nobody has compared it with the policy"
    words = (
        f"{exported.tried} on {plural(difference.rows, 'observation')}: actions differ by at most "
        f"{difference.largest:.1e} of their range ({TOLERANCE:.0e} allowed)"
    )
    if difference.unsettled:
        words += f"; by {difference.largest_unsettled:.1e} in {difference.unsettled} where float32 leaves more open"
    if difference.overflowing:
        words += f"; in {difference.overflowing} float32 may overflow: only finite and within their range"
    return words


def _guarded(guard: "Guard", exported: "Exported") -> str:
    from micro_rl.deploy.equality import TOLERANCE

    words = f"an alarm above {guard.threshold:.6g} ({guard.rate:.3g} of healthy steps)"
    if exported.difference is None or (scores := exported.difference.scores) is None:
        return words
    words += f"; scores differ by at most {scores.largest:.1e} ({TOLERANCE:.0e} allowed)"
    if not scores.beyond:
        return words
    return f"{words}, by {scores.largest_beyond:.1e} in {scores.beyond} where float32 leaves more open"
