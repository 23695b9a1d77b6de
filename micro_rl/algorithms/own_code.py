"""Code from outside the package, run so that whatever it raises ends in one line that names the place."""

import sys
import sysconfig
import traceback
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType

from micro_rl.errors import UserError, in_words

_NOT_ONES_OWN = (*(sysconfig.get_path(name) for name in ("stdlib", "purelib")), str(Path(__file__).parents[1]), "<")


@contextmanager
def in_one_line(reference: str) -> Iterator[None]:
    """Make a `UserError` of whatever a definition raises, with the line of its own code that raised it.

    Args:
        reference: The method as it was named.

    Raises:
        UserError: In the place of any other exception, a `SystemExit` too. Ctrl-C passes.
    """
    try:
        yield
    except UserError:
        raise
    except SyntaxError as error:
        raise UserError(f"method: {reference}: {_place_of_syntax(error, reference)}{error.msg}") from error
    except ModuleNotFoundError as error:
        raise UserError(f"method: {reference}: there is no module {error.name!r}") from error
    except (Exception, SystemExit) as error:  # another's code: whatever it is
        raise UserError(f"method: {reference}: {_place(error.__traceback__)}: {in_words(error)}") from error


def raised_in(error: BaseException, files: Collection[Path]) -> str | None:
    """Say in one line what an exception is that came through one of these files, or None where it did not.

    Args:
        error: As it was caught.
        files: Of methods from outside.
    """
    lines = [line for line in traceback.extract_tb(error.__traceback__) if Path(line.filename) in files]
    return f"method: {lines[-1].filename}, line {lines[-1].lineno}: {in_words(error)}" if lines else None


@contextmanager
def first_on_path(folder: Path) -> Iterator[None]:
    """Modules that lie in a folder can be imported, as when Python runs a file there."""
    sys.path.insert(0, str(folder))
    try:
        yield
    finally:
        sys.path.remove(str(folder))


def _place_of_syntax(error: SyntaxError, reference: str) -> str:
    """The line, and the file's name where it is another: one that the definition imports."""
    if error.lineno is None:
        return ""
    file = Path(error.filename or reference).name
    return f"{'' if file == Path(reference).name else file + ', '}line {error.lineno}: "


def _place(trace: TracebackType | None) -> str:
    """The innermost line that is neither Python's, an installed library's nor this package's; else the innermost."""
    lines = traceback.extract_tb(trace)
    own = [line for line in lines if not line.filename.startswith(_NOT_ONES_OWN)]
    line = (own or lines)[-1]
    return f"{Path(line.filename).name}, line {line.lineno}"
