"""Annotations of arrays with their shapes, for what runs where jaxtyping is not installed.

They are jaxtyping's own where it has been imported before, by what trains or by the tests, which check them. Elsewhere
an annotation is its array's class, and the import of jaxtyping is saved, which takes half as long as NumPy's.
"""

import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING or "jaxtyping" in sys.modules:
    from jaxtyping import Bool, Float, Float64, Int8, Shaped
else:

    class Float:
        """`Float[np.ndarray, "row column"]` is np.ndarray."""

        def __class_getitem__(cls, parts: tuple[Any, str]) -> Any:
            """The class of the arrays."""
            return parts[0]

    Bool = Float64 = Int8 = Shaped = Float

__all__ = ["Bool", "Float", "Float64", "Int8", "Shaped"]
