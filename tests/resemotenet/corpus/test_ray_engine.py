"""Ray: the same rows from two workers, and one sentence where it cannot start."""

import socket
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from resemotenet.corpus import ray_engine
from resemotenet.corpus.bulk import Settings, read_corpus
from resemotenet.corpus.ray_engine import read_with_ray
from resemotenet.corpus.tables import missed_path, read_table
from resemotenet.errors import CorpusError


@pytest.mark.filterwarnings("ignore")  # Ray's own, of which there are many
def test_two_workers_give_the_same_rows(reader, photos, tmp_path):
    ray = pytest.importorskip("ray", reason="Ray is not installed: pip install 'resemotenet[bulk]'")
    plain, spread = (Settings(tmp_path / f"{name}.jsonl", 2) for name in ("plain", "spread"))
    read_corpus(reader, [str(photos)], plain)
    try:
        counts, _ = read_with_ray(reader, [str(photos)], spread)
        stored = Settings(tmp_path / "stored.jsonl", 2)
        read_with_ray(reader, [f"file://{photos}"], stored)
        with pytest.raises(CorpusError, match="processors, too few for --workers 64"):
            read_with_ray(reader, [str(photos)], Settings(tmp_path / "many.jsonl", 64))
    finally:
        ray.shutdown()
    assert (counts.readings, counts.faces) == (15, 14)
    for path in (plain.out, missed_path(plain.out)):
        same = Path(str(path).replace("plain", "spread"))
        assert list(read_table(same)) == list(read_table(path))
        other = list(read_table(Path(str(path).replace("plain", "stored"))))
        assert [row["source"].removeprefix("file://") for row in other] == [row["source"] for row in read_table(path)]


def stand_in(monkeypatch: pytest.MonkeyPatch, init: Callable[..., None]) -> None:
    """A library by the name of Ray whose start is ``init``."""
    ray, data = ModuleType("ray"), ModuleType("ray.data")
    vars(ray).update(init=init, is_initialized=lambda: False, data=data)
    monkeypatch.setitem(sys.modules, "ray", ray)
    monkeypatch.setitem(sys.modules, "ray.data", data)


def refused(reader: Any, folder: Path, address: str | None = None) -> str:
    with pytest.raises(CorpusError) as caught:
        read_with_ray(reader, [str(folder)], Settings(folder / "faces.jsonl", 2), address)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_without_ray_it_says_how_to_install_it(reader, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    assert "pip install 'resemotenet[bulk]'" in refused(reader, tmp_path)


@pytest.mark.parametrize(
    "error", [Exception("The node\n timed out"), AssertionError(), PermissionError(13, "Not allowed")]
)
def test_a_start_that_fails_in_whatever_way_is_one_sentence(reader, tmp_path, monkeypatch, error):
    def fail(**_: Any) -> None:
        raise error

    stand_in(monkeypatch, fail)
    told = refused(reader, tmp_path)
    reason = {"Exception": "The node timed out", "PermissionError": "Not allowed"}.get(
        type(error).__name__, "AssertionError"
    )
    assert told == f"Ray cannot be started on this machine ({reason})"


def test_a_start_that_does_not_end_is_given_up(reader, tmp_path, monkeypatch):
    stand_in(monkeypatch, lambda **_: time.sleep(5))
    monkeypatch.setattr(ray_engine, "_STARTS", 0.2)
    told = refused(reader, tmp_path, "auto")
    assert told == "the Ray cluster auto is not there (it did not answer within 0 s)"


@pytest.mark.parametrize("scheme", ["", "ray://"])
def test_a_cluster_that_is_not_there_is_said_at_once(reader, tmp_path, monkeypatch, scheme):
    stand_in(monkeypatch, lambda **_: pytest.fail("Ray would try for minutes"))
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))  # and nobody listens
        address = f"{scheme}127.0.0.1:{probe.getsockname()[1]}"
        told = refused(reader, tmp_path, address)
    assert told == f"the Ray cluster {address} is not there (Connection refused)"
