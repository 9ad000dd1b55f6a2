"""Draws what a campaign with two objectives reached: the front, and how far it had come after each experiment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

from controller.errors import MissingExtraError
from controller.verbs.results import best_rows, has_result

INK, GREY, FRONT, SHADE = "#222222", "#9a9a9a", "#0b6e4f", "#d8ede5"

WIDE = 5.0
"""Ratio of the largest to the smallest value from which an axis is logarithmic."""


def draw(definition: Mapping[str, Any], experiments: Sequence[Mapping[str, Any]], path: Path) -> Path:
    """Draw the picture of a campaign with two objectives.

    Args:
        definition: The campaign's definition as JSON data.
        experiments: As the reader gives them.
        path: The PNG file to write.

    Returns:
        `path`.

    Raises:
        MissingExtraError: If matplotlib is not installed.
    """
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError:
        raise MissingExtraError("matplotlib", "plot", "the picture") from None
    done = [e for e in experiments if has_result(e)]
    (x_name, x_spec), (y_name, y_spec) = definition["problem"]["objectives"].items()
    figure = Figure(figsize=(11, 4.8), dpi=150, layout="constrained")
    FigureCanvasAgg(figure)
    front_axes, progress_axes = figure.subplots(1, 2, width_ratios=(1.15, 1))
    for axes in (front_axes, progress_axes):
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(color="#eeeeee", linewidth=0.8)
        axes.set_axisbelow(True)
    _draw_front(front_axes, definition, done, (x_name, x_spec), (y_name, y_spec))
    _draw_progress(progress_axes, definition, done)
    data = "simulated data" if definition["lab"]["simulated"] else "measured data"
    figure.suptitle(
        f"{definition['name']} · {len(done)} experiments · {data}", color=INK, fontsize=12, fontweight="bold"
    )
    draft = path.with_suffix(".part.png")
    figure.savefig(draft, format="png")
    draft.replace(path)
    return path


def hypervolume(scores: Sequence[tuple[float, float]], reference: tuple[float, float]) -> float:
    """Return the area that the front of `scores` dominates (two objectives, more is better).

    Args:
        scores: One pair per experiment.
        reference: The corner that counts for nothing; points that do not surpass it in both add nothing.
    """
    area, height = 0.0, reference[1]
    for x, y in sorted(scores, reverse=True):
        if x > reference[0] and y > height:
            area += (x - reference[0]) * (y - height)
            height = y
    return area


def _draw_front(
    axes: Any, definition: Mapping[str, Any], done: Sequence[Mapping[str, Any]], x: tuple[str, Any], y: tuple[str, Any]
) -> None:
    front = best_rows(definition, done)
    on_front = {row["experiment"] for row in front}
    points = [(e["objectives"][x[0]], e["objectives"][y[0]], e["number"], e["source"] == "model") for e in done]
    for by_model, marker, label in ((False, "s", "space-filling"), (True, "o", "proposed by the model")):
        chosen = [p for p in points if p[3] is by_model and p[2] not in on_front]
        axes.scatter(
            [p[0] for p in chosen], [p[1] for p in chosen], s=34, marker=marker, color=GREY, label=label, zorder=2
        )
    xs, ys = [r["objectives"][x[0]] for r in front], [r["objectives"][y[0]] for r in front]
    # Between two points of the front nothing is known to be reachable but the worse of each: a staircase.
    where = "pre" if x[1]["goal"] == "maximize" else "post"
    axes.step(xs, ys, where=where, color=FRONT, linewidth=1.4, alpha=0.6, zorder=3)
    axes.scatter(xs, ys, s=60, color=FRONT, edgecolor="white", linewidth=0.8, label="Pareto front", zorder=4)
    below = y[1]["goal"] == "minimize"
    for row in front:
        place = (row["objectives"][x[0]], row["objectives"][y[0]])
        axes.annotate(
            str(row["experiment"]), place, xytext=(0, -13 if below else 7), textcoords="offset points", ha="center",
            fontsize=7, color=FRONT,
        )  # fmt: skip
    _scale(axes, "x", [p[0] for p in points])
    _scale(axes, "y", [p[1] for p in points])
    axes.set_xlabel(_label(*x), color=INK)
    axes.set_ylabel(_label(*y), color=INK)
    axes.set_title("What was reached (numbers: experiments)", fontsize=10, loc="left", color=INK)
    axes.legend(frameon=False, fontsize=8)


def _draw_progress(axes: Any, definition: Mapping[str, Any], done: Sequence[Mapping[str, Any]]) -> None:
    from controller.domain.objective import Objective

    objectives = {n: Objective.model_validate(o) for n, o in definition["problem"]["objectives"].items()}
    ordered = sorted(done, key=lambda e: e["completed_at"])
    scores = [tuple(o.score(e["objectives"][n]) for n, o in objectives.items()) for e in ordered]
    corner = (min(s[0] for s in scores), min(s[1] for s in scores))
    areas = [hypervolume([(s[0], s[1]) for s in scores[: i + 1]], corner) for i in range(len(scores))]
    whole = areas[-1] or 1.0
    share = [100 * a / whole for a in areas]
    numbers = range(1, len(share) + 1)
    axes.fill_between(numbers, share, step="post", color=SHADE, zorder=1)
    axes.step(numbers, share, where="post", color=FRONT, linewidth=1.6, zorder=3)
    by_model = [e["source"] == "model" for e in ordered]
    change = next((i + 1.5 for i, (a, b) in enumerate(pairwise(by_model)) if not a and b), None)
    if change is not None:
        axes.axvline(change, color=GREY, linewidth=1, linestyle=":")
        axes.annotate(
            "the model takes over", (change, 4), xytext=(4, 0), textcoords="offset points", fontsize=8, color=GREY
        )
    axes.set_ylim(0, 105)
    axes.set_xlim(1, max(2, len(share)))
    axes.set_xlabel("experiments completed", color=INK)
    axes.set_ylabel("area under the front [% of the last]", color=INK)
    axes.set_title("How it got there", fontsize=10, loc="left", color=INK)


def _scale(axes: Any, which: str, values: Sequence[float]) -> None:
    """Use a logarithmic axis where the worst values would squeeze the best into a corner."""
    from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter

    if min(values) <= 0 or max(values) / min(values) < WIDE:
        return
    axes.set(**{f"{which}scale": "log"})
    axis = getattr(axes, f"{which}axis")
    axis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    axis.set_major_formatter(StrMethodFormatter("{x:g}"))
    axis.set_minor_formatter(NullFormatter())


def _label(name: str, spec: Mapping[str, Any]) -> str:
    unit = f" [{spec['unit']}]".replace("**2", "²").replace("**3", "³") if spec.get("unit") else ""
    return f"{name.replace('_', ' ')}{unit} ({spec['goal']})"
