import dataclasses
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn

from resemotenet import EMOTIONS, EmotionPredictor, LoadedModel, create_model, load_model
from resemotenet.datasets import FaceSet, read_fer2013
from resemotenet.reading.explain import Explanation, explain, overlay
from resemotenet.reading.images import read_image
from resemotenet.runs.schema import ModelInfo, Preprocessing

EXAMPLES = Path(__file__).resolve().parents[3] / "demo" / "examples"
HIDDEN = 0.2

Grey = NDArray[np.uint8]


@pytest.fixture(scope="module")
def predictor() -> EmotionPredictor:
    return EmotionPredictor.from_pretrained(device="cpu")


@pytest.fixture(scope="module")
def bundled(predictor: EmotionPredictor) -> LoadedModel:
    return predictor.model


@pytest.fixture(scope="module")
def examples(predictor: EmotionPredictor) -> list[Image.Image]:
    """The faces of two pictures as the predictor cuts them out, in colour: one laughs, one does not."""
    crops = []
    for name in ("astronaut", "grace_hopper"):
        picture = read_image(EXAMPLES / f"{name}.jpg")
        (face,) = predictor(picture)
        crops.append(picture.crop(face.crop_box))
    return crops


@pytest.fixture(scope="module")
def validation(fer2013_parquet: Path) -> FaceSet:
    return read_fer2013(fer2013_parquet).split("validation", "ferplus-strict")


def noise(number: int, side: int = 48) -> list[Grey]:
    return list(np.random.default_rng(0).integers(0, 256, (number, side, side), dtype=np.uint8))


def changed(model: LoadedModel, **settings: object) -> LoadedModel:
    """The same module under another config."""
    return dataclasses.replace(model, info=dataclasses.replace(model.info, **settings))  # type: ignore[arg-type]


class Quarters(nn.Module):
    """Its map is the mean of each quarter of the picture; its two logits weigh the quarters with opposite signs."""

    def __init__(self, weights: list[list[float]], *, in_place: bool = False, twice: bool = False) -> None:
        super().__init__()
        self.map = nn.AdaptiveAvgPool2d(2)
        self.after = nn.ReLU(inplace=in_place)
        self.twice = twice
        self.weights = nn.Parameter(torch.tensor(weights, dtype=torch.float32))

    def forward(self, x: Tensor) -> Tensor:
        if self.twice:
            x = self.map(x)
        logit = (self.after(self.map(x))[:, 0] * self.weights).sum(dim=(1, 2))
        return torch.stack([logit, -logit], dim=1)


def quarters(weights: list[list[float]], **arguments: bool) -> LoadedModel:
    info = ModelInfo(
        architecture="quarters",
        arguments={"num_classes": 2, "in_channels": 1},
        labels=("for", "against"),
        preprocess=Preprocessing(size=8, channels=1, mean=(0.0,), std=(1.0,)),
        explain_layer="map",
    )
    return LoadedModel(Quarters(weights, **arguments).eval(), info, Path("quarters"))


class TestFaithfulness:
    """Hiding the hottest fifth lowers the probability of the emotion more than hiding another fifth."""

    def test_bundled_weights_on_the_examples(self, predictor: EmotionPredictor, examples: list[Image.Image]):
        """Not "neutral", the second face's prediction: that is also what is read where nothing is to be seen."""
        greys = [np.asarray(crop.convert("L").resize((48, 48), Image.Resampling.BILINEAR)) for crop in examples]
        hottest, elsewhere = drops(predictor, greys, ["happy", "sad"])
        # Trained with holes in the faces, the network still sees the smile of the first without its mouth.
        assert (hottest > [0.03, 0.05]).all()
        assert (hottest > 2 * elsewhere).all()

    @pytest.mark.parametrize(("rank", "share"), [(1, 0.75), (2, 0.6)])
    def test_bundled_weights_on_fer2013(
        self, predictor: EmotionPredictor, validation: FaceSet, rank: int, share: float
    ):
        """Of the most probable emotion, and of the second."""
        rows = np.random.default_rng(7).permutation(len(validation))[:100]
        greys = list(validation.images[rows, 0])
        labels = [predictor.labels[row[-rank]] for row in predictor.classify(greys).argsort(axis=1)]
        hottest, elsewhere = drops(predictor, greys, labels)
        assert np.mean(hottest > elsewhere) > share
        assert hottest.mean() > 2 * elsewhere.mean()

    def test_the_mouth_of_a_laughing_face(self, bundled: LoadedModel, examples: list[Image.Image]):
        (explanation,) = explain(bundled, examples[:1])
        assert explanation.label == "happy"
        down, right = np.unravel_index(explanation.heat.argmax(), explanation.heat.shape)
        assert 0.6 < down / 48 < 0.85
        assert 0.15 < right / 48 < 0.75


def drops(
    predictor: EmotionPredictor, greys: list[Grey], labels: list[str]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """How much the probability falls when the hottest fifth is filled with the mean grey of the face; and the mean
    fall when that region is moved to a random place, and when a random fifth of whole cells is filled, twice each."""
    random = np.random.default_rng(0)
    found = each_with_its(predictor.model, greys, labels)
    columns = [predictor.labels.index(explanation.label) for explanation in found]
    before = np.array([explanation.probability for explanation in found])
    hottest = [fifth(explanation.heat) for explanation in found]

    def fall(regions: list[NDArray[np.bool_]]) -> NDArray[np.float32]:
        filled = [np.where(region, np.uint8(grey.mean()), grey) for region, grey in zip(regions, greys, strict=True)]
        return before - predictor.classify(filled)[np.arange(len(greys)), columns]

    others = []
    for _ in range(2):
        others.append(fall([np.roll(region, random.integers(48, size=2), (0, 1)) for region in hottest]))
        others.append(fall([fifth(np.kron(random.random((6, 6)), np.ones((8, 8)))) for _ in greys]))
    return fall(hottest), np.mean(others, axis=0)


def each_with_its(model: LoadedModel, greys: list[Grey], labels: list[str]) -> list[Explanation]:
    found: dict[int, Explanation] = {}
    for label in set(labels):
        rows = [row for row, wanted in enumerate(labels) if wanted == label]
        found |= dict(zip(rows, explain(model, [greys[row] for row in rows], label), strict=True))
    return [found[row] for row in range(len(greys))]


def fifth(heat: NDArray) -> NDArray[np.bool_]:
    """The hottest fifth of the pixels; of equal ones, a random part."""
    keys = np.random.default_rng(1).random(heat.size)
    chosen = np.lexsort((keys, -heat.ravel()))[: round(HIDDEN * heat.size)]
    region = np.zeros(heat.size, bool)
    region[chosen] = True
    return region.reshape(heat.shape)


class TestExplain:
    def test_the_answer_explained_is_the_predictors(self, predictor: EmotionPredictor, examples: list[Image.Image]):
        rows = predictor.classify(examples)
        predicted, chosen = explain(predictor.model, examples), explain(predictor.model, examples, "sad")
        assert [each.label for each in predicted] == [predictor.labels[column] for column in rows.argmax(axis=1)]
        assert [each.probability for each in predicted] == pytest.approx(rows.max(axis=1).tolist(), abs=1e-6)
        assert [each.label for each in chosen] == ["sad", "sad"]
        column = rows[:, predictor.labels.index("sad")]
        assert [each.probability for each in chosen] == pytest.approx(column.tolist(), abs=1e-6)
        for one, other in zip(predicted, chosen, strict=True):
            assert np.corrcoef(one.evidence.ravel(), other.evidence.ravel())[0, 1] < 0.5

    def test_the_heat_is_the_positive_evidence_enlarged(self, bundled: LoadedModel, examples: list[Image.Image]):
        for explanation in explain(bundled, examples):
            assert explanation.evidence.shape == (6, 6)
            assert explanation.evidence.min() < 0
            assert explanation.heat.shape == (48, 48)
            assert explanation.heat.dtype == np.float32
            assert (explanation.heat.min(), explanation.heat.max()) == (0, 1)
            cells = np.maximum(explanation.evidence, 0)
            means = explanation.heat.reshape(6, 8, 6, 8).mean(axis=(1, 3))
            assert np.corrcoef(cells.ravel(), means.ravel())[0, 1] > 0.95

    def test_evidence_adds_up_to_the_logit_where_that_is_known(self):
        """Where only weights and a sum follow the layer, HiResCAM's cells are the terms of that sum."""
        model = quarters([[1.0, -2.0], [0.5, 0.0]])
        crop = np.zeros((8, 8), np.uint8)
        crop[:4, :4], crop[:4, 4:], crop[4:, :4] = 51, 102, 204  # 0.2, 0.4 and 0.8
        one, other = explain(model, [crop], "for")[0], explain(model, [crop], "against")[0]
        assert one.evidence == pytest.approx(np.array([[0.2, -0.8], [0.4, 0.0]]))
        assert other.evidence == pytest.approx(-one.evidence)
        assert (one.heat[7, 0], one.heat[0, 7]) == (1, 0)
        assert (other.heat[7, 0], other.heat[0, 7]) == (0, 1)

    @pytest.mark.parametrize("weights", [[[-1.0, -1.0], [-2.0, -1.0]], [[0.0, 0.0], [0.0, 0.0]]])
    def test_no_evidence_for_it_is_no_heat(self, weights: list[list[float]]):
        (explanation,) = explain(quarters(weights), [np.full((8, 8), 200, np.uint8)], "for")
        assert (explanation.heat == 0).all()
        assert np.isfinite(explanation.evidence).all()
        drawn = np.asarray(overlay(np.full((8, 8), 200, np.uint8), explanation))
        assert len(np.unique(drawn)) == 1

    def test_faint_evidence_is_scaled_like_strong(self):
        crop = noise(1, side=8)[0]
        strong, faint = (explain(quarters([[scale, 0], [0, -scale]]), [crop], "for")[0] for scale in (1.0, 1e-12))
        assert faint.heat == pytest.approx(strong.heat, abs=1e-5)

    def test_a_layer_after_it_may_write_into_its_input(self):
        crop = noise(1, side=8)[0]
        (plain,) = explain(quarters([[1, 2], [3, 4]]), [crop])
        (in_place,) = explain(quarters([[1, 2], [3, 4]], in_place=True), [crop])
        assert in_place.evidence == pytest.approx(plain.evidence)

    def test_with_a_mirrored_view_left_and_right_are_alike(self, bundled: LoadedModel, examples: list[Image.Image]):
        assert bundled.info.views == "flip"
        mirrored = [np.asarray(crop)[:, ::-1] for crop in examples]
        for one, other in zip(explain(bundled, examples), explain(bundled, mirrored), strict=True):
            assert other.evidence == pytest.approx(one.evidence[:, ::-1], abs=1e-4)

    def test_the_map_is_the_mean_of_those_of_the_views(self, bundled: LoadedModel, examples: list[Image.Image]):
        single = changed(bundled, views="none")
        mirrored = [np.asarray(crop)[:, ::-1] for crop in examples]
        both = explain(bundled, examples, "happy")
        for each, one, other in zip(
            both, explain(single, examples, "happy"), explain(single, mirrored, "happy"), strict=True
        ):
            assert not np.allclose(one.evidence, other.evidence[:, ::-1], atol=0.01)
            assert each.evidence == pytest.approx((one.evidence + other.evidence[:, ::-1]) / 2, abs=1e-4)

    def test_three_channels(self, bundled: LoadedModel, examples: list[Image.Image]):
        """The same function with the first kernel spread over three equal channels has the same maps."""
        arguments = {**bundled.info.arguments, "in_channels": 3}
        three = create_model("resemotenet", **arguments).eval()
        state = dict(bundled.module.state_dict())
        state["conv1.weight"] = state["conv1.weight"].repeat(1, 3, 1, 1) / 3
        three.load_state_dict(state)
        mean, std = bundled.preprocess.mean * 3, bundled.preprocess.std * 3
        preprocess = dataclasses.replace(bundled.preprocess, channels=3, mean=mean, std=std)
        grey = dataclasses.replace(bundled, module=three, session=None)
        model = changed(grey, arguments=arguments, preprocess=preprocess)
        for one, other in zip(explain(bundled, examples), explain(model, examples), strict=True):
            assert other.evidence == pytest.approx(one.evidence, abs=1e-4)

    def test_input_of_another_size_has_another_map(self):
        arguments: dict[str, Any] = {"num_classes": 7, "in_channels": 3, "width": 0.0625}
        module = create_model("resemotenet", **arguments).eval()
        model = LoadedModel(module, ModelInfo("resemotenet", arguments, EMOTIONS, Preprocessing()), Path("random"))
        (explanation,) = explain(model, noise(1))
        assert (explanation.evidence.shape, explanation.heat.shape) == ((8, 8), (64, 64))

    def test_many_crops_keep_their_order(self, model_folder: Path):
        model, crops = load_model(model_folder), noise(70)
        together = explain(model, crops)
        assert len(together) == 70
        for row in (0, 63, 64, 69):
            (alone,) = explain(model, crops[row : row + 1])
            assert together[row].evidence == pytest.approx(alone.evidence, rel=1e-3, abs=1e-7)

    def test_no_crops(self, bundled: LoadedModel):
        assert explain(bundled, []) == []


class TestSharedModule:
    def test_threads_do_not_mix(self, predictor: EmotionPredictor):
        crops = noise(4)
        tasks = [(row, label) for row in range(len(crops)) for label in ("happy", "sad", None)]
        alone = {task: explain(predictor.model, [crops[task[0]]], task[1])[0] for task in tasks}
        rows = predictor.classify(crops)
        with ThreadPoolExecutor(4) as pool:
            asked = [pool.submit(explain, predictor.model, [crops[row]], label) for row, label in tasks]
            meanwhile = [pool.submit(predictor.classify, crops) for _ in range(4)]
            found = [answer.result()[0] for answer in asked]
            assert all(np.allclose(answer.result(), rows, atol=1e-6) for answer in meanwhile)
        for task, explanation in zip(tasks, found, strict=True):
            assert explanation.label == alone[task].label
            assert explanation.evidence == pytest.approx(alone[task].evidence, rel=1e-3, abs=1e-4)

    def test_another_threads_pass_is_not_seen(self, bundled: LoadedModel, examples: list[Image.Image]):
        """In the middle of an explanation somebody else runs the shared module; nothing of it reaches the map."""
        (alone,) = explain(bundled, examples[:1])
        other = bundled.preprocess(noise(3))
        passes: list[str] = []

        def run_the_shared_one(*_arguments: object) -> None:
            # Once, in the pass that is explained: reading the probability runs in inference mode.
            if not passes and not torch.is_inference_mode_enabled():
                passes.append("begun")
                bundled.module(other)
                passes.append("done")

        handle = bundled.module.get_submodule("fc1").register_forward_hook(run_the_shared_one)
        try:
            (disturbed,) = explain(bundled, examples[:1])
        finally:
            handle.remove()
        assert passes == ["begun", "done"]
        assert disturbed.evidence == pytest.approx(alone.evidence)

    def test_the_module_is_left_as_it_was(self, model_folder: Path):
        model = load_model(model_folder)
        before = {name: value.clone() for name, value in model.module.state_dict().items()}
        for name, parameter in model.module.named_parameters():
            parameter.requires_grad_(not name.startswith("fc"))
        frozen = [parameter.requires_grad for parameter in model.module.parameters()]
        explain(model, noise(4), "happy")
        assert all(torch.equal(value, before[name]) for name, value in model.module.state_dict().items())
        assert [parameter.requires_grad for parameter in model.module.parameters()] == frozen
        assert all(parameter.grad is None for parameter in model.module.parameters())
        assert all(not layer._forward_hooks and not layer._backward_hooks for layer in model.module.modules())

    @pytest.mark.parametrize("mode", [torch.inference_mode, torch.no_grad])
    def test_gradients_switched_off_outside(self, model_folder: Path, mode: type):
        wanted = explain(load_model(model_folder), noise(2))
        with mode():
            model = load_model(model_folder)
            found = explain(model, noise(2))
            assert not torch.is_grad_enabled()
        outside = explain(model, noise(2))
        for one, two, three in zip(wanted, found, outside, strict=True):
            assert np.abs(one.evidence).max() > 0
            assert np.array_equal(two.evidence, one.evidence)
            assert np.array_equal(three.evidence, one.evidence)


class TestErrors:
    def test_no_layer(self, bundled: LoadedModel):
        with pytest.raises(ValueError, match="names no layer to explain with; set explain_layer"):
            explain(changed(bundled, explain_layer=None), noise(1))

    def test_unknown_label(self, bundled: LoadedModel):
        with pytest.raises(ValueError, match="no label 'joy'; expected one of angry, disgust"):
            explain(bundled, noise(1), "joy")

    @pytest.mark.parametrize(("layer", "shape"), [("res_block3", r"\(2, 1024, 1, 1\)"), ("fc2", r"\(2, 256\)")])
    def test_a_layer_without_a_map(self, bundled: LoadedModel, layer: str, shape: str):
        with pytest.raises(ValueError, match=rf"explain_layer '{layer}' must give one map .*, got \[{shape}\]"):
            explain(changed(bundled, explain_layer=layer), noise(1))

    def test_a_layer_that_runs_twice(self):
        with pytest.raises(ValueError, match=r"one map .* got \[\(1, 1, 2, 2\), \(1, 1, 2, 2\)\]"):
            explain(quarters([[1, 1], [1, 1]], twice=True), noise(1, side=8))

    def test_a_crop_that_is_none(self, bundled: LoadedModel):
        with pytest.raises(ValueError, match="uint8"):
            explain(bundled, [np.zeros((48, 48), np.float32)])
