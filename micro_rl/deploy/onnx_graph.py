"""A graph of ONNX operators, made node by node."""

from types import ModuleType
from typing import Any

import numpy as np

from micro_rl.errors import require_extra


def library() -> ModuleType:
    """The package onnx; `UserError` with the command that installs it where it is missing."""
    return require_extra("onnx", "onnx", "export --to onnx")


class Graph:
    """Nodes and constants in the order in which they are added; all arrays have rows [batch, column]."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self.nodes: list[Any] = []
        self.constants: list[Any] = []
        self._onnx = library()

    def add(self, operator: str, *inputs: str, called: str = "", **attributes: Any) -> str:
        """Add a node, and give the name of its output: as called, or by the node's number."""
        output = called or f"{operator.lower()}{len(self.nodes)}"
        self.nodes.append(self._onnx.helper.make_node(operator, inputs, [output], name=output, **attributes))
        return output

    def constant(self, name: str, values: Any, kind: Any = np.float32) -> str:
        """Add an array that is part of the file, once for each name, and give the name."""
        if name not in [constant.name for constant in self.constants]:
            self.constants.append(self._onnx.numpy_helper.from_array(np.asarray(values, kind), name))
        return name

    def cast(self, array: str, kind: str) -> str:
        """Add a change of type, to "FLOAT" or "BOOL"."""
        return self.add("Cast", array, to=getattr(self._onnx.TensorProto, kind))

    def columns(self, array: str, start: int, stop: int) -> str:
        """Add the columns of an array from `start` to before `stop`."""
        places = [self.constant(f"column{place}", [place], np.int64) for place in (start, stop)]
        return self.add("Slice", array, *places, self.axis())

    def axis(self) -> str:
        """Add the number of the columns' axis."""
        return self.constant("axis", [1], np.int64)

    def row(self, name: str, values: Any) -> str:
        """Add an array [1, column]."""
        return self.constant(name, np.asarray(values)[None])

    def most(self, array: str) -> str:
        """Add the greatest column [batch, 1]."""
        return self.add("ReduceMax", array, axes=[1], keepdims=1)

    def clipped(self, array: str, low: float, high: float) -> str:
        """Add the array with no value below `low` or above `high`."""
        return self.add("Clip", array, *(self.constant(f"limit{value:g}", value) for value in (low, high)))

    def within(self, array: str, low: str, high: str) -> str:
        """Add the array with no value below its column of `low` or above that of `high`; NaN stays."""
        raised = self.add("Where", self.add("Less", array, low), low, array)
        return self.add("Where", self.add("Greater", raised, high), high, raised)
