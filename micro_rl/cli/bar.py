"""A progress bar on a terminal; where output is piped there is none, and its owner prints lines instead."""

from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from rich.console import Console

AnyBar = TypeVar("AnyBar", bound="Bar")


class Bar:
    """A bar, the percentage, and what is being done; use it in a `with`."""

    def __init__(self, console: "Console", silent: bool = False):
        from rich.progress import BarColumn, Progress, TextColumn

        columns = (BarColumn(), TextColumn("{task.percentage:3.0f} %  {task.description}"))
        self._progress = Progress(*columns, console=console) if console.is_terminal and not silent else None
        self._task = self._progress.add_task("", total=1.0) if self._progress else None

    def __enter__(self: AnyBar) -> AnyBar:
        if self._progress:
            self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._progress:
            self._progress.stop()

    def move(self, share: float, text: str) -> bool:
        """Show the share that is done and a text beside it.

        Returns:
            Whether there is a bar.
        """
        from rich.markup import escape

        if self._progress is None or self._task is None:
            return False
        self._progress.update(self._task, completed=share, description=escape(text))
        return True
