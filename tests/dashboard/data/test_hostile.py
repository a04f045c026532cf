"""One folder that is odd, or made to harm, and others beside it: it fails alone."""

import json
import os
import threading
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from dashboard.data import predictions, scan, scores
from dashboard.data.texts import harmless, harmless_json
from resemotenet.emotions import EMOTIONS
from resemotenet.errors import ResultsError
from tests.dashboard.fake_runs import write_run
from tests.dashboard.pages import open_page, sound, texts

PICTURE = "![look](https://elsewhere.example/seen.png)"
FILES = ("config.json", "environment.json", "result.json", "epochs.jsonl", "audit.json")


@pytest.fixture
def good(tmp_path: Path) -> Path:
    return write_run(tmp_path, seed=1)


@pytest.fixture
def odd(tmp_path: Path) -> Path:
    return write_run(tmp_path, seed=2)


def npz(path: Path, **arrays: bytes) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in arrays.items():
            file.writestr(f"{name}.npy", content)


def header(shape: str, dtype: str = "<f4") -> bytes:
    text = f"{{'descr': '{dtype}', 'fortran_order': False, 'shape': {shape}, }}".encode().ljust(117) + b"\n"
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text


def within(seconds: float, work: Callable[[], object]) -> None:
    """Run what might wait for ever, as on a pipe."""
    done = threading.Thread(target=work, daemon=True)
    done.start()
    done.join(seconds)
    assert not done.is_alive()


def prediction_files(run: Path) -> list[Path]:
    return sorted((run / "predictions").glob("*.npz"))


def absurd_shape(path: Path) -> None:
    names = np.array(EMOTIONS)
    with path.open("wb") as file:
        np.savez(file, labels=names)
    whole = zipfile.ZipFile(path).read("labels.npy")
    npz(path, labels=whole, probabilities=header("(900000000000, 7)"), targets=header("(9,)"), ids=header("(9,)"))


def bomb(path: Path) -> None:
    npz(path, labels=bytes(600_000_000))


def raw_array(path: Path) -> None:
    path.write_bytes(header("(900000000000000, 7)"))


def half_ids(path: Path) -> None:
    np.savez(
        path, labels=np.array(EMOTIONS), probabilities=np.eye(7, dtype=np.float32), targets=np.arange(7),
        ids=np.array(["\ud800"] * 7),
    )  # fmt: skip


def pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


@pytest.mark.parametrize("spoil", [absurd_shape, bomb, raw_array, half_ids, pipe])
def test_predictions_that_no_run_writes_are_named_and_others_are_scored(
    spoil: Callable[[Path], None], good: Path, odd: Path, tmp_path: Path
):
    path = prediction_files(odd)[0]
    spoil(path)

    def read() -> None:
        found = {run.path: run for run in scan([tmp_path])}
        assert len(scores(found[good])) == len(prediction_files(good))
        assert len(scores(found[odd])) == len(prediction_files(odd)) - 1
        labels, _, split = path.stem.rpartition("-")
        with pytest.raises(ResultsError):
            predictions(found[odd], labels, split)
        done.append(True)

    done: list[bool] = []
    within(120, read)
    assert done == [True]


@pytest.mark.parametrize("name", FILES)
def test_a_pipe_in_the_place_of_a_file_is_not_waited_for(name: str, good: Path, odd: Path, tmp_path: Path):
    (odd / name).unlink(missing_ok=True)
    os.mkfifo(odd / name)
    within(60, lambda: scan([tmp_path]))
    found = {run.path: run.state for run in scan([tmp_path])}
    assert found[good] == "finished"


@pytest.mark.parametrize("target", ["odd", "nowhere", ".."])
def test_a_link_that_leads_to_itself_nowhere_or_up_is_passed_over(target: str, good: Path, tmp_path: Path):
    (tmp_path / "odd").symlink_to(target)
    assert good in {run.path for run in scan([tmp_path])}


@pytest.mark.parametrize("name", ["config.json", "epochs.jsonl", "result.json"])
def test_a_file_of_a_size_that_no_run_writes_is_not_read(name: str, good: Path, odd: Path, tmp_path: Path):
    with (odd / name).open("ab") as file:
        file.truncate(3_000_000_000)  # takes no room on disk
    found = {run.path: run for run in scan([tmp_path])}
    assert found[good].state == "finished"
    assert found[odd].state == "broken"
    assert f"{name} has 3,000 MB" in str(found[odd].problem)


@pytest.mark.parametrize("text", ["[" * 200_000, '{"a":' * 200_000, "\ufeff{}", "1" * 5000, "{}" * 9, '"\\ud800"'])
@pytest.mark.parametrize("name", FILES)
def test_any_json_breaks_one_run_at_most(name: str, text: str, good: Path, odd: Path, tmp_path: Path):
    (odd / name).write_text(text + "\n", encoding="utf-8")
    assert {run.path: run.state for run in scan([tmp_path])}[good] == "finished"


def spoiled_config(run: Path, text: str) -> None:
    config = json.loads((run / "config.json").read_text())
    config["recipe"] = text
    (run / "config.json").write_text(json.dumps(config))


def test_half_a_character_in_a_config_can_be_shown(good: Path, odd: Path, tmp_path: Path):
    spoiled_config(odd, "str\ud800ong")
    found = {run.path: run for run in scan([tmp_path])}
    assert found[odd].state == "finished"
    assert found[odd].recipe == "str\ufffdong"
    for view in ("overview", "run"):
        sound(open_page(view, [tmp_path], run=found[odd].id))


def test_a_folder_whose_name_is_no_text_can_be_shown(good: Path, odd: Path, tmp_path: Path):
    name = os.fsdecode(b"odd\xff" + os.fsencode(odd.name))
    odd.rename(tmp_path / name)
    [run] = [run for run in scan([tmp_path]) if run.path != good]
    run.id.encode()
    assert scores(run)
    sound(open_page("overview", [tmp_path]))


def test_no_picture_of_another_site_is_in_a_page(good: Path, odd: Path, tmp_path: Path):
    spoiled_config(odd, PICTURE)
    odd.rename(tmp_path / f"![a](b){odd.name}")
    for view in ("overview", "run"):
        shown = texts(open_page(view, [tmp_path]))
        assert "](" not in shown.replace("](?", "").replace("](/", "")
        assert "![" not in shown


def test_harmless_text_stays_as_it_is():
    plain = "strong-resemotenet [x2] (a) ünïcode 🙂 \t!"
    assert harmless(plain) == plain
    assert (
        harmless_json(json.dumps({plain: [plain, 1.5, None, True]}).encode())
        == json.dumps({plain: [plain, 1.5, None, True]}, ensure_ascii=False).encode()
    )
    assert harmless_json(b"{no json") == b"{no json"
