"""Names in C: of files, functions and columns, from names that are anything."""

import re
import unicodedata
from collections.abc import Sequence
from pathlib import Path
from zlib import crc32

from micro_rl.core.columns import distinct
from micro_rl.errors import UserError

LONGEST_PREFIX, KEPT = 20, 15
"""Characters; C99 tells names that other files see apart by their first 31. Of a longer one these are kept."""
LONGEST_COLUMN = 36
"""Characters; 63 in one file."""
HEADERS = (
    "assert complex ctype errno fenv float inttypes iso646 limits locale math setjmp signal stdarg stdbool stddef "
    "stdint stdio stdlib string tgmath time wchar wctype"
)
"""Of the C library, without their .h."""


def checked_name(path: Path) -> str:
    """The prefix of all that the files name; `UserError` where no C file can be called so."""
    if path.suffix != ".c":
        raise UserError(f"--out {path}: a C file's name ends in .c; its header is written beside it")
    if path.stem.lower() in HEADERS.split():
        raise UserError(f"--out {path}: its header {path.stem}.h hides one of the C library; choose another name")
    if not re.fullmatch(r"[\w .+-]+", path.stem):
        raise UserError(f"--out {path}: {path.stem!r} cannot stand in an #include; use letters, digits, _ and -")
    prefix = identifier(path.stem, "policy").lower()
    if len(prefix) <= LONGEST_PREFIX:
        return prefix
    return f"{prefix[:KEPT].strip('_')}_{crc32(path.stem.encode()) & 0xFFFF:04x}"


def identifier(name: str, otherwise: str) -> str:
    """The letters, digits and underscores of a name, accents dropped; `otherwise` where none is left.

    It begins with a letter, and with no underscore, which the library keeps for itself.
    """
    plain = "".join(letter for letter in unicodedata.normalize("NFKD", name) if not unicodedata.combining(letter))
    words = re.sub("[^A-Za-z0-9]+", "_", plain).strip("_") or otherwise
    return words if words[0].isalpha() else f"n{words}"


def of_columns(prefix: str, names: Sequence[str]) -> list[str]:
    """One name for each column, all different: PREFIX_T_AIR_C for "T_air [°C]", PREFIX_T_AIR_C_2 for another such."""
    plain = (identifier(name, f"column{number}").upper() for number, name in enumerate(names))
    return distinct([f"{prefix}_{name[:LONGEST_COLUMN].strip('_')}" for name in plain])


def in_comment(text: str) -> str:
    """A text that ends no comment, begins none, and is in one line that compilers do not warn of."""
    shown = "".join(letter if letter.isprintable() else "?" for letter in text)
    shown = shown.replace("\\", "/").replace("*/", "* /").replace("/*", "/ *")
    return re.sub(r"\?(?=\?)", "? ", shown)
