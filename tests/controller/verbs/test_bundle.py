"""Evidence bundles: what is in them, that others can read them, and that nothing in them can be changed unnoticed."""

from __future__ import annotations

import hashlib
import json
import subprocess
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from rocrate.rocrate import ROCrate

from controller.errors import ConflictError, UnknownNameError
from controller.store.opening import Store
from controller.verbs.bundle.checking import check_bundle
from controller.verbs.bundle.parts import DEFINITION, EVENTS, EXPERIMENTS, HEAD, MANIFEST, METADATA
from controller.verbs.bundle.redacting import redacted
from controller.verbs.export import export
from controller.verbs.stores import find
from tests.controller.store.conftest import fill
from tests.controller.store.samples import Script


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bundle of the campaign `sample`; nobody changes it."""
    folder = tmp_path_factory.mktemp("bundle")
    with Store.open(str(folder / "sample.db")) as store:
        fill(store, Script())
    with find([f"sqlite:///{folder / 'sample.db'}"], "sample") as found:
        export(found, "crate", folder / "sample.zip")
    return folder / "sample.zip"


def contents(bundle: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(bundle) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def pack(path: Path, files: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def with_manifest(files: dict[str, bytes]) -> dict[str, bytes]:
    """Return files with description and manifest made anew, as a careful forger would."""
    files = {name: content for name, content in files.items() if name != MANIFEST}
    metadata = json.loads(files[METADATA])
    for node in metadata["@graph"]:
        if node["@type"] == "File" and node["@id"] in files:
            node["sha256"] = hashlib.sha256(files[node["@id"]]).hexdigest()
    files[METADATA] = json.dumps(metadata).encode()
    lines = [f"{hashlib.sha256(content).hexdigest()}  {name}\n" for name, content in files.items()]
    return {**files, MANIFEST: "".join(lines).encode()}


def test_bundle_is_sound_and_says_what_it_holds(bundle: Path) -> None:
    checked = check_bundle(bundle)
    assert checked.sound, checked.differences
    assert (checked.campaign, checked.simulated) == ("sample", True)
    assert checked.counts == {"queued": 1, "running": 1, "completed": 1, "cancelled": 1, "unknown": 1}
    assert checked.digest == hashlib.sha256(contents(bundle)[MANIFEST]).hexdigest()
    again = check_bundle(bundle, checked.head[:20])
    assert again.given_at == again.n_events


def test_unpacked_bundle_is_sound_too_and_sha256sum_agrees(bundle: Path, tmp_path: Path) -> None:
    folder = tmp_path / "unpacked"
    with zipfile.ZipFile(bundle) as archive:
        archive.extractall(folder)
    assert check_bundle(folder).sound
    done = subprocess.run(["sha256sum", "--check", "--strict", MANIFEST], cwd=folder, capture_output=True, check=False)
    assert done.returncode == 0, done.stdout


def test_others_read_it_as_a_research_object(bundle: Path) -> None:
    crate = ROCrate(str(bundle))
    assert "SIMULATED" in crate.name
    assert {EVENTS, EXPERIMENTS, DEFINITION} <= {entity.id for entity in crate.data_entities}
    action = crate.get("#experiment-1")
    assert action.type == "CreateAction"
    assert {thing["name"] for thing in action["instrument"]} == {"reactor", "hplc"}
    assert {thing["value"] for thing in action["result"] if thing.type == "PropertyValue"} >= {61.25}
    settings = {thing["name"]: thing for thing in action["object"] if thing.type == "PropertyValue"}
    assert settings["temperature"]["unitText"] == "degC"
    assert action["agent"]["name"] == "Labwright"


def test_everything_in_it_says_simulated(bundle: Path) -> None:
    files = contents(bundle)
    assert b"SIMULATED" in files["README.md"]
    assert b"SIMULATED" in files[METADATA]
    assert json.loads(files[HEAD])["simulated"] is True
    assert all(b",true," in line for line in files[EXPERIMENTS].splitlines()[1:])


@pytest.mark.parametrize("name", [EVENTS, EXPERIMENTS, DEFINITION, HEAD, "experiments.parquet", "proposals.jsonl", METADATA])
def test_one_changed_byte_in_any_file_is_found(bundle: Path, tmp_path: Path, name: str) -> None:
    files = contents(bundle)
    changed = bytearray(files[name])
    changed[len(changed) // 2] ^= 1
    checked = check_bundle(pack(tmp_path / "forged.zip", {**files, name: bytes(changed)}))
    assert any(line.startswith(f"{name}: was changed") for line in checked.differences)


def replaced(name: str, old: bytes, new: bytes) -> Callable[[dict[str, bytes]], dict[str, bytes]]:
    def forge(files: dict[str, bytes]) -> dict[str, bytes]:
        assert old in files[name]
        return {**files, name: files[name].replace(old, new)}

    return forge


@pytest.mark.parametrize(
    ("forge", "told"),
    [
        (replaced(EXPERIMENTS, b"61.25", b"91.25"), "yield is '91.25', the log says 61.25"),
        (replaced(EXPERIMENTS, b",true,", b",false,"), "simulated is 'false', the log says 'true'"),
        (replaced(EVENTS, b"61.25", b"91.25"), "does not fit the hash chain"),
        (replaced(DEFINITION, b"KOAc", b"NaOH"), "its fingerprint is"),
        (replaced(HEAD, b'"simulated": true', b'"simulated": false'), "says other than the log"),
        (lambda files: {**files, EVENTS: b"\n".join(files[EVENTS].splitlines()[:-1]) + b"\n"}, "says other than the log"),
        (lambda files: {**files, EVENTS: b"[1]\n"}, "is no event"),
        (lambda files: {**files, EXPERIMENTS: b"number\n1\n"}, "has 1 experiments, the log 5"),
    ],
)  # fmt: skip
def test_forged_bundle_with_a_manifest_of_its_own_is_found(
    bundle: Path, tmp_path: Path, forge: Callable[[dict[str, bytes]], dict[str, bytes]], told: str
) -> None:
    files = with_manifest(forge(contents(bundle)))
    checked = check_bundle(pack(tmp_path / "forged.zip", files))
    assert not any("was changed;" in line for line in checked.differences), "the checksums were made to fit"
    assert any(told in line for line in checked.differences), checked.differences


def test_missing_added_and_outside_files_are_told(bundle: Path, tmp_path: Path) -> None:
    files = contents(bundle)
    del files["proposals.jsonl"]
    files["extra.txt"] = b"?"
    files[MANIFEST] += b"0" * 64 + b"  ../outside\n" + b"nonsense\n"
    told = check_bundle(pack(tmp_path / "odd.zip", files)).differences
    assert any("names a file outside the bundle, '../outside'" in line for line in told)
    assert any("is no SHA-256 and file name" in line for line in told)
    assert "proposals.jsonl: is missing" in told
    assert "extra.txt: is in the bundle, the manifest does not tell of it" in told


def test_what_is_no_bundle_is_refused_in_one_line(bundle: Path, tmp_path: Path) -> None:
    with pytest.raises(UnknownNameError, match="is not there"):
        check_bundle(tmp_path / "none.zip")
    (tmp_path / "text.zip").write_text("hello")
    with pytest.raises(ConflictError, match="cannot be read as an evidence bundle"):
        check_bundle(tmp_path / "text.zip")
    with pytest.raises(ConflictError, match="no evidence bundle"):
        check_bundle(pack(tmp_path / "other.zip", {"a.txt": b"a"}))
    whole = bundle.read_bytes()
    (tmp_path / "half.zip").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ConflictError, match="cannot be read"):
        check_bundle(tmp_path / "half.zip")
    with pytest.raises(ConflictError, match="is no hash"):
        check_bundle(bundle, "12")


def test_bundle_made_to_be_costly_is_refused_unread(bundle: Path, tmp_path: Path) -> None:
    path = tmp_path / "bomb.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in {**contents(bundle), "journals/zeros.jsonl": bytes(17 * 2**20)}.items():
            archive.writestr(name, content)
    with pytest.raises(ConflictError, match=r"zeros\.jsonl', which unpacks to 17 MiB from next to nothing"):
        check_bundle(path)


def test_table_with_more_experiments_than_the_log_is_not_read_to_its_end(bundle: Path, tmp_path: Path) -> None:
    files = contents(bundle)
    files[EXPERIMENTS] += b"".join(b"sample,%d\n" % number for number in range(6, 50_000))
    differences = check_bundle(pack(tmp_path / "long.zip", with_manifest(files))).differences
    assert any("has more than 5 experiments, the log 5" in line for line in differences)


def test_event_with_a_time_that_is_no_number_of_a_machine_is_told(bundle: Path, tmp_path: Path) -> None:
    files = contents(bundle)
    rows = [json.loads(line) for line in files[EVENTS].splitlines()]
    rows[3]["at"] = 10**400
    files[EVENTS] = b"".join(json.dumps(row).encode() + b"\n" for row in rows)
    differences = check_bundle(pack(tmp_path / "late.zip", with_manifest(files))).differences
    assert any("event 4" in line and "does not fit the hash chain" in line for line in differences)


def test_head_from_another_log_is_told(bundle: Path) -> None:
    assert any("no event has the head" in line for line in check_bundle(bundle, "ab" * 32).differences)


def test_link_in_a_folder_is_not_followed(bundle: Path, tmp_path: Path) -> None:
    folder = tmp_path / "unpacked"
    with zipfile.ZipFile(bundle) as archive:
        archive.extractall(folder)
    (folder / "link").symlink_to("/etc/hostname")
    with pytest.raises(ConflictError, match="no plain file"):
        check_bundle(folder)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ({"options": {"password": "x", "port": 5}}, {"options": {"password": "***", "port": 5}}),
        ({"api_key": "abc", "tokens": ["a"]}, {"api_key": "***", "tokens": ["***"]}),
        ({"data": "/home/ada/lab/results.csv"}, {"data": "…/results.csv"}),
        ({"command": ["/usr/bin/python3", "--file=/srv/x/a.py"]}, {"command": ["…/python3", "--file=…/a.py"]}),
        ({"data": r"C:\lab\results.csv"}, {"data": "…/results.csv"}),
        ({"resource": "TCPIP::10.0.0.5::INSTR", "unit": "kg/m**3/h"}, {"resource": "TCPIP::10.0.0.5::INSTR", "unit": "kg/m**3/h"}),
        ({"url": "postgresql://ada:pw@host/db"}, {"url": "postgresql://ada:***@host/db"}),
        ({"password": None, "auth": False}, {"password": None, "auth": False}),
    ],
)  # fmt: skip
def test_secrets_and_paths_of_the_machine_are_taken_out(content: object, expected: object) -> None:
    assert redacted(content) == expected
