"""Many runs on one page: which were compared, what they score, how sure that is, what they withstand and cost."""

from collections.abc import Callable, Sequence
from pathlib import Path

FORMATS = ("html", "md", "csv")


def compared(folders: Sequence[Path | str], form: str = "html", page: Path | str = "compare.html") -> str:
    """Runs side by side as a page, a table or CSV.

    Args:
        folders: Run folders, or folders that hold some.
        form: `html` for the page, `md` for the table of scores, `csv` for a line for each run.
        page: Where the page will lie, for its links.

    Returns:
        The text of the file.

    Raises:
        UserError: There are no runs, or one that is named itself is damaged; damaged ones below a folder are left out
            and named.
    """
    from micro_rl.reports.compare.compared_runs import collect
    from micro_rl.reports.compare.comparison import compare

    comparison = compare(collect([Path(folder) for folder in folders]))
    if form == "csv":
        from micro_rl.reports.compare.run_list import csv_table

        return csv_table(comparison)
    from micro_rl.reports.compare import page as pages  # matplotlib takes a second to import

    return pages.readme(comparison) if form == "md" else pages.html(comparison, Path(page))


def check_free(path: Path, form: str) -> None:
    """Refuse to replace what no report wrote in that form.

    Args:
        path: The file that is to be written.
        form: As for `compared`.

    Raises:
        UserError: Something else is there.
    """
    from micro_rl.reports.compare import run_list, story
    from micro_rl.reports.own_page import check_page
    from micro_rl.storage.files import check_own

    remedy = "micro-rl report did not write it; choose another name with --out"
    if form == "html":
        check_page(path, "micro-rl report", "--out")
    elif form == "csv":
        names = ",".join(run_list.COLUMNS).encode()
        check_own(path, names, len(names), remedy)
    else:
        check_own(path, story.FAR.encode(), None, remedy)


def write_comparison(folders: Sequence[Path | str], path: Path | str, form: str = "html") -> Path:
    """Write what `compared` gives to a file, whole or not at all.

    Args:
        folders: Run folders, or folders that hold some.
        path: The file; its folder is made.
        form: As for `compared`.

    Returns:
        The file's path.

    Raises:
        UserError: As for `compared`, no report wrote the file that is there, or it cannot be written.
    """
    from micro_rl.storage.files import make_parent, replace_file

    check_free(Path(path), form)
    text = compared(folders, form, path)
    make_parent(Path(path))
    replace_file(Path(path), text.encode())
    return Path(path)


def write_figures(
    folders: Sequence[Path | str],
    directory: Path | str,
    key: str | None = None,
    note: Callable[[str], None] | None = None,
) -> list[Path]:
    """Draw learning curves with interval bands as PNG and PDF, one figure for each log.

    Args:
        folders: Run folders, or folders that hold some.
        directory: Where the files go; it is made.
        key: Of the metrics; by default the score.
        note: Is told of each run that is left out, is not finished, or ends before others of its method, in a sentence.

    Returns:
        The files written.

    Raises:
        UserError: As for `compared`, no run has the metric, a file that is there was not drawn by this, or one cannot
            be written.
    """
    from micro_rl.reports.compare import figure_files

    return figure_files.write_figures(folders, Path(directory), key, note)
