"""`labwright keys`: who may speak. Public keys are in the store; secret ones only in files that their owner alone reads."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from controller.cli.options import Json, Store
from controller.cli.render import Column, print_json, print_rows
from controller.errors import ConflictError, UnknownNameError
from controller.verbs.stores import readers, show_url, store_urls

if TYPE_CHECKING:
    from controller.domain.access import AccessKey
    from controller.store.opening import Store as OpenStore

app = typer.Typer()

GRACE_S = 3600.0
Name = Annotated[str, typer.Argument(metavar="NAME", help="Whose key it is.", show_default=False)]
PublicKey = Annotated[
    str | None,
    typer.Option(metavar="KEY|FILE", help="Enter a pair made elsewhere (keys pair): its secret never leaves that machine."),
]
KeyFile = Annotated[
    Path | None, typer.Option("--file", help="Where the pair is kept; by default the folder `keys` beside the store.")
]


@app.command()
def new(
    name: Name,
    driver: Annotated[bool, typer.Option("--driver", help="The key of a driver.")] = False,
    person: Annotated[bool, typer.Option("--person", help="The key of a person.")] = False,
    controller: Annotated[bool, typer.Option("--controller", help="The controller's own.")] = False,
    instrument: Annotated[
        list[str] | None,
        typer.Option(help="What the driver may serve, INSTRUMENT or LAB/INSTRUMENT; by default NAME. May be repeated."),
    ] = None,
    role: Annotated[str | None, typer.Option(metavar="look|operate|administer", help="What the person may do.")] = None,
    public_key: PublicKey = None,
    file: KeyFile = None,
    store: Store = None,
    json: Json = False,
) -> None:
    """Make a key pair and enter its public key; a controller at work takes it up by itself."""
    from controller.domain.access import KeyKind

    chosen = [kind for kind, said in zip(KeyKind, (driver, person, controller), strict=True) if said]
    if len(chosen) != 1:
        raise typer.BadParameter("say whose key it is: one of --driver, --person, --controller")
    kind = chosen[0]
    if instrument and kind is not KeyKind.DRIVER:
        raise typer.BadParameter("only a driver serves instruments", param_hint="--instrument")
    if kind is KeyKind.CONTROLLER and (public_key or file):
        raise typer.BadParameter("the controller's pair is made where the controller finds it: no --public-key, no --file")
    path = None if public_key else file or _folder(store) / f"{'controller' if kind is KeyKind.CONTROLLER else _label(name)}.key"
    served = tuple(_label(one, parts=2) for one in instrument or [name]) if kind is KeyKind.DRIVER else ()
    with _opened(store) as opened:
        _enter(opened, name, kind, served, _role(role, kind), public_key, path, as_json=json)


@app.command("list")
def list_keys(store: Store = None, json: Json = False) -> None:
    """List keys: whose, what they allow, whether they are valid. Secret keys are in no store."""
    from controller.verbs.keys import list_keys as listed

    with readers(store_urls(store)) as opened:
        rows = listed(opened)
    shown = ("name", "kind", "status", "instruments", "role", "public_key", "created_at", "revoked_at", "store")
    print_rows(
        rows, [Column(column) for column in shown], as_json=json, title="Keys",
        empty="No keys yet: the wire stays on this machine, in the clear; labwright keys new NAME --controller begins.",
    )  # fmt: skip


@app.command()
def revoke(
    name: Annotated[str, typer.Argument(metavar="NAME|KEY", help="Name or public key.", show_default=False)],
    store: Store = None,
    json: Json = False,
) -> None:
    """Let a key, or every valid key of a name, cease at once; what is connected with it is cut off."""
    from controller.domain.access import KeyKind
    from controller.store.access import KeyChange

    with _opened(store) as opened:
        now = time.time()
        found = _valid(opened, name, now)
        if any(key.kind is KeyKind.CONTROLLER for key in found):
            raise ConflictError(f"{name!r} is the controller's own key; labwright keys rotate {name} gives it another")
        opened.change_keys(KeyChange(now, revoke={key.id: now for key in found}))
        _say(
            {"revoked": [key.public_key for key in found], "name": found[0].name, "store": show_url(opened.url)},
            f"{found[0].name}: revoked ({len(found)} key{'s' * (len(found) > 1)}); a controller at work cuts it off "
            "within half a second",
            as_json=json,
        )


@app.command()
def rotate(
    name: Name,
    grace: Annotated[float, typer.Option(min=0.0, help="How long the old key stays valid [s]; 0 ends it at once.")] = GRACE_S,
    public_key: PublicKey = None,
    file: KeyFile = None,
    store: Store = None,
    json: Json = False,
) -> None:
    """Give NAME a new pair; its file is replaced, and a running driver changes over by itself. Nothing is interrupted."""
    from controller.domain.access import KeyKind

    with _opened(store) as opened:
        now = time.time()
        found = _valid(opened, name, now)
        newest = found[-1]
        if newest.kind is KeyKind.CONTROLLER and (public_key or file):
            raise typer.BadParameter("the controller's pair is made where the controller finds it: no --public-key, no --file")
        stem = "controller" if newest.kind is KeyKind.CONTROLLER else newest.name
        path = None if public_key else file or _folder(store) / f"{stem}.key"
        if path is not None and not path.exists():
            raise ConflictError(
                f"the pair of {name} is not in {path}: say where with --file, or make one there and give --public-key"
            )
        _enter(
            opened, newest.name, newest.kind, newest.instruments, newest.role, public_key, path,
            until={key.id: now + grace for key in found}, as_json=json,
        )  # fmt: skip


@app.command()
def pair(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Where the pair is kept, for its owner only.", show_default=False)],
    json: Json = False,
) -> None:
    """Make a key pair on this machine; its public key, printed and put beside it (.pub), is entered where the controller is."""
    from instruments.transport.keys import new_pair, write_pair

    beside = _public_file(file)
    if beside.exists() and not file.exists():
        raise ConflictError(f"{beside} is there already, and would hold the public key; name another file, or remove it first")
    made = new_pair()
    write_pair(file, made)
    _write_public(beside, made.public)
    _say({"file": str(file), "public_key": made.public}, made.public, as_json=json)


def _enter(
    store: OpenStore, name: str, kind: Any, instruments: tuple[str, ...], role: Any, public_key: str | None,
    path: Path | None, *, until: dict[str, float] | None = None, as_json: bool,
) -> None:  # fmt: skip
    """Enter a key: one made elsewhere, or a new pair, whose file takes its place only when the store holds it."""
    from controller.domain.access import AccessKey, KeyKind
    from controller.domain.ids import new_id
    from controller.store.access import KeyChange
    from controller.verbs.requests import who
    from instruments.transport.keys import new_pair, read_public_key, write_pair

    now = time.time()
    draft = None
    if path is None:
        public = read_public_key(str(public_key))
    else:
        made = new_pair()
        public = made.public
        draft = path if until is None else path.with_name(path.name + ".new")
        write_pair(draft, made, replace=until is not None)
    key = AccessKey(new_id(), kind, name, public, instruments, role, now, who())
    try:
        store.change_keys(KeyChange(now, enter=key, revoke=until or {}))
    except BaseException:  # Ctrl-C too: no secret key stays that the store does not know
        if draft is not None:
            draft.unlink(missing_ok=True)
        raise
    if draft is not None and path is not None:
        draft.replace(path)
    if kind is KeyKind.CONTROLLER and path is not None:
        _write_public(_public_file(path), public)
    told = {
        "name": name, "kind": kind.value, "public_key": public, "instruments": list(instruments),
        "role": role and role.value, "file": None if path is None else str(path), "store": show_url(store.url),
    }  # fmt: skip
    lines = [f"{kind.value} {name}: public key {public}"]
    if path is not None:
        lines.append(f"secret key in {path}, for its owner only")
    if until:
        lines.append(f"the key before stays valid for {max(until.values()) - now:.0f} s")
    if kind is KeyKind.CONTROLLER and path is not None:
        lines.append(f"for drivers of other machines: --server-key '{public}', or a copy of {_public_file(path)}")
        lines.append("it is used from the controller's next start; from then on nobody speaks without a key")
    _say(told, "\n".join(lines), as_json=as_json)


def _public_file(pair: Path) -> Path:
    """Return the file for the public key of a pair: `hplc.pub` for `hplc.key`, and for `hplc`."""
    return pair.with_suffix(".pub") if pair.suffix == ".key" else pair.with_name(pair.name + ".pub")


def _write_public(path: Path, public: str) -> None:
    """Put a public key into a file of its own, to be carried to other machines."""
    try:
        path.write_text(public + "\n", encoding="ascii")
    except OSError as error:
        raise ConflictError(f"{path} cannot be written ({error.strerror}); the public key is {public}") from None


def _valid(store: OpenStore, name: str, now: float) -> list[AccessKey]:
    """Return the valid keys of a name, or the one public key; oldest first."""
    keys = store.access_keys()
    found = [key for key in keys if name in (key.name, key.public_key) and key.valid(now)]
    if not found:
        known = ", ".join(sorted({key.name for key in keys if key.valid(now)})) or "none"
        ended = " (it is revoked already)" if any(name in (key.name, key.public_key) for key in keys) else ""
        raise UnknownNameError(f"no valid key {name!r} in {show_url(store.url)}{ended}; valid: {known}")
    if len({key.kind for key in found}) > 1:
        raise ConflictError(f"{name!r} is a {' and a '.join(key.kind for key in found)}; give the public key instead")
    return found


def _role(text: str | None, kind: Any) -> Any:
    from controller.domain.access import KeyKind, Role

    if kind is not KeyKind.PERSON:
        if text is not None:
            raise typer.BadParameter("only a person has a role", param_hint="--role")
        return None
    try:
        return Role(text or Role.LOOK)
    except ValueError:
        raise typer.BadParameter(f"{text!r} is none of {', '.join(Role)}", param_hint="--role") from None


def _label(text: str, *, parts: int = 1) -> str:
    from pydantic import TypeAdapter, ValidationError

    from controller.domain.base import Label

    pieces = text.split("/")
    try:
        for piece in pieces:
            TypeAdapter(Label).validate_python(piece)
    except ValidationError:
        pieces = []
    if not 0 < len(pieces) <= parts:
        form = "a name" if parts == 1 else "INSTRUMENT or LAB/INSTRUMENT"
        raise typer.BadParameter(f"{text!r} is not {form}: letters, digits and . _ + @ -, for example hplc-1")
    return text


def _url(store: str | None) -> str:
    """Return the store that is meant; keys are for real labs where none is named."""
    from controller.settings import default_store_url, normalise_url

    return default_store_url(simulated=False) if store is None else normalise_url(store)


def _folder(store: str | None) -> Path:
    from controller.settings import folder_of

    return folder_of(_url(store)) / "keys"


def _opened(store: str | None) -> OpenStore:
    from controller.store.opening import Store

    return Store.open(_url(store))


def _say(content: dict[str, Any], text: str, *, as_json: bool) -> None:
    if as_json:
        print_json(content)
    else:
        print(text)
