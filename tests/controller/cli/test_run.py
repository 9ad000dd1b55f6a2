"""`labwright run` as its user calls it: a process, a simulated lab on the wire, a store."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from controller.store.audit import audit
from controller.store.opening import Store
from controller.store.reading import open_reader
from tests.controller.cli.conftest import Call
from tests.controller.store.samples import Script, make_definition


def labwright(*arguments: object, timeout: float = 90) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "controller", *(str(a) for a in arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=timeout, check=False)


@pytest.mark.timeout(120)
def test_run_completes_and_its_last_line_is_one_object(campaign_file: Path, tmp_path: Path) -> None:
    store = tmp_path / "run.db"
    done = labwright("run", campaign_file, "--store", store, "--seed", 5, "--device", "cpu", "--json")
    assert done.returncode == 0, done.stderr
    summary = json.loads(done.stdout.splitlines()[-1])
    assert summary["campaign"] == "quick"
    assert summary["status"] == "completed"
    assert summary["counts"]["completed"] == 2
    assert summary["store"] == str(store)
    (best,) = summary["best"]
    assert best["parameters"].keys() == {"temperature", "residence_time", "equivalents", "concentration"}
    assert best["objectives"].keys() == {"space_time_yield"}
    with open_reader(str(store)) as reader:
        assert audit(reader, "quick").differences == []
        assert reader.campaign("quick")["seed"] == 5
        values = [e["objectives"]["space_time_yield"] for e in reader.experiments("quick")]
    assert best["objectives"]["space_time_yield"] == max(values)
    again = labwright("run", campaign_file, "--store", store, "--seed", 5)
    assert again.returncode == 0, again.stderr
    assert "completed" in again.stdout
    assert "SIMULATED DATA" in again.stdout


@pytest.mark.timeout(120)
def test_run_interrupted_says_how_to_go_on_and_loses_nothing(campaign_file: Path, tmp_path: Path) -> None:
    campaign_file.write_text(
        campaign_file.read_text().replace("experiments: 2", "experiments: 40").replace("3000", "200")
    )
    store = tmp_path / "run.db"
    process = subprocess.Popen(
        [sys.executable, "-m", "controller", "run", str(campaign_file), "--store", str(store), "--grace", "0"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        with open_reader(str(store)) as reader:
            deadline = time.monotonic() + 60
            while not any(c["counts"]["running"] for c in reader.campaigns()):
                assert time.monotonic() < deadline
                assert process.poll() is None, process.communicate()
                time.sleep(0.1)
        os.kill(process.pid, signal.SIGINT)
        out, err = process.communicate(timeout=40)
    finally:
        process.kill()
        process.wait()
    assert process.returncode == 3, err
    assert "Traceback" not in err
    assert f"labwright run {campaign_file}" in out
    with open_reader(str(store)) as reader:
        assert audit(reader, "quick").differences == []


def test_run_of_a_bad_file_gives_its_faults_and_makes_no_store(call: Call, campaign_file: Path, tmp_path: Path) -> None:
    campaign_file.write_text(campaign_file.read_text().replace("maximize", "maximise"))
    said = call("run", campaign_file, "--store", tmp_path / "run.db", "--json")
    assert said.code == 2
    assert "maximise" in said.error["faults"][0]
    assert not (tmp_path / "run.db").exists()


def test_run_of_a_campaign_that_another_controller_holds_is_refused(
    call: Call, campaign_file: Path, tmp_path: Path
) -> None:
    with Store.open(str(tmp_path / "run.db")) as store, store.lock_campaign("quick"):
        said = call("run", campaign_file, "--store", tmp_path / "run.db")
    assert said.code == 4
    assert f"process {os.getpid()}" in said.err


def test_simulated_data_joins_a_store_with_real_data_only_with_a_warning(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from controller.cli.run import store_for
    from controller.settings import default_store_url

    simulated = make_definition("dream")
    real = simulated.model_copy(update={"name": "bench", "lab": simulated.lab.model_copy(update={"simulated": False})})
    path = tmp_path / "mixed.db"
    with Store.open(str(path)) as store:
        store.commit_now(Script(real).created(), definition=real)
    assert store_for(simulated, str(path)) == f"sqlite:///{path}"
    assert "also holds real data (bench)" in capsys.readouterr().err
    store_for(real, str(path))
    assert capsys.readouterr().err == ""
    assert store_for(simulated, None) == default_store_url(True)
    assert store_for(real, None) == default_store_url(False)
