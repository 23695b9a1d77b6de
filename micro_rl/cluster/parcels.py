"""Where nodes without the shared folder send their runs' folders, until the driver has fetched them."""


class Parcels:
    """The newest piece of each run, by name; an actor of the cluster."""

    def __init__(self) -> None:
        self._pieces: dict[str, bytes] = {}
        self._fresh: set[str] = set()

    def put(self, name: str, piece: bytes) -> None:
        """Takes a run's folder in the place of the one before."""
        self._pieces[name] = piece
        self._fresh.add(name)

    def newest(self, name: str) -> bytes | None:
        """The newest piece of a run, for whoever goes on with it elsewhere."""
        return self._pieces.get(name)

    def fetch(self) -> dict[str, bytes]:
        """What came since it was asked last."""
        fresh, self._fresh = self._fresh, set()
        return {name: self._pieces[name] for name in fresh}
