"""Tiny data sets in every layout that users have, drawn from nothing: nothing is downloaded, every label is known.

The faces are those of ``resemotenet.datasets.Synthetic``, a different one for every file, enlarged and tinted, so that
pictures have colour and the sizes of the real ones.
"""

import csv
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from PIL import Image

from resemotenet.datasets import FaceSource, Synthetic
from resemotenet.emotions import EMOTIONS

# Faces of each emotion in the trees' own splits.
TRAIN, TEST = 4, 2

RAF_CODES = {"surprise": 1, "fear": 2, "disgust": 3, "happy": 4, "sad": 5, "angry": 6, "neutral": 7}
AFFECTNET_CODES = {"neutral": 0, "happy": 1, "sad": 2, "surprise": 3, "fear": 4, "disgust": 5, "angry": 6}
EXPW_CODES = {"angry": 0, "disgust": 1, "fear": 2, "happy": 3, "sad": 4, "surprise": 5, "neutral": 6}
CK_CODES = {"angry": 1, "disgust": 3, "fear": 4, "happy": 5, "sad": 6, "surprise": 7}
CK_FOLDERS = {"angry": "anger", "disgust": "disgust", "fear": "fear", "happy": "happy", "sad": "sadness",
              "surprise": "surprise"}  # fmt: skip
UPSTREAM_CODES = {"happy": 0, "surprise": 1, "sad": 2, "angry": 3, "disgust": 4, "fear": 5, "neutral": 6}


@cache
def _drawn() -> dict[str, NDArray[np.uint8]]:
    faces = Synthetic().split("validation")
    return {emotion: faces.images[faces.targets == row, 0] for row, emotion in enumerate(EMOTIONS)}


class Painter:
    """Draws face after face, none of them twice."""

    def __init__(self) -> None:
        self.next = dict.fromkeys(EMOTIONS, 0)

    def face(self, emotion: str, size: int) -> Image.Image:
        number = self.next[emotion]
        self.next[emotion] += 1
        grey = Image.fromarray(_drawn()[emotion][number]).resize((size, size), Image.Resampling.BICUBIC)
        tinted = np.asarray(grey)[:, :, None] * np.array([1.0, 0.85, 0.75])
        return Image.fromarray(tinted.round().astype(np.uint8))

    def save(self, path: Path, emotion: str, size: int) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.face(emotion, size).save(path, quality=90)
        return path


def _faces(train: int = TRAIN, test: int = TEST) -> Iterator[tuple[str, str, int]]:
    """(split, emotion, number from 1 within the split), the emotions mixed."""
    for split, each in (("train", train), ("test", test)):
        for number in range(each * len(EMOTIONS)):
            yield split, EMOTIONS[number % len(EMOTIONS)], number + 1


def write_raf_official(root: Path) -> Path:
    painter, lines = Painter(), []
    for split, emotion, number in _faces():
        painter.save(root / f"Image/aligned/{split}_{number:05d}_aligned.jpg", emotion, 100)
        lines.append(f"{split}_{number:05d}.jpg {RAF_CODES[emotion]}\n")
    (root / "EmoLabel").mkdir()
    (root / "EmoLabel/list_patition_label.txt").write_text("".join(lines))
    return root


def write_raf_folders(root: Path, *, lists: bool = True) -> Path:
    painter = Painter()
    rows: dict[str, list[list[str]]] = {"train": [["image", "label"]], "test": [["image", "label"]]}
    for split, emotion, number in _faces():
        name = f"{split}_{number:05d}_aligned.jpg"
        painter.save(root / f"DATASET/{split}/{RAF_CODES[emotion]}/{name}", emotion, 100)
        rows[split].append([name, str(RAF_CODES[emotion])])
    if lists:
        for split, content in rows.items():
            write_rows(root / f"{split}_labels.csv", content)
    return root


def write_affectnet_annotations(root: Path, *, as_text: bool = True) -> Path:
    """Labels are strings in the authors' files; ``as_text`` False writes numbers. One face of each set is contempt."""
    painter = Painter()
    for split, emotion, number in [*_faces(), ("train", "contempt", 900), ("test", "contempt", 901)]:
        folder = root / {"train": "train_set", "test": "val_set"}[split]
        painter.save(folder / f"images/{number}.jpg", emotion if emotion in EMOTIONS else "angry", 224)
        code = AFFECTNET_CODES.get(emotion, 7)
        (folder / "annotations").mkdir(exist_ok=True)
        np.save(folder / f"annotations/{number}_exp.npy", np.array(str(code) if as_text else code))
        np.save(folder / f"annotations/{number}_val.npy", np.array("0.1"))
    return root


def write_affectnet_lists(root: Path, *, headers: bool = True) -> Path:
    """Photographs with the face at (30, 20); 'no face' and contempt rows among them. The second list has no header."""
    painter = Painter()
    header = ["subDirectory_filePath", "face_x", "face_y", "face_width", "face_height", "facial_landmarks",
              "expression", "valence", "arousal"]  # fmt: skip
    rows: dict[str, list[list[str]]] = {"train": [header] if headers else [], "test": []}
    for split, emotion, number in [*_faces(), ("train", "contempt", 900), ("train", "no face", 901)]:
        file = f"{number % 3}/{split}{number:04x}.jpg"
        picture = Image.new("RGB", (120, 110), (10, 90, 200))
        picture.paste(painter.face(emotion if emotion in EMOTIONS else "angry", 80), (30, 20))
        path = root / "Manually_Annotated_Images" / file
        path.parent.mkdir(parents=True, exist_ok=True)
        picture.save(path, quality=90)
        code = {"contempt": 7, "no face": 10}.get(emotion, AFFECTNET_CODES.get(emotion))
        box = ["NULL"] * 4 if emotion == "no face" else ["30", "20", "80", "80"]
        rows[split].append([file, *box, "1.5;2.5;3.5", str(code), "-0.1", "0.2"])
    folder = root / "Manually_Annotated_file_lists"
    folder.mkdir()
    write_rows(folder / "training.csv", rows["train"])
    write_rows(folder / "validation.csv", rows["test"])
    return root


def write_expw(root: Path, *, photographs: int = 40) -> Path:
    """Two faces side by side on each photograph, the second of the next emotion."""
    painter, lines = Painter(), []
    (root / "image/origin").mkdir(parents=True)
    (root / "label").mkdir()
    for number in range(photographs):
        picture = Image.new("RGB", (150, 90), (10, 90, 200))
        for face, left in enumerate((5, 80)):
            emotion = EMOTIONS[(number + face) % len(EMOTIONS)]
            picture.paste(painter.face(emotion, 60), (left, 12))
            box = f"12 {left} {left + 60} 72"  # top left right bottom
            lines.append(f"{emotion}_man_{number}.jpg {face} {box} 23.5 {EXPW_CODES[emotion]}\n")
        name = lines[-2].split()[0]
        picture.save(root / "image/origin" / name, quality=90)
        lines[-1] = f"{name} {lines[-1].split(maxsplit=1)[1]}"
    (root / "label/label.lst").write_text("".join(lines))
    return root


def _ck_sequences() -> Iterator[tuple[str, str, str]]:
    """(subject, sequence, emotion): twelve subjects with two sequences each, and one of contempt."""
    emotions = list(CK_CODES)
    for subject in range(12):
        for sequence in (1, 2):
            yield f"S{subject + 5:03d}", f"{sequence:03d}", emotions[(subject + sequence) % len(emotions)]
    yield "S005", "003", "contempt"


def write_ck_sequences(root: Path, *, landmarks: bool = True) -> Path:
    """Five frames of 160x120 a sequence, the face 60x60 in the middle, its landmarks on a square of 48; the emotion
    beside the last. S005/004 has no emotion."""
    painter = Painter()
    for subject, sequence, emotion in [*_ck_sequences(), ("S005", "004", "")]:
        inside = Path(subject) / sequence
        for frame in range(1, 6):
            stem = f"{subject}_{sequence}_{frame:08d}"
            picture = Image.new("RGB", (160, 120), (90, 90, 90))
            picture.paste(painter.face(emotion if frame > 2 and emotion in EMOTIONS else "neutral", 60), (50, 30))
            for folder in ("cohn-kanade-images", "Emotion", *(["Landmarks"] if landmarks else [])):
                (root / folder / inside).mkdir(parents=True, exist_ok=True)
            picture.convert("L").save(root / "cohn-kanade-images" / inside / f"{stem}.png")
            if landmarks:
                points = "".join(f"   {x:.7e}   {y:.7e}\n" for x, y in ((56, 36), (104, 36), (80, 84), (70, 60)))
                (root / "Landmarks" / inside / f"{stem}_landmarks.txt").write_text(points)
        if emotion:
            code = CK_CODES.get(emotion, 2)
            (root / "Emotion" / inside / f"{stem}_emotion.txt").write_text(f"   {code:.7e}\n")
    return root


def write_ck_folders(root: Path) -> Path:
    painter = Painter()
    for subject, sequence, emotion in _ck_sequences():
        for frame in (10, 11, 12):
            folder = root / CK_FOLDERS.get(emotion, "contempt")
            drawn = emotion if emotion in EMOTIONS else "angry"
            painter.save(folder / f"{subject}_{sequence}_{frame:08d}.png", drawn, 48)
    return root


def write_upstream(
    root: Path, *, header: tuple[str, str] | None = None, label_first: bool = False, validation: str | None = "valid"
) -> Path:
    """``header`` None is what upstream writes; ``label_first`` swaps the columns; ``validation`` None leaves it out."""
    painter = Painter()
    splits = {"train": TRAIN, **({validation: 1} if validation else {}), "test": TEST}
    for split, each in splits.items():
        rows: list[list[str]] = [list(header)] if header else []
        for number in range(each * len(EMOTIONS)):
            emotion = EMOTIONS[number % len(EMOTIONS)]
            name = f"{split}_{number + 1}_{'anger' if emotion == 'angry' else emotion}.jpg"
            painter.save(root / split / name, emotion, 64)
            rows.append([name, str(UPSTREAM_CODES[emotion])])
        write_rows(root / f"{split}_labels.csv", [row[::-1] for row in rows] if label_first else rows)
    return root


def _photographs(root: Path) -> Iterator[tuple[Path, str, str]]:
    """Two pictures an emotion and one of contempt, in pictures/: file, label, person; one person an emotion."""
    painter = Painter()
    for person, label in enumerate((*EMOTIONS, "contempt")):
        for number in (1, 2) if label in EMOTIONS else (1,):
            drawn = label if label in EMOTIONS else "angry"
            yield painter.save(root / f"pictures/{label}-{number}.jpg", drawn, 90), label, str(person)


def write_photograph_folders(root: Path) -> Path:
    for file, label, _ in list(_photographs(root)):
        (root / label).mkdir(exist_ok=True)
        file.rename(root / label / file.name)
    (root / "pictures").rmdir()
    return root


def write_photograph_list(root: Path) -> Path:
    rows = [[file.relative_to(root).as_posix(), label, person] for file, label, person in _photographs(root)]
    write_rows(root / "photographs.csv", [["image", "label", "person"], *rows])
    return root


def write_photograph_table(root: Path) -> Path:
    rows = [(file.stem, file.read_bytes(), label, int(person)) for file, label, person in _photographs(root)]
    table = pd.DataFrame(rows, columns=["id", "image", "label", "person"])
    table.to_parquet(root / "photographs.parquet")
    return root


def write_rows(path: Path, rows: list[list[str]]) -> Path:
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows(rows)
    return path


def change(path: Path, old: str, new: str) -> None:
    """Put something else in a list, where it stands first."""
    content = path.read_text()
    assert old in content
    path.write_text(content.replace(old, new, 1))


def emotions_of(faces: FaceSource) -> dict[str, str]:
    """Id -> emotion."""
    return {id: EMOTIONS[target] for id, target in zip(faces.ids.tolist(), faces.targets, strict=True)}


def cut_short(path: Path) -> Path:
    """What a copy that broke off leaves of a picture."""
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    return path


# Layout -> (name in the catalogue, what writes it).
TREES: dict[str, tuple[str, Callable[[Path], Path]]] = {
    "raf-official": ("raf-db", write_raf_official),
    "raf-folders": ("raf-db", write_raf_folders),
    "affectnet-annotations": ("affectnet-7", write_affectnet_annotations),
    "affectnet-lists": ("affectnet-7", write_affectnet_lists),
    "expw": ("expw", write_expw),
    "ck-sequences": ("ckplus", write_ck_sequences),
    "ck-folders": ("ckplus", write_ck_folders),
    "upstream": ("upstream-csv", write_upstream),
    "photograph-folders": ("photographs", write_photograph_folders),
    "photograph-list": ("photographs", write_photograph_list),
}
