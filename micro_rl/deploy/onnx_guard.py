"""The guard's score as operators of ONNX; see `micro_rl.control.guard` for what its parts are."""

from micro_rl.control.guard import FADING, FURTHEST, LARGEST, Guard
from micro_rl.deploy.onnx_graph import Graph
from micro_rl.deploy.single import tables_of_guard


class GuardGraph:
    """The nodes of a guard.

    Attributes:
        previous: the name of the last observation [batch, obs].
        applied: of the action that was applied after it [batch, act].
        begin: of whether an episode begins [batch, 1].
    """

    def __init__(self, graph: Graph, guard: Guard, previous: str, applied: str, begin: str):
        """Nothing is added yet."""
        self.graph, self.guard = graph, guard
        self.previous, self.applied, self.begin = previous, applied, begin
        self._arrays = tables_of_guard(guard)

    def add(self, observation: str, memory: str) -> tuple[str, str]:
        """Add the score [batch, 1] after an observation, and the memory after it [batch, 3 * obs]."""
        graph = self.graph
        now = self._standard(observation, "center", "scale")
        residual = self._residual(observation, now)
        parts = [self._distance(now), self._range(observation)]
        moving, following = self._moving(observation, residual, memory)
        parts += [graph.add("Where", self.begin, graph.constant("zero", 0.0), part) for part in moving]
        together = graph.add("Concat", *parts, axis=1)
        score = graph.most(graph.add("Div", together, self._row("usual")))
        return score, graph.add("Where", self.begin, graph.constant("zero", 0.0), following)

    def _row(self, name: str) -> str:
        return self.graph.row(f"guard_{name}", self._arrays[f"guard_{name}"])

    def _table(self, name: str) -> str:
        return self.graph.constant(f"guard_{name}", self._arrays[f"guard_{name}"])

    def _standard(self, values: str, center: str, scale: str) -> str:
        add = self.graph.add
        off = add("Sub", add("Sub", values, self._row(f"{center}_high")), self._row(f"{center}_low"))
        return self.graph.clipped(add("Div", off, self._row(scale)), -FURTHEST, FURTHEST)

    def _distance(self, now: str) -> str:
        graph = self.graph
        apart = graph.add("Sub", graph.add("Unsqueeze", now, graph.axis()), self._table("references"))
        ways = graph.add("ReduceMean", graph.add("Mul", apart, apart), axes=[2], keepdims=0)
        return graph.add("Sqrt", graph.add("ReduceMin", ways, axes=[1], keepdims=1))

    def _range(self, observation: str) -> str:
        add = self.graph.add
        above = self._standard(observation, "high", "scale")
        below = add("Neg", self._standard(observation, "low", "scale"))
        return add("Relu", self.graph.most(add("Max", above, below)))

    def _movement(self, observation: str, now: str, then: str) -> str:
        """By how much columns moved. Raw values are subtracted first: where they move little, that loses no digit."""
        graph, add = self.graph, self.graph.add
        apart = add("Div", add("Sub", observation, self.previous), self._row("scale"))
        furthest = add("Max", add("Abs", now), add("Abs", then))
        near = add("Less", furthest, graph.constant("furthest", FURTHEST))
        return add("Where", near, apart, add("Sub", now, then))

    def _residual(self, observation: str, now: str) -> str:
        """What the prediction leaves; of an episode's first step anything."""
        graph, add = self.graph, self.graph.add
        then = self._standard(self.previous, "center", "scale")
        done = self._standard(self.applied, "action_center", "action_scale")
        weights = self._arrays["guard_weights"]
        first, rest = graph.row("guard_weights_first", weights[0]), graph.constant("guard_weights_rest", weights[1:])
        led = add("MatMul", add("Concat", then, done, axis=1), rest)
        off = add("Sub", add("Sub", self._movement(observation, now, then), first), led)
        return add("Div", off, self._row("residual_scale"))

    def _moving(self, observation: str, residual: str, memory: str) -> tuple[list[str], str]:
        """The parts from surprise to roughness, and the memory after the step."""
        graph, add, size = self.graph, self.graph.add, self.guard.observation_size
        still, mean, square = (graph.columns(memory, part * size, (part + 1) * size) for part in range(3))
        equal = add("Equal", observation, self.previous)
        still = add("Where", equal, add("Add", still, graph.constant("one", 1.0)), graph.constant("zero", 0.0))
        bounded = graph.clipped(residual, -LARGEST, LARGEST)
        mean = self._faded(mean, bounded)
        square = self._faded(square, add("Sub", add("Mul", bounded, bounded), graph.constant("one", 1.0)))
        mixed = add("MatMul", residual, self._table("whitening"))
        joint = add("Sqrt", add("ReduceMean", add("Mul", mixed, mixed), axes=[1], keepdims=1))
        cost = graph.constant("guard_still_cost", self._arrays["guard_still_cost"][:, None])
        parts = [graph.most(add("Abs", residual)), joint, add("MatMul", still, cost)]
        parts += [graph.most(add("Abs", mean)), graph.most(square)]
        return parts, add("Concat", still, mean, square, axis=1)

    def _faded(self, running: str, newest: str) -> str:
        add, weight = self.graph.add, self.graph.constant("fading", FADING)
        return add("Add", running, add("Mul", weight, add("Sub", newest, running)))
