"""Every layout on data drawn here, every error, and the published counts on the real file where there is one."""

import io
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from resemotenet.datasets import FER2013, read_fer2013
from resemotenet.datasets.catalogue import recognise
from resemotenet.emotions import EMOTIONS
from resemotenet.errors import DatasetFormatError, DatasetNotFoundError
from tests import fake_fer2013
from tests.fake_fer2013 import CODES, Fake, draw, write_csv, write_folders, write_parquet, write_train_csv, write_votes

# FER2013's number -> canonical emotion, written out: 0 angry 1 disgust 2 fear 3 happy 4 sad 5 surprise 6 neutral.
CANONICAL = [EMOTIONS.index(name) for name in CODES]


@pytest.fixture(scope="module")
def fake() -> Fake:
    return draw()


@pytest.fixture(scope="module")
def real(fer2013_parquet: Path) -> FER2013:
    return read_fer2013(fer2013_parquet)


@pytest.fixture
def table(fake: Fake, tmp_path: Path) -> tuple[pd.DataFrame, Path]:
    """fer2013.csv as a table to spoil, and where to write it."""
    path = write_csv(fake, tmp_path / "fer2013.csv")
    return pd.read_csv(path, dtype=str), path


def tiff(value: float) -> bytes:
    """A black 48x48 image of 32-bit floats with one pixel of this value."""
    pixels = np.zeros((48, 48), np.float32)
    pixels[3, 5] = value
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "TIFF")
    return buffer.getvalue()


class TestLayouts:
    def test_csv(self, fake: Fake, tmp_path: Path):
        data = read_fer2013(write_csv(fake, tmp_path / "fer2013.csv"))
        np.testing.assert_array_equal(data.images, fake.images)
        assert data.emotion.tolist() == [CANONICAL[code] for code in fake.codes]
        assert data.usage.tolist() == fake.usage
        assert data.ids[[0, 100, 153]].tolist() == ["00000", "00100", "00153"]
        assert data.votes is None

    def test_splits_are_the_usages(self, fake: Fake, tmp_path: Path):
        data = read_fer2013(write_csv(fake, tmp_path / "fer2013.csv"))
        for split, usage in (("train", "Training"), ("validation", "PublicTest"), ("test", "PrivateTest")):
            faces = data.split(split)
            rows = fake.rows(usage)
            assert faces.images.shape == (len(rows), 1, 48, 48)
            np.testing.assert_array_equal(faces.images[:, 0], fake.images[rows])
            np.testing.assert_array_equal(faces.distribution, np.eye(7)[faces.targets])
            assert faces.ids.tolist() == [f"{row:05d}" for row in rows]
            assert faces.counts() == {name: list(fake.codes[rows]).count(CODES.index(name)) for name in EMOTIONS}
            assert (faces.name, faces.split, len(faces)) == ("fer2013", split, len(rows))

    def test_spaces_in_the_header(self, fake: Fake, tmp_path: Path):
        path = write_csv(fake, tmp_path / "icml_face_data.csv", ("emotion", " Usage", " pixels"))
        assert_same(read_fer2013(path), read_fer2013(write_csv(fake, tmp_path / "fer2013.csv")))

    def test_names_in_capitals(self, fake: Fake, tmp_path: Path):
        path = write_csv(fake, tmp_path / "FER2013.CSV")
        for place in (tmp_path, path):
            info, _, root = recognise(place)
            assert info.name == "fer2013"
            assert_same(read_fer2013(root), read_fer2013(path))

    def test_text_of_another_encoding_says_what_to_do(self, fake: Fake, tmp_path: Path):
        path = write_csv(fake, tmp_path / "fer2013.csv")
        path.write_bytes(path.read_text().encode("utf-16"))
        with pytest.raises(DatasetFormatError, match=r"is not UTF-8 text; save it as CSV \(UTF-8\)"):
            read_fer2013(path)

    def test_semicolons_as_spreadsheets_write_them(self, fake: Fake, tmp_path: Path):
        path = write_csv(fake, tmp_path / "fer2013.csv")
        other = tmp_path / "saved" / "fer2013.csv"
        other.parent.mkdir()
        other.write_bytes(path.read_bytes().replace(b",", b";").replace(b"\n", b"\r\n"))
        assert_same(read_fer2013(other), read_fer2013(path))

    def test_train_csv_is_all_training_and_takes_no_votes_by_itself(self, fake: Fake, tmp_path: Path):
        write_votes(fake, tmp_path / "fer2013new.csv")  # has a row for every usage
        data = read_fer2013(write_train_csv(fake, tmp_path / "train.csv"))
        train = fake.rows("Training")
        np.testing.assert_array_equal(data.split("train").images[:, 0], fake.images[train])
        assert data.emotion.tolist() == [CANONICAL[code] for code in fake.codes[train]]
        assert data.votes is None
        with pytest.raises(DatasetFormatError, match="no PublicTest images, so no validation split"):
            data.split("validation")

    def test_parquet_equals_csv_with_votes_beside_it(self, fake: Fake, tmp_path: Path):
        write_votes(fake, tmp_path / "fer2013new.csv")
        from_csv = read_fer2013(write_csv(fake, tmp_path / "fer2013.csv"))
        from_parquet = read_fer2013(write_parquet(fake, tmp_path / "any name.parquet"))
        assert_same(from_parquet, from_csv)
        expected = fake.votes.copy()
        expected[list(fake_fer2013.UNNAMED)] = -1
        np.testing.assert_array_equal(from_parquet.votes, expected)

    def test_parquet_ids_are_its_row_numbers(self, fake: Fake, tmp_path: Path):
        path = write_parquet(fake, tmp_path / "fer2013.parquet")
        pd.read_parquet(path).iloc[::-1].to_parquet(path)
        data = read_fer2013(path)
        assert data.ids[[0, -1]].tolist() == ["00153", "00000"]
        np.testing.assert_array_equal(data.images, fake.images[::-1])

    def test_votes_from_elsewhere(self, fake: Fake, tmp_path: Path):
        (tmp_path / "votes").mkdir()
        votes = write_votes(fake, tmp_path / "votes" / "crowd.csv")
        path = write_csv(fake, tmp_path / "fer2013.csv")
        assert read_fer2013(path).votes is None
        assert read_fer2013(path, ferplus=votes).votes is not None

    @pytest.mark.parametrize("validation", [None, "validation", "val"])
    def test_folders(self, fake: Fake, tmp_path: Path, validation: str | None):
        data = read_fer2013(write_folders(fake, tmp_path, validation=validation))
        assert len(data.ids) == len(fake)
        for id_, image, emotion, usage in zip(data.ids, data.images, data.emotion, data.usage, strict=True):
            row = int(Path(id_).stem.split("_")[1])
            np.testing.assert_array_equal(image, fake.images[row])
            assert (emotion, usage) == (CANONICAL[fake.codes[row]], fake.usage[row])
        public = {Path(id_).parts[0] for id_ in data.ids[data.usage == "PublicTest"]}
        assert public == {validation or "test"}

    def test_folders_of_jpegs(self, fake: Fake, tmp_path: Path):
        data = read_fer2013(write_folders(fake, tmp_path, suffix="jpg"))
        rows = [int(Path(id_).stem.split("_")[1]) for id_ in data.ids]
        error = np.abs(data.images.astype(int) - fake.images[rows]).mean()
        assert 0 < error < 10  # grey levels; the noise is what JPEG loses

    def test_folder_names_of_other_copies(self, fake: Fake, tmp_path: Path):
        for folder, emotion in {
            "Anger": "angry",
            "HAPPINESS": "happy",
            "sadness": "sad",
            "surprised": "surprise",
        }.items():
            (tmp_path / "train" / folder).mkdir(parents=True)
            Image.fromarray(fake.images[0]).save(tmp_path / "train" / folder / "1.png")
            data = read_fer2013(tmp_path)
            assert EMOTIONS[data.emotion[data.ids.tolist().index(f"train/{folder}/1.png")]] == emotion

    def test_files_without_a_usage_in_their_name(self, fake: Fake, tmp_path: Path):
        for split in ("train", "val", "test"):
            (tmp_path / split / "fear").mkdir(parents=True)
            Image.fromarray(fake.images[0]).save(tmp_path / split / "fear" / "12.png")
        data = read_fer2013(tmp_path)
        assert dict(zip(data.ids.tolist(), data.usage.tolist(), strict=True)) == {
            "train/fear/12.png": "Training",
            "val/fear/12.png": "PublicTest",
            "test/fear/12.png": "PrivateTest",
        }

    @pytest.mark.parametrize("name", ["fer2013.csv", "icml_face_data.csv", "fer2013.parquet", "train.csv"])
    def test_a_folder_stands_for_the_file_in_it(self, fake: Fake, tmp_path: Path, name: str):
        write = {"fer2013.parquet": write_parquet, "train.csv": write_train_csv}.get(name, write_csv)
        write(fake, tmp_path / name)
        assert_same(read_fer2013(tmp_path), read_fer2013(tmp_path / name))

    def test_original_labels_do_not_change_ids(self, fake: Fake, tmp_path: Path):
        data = read_fer2013(write_parquet(fake, tmp_path / "fer2013.parquet"))
        original, crowd = data.split("train"), data.split("train", "ferplus-strict")
        assert set(crowd.ids) == set(original.ids) - {"00010", "00011"}


def assert_same(one: FER2013, other: FER2013) -> None:
    np.testing.assert_array_equal(one.images, other.images)
    np.testing.assert_array_equal(one.emotion, other.emotion)
    assert one.usage.tolist() == other.usage.tolist()
    assert one.ids.tolist() == other.ids.tolist()
    np.testing.assert_array_equal(one.votes, other.votes)


class TestErrors:
    def test_nothing_there(self, tmp_path: Path):
        with pytest.raises(DatasetNotFoundError, match=r"no FER2013 at .*gone\.csv"):
            read_fer2013(tmp_path / "gone.csv")

    def test_empty_folder(self, tmp_path: Path):
        with pytest.raises(DatasetNotFoundError, match=r"holds none of fer2013\.parquet, fer2013\.csv"):
            read_fer2013(tmp_path)

    def test_another_kind_of_file(self, tmp_path: Path):
        (tmp_path / "fer2013.zip").write_bytes(b"PK")
        with pytest.raises(DatasetNotFoundError, match=r"neither a \.csv, a \.parquet file nor a folder"):
            read_fer2013(tmp_path / "fer2013.zip")

    @pytest.mark.parametrize("name", ["fer2013.csv", "fer2013.parquet"])
    @pytest.mark.parametrize("content", [b"", b'a,b\n1,"2\n', b"\xff\xfe\x00\x01"])
    def test_not_a_table(self, tmp_path: Path, name: str, content: bytes):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(DatasetFormatError, match=name):
            read_fer2013(tmp_path / name)

    def test_no_rows(self, tmp_path: Path):
        (tmp_path / "fer2013.csv").write_text("emotion,pixels,Usage\n")
        with pytest.raises(DatasetFormatError, match="holds no faces"):
            read_fer2013(tmp_path)

    @pytest.mark.parametrize("column", ["emotion", "pixels"])
    def test_missing_column(self, table: tuple[pd.DataFrame, Path], column: str):
        rows, path = table
        rows.rename(columns={column: "label"}).to_csv(path, index=False)
        with pytest.raises(DatasetFormatError, match=rf"lacks the columns \['{column}'\]; it has .*'label'"):
            read_fer2013(path)

    def test_missing_column_of_the_parquet(self, fake: Fake, tmp_path: Path):
        path = write_parquet(fake, tmp_path / "fer2013.parquet")
        pd.read_parquet(path).drop(columns="ferplus_named").to_parquet(path)
        with pytest.raises(DatasetFormatError, match=r"lacks the columns \['ferplus_named'\]"):
            read_fer2013(path)

    @pytest.mark.parametrize(
        ("column", "value", "message"),
        [
            ("emotion", "7", r"row 20: emotion 7, expected 0 to 6"),
            ("emotion", "-1", r"row 20: emotion -1"),
            ("emotion", "2.5", r"row 20: emotion 2\.5"),
            ("emotion", "happy", r"row 20: emotion happy"),
            ("emotion", None, r"row 20: emotion nan"),
            ("Usage", "Train", r"row 20: Usage 'Train', expected one of Training, PublicTest, PrivateTest"),
            ("Usage", None, r"row 20: Usage 'nan'"),
            ("pixels", "1 2 3", r"row 20: 3 pixels, expected 2304"),
            ("pixels", " ".join(["0"] * 2305), r"row 20: 2305 pixels"),
            ("pixels", "x " + " ".join(["0"] * 2303), r"row 20: a pixel is not a whole number \(.*'x'"),
            ("pixels", "nan " + " ".join(["0"] * 2303), r"row 20: a pixel is NaN or infinite, expected 0 to 255"),
            ("pixels", " ".join(["0"] * 2303) + " -inf", r"row 20: a pixel is NaN or infinite"),
            ("pixels", "0.5 " + " ".join(["0"] * 2303), r"row 20: a pixel is not a whole number"),
            ("pixels", "9" * 30 + " 0" * 2303, r"row 20: a pixel is not a whole number"),
            ("pixels", None, r"row 20: a pixel is NaN"),
            ("pixels", "256 " + " ".join(["0"] * 2303), r"row 20: pixels from 0 to 256, expected 0 to 255"),
            ("pixels", "-1 " + " ".join(["0"] * 2303), r"row 20: pixels from -1 to 0"),
        ],
    )
    def test_wrong_value(self, table: tuple[pd.DataFrame, Path], column: str, value: str | None, message: str):
        rows, path = table
        rows.loc[20, column] = value
        rows.to_csv(path, index=False)
        with pytest.raises(DatasetFormatError, match=message):
            read_fer2013(path)

    @pytest.mark.parametrize(
        ("image", "message"),
        [
            (b"", "the image cannot be decoded"),
            (b"RIFF????WEBP", "the image cannot be decoded"),
            (None, "image is NoneType, expected encoded bytes"),
            (fake_fer2013.encode(np.zeros((47, 48), np.uint8)), "the image is 48x47, expected FER2013's 48x48"),
            (tiff(np.nan), "a pixel is NaN or infinite, expected 0 to 255"),
            (tiff(0.5), r"the image has float32 pixels from 0\.0 to 0\.5, expected 8 bits each"),
        ],
    )
    def test_broken_image(self, fake: Fake, tmp_path: Path, image: bytes | None, message: str):
        path = write_parquet(fake, tmp_path / "fer2013.parquet")
        rows = pd.read_parquet(path)
        rows.at[20, "image"] = image
        rows.to_parquet(path)
        with pytest.raises(DatasetFormatError, match=rf"row 20: {message}"):
            read_fer2013(path)

    @pytest.mark.parametrize("kept_share", [0.1, 0.5, 0.95])
    @pytest.mark.parametrize("suffix", ["png", "jpg", "webp"])
    def test_truncated_image(self, fake: Fake, tmp_path: Path, suffix: str, kept_share: float):
        folder = tmp_path / "train" / "sad"
        folder.mkdir(parents=True)
        Image.fromarray(fake.images[0]).save(tmp_path / f"whole.{suffix}")
        whole = (tmp_path / f"whole.{suffix}").read_bytes()
        cut = folder / "Training_7.png"  # the reader goes by what is in it
        cut.write_bytes(whole[: int(len(whole) * kept_share)])
        with pytest.raises(DatasetFormatError, match=r"Training_7\.png: the image cannot be decoded"):
            read_fer2013(tmp_path)

    def test_wrong_folder_name(self, fake: Fake, tmp_path: Path):
        write_folders(fake, tmp_path)
        (tmp_path / "train" / "fear").rename(tmp_path / "train" / "contempt")
        with pytest.raises(DatasetFormatError, match=r"contempt is not an emotion of FER2013; expected angry, disgust"):
            read_fer2013(tmp_path)

    def test_row_numbers_that_appear_again(self, fake: Fake, tmp_path: Path):
        path = write_parquet(fake, tmp_path / "fer2013.parquet")
        rows = pd.read_parquet(path)
        rows.loc[5, "row"] = 6
        rows.to_parquet(path)
        with pytest.raises(DatasetFormatError, match="row numbers must be unique, but 1 are repeated"):
            read_fer2013(path)

    def test_row_numbers_that_are_none(self, fake: Fake, tmp_path: Path):
        path = write_parquet(fake, tmp_path / "fer2013.parquet")
        pd.read_parquet(path).astype({"row": str}).to_parquet(path)
        with pytest.raises(DatasetFormatError, match="column row must hold whole numbers"):
            read_fer2013(path)


class TestRealData:
    @pytest.mark.parametrize(
        ("labels", "train", "validation", "test"),
        [
            ("fer2013", 28_709, 3_589, 3_589),
            ("ferplus-strict", 21_732, 2_854, 2_720),
            ("ferplus-usual", 24_940, 3_186, 3_137),
        ],
    )
    def test_counts(self, real: FER2013, labels: str, train: int, validation: int, test: int):
        assert [len(real.split(split, labels)) for split in ("train", "validation", "test")] == [
            train,
            validation,
            test,
        ]

    def test_classes_of_the_test_split(self, real: FER2013):
        # Goodfellow et al. 2013; the ResEmoteNet paper prints them in another order.
        counts = {"angry": 491, "disgust": 55, "fear": 528, "happy": 879, "neutral": 626, "sad": 594, "surprise": 416}
        assert real.split("test").counts() == counts

    @pytest.mark.parametrize(("labels", "percent"), [("ferplus-strict", 72.2), ("ferplus-usual", 67.4)])
    def test_agreement_of_crowd_and_original_label(self, real: FER2013, labels: str, percent: float):
        original, crowd = real.split("test"), real.split("test", labels)
        of = dict(zip(original.ids.tolist(), original.targets.tolist(), strict=True))
        agree = np.mean([of[id_] == target for id_, target in zip(crowd.ids.tolist(), crowd.targets, strict=True)])
        assert round(100 * float(agree), 1) == percent

    def test_training_pixels(self, real: FER2013):
        images = real.images[real.usage == "Training"]
        assert images.mean() / 255 == pytest.approx(0.5077, abs=5e-5)
        assert images.std() / 255 == pytest.approx(0.2550, abs=5e-5)

    def test_rows_without_a_name(self, real: FER2013):
        assert real.votes is not None
        assert int((real.votes.min(axis=1) < 0).sum()) == 175
