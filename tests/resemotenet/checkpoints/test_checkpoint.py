"""Model folders: what is written is what is read, and nothing that does not fit is taken."""

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from resemotenet.checkpoints.checkpoint import load_model, read_info, save_model
from resemotenet.checkpoints.preprocessing import Preprocess
from resemotenet.emotions import EMOTIONS
from resemotenet.errors import (
    LONGEST_MESSAGE,
    CheckpointError,
    CheckpointFormatError,
    CheckpointMismatchError,
    CheckpointNotFoundError,
    DeviceError,
)
from resemotenet.models import create_model, list_models, model_entry
from resemotenet.runs.schema import ModelInfo, Preprocessing
from tests.resemotenet.checkpoints.conftest import ARGUMENTS, INFO, assert_holds, crops, network


@pytest.fixture
def edit(folder: Path) -> Callable[[dict[str, Any]], None]:
    """Overwrite keys of the folder's config.json."""

    def overwrite(changes: dict[str, Any]) -> None:
        path = folder / "config.json"
        path.write_text(json.dumps(json.loads(path.read_text(encoding="utf-8")) | changes), encoding="utf-8")

    return overwrite


class TestRoundTrip:
    def test_weights_and_info_come_back(self, folder: Path) -> None:
        assert sorted(item.name for item in folder.iterdir()) == ["config.json", "model.safetensors"]
        assert_holds(folder, network())
        model = load_model(folder)
        assert model.info == INFO == read_info(folder)
        assert (model.labels, model.preprocess, model.folder) == (EMOTIONS, Preprocess.of(INFO.preprocess), folder)
        assert not any(module.training for module in model.module.modules())

    def test_config_is_plain_text_for_people(self, folder: Path) -> None:
        text = (folder / "config.json").read_text(encoding="utf-8")
        assert json.loads(text)["schema"] == 1
        assert text.count("\n") > 20

    def test_defaults_come_back(self, tmp_path: Path) -> None:
        info = ModelInfo("resemotenet", ARGUMENTS, EMOTIONS, INFO.preprocess)
        assert load_model(save_model(tmp_path / "model", network(), info)).info == info
        assert (info.explain_layer, info.temperature, info.logit_bias, info.views) == ("se", 1.0, None, "none")

    def test_half_precision_storage(self, tmp_path: Path) -> None:
        whole = save_model(tmp_path / "whole", network(), INFO)
        half = save_model(tmp_path / "half", network(), INFO, dtype=torch.float16)
        sizes = [(path / "model.safetensors").stat().st_size for path in (half, whole)]
        assert sizes[0] < 0.56 * sizes[1]
        state = load_model(half).module.state_dict()
        for key, value in network().state_dict().items():
            expected = value.half().float() if value.ndim > 1 else value
            torch.testing.assert_close(state[key], expected, rtol=0, atol=0, msg=key)

    def test_a_network_in_another_memory_layout(self, tmp_path: Path) -> None:
        module = network().to(memory_format=torch.channels_last)
        assert_holds(save_model(tmp_path / "model", module, INFO), network())

    def test_loading_draws_no_random_numbers(self, folder: Path) -> None:
        before = torch.random.get_rng_state()
        load_model(folder)
        assert torch.equal(before, torch.random.get_rng_state())

    def test_saving_again_replaces(self, folder: Path) -> None:
        model = load_model(folder)
        save_model(folder, network(seed=1), replace(INFO, views="none"))
        assert_holds(folder, network(seed=1))
        assert read_info(folder).views == "none"
        # A model that was loaded before is not pulled away from under its user.
        torch.testing.assert_close(model.module.state_dict()["fc4.weight"], network().state_dict()["fc4.weight"])


class TestProbabilities:
    def test_by_hand(self, folder: Path) -> None:
        module, batch = network(), crops()
        bias = torch.tensor(INFO.logit_bias)
        with torch.no_grad():
            views = [torch.softmax(module(view) / 1.5 + bias, 1) for view in (batch, batch.flip(3))]
        result = load_model(folder).probabilities(batch)
        torch.testing.assert_close(result, (views[0] + views[1]) / 2, rtol=0, atol=1e-6)
        assert not torch.allclose(views[0], views[1], atol=1e-6), "a mirrored crop that looks the same proves nothing"
        torch.testing.assert_close(result.sum(1), torch.ones(3))
        assert not result.requires_grad

    def test_without_an_operating_point(self, tmp_path: Path) -> None:
        info = ModelInfo("resemotenet", ARGUMENTS, EMOTIONS, INFO.preprocess)
        model = load_model(save_model(tmp_path / "model", network(), info))
        with torch.no_grad():
            expected = torch.softmax(network()(crops()), 1)
        torch.testing.assert_close(model.probabilities(crops()), expected, rtol=0, atol=1e-6)

    def test_no_crops(self, folder: Path) -> None:
        assert load_model(folder).probabilities(crops(0)).shape == (0, 7)

    @pytest.mark.parametrize("shape", [(1, 48, 48), (2, 3, 48, 48), (2, 1, 64, 64)])
    def test_a_batch_of_another_shape(self, folder: Path, shape: tuple[int, ...]) -> None:
        with pytest.raises(ValueError, match=r"expected a batch \(N, 1, 48, 48\), got \("):
            load_model(folder).probabilities(torch.zeros(shape))

    @pytest.mark.parametrize("device", ["cuda:99", "abacus"])
    def test_a_device_that_is_not_there(self, folder: Path, device: str) -> None:
        with pytest.raises(DeviceError, match=f"cannot be put on '{device}'"):
            load_model(folder, device=device)


class TestConfigIsReadStrictly:
    @pytest.mark.parametrize(
        ("changes", "message"),
        [
            ({"schema": 2}, "schema 2 by a newer version"),
            ({"schema": "1"}, "says schema = '1', which should be a valid integer"),
            ({"colour": 1}, "has colour, which this version does not know"),
            ({"architecture": 3}, "says architecture = 3, which should be a valid string"),
            ({"architecture": "resnet_900"}, "no model is called 'resnet_900'"),
            ({"arguments": {**ARGUMENTS, "depth": 3}}, "cannot be built: .*depth"),
            ({"arguments": {**ARGUMENTS, "width": -1}}, "cannot be built: width must be positive"),
            ({"arguments": {**ARGUMENTS, "num_classes": 8}}, "8 outputs, but there are 7 labels"),
            ({"arguments": {"num_classes": 7}}, "takes 3 channels, but preprocessing gives 1"),
            ({"labels": "angry"}, "says labels = 'angry', which should be a valid array"),
            ({"labels": ["a", "b", "c", "d", "e", "f", "a"]}, "labels must be different"),
            ({"labels": [1, 2, 3, 4, 5, 6, 7]}, r"says labels\.0 = 1, which should be a valid string"),
            ({"labels": ["", "b", "c", "d", "e", "f", "g"]}, r"labels\.0 = '', which should have at least 1 character"),
            ({"preprocess": {}}, r"has no preprocess\.size, no preprocess\.channels"),
            ({"preprocess": {**asdict(INFO.preprocess), "size": "48"}}, "size = '48', which should be a valid integer"),
            ({"explain_layer": "attention"}, "explain_layer 'attention' cannot be built: .*no attribute"),
            ({"temperature": 0}, "temperature = 0, which should be greater than or equal to 0.000001"),
            ({"temperature": True}, "temperature = True, which should be a valid number"),
            ({"logit_bias": [0.0]}, "logit_bias must have one number for each of 7 labels"),
            ({"logit_bias": ["0"] * 7}, r"logit_bias\.0 = '0', which should be a valid number"),
            ({"views": "ten-crop"}, "views = 'ten-crop', which should be 'none' or 'flip'"),
            ({"measured": [1]}, r"measured\.0 = 1, which should be an object"),
            ({"license": None}, "license = None, which should be an object"),
            # What would end in a traceback at the first face, or in memory that no machine has.
            ({"preprocess": {**asdict(INFO.preprocess), "size": 3}}, "crops of 3 pixels .* cannot be built: .*size"),
            ({"preprocess": {**asdict(INFO.preprocess), "size": 72}}, "cannot be built: .*only 2x2 is exact"),
            (
                {"preprocess": {**asdict(INFO.preprocess), "size": 20_000}},
                "size = 20000, which should be less",
            ),
            (
                {"preprocess": {**asdict(INFO.preprocess), "mean": [10**400]}},
                r"mean\.0 = 10+\.+, .* a finite",
            ),
            (
                {"preprocess": {**asdict(INFO.preprocess), "mean": [10**30]}},
                r"mean\.0 = 10+, .* less than",
            ),
            (
                {"preprocess": {**asdict(INFO.preprocess), "std": [1e-60]}},
                r"std\.0 = 1e-60, .* greater than",
            ),
            (
                {"arguments": {**ARGUMENTS, "width": float("inf")}},
                r"arguments\.width = inf, which should be finite",
            ),
            ({"arguments": {**ARGUMENTS, "width": 1e300}}, "cannot be built"),
            ({"temperature": 10**400}, r"temperature = 10+\.\.\., which should be a finite number"),
            ({"temperature": float("nan")}, "temperature = nan, which should be finite"),
            ({"temperature": 1e-300}, "temperature = 1e-300, which should be greater than"),
            ({"logit_bias": [10**400] * 7}, r"logit_bias\.0 = 10+\.\.\., which should be a finite number"),
            ({"logit_bias": [1e300] * 7}, r"logit_bias\.0 = 1e\+300, which should be less than"),
            (
                {"labels": ["a\x1b[2J", "b", "c", "d", "e", "f", "g"]},
                r"printable characters, got 'a\\x1b\[2J'",
            ),
            (
                {"labels": ["a" * 41, "b", "c", "d", "e", "f", "g"]},
                r"labels\.0 = 'a+', .* at most 40 characters",
            ),
            (
                {"labels": [str(number) for number in range(1001)]},
                r"labels = .{80}\.\.\., .* at most 1000 items .*1001$",
            ),
            ({"explain_layer": ""}, "explain_layer '' cannot be built: explain_layer must name a layer"),
            ({"explain_layer": "fc1"}, "explain_layer must name a layer that gives one map"),
            ({"explain_layer": "relu"}, "explain_layer must name a layer that gives one map"),
        ],
    )
    def test_a_value_that_does_not_fit(
        self, folder: Path, edit: Callable[[dict[str, Any]], None], changes: dict[str, Any], message: str
    ) -> None:
        edit(changes)
        with pytest.raises(CheckpointFormatError, match=message) as caught:
            load_model(folder)
        assert str(folder / "config.json") in str(caught.value)

    @pytest.mark.parametrize("key", ["labels", "license", "schema"])
    def test_a_key_that_is_missing(self, folder: Path, key: str) -> None:
        path = folder / "config.json"
        values = json.loads(path.read_text(encoding="utf-8"))
        del values[key]
        path.write_text(json.dumps(values), encoding="utf-8")
        with pytest.raises(CheckpointFormatError, match=key):
            load_model(folder)

    @pytest.mark.parametrize(
        "content",
        [b"", b"{", b"[1]", b"\xff\xfe", b"null", b"[" * 200_000, b"1" * 10_000],
        ids=lambda text: text[:4].hex(),
    )
    def test_what_is_no_json_object(self, folder: Path, content: bytes) -> None:
        (folder / "config.json").write_bytes(content)
        with pytest.raises(CheckpointFormatError, match=r"config\.json"):
            load_model(folder)

    def test_a_config_of_a_gigabyte_is_not_read(self, folder: Path) -> None:
        with (folder / "config.json").open("r+b") as file:
            file.truncate(2**30)
        with pytest.raises(CheckpointFormatError, match="has 1,073,741,824 bytes, expected at most 1,048,576"):
            load_model(folder)

    def test_a_long_text_in_it_is_not_repeated(self, folder: Path, edit: Callable[[dict[str, Any]], None]) -> None:
        edit({"architecture": "x\x1b[2J" * 100_000})
        with pytest.raises(CheckpointFormatError) as caught:
            load_model(folder)
        assert len(str(caught.value)) <= LONGEST_MESSAGE
        assert "\x1b" not in str(caught.value)

    def test_a_size_that_would_do(self, folder: Path, edit: Callable[[dict[str, Any]], None]) -> None:
        edit({"preprocess": {**asdict(INFO.preprocess), "size": 71}, "explain_layer": None})
        assert load_model(folder).probabilities(torch.zeros(1, 1, 71, 71)).shape == (1, 7)

    @pytest.mark.parametrize("name", list_models())
    def test_every_network_is_taken_as_its_entry_describes_it(self, name: str, tmp_path: Path) -> None:
        entry = model_entry(name)
        arguments: dict[str, Any] = {"width": 0.03} if entry.scalable else {}
        info = ModelInfo(
            name, arguments, EMOTIONS, Preprocessing(size=entry.default_size), explain_layer=entry.explain_layer
        )
        folder = save_model(tmp_path / "model", create_model(name, **arguments), info)
        assert load_model(folder).info == info

    def test_looking_at_shapes_takes_little(self, folder: Path) -> None:
        """Neither the weights' memory, nor torch's compiler, whose import takes seconds."""
        load = "import sys; from resemotenet import load_model; load_model(sys.argv[1])"
        code = f"{load}; print('torch._dynamo' in sys.modules)"
        done = subprocess.run([sys.executable, "-c", code, folder], capture_output=True, text=True, check=True)
        assert done.stdout.strip() == "False"


class TestWeightsAreReadStrictly:
    @staticmethod
    def change(folder: Path, edit_state: Callable[[dict[str, Tensor]], Any]) -> None:
        path = folder / "model.safetensors"
        state = {key: value.clone() for key, value in load_file(path).items()}
        edit_state(state)
        save_file(state, path)

    @pytest.mark.parametrize(
        ("edit_state", "message"),
        [
            (lambda state: state.pop("fc2.bias"), r"missing keys: fc2\.bias$"),
            (lambda state: state.update(extra=torch.zeros(1)), "surplus keys: extra$"),
            (
                lambda state: state.update({"fc4.weight": torch.zeros(8, 16)}),
                r"fc4\.weight has the shape \(8, 16\), expected \(7, 16\)$",
            ),
            (
                lambda state: state.update({"fc4.weight": torch.zeros(7, 16, dtype=torch.int8)}),
                r"fc4\.weight holds torch\.int8, expected torch\.float32$",
            ),
            (lambda state: state.clear(), r"missing keys: bn1\.bias, .* and \d+ more$"),
        ],
    )
    def test_what_does_not_fit_is_named(
        self, folder: Path, edit_state: Callable[[dict[str, Tensor]], Any], message: str
    ) -> None:
        self.change(folder, edit_state)
        with pytest.raises(CheckpointMismatchError, match=message) as caught:
            load_model(folder)
        assert str(folder / "model.safetensors") in str(caught.value)

    @pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
    @pytest.mark.parametrize("name", ["fc1.bias", "conv1.weight", "bn1.running_var"])
    def test_a_weight_that_is_no_number(self, folder: Path, name: str, value: float) -> None:
        self.change(folder, lambda state: state[name].view(-1)[1:2].fill_(value))
        with pytest.raises(CheckpointFormatError, match=f"values that are not finite in {name}; the training diverged"):
            load_model(folder)

    def test_a_weight_beyond_what_the_network_calculates_with(self, folder: Path) -> None:
        beyond = {"fc1.bias": torch.full_like(network().get_parameter("fc1.bias"), 1e300, dtype=torch.float64)}
        self.change(folder, lambda state: state.update(beyond))
        with pytest.raises(CheckpointFormatError, match=r"not finite in fc1\.bias"):
            load_model(folder)

    @pytest.mark.parametrize(("name", "value"), [("bn1.running_var", -1.0), ("conv1.weight", 3e38)])
    def test_numbers_that_make_none(self, folder: Path, name: str, value: float) -> None:
        """A variance below 0, and sums beyond float32: only the answer shows it."""
        self.change(folder, lambda state: state[name].fill_(value))
        model = load_model(folder)
        with pytest.raises(CheckpointFormatError, match="cannot be used: their answers are not numbers"):
            model.probabilities(crops())

    @pytest.mark.parametrize("keep", [0, 4, 1000, -1])
    def test_a_file_cut_short(self, folder: Path, keep: int) -> None:
        path = folder / "model.safetensors"
        path.write_bytes(path.read_bytes()[:keep])
        with pytest.raises(CheckpointFormatError, match=r"model\.safetensors is damaged"):
            load_model(folder)

    @pytest.mark.parametrize("name", ["config.json", "model.safetensors"])
    def test_a_file_that_is_missing(self, folder: Path, name: str) -> None:
        (folder / name).unlink()
        with pytest.raises(CheckpointFormatError, match=f"{name} is missing"):
            load_model(folder)

    def test_no_folder(self, tmp_path: Path) -> None:
        with pytest.raises(CheckpointNotFoundError, match="nowhere does not exist"):
            load_model(tmp_path / "nowhere")
        (tmp_path / "file").touch()
        with pytest.raises(CheckpointNotFoundError, match="file is a file"):
            load_model(tmp_path / "file")

    def test_the_root_of_all_folders(self) -> None:
        with pytest.raises(CheckpointFormatError, match=r"/ is not a model folder: config\.json is missing"):
            load_model("/")


class TestSavingRefuses:
    """Whatever is refused, the model that was there stays."""

    def test_a_network_that_the_info_does_not_describe(self, folder: Path) -> None:
        other = create_model("resemotenet", **{**ARGUMENTS, "compact": False})
        with pytest.raises(CheckpointMismatchError, match=r"res_block3\.conv1\.weight has the shape"):
            save_model(folder, other, INFO)
        assert_holds(folder, network())

    def test_weights_that_are_not_finite(self, folder: Path) -> None:
        module = network(seed=1)
        module.get_parameter("fc1.bias").data[3] = float("nan")
        with pytest.raises(CheckpointError, match=r"fc1\.bias has values that are not finite"):
            save_model(folder, module, INFO)
        assert_holds(folder, network())

    def test_weights_too_large_for_half_precision(self, folder: Path) -> None:
        module = network(seed=1)
        module.get_parameter("fc1.weight").data[0, 0] = 1e5
        with pytest.raises(CheckpointError, match=r"fc1\.weight has values that are not finite as torch\.float16"):
            save_model(folder, module, INFO, dtype=torch.float16)
        assert_holds(folder, network())
        assert_holds(save_model(folder, module, INFO), module)

    def test_facts_that_json_cannot_hold(self, folder: Path) -> None:
        with pytest.raises(ValueError, match="not JSON compliant"):
            save_model(folder, network(seed=1), replace(INFO, measured=({"accuracy": float("nan")},)))
        assert_holds(folder, network())

    def test_a_folder_that_holds_other_things(self, tmp_path: Path) -> None:
        (tmp_path / "letters.txt").write_text("dear", encoding="utf-8")
        with pytest.raises(CheckpointError, match=r"holds other things than a model \(letters\.txt\)"):
            save_model(tmp_path, network(), INFO)
        assert (tmp_path / "letters.txt").read_text(encoding="utf-8") == "dear"

    def test_a_file(self, tmp_path: Path) -> None:
        (tmp_path / "file").touch()
        with pytest.raises(CheckpointError, match="is a file; a model is written as a folder"):
            save_model(tmp_path / "file", network(), INFO)

    def test_an_empty_folder_and_missing_ones_above_are_fine(self, tmp_path: Path) -> None:
        (tmp_path / "empty").mkdir()
        for target in (tmp_path / "empty", tmp_path / "a" / "b" / "model"):
            assert_holds(save_model(target, network(), INFO), network())
