from pathlib import Path

import numpy as np
import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from PIL import Image

from resemotenet import EmotionPredictor, read
from resemotenet.reading.sources import Unreadable
from tests import films
from tests.documents import ROOT, Document


@pytest.fixture(scope="module")
def predictor(model_folder: Path) -> EmotionPredictor:
    return EmotionPredictor.from_pretrained(model_folder, device="cpu")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    one, other = films.heads()
    one.save(tmp_path / "a.png")
    (tmp_path / "b.png").write_text("no picture")
    films.write(tmp_path / "c.mp4", 5 * [films.scene((other, 200, 90))], [0, 0.2, 0.4, 0.6, 0.8])
    return tmp_path


def test_a_folder_picture_by_picture_and_frame_by_frame(predictor, folder):
    broken: list[Unreadable] = []
    readings = list(read(folder, predictor, every=0.4, broken=broken))
    assert [(Path(reading.picture.path or "").name, reading.time) for reading in readings] == [
        ("a.png", None),
        ("c.mp4", 0.0),
        ("c.mp4", 0.4),
        ("c.mp4", 0.8),
    ]
    assert [len(reading.faces) for reading in readings] == [1] * 4
    assert readings[2].to_dict()["time"] == 0.4
    assert [each.name for each in broken] == [str(folder / "b.png")]


def test_whatever_is_a_picture(predictor, folder):
    head = Image.open(folder / "a.png")
    given = [head, np.asarray(head), (folder / "a.png").read_bytes(), str(folder / "a.png")]
    labels = [[face.label for face in reading.faces] for reading in read(iter(given), predictor)]
    assert labels == [labels[0]] * 4
    assert len(list(read(head, predictor))) == len(list(read(given[1], predictor))) == 1


def test_what_cannot_be_read_is_in_the_log(predictor, folder, caplog):
    assert list(read(folder / "b.png", predictor)) == []
    assert "b.png: not a picture" in caplog.text


def test_a_table_and_a_page_of_a_notebook(predictor, folder):
    (reading,) = read(folder / "a.png", predictor)
    frame = reading.to_frame()
    assert len(frame) == 1
    assert frame.iloc[0].source == str(folder / "a.png")
    assert frame.iloc[0].label == reading.faces[0].label
    page = reading._repr_html_()
    assert page.count("data:image/jpeg;base64,") == 1
    assert reading.faces[0].label in page
    (folder / "<b>.png").write_bytes((folder / "a.png").read_bytes())
    (named,) = read(folder / "<b>.png", predictor)
    assert "&lt;b&gt;.png" in named._repr_html_()


def test_the_service_of_the_document(predictor, folder):
    (block,) = (block for block in Document(ROOT / "resemotenet" / "README.md").blocks("python") if "FastAPI" in block)
    names = {"predictor": predictor}
    exec(compile(block, "README.md", "exec"), names)
    app = names["app"]
    assert isinstance(app, FastAPI)
    content = (folder / "a.png").read_bytes()
    answer = TestClient(app).post("/faces", content=content, headers={"content-type": "image/png"})
    assert answer.status_code == 200
    (told,) = answer.json()
    assert (told["schema"], len(told["faces"])) == (1, 1)
