"""Writes the reference of the campaign file, the lab file, the notify file and the HTTP API from the code: `python docs/generate.py`.

The text is that of the JSON Schema, which takes it from the code, so a key and its description are written down once.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from controller.api.app import make_api
from controller.cli.over_http import ALONE, LOCAL, ROUTES
from controller.files.schema import campaign_schema, lab_schema, notify_schema, topic_texts

FOLDER = Path(__file__).parent / "reference"
NOTE = "<!-- Written by docs/generate.py; change the text below the fields in the code, then run it again. -->"

PAGES = {
    "campaign-file.md": (
        "The campaign file",
        """A campaign says what is searched, what is wanted, how far it may go and where it is carried out. YAML 1.2 or JSON.
`labwright validate FILE` names every fault at once; `labwright schema campaign` prints the JSON Schema for an editor.

A file may hold 50 000 entries, 200 000 lines and 64 levels, in 4 MiB of UTF-8; aliases count each time they are used. The tables that it
names may have 10 000 columns and two million cells, in 64 MiB; [candidates](../how-to/long-lists.md) ten million rows and a hundred
million cells that are parameters, in 4 GiB. Of more than 200 faults only the number is told.

`lab:` is the path of a [lab file](lab-file.md), or the shorthand of a simulator: `{simulator: NAME, speed: S, …}`, where `speed` is lab
seconds per real second and the rest are options of that simulator. `labwright simulator list` names them;
[your own table](../how-to/own-table.md) describes `table`. `{by_hand: true}` makes [people](../how-to/people.md) the lab.""",
        campaign_schema,
    ),
    "lab-file.md": (
        "The lab file",
        """A lab is its instruments, with their limits, and the protocol: the steps that one experiment takes. A campaign names it in
`lab:`. `labwright validate FILE` checks it; `labwright schema lab` prints the JSON Schema for an editor.

[Write a driver](../how-to/write-a-driver.md) shows the options of the drivers `function`, `command` and `scpi`,
[people](../how-to/people.md) those of `person`.""",
        lab_schema,
    ),
    "notify-file.md": (
        "The notify file",
        """Who is told of what while nobody looks: `labwright daemon start --notify FILE`, `labwright run CAMPAIGN --notify FILE`, or
`notify.yaml` beside the store. `labwright validate FILE` checks it, `labwright notify test` sends a message to each target;
[be told](../how-to/be-told.md) shows it in use. `labwright schema notify` prints the JSON Schema for an editor.""",
        notify_schema,
    ),
}
"""File -> its title, what stands at its head, and the schema that it shows."""


HTTP = """`labwright daemon start --http 127.0.0.1:8765` serves it; [how to](../how-to/http.md) shows it in use. The same as OpenAPI, for
programs that make clients, is at `/v1/openapi.json`.

## What holds for every request

**Who asks.** `Authorization: Bearer TOKEN`, with a token of the daemon's store, or of the user's own store for real data where it works
on both. `labwright tokens new NAME --role ROLE` makes one. Each role includes those before it:

| role | may |
|---|---|
| `look` | see everything but who may speak |
| `operate` | pause, resume, stop and abort campaigns, settle experiments, ask and tell by hand, bring results in, answer tasks, stop, resume, disable and enable instruments |
| `administer` | start campaigns and check files, whose labs name programs; make, list and revoke tokens; list keys; send test messages |

Only `/v1/health`, `/v1/openapi.json`, `/v1/tokens/from-link` (which gives one for a link) and the files of the
[page](../how-to/page.md) at `/` need no token. Without a valid one everything else answers 401, whether it exists or not.

**What is sent and answered** is JSON. A body may say nothing that is not listed, and numbers are numbers: `true` and `"1"` are refused.
So is a parameter that the route does not know.

**What cannot be done** is told as `application/problem+json` ([RFC 9457](https://www.rfc-editor.org/rfc/rfc9457)): `detail` is the
text of the command line, `error` its kind, `faults` one line for each fault.

| status | meaning |
|---|---|
| 200, 201 | done |
| 202 | noted: no controller has answered yet; it takes effect when one does |
| 304 | nothing has changed since the answer whose ETag was sent as `If-None-Match` |
| 400, 413, 421, 422 | it cannot be read; is too long; is sent to a host that is no name of this machine (`--http-name`); says something that cannot be |
| 401, 403 | no valid token, or the page of another site; the role does not allow it |
| 404, 405 | there is no such thing; it cannot be done to it |
| 409, 423 | it contradicts what the store holds; another controller holds it |
| 429, 503 | too many requests, too much at once, or a store that cannot be read: `Retry-After` says when to ask again |
| 502 | an instrument has not confirmed |

**Lists** carry an ETag. Long ones, experiments, events, alarms, requests and notifications, come in pages: ask again with `after` set to
`next`. But for experiments, `next` can be kept and asked with at any later time.

**What changes** is told as it happens by `GET /v1/stream` (server-sent events): each `news` names the ids of campaigns and the topics
(`campaigns`, `instruments`, `requests`, `tasks`) to ask for again, every five seconds at least; `anew` says that everything may have changed.
Ask with `Last-Event-ID`, the `id` of the last one heard, and what was missed comes first. `gone` says that the token has ended.

**Limits.** 256 connections, of which the oldest without a whole request gives way; 10 s for a request to arrive; 16 kB of head, 1 MB of
body, of a file (for a task, a plan, results to be brought in) 16 MB, four at once; 200 requests at once and 50 a second for each token, except stops of instruments, which are not counted; 60 at once and 20 a second for all
who have none. Files of the page: 1000 at once and 200 a second, for all together. Streams: 100, of which 20 for each token.

No CORS headers are sent: pages of other sites can ask nothing. Every change is in the daemon's log with the name of who asked."""


def pages() -> dict[str, str]:
    """Return the content of every page, by file name."""
    return {
        **{name: _page(title, about, schema()) for name, (title, about, schema) in PAGES.items()},
        "http.md": _http_page(make_api("0").openapi()),
    }


def _http_page(description: dict[str, Any]) -> str:
    parts = ["# The HTTP API", NOTE, HTTP]
    rows: dict[str, list[str]] = {}
    for path, methods in description["paths"].items():
        for method, route in methods.items():
            role = route.get("x-role", "none")
            said = f"{route['summary']}. {route.get('description', '')}".strip()
            cells = (f"`{method.upper()} {path}`", role, _given(route, description), _cell(" ".join(said.split())))
            rows.setdefault(route["tags"][0], []).append(f"| {' | '.join(cells)} |")
    for tag in sorted(rows):
        table = ["| route | role | what is given | what it does |", "|---|---|---|---|", *rows[tag]]
        parts += [f"## {tag.capitalize()}", "\n".join(table)]
    return "\n\n".join([*parts, *_same_verbs()]) + "\n"


def _same_verbs() -> list[str]:
    """Return which command is which route, and which are for the machine alone; a test keeps both lists whole."""
    rows = [f"| `{command}` | {'<br>'.join(f'`{route}`' for route in routes)} |" for command, routes in ROUTES.items()]
    local: dict[str, list[str]] = {}
    for command, why in LOCAL.items():
        local.setdefault(why, []).append(f"`{command}`")
    alone = [f"| | `{route}` (for {whom}) |" for route, whom in ALONE.items()]
    return [
        "## Which command is which route",
        "The same code answers both, so what is refused here is refused there, in the same words.",
        "\n".join(("| `labwright` | route |", "|---|---|", *rows, *alone)),
        "These are for the machine itself, and have no route:",
        "\n".join(("| `labwright` | why |", "|---|---|", *(f"| {', '.join(c)} | {why} |" for why, c in local.items()))),
    ]


def _given(route: dict[str, Any], description: dict[str, Any]) -> str:
    """Return the parameters and the members of the body that a route takes; those that are needed stand without brackets."""
    given = [f"`[{p['name']}]`" for p in route.get("parameters", ()) if p["in"] == "query"]
    content = route.get("requestBody", {}).get("content", {}).get("application/json")
    if content is not None:
        model = description["components"]["schemas"][content["schema"]["$ref"].rpartition("/")[2]]
        needed = set(model.get("required", ()))
        given += [f"`{name}`" if name in needed else f"`[{name}]`" for name in model["properties"]]
    return " ".join(given)


def _page(title: str, about: str, schema: dict[str, Any]) -> str:
    models: dict[str, dict[str, Any]] = schema.get("$defs", {})
    parts = [f"# {title}", NOTE, about, "## The file", _table(schema)]
    for name in _in_order(schema, models):
        table = _table(models[name]) if "properties" in models[name] else _topics()
        parts += [f"## {_heading(name)}", models[name]["description"].replace("\n", " "), table]
    return "\n\n".join(parts) + "\n"


def _in_order(schema: dict[str, Any], models: dict[str, dict[str, Any]]) -> list[str]:
    """Return the names of the models in the order in which the file mentions them."""
    found: list[str] = []

    def walk(node: Any) -> None:
        if isinstance(node, list):
            for item in node:
                walk(item)
        elif isinstance(node, dict):
            name = _name_of(node)
            if name is not None and name not in found:
                found.append(name)
                walk(models[name].get("properties", {}))
            for item in node.values():
                walk(item)

    walk(schema["properties"])
    return found


def _table(model: dict[str, Any]) -> str:
    required = set(model.get("required", ()))
    rows = ["| key | value | default | meaning |", "|---|---|---|---|"]
    for key, entry in model["properties"].items():
        default = "needed" if key in required else _default(entry)
        rows.append(f"| `{key}` | {_value(entry)} | {default} | {_cell(_meaning(key, entry))} |")
    return "\n".join(rows)


def _topics() -> str:
    rows = (f"| `{topic}` | {_cell(text)} |" for topic, text in topic_texts().items())
    return "\n".join(("| topic | what is told |", "|---|---|", *rows))


def _meaning(key: str, entry: dict[str, Any]) -> str:
    if "description" in entry:
        return str(entry["description"])
    if key in ("type", "kind"):
        return "Says which of the kinds it is."
    raise ValueError(f"{key} has no description: write one below the field in the code")


def _default(entry: dict[str, Any]) -> str:
    default = entry.get("default")
    if default is None:
        return "none"
    if isinstance(default, dict):
        return "its defaults" if default else "empty"
    if default in ("", []):
        return "empty"
    return f"`{default}`" if isinstance(default, str) else f"`{json.dumps(default)}`"


def _value(entry: dict[str, Any]) -> str:
    """Return in a few words what a key may hold."""
    if (name := _name_of(entry)) is not None:
        return _link(name)
    if "const" in entry:
        return f"`{entry['const']}`"
    if "enum" in entry:
        return " or ".join(f"`{choice}`" for choice in entry["enum"])
    if choices := entry.get("oneOf") or entry.get("anyOf"):
        return " or ".join(_value(choice) for choice in choices if choice.get("type") != "null")
    match entry["type"]:
        case "array" if "prefixItems" in entry:
            return "[" + ", ".join(_value(item) for item in entry["prefixItems"]) + "]"
        case "array":
            return f"list: {_value(entry['items'])}"
        case "object":
            inner = [*entry.get("patternProperties", {}).values(), entry.get("additionalProperties")]
            held = next((item for item in inner if isinstance(item, dict)), None)
            return f"name: {_value(held)}" if held is not None else "mapping"
        case "integer":
            return "whole number" + _range(entry)
        case "number":
            return "number" + _range(entry)
        case "boolean":
            return "`true` or `false`"
        case kind:
            return "text" if kind == "string" else str(kind)


def _range(entry: dict[str, Any]) -> str:
    bounds = []
    if "minimum" in entry:
        bounds.append(f"from {entry['minimum']:g}")
    if "exclusiveMinimum" in entry:
        bounds.append(f"above {entry['exclusiveMinimum']:g}")
    if "maximum" in entry:
        bounds.append(f"to {entry['maximum']:g}")
    return " " + " ".join(bounds) if bounds else ""


def _name_of(entry: dict[str, Any]) -> str | None:
    reference = entry.get("$ref")
    return str(reference).rpartition("/")[2] if reference else None


def _heading(name: str) -> str:
    return name.removesuffix("Spec")


def _link(name: str) -> str:
    return f"[{_heading(name)}](#{_heading(name).lower()})"


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


if __name__ == "__main__":
    for file, content in pages().items():
        (FOLDER / file).write_text(content, encoding="utf-8")
