"""A small FER2013 drawn from nothing, in every layout that users have: nothing is downloaded, every value is known.

The faces are schematic (an oval, two eyes, a mouth that follows the emotion) under noise, so no two are alike except
the copies planted here, and a tiny network can learn something from them.
"""

import csv
import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from PIL import Image

CODES = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")  # FER2013's own numbers, 0 to 6
VOTE_COLUMNS = (
    "neutral", "happiness", "surprise", "sadness", "anger", "disgust", "fear", "contempt", "unknown", "NF"
)  # fmt: skip
_VOTE_OF_CODE = (4, 5, 6, 1, 3, 2, 0)
_SHARES = {"Training": 84, "PublicTest": 35, "PrivateTest": 35}

# Row -> the row whose pixels it repeats. Training is rows 0 to 83, PublicTest 84 to 118, PrivateTest 119 to 153.
COPIES = {84: 3, 120: 5, 6: 5, 9: 8, 121: 86}
TRAIN_ROWS_WITH_A_COPY_ELSEWHERE = (3, 5, 6)
UNNAMED = (10, 11, 90)
BLANK = (10, 11)


@dataclass(frozen=True)
class Fake:
    """images (N, 48, 48) uint8; codes (N,) 0 to 6; usage (N,); votes (N, 10); named (N,) as in fer2013new.csv."""

    images: NDArray[np.uint8]
    codes: NDArray[np.int64]
    usage: list[str]
    votes: NDArray[np.int64]
    named: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.codes)

    def rows(self, usage: str) -> list[int]:
        return [row for row, name in enumerate(self.usage) if name == usage]


def draw(seed: int = 0) -> Fake:
    rng = np.random.default_rng(seed)
    usage = [name for name, n in _SHARES.items() for _ in range(n)]
    codes = np.arange(len(usage)) % len(CODES)
    images = np.stack([_face(int(code), rng) for code in codes])
    for row, original in COPIES.items():
        images[row] = images[original]
    images[BLANK[0]] = 0
    images[BLANK[1]] = 127
    images[BLANK[1], 10:12] = 129
    votes = np.zeros((len(usage), len(VOTE_COLUMNS)), np.int64)
    for row, code in enumerate(codes):
        votes[row, _VOTE_OF_CODE[code]] = 7
        votes[row, (_VOTE_OF_CODE[code] + 1 + row % 3) % 7] = 2
        votes[row, 8] = 1
    named = np.ones(len(usage), bool)
    named[list(UNNAMED)] = False
    return Fake(images, codes, usage, votes, named)


def _face(code: int, rng: np.random.Generator) -> NDArray[np.uint8]:
    y, x = np.mgrid[:48, :48].astype(float)
    face = np.full((48, 48), rng.uniform(40, 90))
    face[((x - 24) / 17) ** 2 + ((y - 24) / 22) ** 2 < 1] = rng.uniform(150, 200)
    for eye in (16, 32):
        face[(x - eye) ** 2 + ((y - 18) / (0.5 + 0.2 * code)) ** 2 < 9] = 30
    mouth = 34 + (code - 3) * ((x - 24) / 10) ** 2
    face[(abs(x - 24) < 10) & (abs(y - mouth) < 1 + code % 3)] = 30
    return (face + rng.normal(0, 8, face.shape)).clip(0, 255).astype(np.uint8)


def write_csv(fake: Fake, path: Path, columns: tuple[str, ...] = ("emotion", "pixels", "Usage")) -> Path:
    """``columns`` are written as they stand, so ("emotion", " Usage", " pixels") is icml_face_data.csv."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        for code, image, usage in zip(fake.codes, fake.images, fake.usage, strict=True):
            values = {"emotion": code, "pixels": " ".join(map(str, image.ravel())), "Usage": usage}
            writer.writerow([values[column.strip()] for column in columns])
    return path


def write_train_csv(fake: Fake, path: Path) -> Path:
    train = fake.rows("Training")
    part = Fake(fake.images[train], fake.codes[train], ["Training"] * len(train), fake.votes, fake.named)
    return write_csv(part, path, ("emotion", "pixels"))


def write_votes(fake: Fake, path: Path) -> Path:
    names = [f"fer{row:07d}.png" if named else None for row, named in enumerate(fake.named)]
    table = pd.DataFrame(fake.votes, columns=list(VOTE_COLUMNS))
    table.insert(0, "Usage", fake.usage)
    table.insert(1, "Image name", names)
    table.to_csv(path, index=False)
    return path


def write_parquet(fake: Fake, path: Path) -> Path:
    table = pd.DataFrame(
        {
            "row": np.arange(len(fake), dtype=np.int32),
            "usage": fake.usage,
            "emotion": fake.codes.astype(np.int8),
            "image": [encode(image) for image in fake.images],
        }
    )
    for column, votes in zip(VOTE_COLUMNS, fake.votes.T, strict=True):
        table[f"ferplus_{column.lower()}"] = votes.astype(np.int8)
    table["ferplus_named"] = fake.named
    table.to_parquet(path)
    return path


def write_folders(fake: Fake, path: Path, *, validation: str | None = None, suffix: str = "png") -> Path:
    """train/ and test/; PublicTest images lie in test/ or, if named, in a folder of their own."""
    for row, (image, code, usage) in enumerate(zip(fake.images, fake.codes, fake.usage, strict=True)):
        split = {"Training": "train", "PublicTest": validation or "test", "PrivateTest": "test"}[usage]
        folder = path / split / CODES[code]
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(folder / f"{usage}_{row:05d}.{suffix}")
    return path


def encode(image: NDArray[np.uint8]) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "WEBP", lossless=True)
    return buffer.getvalue()
