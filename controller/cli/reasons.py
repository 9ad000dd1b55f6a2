"""Shows why a point was proposed, which parameters matter, and what lies along one of them."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

from controller.cli.render import Column, clean, console, print_facts, print_rows, table, text_of

_WIDEST = 100
_BAR = 30
_MEMBERS = 4
_TOGETHER = "\N{NO-BREAK SPACE}"


def print_why(told: Mapping[str, Any]) -> None:
    """Print what `verbs.reasons.why` returned: the answer in sentences, then what it rests on."""
    out = console()
    title = f"Why experiment {told['experiment']} of {told['campaign']} ({told['status']}){_mark(told)}"
    print_facts({"setting": told["point"], "context": told["context"]}, title=title)
    print()
    for sentence in told["summary"]:
        whole = clean(sentence).replace(" %", _TOGETHER + "%")
        lines = textwrap.fill(whole, min(out.width, _WIDEST), initial_indent="· ", subsequent_indent="  ")
        print(lines.replace(_TOGETHER, " "))
    rows = [
        {"objective": name, **outcome, "80 %": _range(outcome), "off": _sd(outcome["off"])}
        for name, outcome in told["expected"].items()
    ]
    if rows:
        columns = [
            Column("objective"), Column("mean", "expected"), Column("80 %"), Column("measured"), Column("inside"),
            Column("off", "off [sd]"),
        ]  # fmt: skip
        out.print(table(rows, columns, title="\nWhat was expected of the measurement"))
    _print_neighbours(told)
    _print_local(told)
    print_effects(told["sensitivity"], "\nWhat matters over the space")
    _print_runners_up(told)
    _print_models(told)


def _mark(told: Mapping[str, Any]) -> str:
    return " · SIMULATED DATA" if told["simulated"] else ""


def _range(expected: Mapping[str, Any]) -> str:
    return f"{text_of(_short(expected['low']))} to {text_of(_short(expected['high']))}"


def _sd(off: float | None) -> float | None:
    return None if off is None else round(off, 2)


def _short(value: float) -> float:
    return float(f"{value:.4g}")


def _print_neighbours(told: Mapping[str, Any]) -> None:
    if not told["neighbours"]:
        return
    rows = [
        {**near, "distance": _short(near["distance"]), "similarity": _short(near["similarity"]),
         **{f"o:{name}": value for name, value in near["values"].items()},
         "where": {name: text_of(near["point"].get(name, "not set")) for name in near["differs"]} or "the same setting"}
        for near in told["neighbours"]
    ]  # fmt: skip
    columns = [
        Column("experiment"), Column("distance", "distance [lengthscales]"), Column("similarity"),
        *(Column(f"o:{name}", name) for name in told["neighbours"][0]["values"]), Column("where", "differs in"),
    ]  # fmt: skip
    console().print(table(rows, columns, title="\nNearest measured points, by the model's measure"))


def _print_local(told: Mapping[str, Any]) -> None:
    if not told["local"]:
        return
    names = list(told["local"][0]["low"])
    rows = [
        {"parameter": line["parameter"], "setting": told["point"][line["parameter"]],
         **{f"o:{name}": f"{_short(line['low'][name]):g} to {_short(line['high'][name]):g}" for name in names}}
        for line in told["local"]
    ]  # fmt: skip
    columns = [Column("parameter"), Column("setting"), *(Column(f"o:{name}", name) for name in names)]
    console().print(table(rows, columns, title="\nWhat would be expected if one parameter were changed alone"))


def print_effects(objectives: Mapping[str, Mapping[str, Any]], title: str) -> None:
    """Print a table of effects for each objective."""
    columns = [
        Column("parameter"), Column("total", "total effect"), Column("80 %"), Column("first", "alone"), Column("trend"),
        Column("bar", ""),
    ]  # fmt: skip
    for name, found in objectives.items():
        quality = "" if found["r2"] is None else f"; left-out R² {found['r2']:.2f}"
        rows = [
            {
                **effect, "total": round(effect["total"], 3), "80 %": f"{effect['low']:.2f} to {effect['high']:.2f}",
                "first": None if effect["first"] is None else round(effect["first"], 3),
                "trend": _trend(effect["trend"]), "bar": "█" * round(_BAR * min(effect["total"], 1.0)),
            }
            for effect in found["effects"]
        ]  # fmt: skip
        about = f"from {found['observations']} observations{quality}"
        console().print(table(rows, columns, title=f"{title}: {name} ({about})"))


def _trend(trend: float | None) -> str:
    if trend is None:
        return ""
    if abs(trend) < 0.1:
        return "neither"
    return f"{'rises' if trend > 0 else 'falls'} ({trend:+.2f})"


def _print_runners_up(told: Mapping[str, Any]) -> None:
    if not told["runners_up"]:
        return
    rows = [{"of it": f"{100 * other['share']:.0f} %", "why": other["why"], **other["point"]} for other in told["runners_up"]]
    columns = [
        *(Column(name, name) for name in told["point"]), Column("of it", "of the acquisition"), Column("why", "it lost because"),
    ]  # fmt: skip
    console().print(table(rows, columns, title="\nThat came close"))


def _print_models(told: Mapping[str, Any]) -> None:
    for name, model in told["models"].items():
        quality = model["quality"]
        facts = {
            "learned from": f"{model['observations']} observations, {model['pending']} under way",
            "predicts what was left out": quality and (
                f"R² {text_of(quality['r2'] and round(quality['r2'], 2)) or 'none'}, error {quality['rmse']:.4g}, "
                f"{100 * quality['coverage_90']:.0f} % within the 90 % intervals; worst is experiment "
                f"{quality['worst_experiment']}, {quality['worst_z']:.1f} sd off"
            ),
            "choices are alike": {n: f"{low:.2f} to {high:.2f}" for n, (low, high) in model["choices"].items()},
            "warnings": model["warnings"],
        }  # fmt: skip
        print_facts(facts, title=f"\nModel of {name} ({model['kind']})")
        _print_members(model["members"])


def _print_members(members: Sequence[Mapping[str, Any]]) -> None:
    strongest = sorted(members, key=lambda m: -m["weight"])[:_MEMBERS]
    rows = [
        {
            "member": m["name"], "weight": round(m["weight"], 3), "noise": m["noise"] and _short(m["noise"]),
            **{f"s:{s['parameter']}": _scale(s) for s in m["scales"]},
        }
        for m in strongest
    ]  # fmt: skip
    scales = [
        Column(f"s:{s['parameter']}", f"{s['parameter']} [{s['unit']}]" if s["unit"] else s["parameter"])
        for s in (strongest[0]["scales"] if strongest else ())
    ]
    more = f" (the strongest of {len(members)})" if len(members) > len(strongest) else ""
    columns = [Column("member"), Column("weight"), Column("noise"), *scales]
    console().print(table(rows, columns, title=f"Members{more}, with their lengthscales"))


def _scale(scale: Mapping[str, Any]) -> str:
    return f"×{scale['lengthscale']:.3g}" if scale["logarithmic"] else f"{scale['lengthscale']:.3g}"


def print_sensitivity(told: Mapping[str, Any]) -> None:
    """Print what `verbs.reasons.sensitivity` returned."""
    print_effects(told["objectives"], f"Sensitivity of {told['campaign']}{_mark(told)}")
    print(
        textwrap.fill(
            f"Total effect: the share of the variance of what the model expects that stays when all but this parameter are known "
            f"(Sobol'); alone: the share that goes when it alone is known. Computed from {told['how']}. 80 %: over the functions "
            "that the data allow.", _WIDEST,
        )
    )  # fmt: skip


def print_best(told: Mapping[str, Any]) -> None:
    """Print what `verbs.reasons.believed_best` returned."""
    rows = []
    for row in told["best"]:
        cells: dict[str, Any] = {f"p:{name}": value for name, value in row["parameters"].items()}
        cells["experiments"] = ", ".join(map(str, row["experiments"]))
        for name, e in row["expected"].items():
            cells[f"m:{name}"], cells[f"e:{name}"] = row["measured"][name], _short(e["mean"])
            cells[f"i:{name}"] = f"{_short(e['low'])} to {_short(e['high'])}"
        cells["chance"] = f"{100 * row['chance']:.0f} %" if "chance" in row else None
        rows.append(cells)
    first = told["best"][0]
    columns = [Column("experiments")]
    for name in first["expected"]:
        columns += [Column(f"m:{name}", name), Column(f"e:{name}", "expected"), Column(f"i:{name}", "90 %")]
    columns += [Column("chance", "acceptable"), *(Column(f"p:{name}", name) for name in first["parameters"])]
    print_rows(rows, columns, as_json=False, title=f"Best as the model believes: {told['campaign']}{_mark(told)}")
    for name, numbers in told["outliers"].items():
        print(f"Outliers of {name}, which count for less: experiments {', '.join(map(str, numbers))}. Look at them at the bench.")
    for line in told["drift"]:
        print(f"{line[:1].upper()}{line[1:]}; what is expected is what would be measured now.")


def print_slice(told: Mapping[str, Any]) -> None:
    """Print what `verbs.reasons.slice_through` returned: a table for each objective, with a picture of the band."""
    unit = f" [{told['unit']}]" if told["unit"] else ""
    at = f"through experiment {told['experiment']}"
    print_facts({"through": told["through"]}, title=f"{told['campaign']}: along {told['parameter']}, {at}{_mark(told)}")
    if told["moved"]:
        print(f"To keep the equalities, {', '.join(told['moved'])} give way.")
    here = told["through"].get(told["parameter"])
    for name in told["values"][0]["expected"] if told["values"] else ():
        bands = [row["expected"][name] for row in told["values"]]
        low, high = min(b["low"] for b in bands), max(b["high"] for b in bands)
        rows = [
            {
                "value": row["value"], "expected": _short(b["mean"]), "80 %": _range(b), "band": _band(b, low, high),
                "note": _note(row, here),
            }
            for row, b in zip(told["values"], bands, strict=True)
        ]  # fmt: skip
        columns = [
            Column("value", f"{told['parameter']}{unit}"), Column("expected"), Column("80 %"),
            Column("band", f"{_short(low):g} … {_short(high):g}"), Column("note", ""),
        ]  # fmt: skip
        console().print(table(rows, columns, title=f"\n{name}"))


def _band(expected: Mapping[str, float], low: float, high: float) -> str:
    """Return the interval as a line, its mean as a dot, on a scale from `low` to `high`."""
    span = (high - low) or 1.0
    first, dot, last = (round((_BAR - 1) * (expected[end] - low) / span) for end in ("low", "mean", "high"))
    dot = min(max(dot, first), last)
    return " " * first + "─" * (dot - first) + "●" + "─" * (last - dot) + " " * (_BAR - 1 - last)


def _note(row: Mapping[str, Any], here: object) -> str:
    return ", ".join(filter(None, ("here" if row["value"] == here else "", "" if row["allowed"] else "not allowed")))
