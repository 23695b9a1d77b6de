"""By what a page of ours is known: it may be replaced by another, and no other file may."""

from pathlib import Path

from micro_rl.storage.files import check_own

MARK = b"""<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">"""
"""Stands in the head of every page, by `page.html`: a page loads nothing and has no scripts."""
HEAD = 400
"""Bytes of a page in which it stands."""


def check_page(path: Path, command: str, option: str) -> None:
    """Refuse to replace what is no page.

    Args:
        path: where a page is to be written.
        command: that writes it.
        option: of the command, which names another path.

    Raises:
        UserError: something else is there.
    """
    check_own(path, MARK, HEAD, f"{command} did not write it; choose another name with {option}")
