"""What a file that is no log may be instead, by its first bytes, and what to do with it."""

import codecs
from collections.abc import Collection

OTHERS = (
    (b"\x1f\x8b", "gzip: decompress it first"),
    (b"PK\x03\x04", "a zip archive, as .npz and .xlsx are: save the table as CSV"),
    (b"\x93NUMPY", "a single .npy array"),
    (b"\x80", "a pickle"),
    (b"MATLAB 5", "a MATLAB file: save arrays as HDF5 (-v7.3) or CSV"),
    (b"\xd0\xcf\x11\xe0", "an Excel workbook: save it as CSV"),
    (b"ARROW1\0", "an Arrow file: save it as Parquet"),
    (b'{"', "JSON: save a table as CSV"),
    (b"[{", "JSON: save a table as CSV"),
    (b"<!DOCTYPE", "a web page: the address was not that of the file"),
    (b"<html", "a web page: the address was not that of the file"),
)
WORKBOOK = "[Content_Types].xml"
"""A member of every archive that an office program writes."""


def likeness(head: bytes) -> str:
    """Says what a file looks like that begins so; empty where that is not known."""
    begins = head.removeprefix(codecs.BOM_UTF8).lstrip()
    known = next((kind for magic, kind in OTHERS if begins.startswith(magic)), "")
    return known or (_of_text(head) if b"\0" in head else "")


def _of_text(head: bytes) -> str:
    """Text that holds null bytes: two or four to a letter, or here and there."""
    letters = head.replace(b"\0", b"")
    if not letters or any(byte < 9 for byte in letters):
        return ""
    if head.count(b"\0") >= 0.3 * len(head) and b"\0\0\0\0" not in head[:-4]:
        return "UTF-16 or UTF-32 without a mark that is known: save it as UTF-8"
    return "text with null bytes, as a power failure leaves them: take them out"


def of_archive(members: Collection[str]) -> str:
    """Says what a zip archive is that holds no arrays, and what to do; empty where it holds some."""
    if not members or any(name.endswith(".npy") for name in members):
        return ""
    if WORKBOOK in members:
        return "is an Excel workbook or the like, and no log: save the table as CSV"
    first = next(iter(members))[:60]
    return f"is an archive of files such as {first!r}, not of arrays: unpack it, and name the file"
