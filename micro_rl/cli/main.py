"""The command line: the table of its verbs, the help, and the exit codes."""

import errno
import os
import signal
import sys
from collections.abc import Sequence
from importlib import import_module

from micro_rl._version import __version__
from micro_rl.cli.commands.console import print_always
from micro_rl.cli.output import Output
from micro_rl.errors import Diverged, Interrupted, UserError, did_you_mean, without_training

VERBS = {
    "demo": ("", "learn a policy from the embedded pendulum log and write its page"),
    "choose": ("LOG", "from a log to a decision: train several methods, judge them, say whether one is better"),
    "train": ("LOG", "learn a policy from a log"),
    "sweep": ("LOG...", "many runs in one program: seeds, and a grid of settings"),
    "fit": ("LOG", "fit the dynamics model alone, to be shared by many runs"),
    "runs": ("DIR", "list the runs below a folder: method, log, epoch, score, state"),
    "evaluate": ("RUN", "run a trained policy in its simulator"),
    "export": ("RUN", "a policy as Python, C or ONNX, tried against it; or that of an epoch whose state is kept"),
    "serve": ("EXPORT", "answer over HTTP what a policy would do, with its guard and its limits"),
    "trust": ("RUN...", "say from the log alone whether policies are better than what made it"),
    "controller": ("RUN", "a policy with its guard and limits in a folder, for the loop"),
    "monitor": ("RECORD", "what a controller's record shows: alarms, drift, what was obtained"),
    "robust": ("RUN...", "run trained policies in perturbed worlds and under attack"),
    "report": ("RUN...", "check a run's files and write its page anew, or compare runs"),
    "methods": ("", "list the methods that train can use, with their papers"),
    "data": ("VERB", "check and describe logs; `micro-rl data` lists its verbs"),
}
"""What each verb takes and does; its code is `micro_rl/cli/commands/VERB.py`."""

HELP = f"""micro-rl {__version__}: a log in, a robust policy out (MICRO, arXiv 2312.03991)

{{verbs}}

LOG is a file (HDF5 as D4RL's, NPZ as NeoRL-2's, CSV, Parquet), the name of one in $D4RL_DATASET_DIR, the id of a
Minari set, or pendulum-demo.
`micro-rl VERB --help` shows every option, `micro-rl --version` the version.
Exit codes: 0 done, 2 a mistake that you can mend, 3 training diverged, 130 Ctrl-C, 141 nobody reads on, 143 SIGTERM.
"""

INTERRUPTED = {
    "choose": "; the same command with --resume goes on",
    "data": "; a collection goes on from its last evaluation with the same command",
    "demo": "; the same command goes on from the last checkpoint",
    "fit": "; the same command with --resume goes on from the last checkpoint",
    "robust": "; finished cells are kept, and the same command goes on",
    "sweep": "; the same command with --resume goes on from the last checkpoints",
    "trust": "; a judge that is fitted is kept, and the same command takes it again",
    "train": "; the same command with --resume goes on from the last checkpoint",
}

TOO_LARGE = (
    "the device has too little memory; a sweep goes on with --resume and a smaller --width, a run begins anew "
    "with lower rollout_batch_size, rollouts_kept, num_samples or batch_size"
)


def main() -> None:
    """Entry point of the command."""
    output = Output()
    try:
        code = run(sys.argv[1:])
        sys.stdout.flush()
    except BrokenPipeError:  # whoever read the output, `head` perhaps, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 128 + signal.SIGPIPE
    if refusal := output.refusal():
        print(f"micro-rl: {refusal}", file=sys.stderr)
        code = code or UserError.exit_code
    sys.exit(code)


def run(arguments: Sequence[str]) -> int:
    """Run one command; its exit code."""
    print_always()
    if not arguments or arguments[0] in ("-h", "--help", "help"):
        lines = (f"  micro-rl {f'{verb} {takes}':18}{does}" for verb, (takes, does) in VERBS.items())
        print(HELP.format(verbs="\n".join(lines)), end="")
        return 0
    if arguments[0] == "--version":
        print(f"micro-rl {__version__}")
        return 0
    try:
        _run(arguments[0], list(arguments[1:]))
    except (UserError, Diverged, Interrupted) as error:
        print(f"micro-rl: {error}", file=sys.stderr)
        return error.exit_code
    except Exception as error:
        print(f"micro-rl: {_known(error)}", file=sys.stderr)
        return UserError.exit_code
    except KeyboardInterrupt:
        print(f"micro-rl: stopped{INTERRUPTED.get(arguments[0], '')}", file=sys.stderr)
        return 130
    except SystemExit as parsed:  # --help ends so when it has been printed
        return parsed.code if isinstance(parsed.code, int) else 0
    return 0


def _known(error: Exception) -> str:
    """What to do where memory is full, a method from outside has a mistake, or a right is missing; raises the rest."""
    if isinstance(error, RuntimeError) and str(error).startswith("RESOURCE_EXHAUSTED"):
        return f"{TOO_LARGE} ({str(error).splitlines()[0]})"
    registry = sys.modules.get("micro_rl.algorithms.registry")  # not imported yet: there is no such method
    if registry is not None and (mistake := registry.mistake_of_own(error)) is not None:
        return mistake
    if isinstance(error, PermissionError) and isinstance(error.filename, str):
        return f"{error.filename}: cannot be read or written ({error.strerror}); ask for the right to it"
    if isinstance(error, OSError) and error.errno == errno.ENAMETOOLONG and error.filename:
        return f"{str(error.filename)[:80]}...: cannot be opened ({error.strerror}); give a shorter one"
    raise error


def _refuse_broken_text(arguments: Sequence[str]) -> None:
    """A file's name may be any bytes; in pages and records it would be no text. An empty word is no name at all."""
    for word in arguments:
        if not word:
            raise UserError("an empty word is among the arguments: is a variable of the shell not set?")
        if any("\ud800" <= letter <= "\udfff" for letter in word):
            raise UserError(f"{word!a}: its bytes are no letters in this console's encoding; rename the file")


def _run(verb: str, arguments: list[str]) -> None:
    _refuse_broken_text(arguments)
    if verb not in VERBS:
        raise UserError(f"there is no verb {verb!r}{did_you_mean(verb, VERBS)}; choose one of {', '.join(VERBS)}")
    try:
        if "--help" not in arguments and "-h" not in arguments:
            import_module("micro_rl.cli.compile_cache").keep_compiled()
        import_module(f"micro_rl.cli.commands.{verb}").run(arguments)
    except ModuleNotFoundError as error:
        if (words := without_training(error, verb)) is None:
            raise
        raise UserError(words) from error
