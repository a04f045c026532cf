"""Files of other trainings: wrappings are taken off and named, and what would fill memory or screen is refused."""

import io
import os
import pickle
import zipfile
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from resemotenet.checkpoints.state_dict import HOLDERS, read_state_dict
from resemotenet.errors import LONGEST_MESSAGE, CheckpointError, CheckpointFormatError, UnsafeCheckpointError

Tensors = dict[str, Tensor]


def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.Sequential(nn.Linear(2, 2)))


PLAIN: Tensors = network().state_dict()


def prefixed(prefix: str) -> Tensors:
    return {prefix + name: value for name, value in PLAIN.items()}


def itself() -> list[Any]:
    """A list that holds itself a thousand times."""
    content: list[Any] = []
    content += [content] * 1000
    return content


def read(content: Any, tmp_path: Path) -> tuple[str, ...]:
    """What was stripped of ``content`` in a file; what is left must be the network."""
    torch.save(content, tmp_path / "weights.pth")
    found = read_state_dict(tmp_path / "weights.pth")
    assert list(found.tensors) == list(PLAIN)
    for name, value in PLAIN.items():
        assert torch.equal(found.tensors[name], value)
    return found.stripped


class TestWrappings:
    def test_none(self, tmp_path: Path) -> None:
        assert read(PLAIN, tmp_path) == ()

    @pytest.mark.parametrize("key", HOLDERS)
    def test_a_dict_with_the_epoch_beside(self, key: str, tmp_path: Path) -> None:
        beside = {"epoch": 3, "optimizer": {"state": {0: {"step": 1}}, "param_groups": [{"lr": 0.1}]}, "args": {}}
        assert read({**beside, key: PLAIN}, tmp_path) == (key,)

    def test_dicts_in_dicts(self, tmp_path: Path) -> None:
        assert read({"ema": {"module": PLAIN, "decay": 0.9}, "epoch": 3}, tmp_path) == ("ema", "module")

    def test_averaged_weights_are_taken_only_where_there_are_no_others(self, tmp_path: Path) -> None:
        other = {name: torch.zeros_like(value) for name, value in PLAIN.items()}
        assert read({"model_ema": other, "state_dict_ema": other, "model": PLAIN}, tmp_path) == ("model",)

    @pytest.mark.parametrize(
        ("content", "stripped"),
        [
            ([PLAIN], ("0",)),
            ((PLAIN, {"lr": 0.1}), ("0",)),
            ({"best\n": [{"state_dict": PLAIN}], "epoch": 3}, (r"best\n", "0", "state_dict")),
            ({"model": {"weights": {"student": PLAIN}}}, ("model", "weights", "student")),
        ],
    )
    def test_the_only_network_in_a_file_wherever_it_is(
        self, content: Any, stripped: tuple[str, ...], tmp_path: Path
    ) -> None:
        assert read(content, tmp_path) == stripped

    @pytest.mark.parametrize(
        "content",
        [
            {"generator": PLAIN, "discriminator": dict(PLAIN)},
            {**PLAIN, "more": {"a": torch.ones(1)}},
            {"a": {"b": {"c": {"d": {"e": PLAIN}}}}},
            itself(),
        ],
    )
    def test_of_several_none_is_taken(self, content: Any, tmp_path: Path) -> None:
        torch.save(content, tmp_path / "weights.pth")
        with pytest.raises(CheckpointFormatError, match=r"entries are not tensors|expected a state_dict"):
            read_state_dict(tmp_path / "weights.pth")

    @pytest.mark.parametrize(
        ("prefix", "stripped"),
        [
            ("module.", ("module.",)),
            ("_orig_mod.", ("_orig_mod.",)),
            ("module._orig_mod.", ("module.", "_orig_mod.")),
            ("_orig_mod.module.", ("_orig_mod.", "module.")),
            ("model.", ("model.",)),
            ("model.module.", ("model.", "module.")),
            ("net.", ("net.",)),
            ("module.module.", ("module.", "module.")),
            ("_fsdp_wrapped_module.", ("_fsdp_wrapped_module.",)),
        ],
    )
    def test_before_every_name(self, prefix: str, stripped: tuple[str, ...], tmp_path: Path) -> None:
        assert read(prefixed(prefix), tmp_path) == stripped
        assert read({"state_dict": prefixed(prefix)}, tmp_path) == ("state_dict", *stripped)

    def test_what_torch_itself_wraps(self, tmp_path: Path) -> None:
        assert read(nn.DataParallel(network()).state_dict(), tmp_path) == ("module.",)
        assert read(AveragedModel(network()).state_dict(), tmp_path) == ("n_averaged", "module.")

    def test_one_layer_that_was_compiled_alone(self, tmp_path: Path) -> None:
        names = [name.replace("2.0.", "2._orig_mod.0.") for name in PLAIN]
        assert read(dict(zip(names, PLAIN.values(), strict=True)), tmp_path) == ("_orig_mod.",)

    def test_the_loss_of_a_lightning_module(self, tmp_path: Path) -> None:
        content = {"state_dict": {**prefixed("model."), "criterion.weight": torch.ones(7)}, "global_step": 9}
        assert read(content, tmp_path) == ("state_dict", "criterion.", "model.")

    def test_of_a_safetensors_file(self, tmp_path: Path) -> None:
        save_file(prefixed("module."), tmp_path / "weights.safetensors")
        found = read_state_dict(tmp_path / "weights.safetensors")
        assert (set(found.tensors), found.stripped) == (set(PLAIN), ("module.",))

    def test_a_prefix_that_not_all_names_have_stays(self, tmp_path: Path) -> None:
        torch.save({"module.a": torch.ones(1), "b": torch.ones(1)}, tmp_path / "weights.pth")
        found = read_state_dict(tmp_path / "weights.pth")
        assert (set(found.tensors), found.stripped) == ({"module.a", "b"}, ())

    def test_two_tensors_of_one_name(self, tmp_path: Path) -> None:
        torch.save({"a.b": torch.ones(1), "a._orig_mod.b": torch.ones(1)}, tmp_path / "weights.pth")
        with pytest.raises(CheckpointFormatError, match="has two tensors of one name"):
            read_state_dict(tmp_path / "weights.pth")

    @pytest.mark.parametrize(
        "content", [{"model": {}}, {"criterion.weight": torch.ones(7)}, {"n_averaged": torch.ones(1)}]
    )
    def test_a_wrapping_with_nothing_in_it(self, content: Any, tmp_path: Path) -> None:
        torch.save(content, tmp_path / "weights.pth")
        with pytest.raises(CheckpointFormatError, match="it is empty"):
            read_state_dict(tmp_path / "weights.pth")


def rezipped(path: Path, compression: int = zipfile.ZIP_DEFLATED, **changes: bytes) -> None:
    """Pack the archive that torch.save wrote, with other content for entries whose name ends so."""
    with zipfile.ZipFile(path) as whole:
        entries = {name: whole.read(name) for name in whole.namelist()}
    with zipfile.ZipFile(path, "w", compression) as packed:
        for name, content in entries.items():
            packed.writestr(name, changes.get(name.rpartition("/")[2].replace(".", "_"), content))


class TestBombs:
    """A few bytes on the disk that would be many in memory."""

    @pytest.fixture
    def path(self, tmp_path: Path) -> Path:
        torch.save({"a": torch.zeros(10**6)}, tmp_path / "weights.pth")
        return tmp_path / "weights.pth"

    def test_packed_zeros(self, path: Path) -> None:
        rezipped(path)
        assert path.stat().st_size < 20_000
        with pytest.raises(CheckpointFormatError, match=r"would unpack to 4,\d{3},\d{3}; torch\.save packs nothing"):
            read_state_dict(path)

    def test_a_packed_pickle(self, path: Path) -> None:
        rezipped(path, data_pkl=b"]" * 10**8)
        with pytest.raises(CheckpointFormatError, match=r"torch\.save packs nothing"):
            read_state_dict(path)

    def test_entries_that_share_their_bytes(self, path: Path) -> None:
        """The list of an archive names one place many times; nothing of it is packed."""
        with zipfile.ZipFile(path, "a") as archive:
            whole = max(archive.filelist, key=lambda entry: entry.file_size)
            for number in range(100):
                entry = zipfile.ZipInfo(f"archive/data/{number + 10}")
                entry.header_offset, entry.CRC = whole.header_offset, whole.CRC
                entry.file_size = entry.compress_size = whole.file_size
                archive.filelist.append(entry)
            archive._didModify = True  # type: ignore[attr-defined]
        with pytest.raises(CheckpointFormatError, match=r"would unpack to 40\d,\d{3},\d{3}"):
            read_state_dict(path)

    @pytest.mark.parametrize("zipped", [True, False])
    def test_a_pickle_of_millions_of_lists(self, tmp_path: Path, zipped: bool) -> None:
        """A byte on the disk, and 64 in memory: sixteen million lists in one list."""
        old = io.BytesIO()
        torch.save({"a": torch.zeros(3), "log": "here"}, old, _use_new_zipfile_serialization=zipped)
        path = tmp_path / "weights.pth"
        if zipped:
            path.write_bytes(old.getvalue())
            with zipfile.ZipFile(path) as whole:
                pickled = next(whole.read(name) for name in whole.namelist() if name.endswith("data.pkl"))
            many = pickled.replace(b"X\x04\x00\x00\x00here", b"](" + b"]" * 2**24 + b"e")
            rezipped(path, zipfile.ZIP_STORED, data_pkl=many)
        else:
            path.write_bytes(old.getvalue().replace(b"X\x04\x00\x00\x00here", b"](" + b"]" * 2**24 + b"e"))
        assert path.stat().st_size > 2**24
        with pytest.raises(CheckpointFormatError, match=r"a pickle of more than 3,000,000 steps"):
            read_state_dict(path)

    def test_a_tensor_that_claims_to_be_huge(self, tmp_path: Path) -> None:
        """No memory is taken before its shape is compared with the network's."""
        torch.save({"a": torch.zeros(1).expand(10**6, 10**6, 10**4)}, tmp_path / "weights.pth")
        assert read_state_dict(tmp_path / "weights.pth").tensors["a"].shape == (10**6, 10**6, 10**4)

    def test_an_old_pickle_that_claims_a_huge_storage(self, tmp_path: Path) -> None:
        old = io.BytesIO()
        torch.save({"a": torch.zeros(1000)}, old, _use_new_zipfile_serialization=False)
        content = old.getvalue().replace(b"M\xe8\x03", b"\x8a\x06" + (10**13).to_bytes(6, "little"))
        (tmp_path / "weights.pth").write_bytes(content)
        assert content != old.getvalue()
        with pytest.raises(CheckpointFormatError):
            read_state_dict(tmp_path / "weights.pth")


class TestWords:
    """Whatever a file holds, the refusal is a sentence."""

    @pytest.mark.parametrize(
        "content",
        [
            {"x" * 10**7: 1},
            {f"{number:0100}": 1 for number in range(10_000)},
            {"a\x1b[2J\x07": 1, "\ud800": 2},
            {10**600: torch.ones(1)},
            [torch.ones(1)] * 1000,
            "x" * 10**6,
        ],
        ids=["a long name", "many names", "codes", "a long number", "a list", "text"],
    )
    def test_names_and_values(self, content: Any, tmp_path: Path) -> None:
        torch.save(content, tmp_path / "weights.pth")
        with pytest.raises(CheckpointFormatError) as caught:
            read_state_dict(tmp_path / "weights.pth")
        told = str(caught.value)
        assert len(told) <= LONGEST_MESSAGE
        assert told.isprintable()

    def test_a_class_of_a_long_name(self, tmp_path: Path) -> None:
        """torch itself takes minutes to put its refusal into words."""
        content = pickle.PROTO + b"\x02" + pickle.GLOBAL + b"os\n" + b"x" * 10**6 + b"\n" + pickle.STOP
        torch.save({"a": torch.zeros(1)}, tmp_path / "zipped.pth")
        rezipped(tmp_path / "zipped.pth", zipfile.ZIP_STORED, data_pkl=content)
        (tmp_path / "old.pth").write_bytes(content)
        for name in ("zipped.pth", "old.pth"):
            with pytest.raises(UnsafeCheckpointError, match=r"a class whose name has 1,000,003 characters"):
                read_state_dict(tmp_path / name)

    @pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes")
    def test_a_named_pipe_is_not_waited_for(self, tmp_path: Path) -> None:
        os.mkfifo(tmp_path / "weights.pth")
        with pytest.raises(CheckpointError, match="is not a file"):
            read_state_dict(tmp_path / "weights.pth")
