"""What the tests of a hostile Hub look at."""

from pathlib import Path

from huggingface_hub import constants

from resemotenet import errors

ALWAYS = float("inf")


def files_outside_the_cache(tmp_path: Path) -> list[str]:
    """All that lies below ``tmp_path`` but not in the folders that huggingface_hub has for the repository."""
    cache = Path(constants.HF_HUB_CACHE)
    own = [folder / "models--owner--name" for folder in (cache, cache / ".locks")]
    found = [path for path in tmp_path.rglob("*") if path.is_file() and path.name != "CACHEDIR.TAG"]
    return [str(path) for path in found if not any(folder in path.parents for folder in own)]


def in_one_sentence(error: errors.HubError) -> str:
    told = str(error)
    assert "\n" not in told
    assert len(told) <= errors.LONGEST_MESSAGE
    assert told.isprintable()
    return told
