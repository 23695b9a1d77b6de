"""Arrays in Python's text: vectors as literals, which are read back to the bit, and others in base64."""

import base64
import pprint

import numpy as np

LINE = 116
"""Letters of base64 in a line."""


def literal(vector: np.ndarray) -> str:
    """A vector's numbers, in lines."""
    return pprint.pformat(vector.tolist(), width=115, compact=True)


def call(array: np.ndarray, kind: str = "<f4") -> str:
    """A call of the exported file's `_array`, which gives the array back."""
    return f'_array("""\n{encoded(array.astype(kind))}\n""", "{kind}", {", ".join(map(str, array.shape))})'


def encoded(array: np.ndarray) -> str:
    """An array's bytes in base64, in lines."""
    text = base64.b64encode(array.tobytes()).decode()
    return "\n".join(text[start : start + LINE] for start in range(0, len(text), LINE))
