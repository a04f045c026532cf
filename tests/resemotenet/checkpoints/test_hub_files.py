from pathlib import Path

import pytest

from resemotenet.checkpoints.hub_files import LARGEST, MODEL_FILES, Remote, forget, listing, recorded_hash
from resemotenet.errors import HubIntegrityError, HubNotFoundError

SHA = "a" * 40
GOOD: dict[str, tuple[int | None, str | None]] = {
    "config.json": (900, "b" * 40),
    "model.safetensors": (9_000, "c" * 64),
}


def remote(**others: tuple[int | None, str | None]) -> Remote:
    return Remote("owner/name", SHA, GOOD | others)


def test_a_model_is_in_order() -> None:
    remote(**{"README.md": (10, "d" * 40), "pictures/cat.png": (10**12, None)}).check(MODEL_FILES)


@pytest.mark.parametrize("name", MODEL_FILES)
def test_a_file_that_is_missing(name: str) -> None:
    files = {other: told for other, told in GOOD.items() if other != name}
    with pytest.raises(HubNotFoundError, match=rf"owner/name at {SHA} has no {name}, so it is not a model"):
        Remote("owner/name", SHA, files).check(MODEL_FILES)


@pytest.mark.parametrize("name", MODEL_FILES)
def test_the_largest_file_and_one_byte_more(name: str) -> None:
    remote(**{name: (LARGEST[name], "d" * 64)}).check(MODEL_FILES)
    with pytest.raises(HubIntegrityError, match=rf"expected at most {LARGEST[name]:,}"):
        remote(**{name: (LARGEST[name] + 1, "d" * 64)}).check(MODEL_FILES)


@pytest.mark.parametrize("told", [(None, "d" * 64), (9, None)])
def test_nothing_to_check_by(told: tuple[int | None, str | None]) -> None:
    with pytest.raises(HubIntegrityError, match=r"size and hash of model\.safetensors"):
        remote(**{"model.safetensors": told}).check(MODEL_FILES)


@pytest.mark.parametrize(
    "name", ["../evil.py", "/etc/passwd", "a/../../b", "..\\evil.py", "C:/evil", "C:evil", "a\0b", "a\nb", "", ".."]
)
def test_names_that_lead_elsewhere(name: str) -> None:
    with pytest.raises(HubIntegrityError, match="nothing was downloaded"):
        remote(**{name: (1, "d" * 40)}).check(MODEL_FILES)


def test_a_listing() -> None:
    assert listing({"README.md": 5, "model.safetensors": 12_000}, "owner/name") == (
        "2 files, 12,005 bytes, for owner/name:\n       5  README.md\n  12,000  model.safetensors"
    )


def test_a_file_of_the_cache(tmp_path: Path) -> None:
    blob = tmp_path / "blobs" / ("e" * 64)
    blob.parent.mkdir()
    blob.write_bytes(b"x")
    link = tmp_path / "snapshots" / SHA / "config.json"
    link.parent.mkdir(parents=True)
    link.symlink_to(f"../../blobs/{blob.name}")
    assert recorded_hash(link) == blob.name
    forget(link)
    assert not link.is_symlink()
    assert not blob.exists()


def test_a_cache_without_links(tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    path.write_bytes(b"x")
    assert recorded_hash(path) is None
    forget(path)
    assert not path.exists()
    forget(path)
