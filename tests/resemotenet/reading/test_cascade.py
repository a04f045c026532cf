"""The cascade finds what facenet-pytorch's own finds, in everything: boxes, scores, landmarks, and their order."""

from pathlib import Path

import numpy as np
import pytest
import torch
from facenet_pytorch.models import mtcnn
from facenet_pytorch.models.utils.detect_face import detect_face
from skimage import data

from resemotenet.reading.cascade import PYRAMID_FACTOR, THRESHOLDS, Cascade


@pytest.fixture(scope="module")
def cascade() -> Cascade:
    return Cascade()


@pytest.fixture(scope="module")
def published() -> list[torch.nn.Module]:
    folder = Path(mtcnn.__file__).parents[1] / "data"
    networks = [mtcnn.PNet(pretrained=False), mtcnn.RNet(pretrained=False), mtcnn.ONet(pretrained=False)]
    for network, name in zip(networks, ("pnet", "rnet", "onet"), strict=True):
        network.load_state_dict(torch.load(folder / f"{name}.pt", weights_only=True))
    return networks


@torch.inference_mode()
def reference(networks: list[torch.nn.Module], pixels: np.ndarray, smallest: int) -> tuple[np.ndarray, np.ndarray]:
    boxes, points = detect_face(pixels, smallest, *networks, THRESHOLDS, PYRAMID_FACTOR, "cpu")
    return np.array(boxes[0], float).reshape(-1, 5), np.array(points[0], float).reshape(-1, 5, 2)


def crowd() -> np.ndarray:
    """Faces of several sizes, one cut off, and a photograph without any between them."""
    astronaut, camera = data.astronaut(), np.repeat(data.camera()[..., None], 3, axis=2)
    small = np.pad(astronaut[::2, ::2], ((0, 256), (0, 256), (0, 0)), mode="reflect")
    return np.vstack([np.hstack([astronaut, camera]), np.hstack([small, astronaut[:, 205:], camera[:, :205]])])


def with_margin(pixels: np.ndarray, margin: int) -> np.ndarray:
    return np.pad(pixels, ((margin, margin), (margin, margin), (0, 0)), constant_values=128)


PICTURES = {
    "one face": (data.astronaut, 20, 0),
    "one face, larger ones only": (data.astronaut, 60, 0),
    "with a margin": (lambda: with_margin(data.astronaut()[40:200, 140:300], 20), 20, 20),
    "a wide margin": (lambda: with_margin(data.astronaut()[:300, 100:400], 150), 20, 150),
    "several": (crowd, 20, 0),
    "none": (data.chelsea, 20, 0),
}


@pytest.mark.parametrize("name", PICTURES)
def test_the_same_faces(cascade, published, name):
    make, smallest, margin = PICTURES[name]
    pixels = np.ascontiguousarray(make())
    boxes, points = cascade.find(pixels, smallest, margin)
    expected, expected_points = reference(published, pixels, smallest)
    assert len(expected) == {"none": 0, "several": len(expected)}.get(name, 1)
    np.testing.assert_allclose(boxes, expected, atol=1e-2)
    np.testing.assert_allclose(points, expected_points, atol=1e-2)


def test_several_are_several(published):
    assert len(reference(published, crowd(), 20)[0]) >= 4


def test_the_last_network_alone(cascade, published):
    crops = np.stack([data.astronaut()[60 + step : 156 + step, 176:272][::2, ::2] for step in range(0, 40, 8)])
    looks = cascade.look(crops)
    with torch.inference_mode():
        planes = torch.from_numpy(crops.transpose(0, 3, 1, 2).copy())
        moves, points, shares = published[2]((planes.float() - 127.5) / 128)
    np.testing.assert_allclose(looks.moves, moves.numpy(), atol=1e-5)
    np.testing.assert_allclose(looks.landmarks, points.numpy(), atol=1e-5)
    np.testing.assert_allclose(looks.scores, shares[:, 1].numpy(), atol=1e-5)
    assert looks.scores.max() > 0.99


@pytest.mark.parametrize("backend", ["onnxruntime", "torch"])
def test_loading_leaves_torchs_random_state_and_threads_alone(backend):
    state, threads = torch.get_rng_state(), torch.get_num_threads()
    Cascade(backend=backend)
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.get_num_threads() == threads
