"""A policy's motion as a strip of pictures, drawn from the side: no renderer and no graphics card are needed.

Each picture shows the geoms of a MuJoCo simulator where they are, seen along the y axis.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Circle, Patch, Polygon

from micro_rl.core.wording import plural
from micro_rl.robustness.parameters import model_of
from micro_rl.simulation.envs import Env
from micro_rl.storage.files import replace_file

SPHERE, CAPSULE, ELLIPSOID, CYLINDER, BOX = 2, 3, 4, 5, 6  # mujoco.mjtGeom; 0 and 1 are planes and fields
MOMENTS = 9
SHADES = ("#0072B2", "#56B4E9", "#009E73", "#E69F00", "#D55E00", "#CC79A7", "#888888")
HALF_WIDTH = 1.4
"""Metres shown to each side of the middle of the body."""


@dataclass(frozen=True)
class Outline:
    """A geom from the side: a line of some thickness, or a dot; which body it belongs to chooses its colour."""

    start: Float[np.ndarray, "2"]
    end: Float[np.ndarray, "2"]
    radius: float
    body: int


@dataclass(frozen=True)
class Frame:
    """One moment: what has been earned until then and what is to be seen."""

    step: int
    earned: float
    outlines: Sequence[Outline]


def outlines(env: Env) -> list[Outline]:
    """Every geom of the simulator's bodies where it is now; a box is drawn as its longest axis."""
    simulator: Any = env.unwrapped
    model, data = simulator.model, simulator.data
    shapes = []
    for geom in np.flatnonzero(
        (model.geom_bodyid > 0) & np.isin(model.geom_type, (SPHERE, CAPSULE, ELLIPSOID, CYLINDER, BOX))
    ):
        centre, turn, size = data.geom_xpos[geom], data.geom_xmat[geom].reshape(3, 3), model.geom_size[geom]
        kind = model.geom_type[geom]
        if kind == SPHERE:
            along, radius = np.zeros(3), size[0]
        elif kind in (CAPSULE, CYLINDER):
            along, radius = turn[:, 2] * size[1], size[0]
        else:
            axis = int(np.argmax(size))
            along, radius = turn[:, axis] * size[axis], float(np.sort(size)[1])
        ends = [(centre + sign * along)[[0, 2]] for sign in (-1, 1)]
        shapes.append(Outline(ends[0], ends[1], float(radius), int(model.geom_bodyid[geom])))
    return shapes


def filmed(member: Env, acting: Any, seed: int) -> list[Frame]:
    """One episode's frames, every step one; `acting` takes and gives rows. `UserError` where it is not on MuJoCo."""
    model_of(member, "an episode can be drawn", "")
    acting.reset()
    observation, _ = member.reset(seed=seed)
    frames, earned, over = [Frame(0, 0.0, outlines(member))], 0.0, False
    while not over:
        action = np.asarray(acting(np.asarray(observation, np.float64)[None]))[0]
        observation, reward, terminated, truncated, _ = member.step(action)
        earned, over = earned + float(reward), terminated or truncated
        frames.append(Frame(len(frames), earned, outlines(member)))
    return frames


def draw(strips: dict[str, list[Frame]], path: Path) -> None:
    """A row of `MOMENTS` pictures for each title, evenly spaced over its episode, into an SVG file."""
    top = max(_height(frame) for frames in strips.values() for frame in frames) + 0.1
    each = 1.5 * (top + 0.1) / (2 * HALF_WIDTH) + 0.8
    figure = Figure(figsize=(1.5 * MOMENTS, each * len(strips)), layout="constrained")
    rows = figure.subfigures(len(strips), 1, squeeze=False)[:, 0]
    for row, (title, frames) in zip(rows, strips.items(), strict=True):
        row.suptitle(
            f"{title}: {plural(len(frames) - 1, 'step')}, return {frames[-1].earned:,.1f}",
            fontsize=9,
            x=0.01,
            ha="left",
        )
        chosen = np.unique(np.linspace(0, len(frames) - 1, MOMENTS).round().astype(int))
        for axes, number in zip(row.subplots(1, MOMENTS), chosen, strict=False):
            _picture(axes, frames[number], top)
        for axes in row.axes[len(chosen) :]:
            axes.axis("off")
    text = BytesIO()
    figure.savefig(text, format="svg", metadata={"Date": None})
    replace_file(path, text.getvalue())


def _height(frame: Frame) -> float:
    return max(float(max(outline.start[1], outline.end[1])) + outline.radius for outline in frame.outlines)


def _picture(axes: Axes, frame: Frame, top: float) -> None:
    """The bodies in their colours above the ground, the middle of them in the middle."""
    points = np.array([point for outline in frame.outlines for point in (outline.start, outline.end)])
    middle = points[:, 0].mean()
    for outline in frame.outlines:
        shade = SHADES[(outline.body - 1) % len(SHADES)]
        for patch in _shape(outline):
            patch.set(facecolor=shade, edgecolor="none")
            axes.add_patch(patch)
    axes.axhline(0, color="#555555", linewidth=1)
    axes.set(xlim=(middle - HALF_WIDTH, middle + HALF_WIDTH), ylim=(-0.1, top), aspect="equal")
    axes.set(xticks=[], yticks=[])
    axes.set_xlabel(f"step {frame.step}\nx = {middle:.1f} m", fontsize=7)
    for side in axes.spines.values():
        side.set_visible(False)


def _shape(outline: Outline) -> list[Patch]:
    """Two round ends and what lies between them."""
    along = outline.end - outline.start
    length = float(np.hypot(*along))
    ends: list[Patch] = [Circle((float(x), float(z)), outline.radius) for x, z in (outline.start, outline.end)]
    if length < 1e-9:
        return ends[:1]
    aside = outline.radius * np.array([-along[1], along[0]]) / length
    corners = [outline.start + aside, outline.end + aside, outline.end - aside, outline.start - aside]
    return [*ends, Polygon(np.array(corners))]
