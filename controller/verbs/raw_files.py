"""What one can ask of raw files: which an experiment left behind and where they are, have them copied, hand in missing ones.

Every file is read by its hash and proven by it: what is damaged is named and never handed out.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

from controller.errors import ConflictError, StoreError, UnknownNameError
from controller.verbs.stores import Found, find_experiment

Row = dict[str, Any]
Where = Literal["kept", "at the driver", "missing"]


def shelf_path(found: Found) -> Path:
    """Return the folder of the raw files of the store that a campaign is in."""
    from controller.settings import folder_of
    from instruments.rawfiles import FILES

    return folder_of(found.url) / FILES


def files_of(found: Found, experiment: Mapping[str, Any]) -> list[Row]:
    """Return the raw files of an experiment: name, sha256, size [bytes], media_type, step, attempt, instrument, where, path.

    `where` is *kept* (beside the store, at `path`), *at the driver* (it was never taken over) or *missing* (it was).
    Nothing is read: whether a file is undamaged shows when it is.
    """
    attempts = [attempt for attempt in experiment["attempts_list"] if attempt["files"]]
    return list(_rows(found, attempts)) if attempts else []


def _rows(found: Found, attempts: list[Row]) -> Iterator[Row]:
    from instruments.rawfiles import FileShelf

    shelf = FileShelf(shelf_path(found))
    for attempt in attempts:
        for file in attempt["files"]:
            path = shelf.path(file["sha256"])
            there = path.exists()
            where: Where = "kept" if there else "missing" if file["kept"] else "at the driver"
            yield {
                **{key: file[key] for key in ("name", "sha256", "size", "media_type")},
                "step": attempt["step"], "attempt": attempt["ordinal"], "instrument": attempt["instrument"],
                "where": where, "path": str(path) if there else None,
            }  # fmt: skip


def copy_files(found: Found, number: str, folder: Path) -> list[Row]:
    """Copy the raw files of an experiment into a folder, as STEP/NAME, each proven by its hash.

    Returns:
        The files, with `copied`: where each lies; None where there is none to copy.

    Raises:
        UnknownNameError: If there is no such experiment.
        ConflictError: If another file lies there.
        StoreError: If a file is damaged, or the copy cannot be written.
    """
    from instruments.errors import RawFileError
    from instruments.rawfiles import FileShelf, digest

    shelf, rows = FileShelf(shelf_path(found)), files_of(found, find_experiment(found, number))
    for row in rows:
        row["copied"] = None
        if row["where"] != "kept":
            continue
        target = folder / (row["step"] if row["attempt"] == 1 else f"{row['step']}-{row['attempt']}") / row["name"]
        try:
            if target.exists():
                with target.open("rb") as stream:
                    same = target.stat().st_size == row["size"] and digest(stream)[0] == row["sha256"]
                if not same:
                    raise ConflictError(f"{target} is another file and is not overwritten; name another folder")
            else:
                target.parent.mkdir(parents=True, exist_ok=True)
                partial = target.with_name(f".{target.name}.partial")
                try:
                    with partial.open("wb") as out:
                        for part in shelf.parts(row["sha256"], row["size"]):
                            out.write(part)
                    partial.replace(target)
                finally:
                    partial.unlink(missing_ok=True)
        except RawFileError as error:
            raise StoreError(f"raw file {row['name']} of step {row['step']}: {error}") from None
        except OSError as error:
            raise StoreError(f"raw file {row['name']} cannot be copied to {target}: {error.strerror or error}") from None
        row["copied"] = str(target)
    return rows


def hand_in(found: Found, number: str, folder: Path) -> list[Row]:
    """Take raw files of an experiment that stayed with their driver, or went missing, from a folder: found by size and hash.

    Args:
        found: The campaign.
        number: Number or id of the experiment.
        folder: With the files, under any names: a copy of the driver's own folder `files/`, or one put together by hand.

    Returns:
        The files of the experiment as they stand now.

    Raises:
        UnknownNameError: If there is no such experiment, or folder.
        StoreError: If a file cannot be taken.
    """
    from instruments.errors import RawFileError
    from instruments.rawfiles import FileShelf, digest

    experiment, shelf = find_experiment(found, number), FileShelf(shelf_path(found))
    if not folder.is_dir():
        raise UnknownNameError(f"{folder} is no folder; name the one in which the raw files are")
    lacking = {row["sha256"]: row for row in files_of(found, experiment) if row["where"] != "kept"}
    sizes = {row["size"] for row in lacking.values()}
    for path in sorted(folder.rglob("*")) if lacking else ():
        try:
            if path.is_symlink() or not path.is_file() or path.stat().st_size not in sizes:
                continue
            with path.open("rb") as stream:
                row = lacking.get(digest(stream)[0])
            if row is not None:
                shelf.adopt(path, row["sha256"], row["size"])
        except (OSError, RawFileError) as error:
            raise StoreError(f"raw file {path} cannot be taken: {error}") from None
    return files_of(found, experiment)


def one_file(found: Found, number: str, sha256: str) -> Row:
    """Return one raw file of an experiment, read whole once and proven by its hash; `path` is where it lies.

    Raises:
        UnknownNameError: If the experiment has none of that hash, or it is not here.
        StoreError: If it is damaged.
    """
    from instruments.rawfiles import FileShelf

    experiment = find_experiment(found, number)
    row = next((row for row in files_of(found, experiment) if row["sha256"] == sha256), None)
    whose = f"experiment {experiment['number']} of {found.name}"
    if row is None:
        raise UnknownNameError(f"{whose} has no raw file {sha256[:64]!r}; GET the experiment for those it has")
    if row["where"] == "at the driver":
        raise UnknownNameError(f"{row['name']} of {whose} is not here: it stayed with the driver of {row['instrument']}")
    fault = FileShelf(shelf_path(found)).fault(row["sha256"], row["size"], read=True)
    if fault is not None:
        raise StoreError(f"raw file {row['name']} of {whose} {fault}")
    return row


def shown_size(size: int) -> str:
    """Return a size as people read it: `12.3 kB`."""
    if size < 1000:
        return f"{size} B"
    shown, unit = next((size / 1000**i, u) for i, u in enumerate(("kB", "MB", "GB"), 1) if size < 1000 ** (i + 1) or i == 3)
    return f"{shown:.3g} {unit}"
