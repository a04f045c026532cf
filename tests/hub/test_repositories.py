"""Repositories that cannot be used as they are: each is refused in its own words, and taken once it is mended."""

import json
import pickle
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from resemotenet import errors
from resemotenet.checkpoints.pretrained import pull
from tests.hub.server import File, LoopbackHub

NAME = "owner/name"
Change = Callable[[Mapping[str, bytes]], dict[str, bytes | File | None]]


def settings(**changed: object) -> Change:
    return lambda model: {"config.json": json.dumps(json.loads(model["config.json"]) | changed).encode()}


BAD: dict[str, tuple[Change, type[Exception], str]] = {
    "no weights": (
        lambda model: {"model.safetensors": None},
        errors.HubNotFoundError,
        "has no model.safetensors, so it is not a model of this package; expected config.json and model.safetensors",
    ),
    "no settings": (lambda model: {"config.json": None}, errors.HubNotFoundError, "has no config.json"),
    "only a pickle": (
        lambda model: {"model.safetensors": None, "pytorch_model.bin": pickle.dumps({})},
        errors.HubNotFoundError,
        "has no model.safetensors",
    ),
    "a pickle under another name": (
        lambda model: {"model.safetensors": pickle.dumps({})},
        errors.CheckpointFormatError,
        "model.safetensors",
    ),
    "weights that claim to be huge": (
        lambda model: {"model.safetensors": File(model["model.safetensors"], lfs=True, claimed=10**12)},
        errors.HubIntegrityError,
        "has 1,000,000,000,000 bytes, expected at most 2,147,483,648; it was not downloaded",
    ),
    "settings that claim to be huge": (
        lambda model: {"config.json": File(model["config.json"], claimed=10**9)},
        errors.HubIntegrityError,
        "config.json of owner/name has 1,000,000,000 bytes",
    ),
    "half the weights": (
        lambda model: {"model.safetensors": model["model.safetensors"][:300_000]},
        errors.CheckpointFormatError,
        "model.safetensors",
    ),
    "another architecture": (settings(architecture="resemotenet_c2"), errors.CheckpointMismatchError, "surplus keys"),
    "an unknown architecture": (settings(architecture="gpt"), errors.CheckpointFormatError, "gpt"),
    "a newer schema": (settings(schema=99), errors.CheckpointFormatError, "99"),
    "settings that are no JSON": (lambda model: {"config.json": b"{"}, errors.CheckpointFormatError, "config.json"),
    **{
        f"a file called {name}": (
            lambda model, name=name: {name: b"evil"},  # type: ignore[misc]
            errors.HubIntegrityError,
            "a name that could lead out of its folder; nothing was downloaded",
        )
        for name in ("../evil.json", "model/../../evil", "/etc/evil", "..\\evil", "C:evil", "..", "evil\nname")
    },
}


@pytest.mark.parametrize(("change", "error", "told"), BAD.values(), ids=BAD.keys())
def test_a_repository_that_is_no_model(
    change: Change, error: type[Exception], told: str, hub: LoopbackHub, model: dict[str, bytes], tmp_path: Path
) -> None:
    bad = change(model)
    hub.repositories[NAME].commit(bad)
    with pytest.raises(error) as caught:
        pull(NAME, tmp_path / "out")
    assert type(caught.value) is error
    assert told in str(caught.value)
    assert [path.name for path in tmp_path.iterdir()] in ([], ["hf-home"]), "no folder, none beside it"
    if isinstance(caught.value, errors.HubError):
        assert hub.asked("/resolve|/cdn") == 0
    hub.repositories[NAME].commit({**dict.fromkeys(bad), **model})
    pull(NAME, tmp_path / "out")
    assert {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()} == model


def test_repositories_that_others_keep_to_themselves(
    hub: LoopbackHub, model: dict[str, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub.create("owner/secret", model, private=True)
    hub.create("owner/gated", model, gated=True)
    hub.accounts["hf_visitor"] = ("visitor",)
    for token in ("hf_visitor", None):
        monkeypatch.setenv("HF_TOKEN", token or "")
        with pytest.raises(errors.HubNotFoundError, match="or it is private and your token may not see it"):
            pull("owner/secret", tmp_path / "out")
        with pytest.raises(errors.HubAccessError, match="accept its terms on its page, and sign in with that account"):
            pull("owner/gated", tmp_path / "out")
        with pytest.raises(errors.HubNotFoundError, match="check the name"):
            pull("owner/none", tmp_path / "out")
        with pytest.raises(errors.HubNotFoundError, match="no such branch, tag or commit"):
            pull(NAME, tmp_path / "out", "v9")
        pull(NAME, tmp_path / f"public-{token}")
    monkeypatch.setenv("HF_TOKEN", "hf_outdated")
    with pytest.raises(errors.HubAccessError, match="your token is not accepted"):
        pull(NAME, tmp_path / "out")
    assert not (tmp_path / "out").exists()
    monkeypatch.setenv("HF_TOKEN", hub.token)
    for number, name in enumerate(("owner/secret", "owner/gated")):
        pull(name, tmp_path / str(number))
