"""Data that cannot be trained on, as the command line says so."""

from pathlib import Path

import pandas as pd
import pytest

from tests.fake_fer2013 import Fake, write_csv, write_parquet
from tests.training.conftest import TINY, error_line
from training.cli import main


def spoiled(rows: pd.DataFrame, spoil: str) -> pd.DataFrame:
    """fer2013.csv as text, with one thing wrong in it."""
    zeros = " 0" * 2303
    if spoil == "wrong column":
        return rows.rename(columns={"pixels": "pixel"})
    if spoil == "empty split":
        return rows[rows["Usage"] != "PublicTest"]
    column, value = {
        "label out of range": ("emotion", "7"),
        "NaN label": ("emotion", "nan"),
        "NaN pixel": ("pixels", "nan" + zeros),
        "pixel out of range": ("pixels", "256" + zeros),
        "too few pixels": ("pixels", zeros),
    }[spoil]
    rows.loc[30, column] = value
    return rows


class TestBadData:
    """Each fault has an error of its own, before a results folder is there."""

    SAID = {  # noqa: RUF012
        "wrong column": "lacks the columns ['pixels']; it has ['emotion', 'pixel', 'Usage']",
        "label out of range": "row 30: emotion 7, expected 0 to 6",
        "NaN label": "row 30: emotion nan, expected 0 to 6",
        "NaN pixel": "row 30: a pixel is NaN or infinite, expected 0 to 255",
        "pixel out of range": "row 30: pixels from 0 to 256, expected 0 to 255",
        "too few pixels": "row 30: 2303 pixels, expected 2304",
        "empty split": "has no PublicTest images, so no validation split",
        "missing file": "there is no FER2013 at ",
        "truncated image": "row 30: the image cannot be decoded (",
        "missing image": "row 30: image is NoneType, expected encoded bytes",
        "truncated file": "cannot be read: ",
    }

    @pytest.mark.parametrize("spoil", SAID)
    def test_it_is_named_before_anything_is_trained(
        self, capsys: pytest.CaptureFixture[str], fake: Fake, tmp_path: Path, spoil: str
    ):
        if "image" in spoil:
            path = write_parquet(fake, tmp_path / "fer2013.parquet")
            rows = pd.read_parquet(path)
            rows.at[30, "image"] = None if spoil == "missing image" else rows.at[30, "image"][:200]
            rows.to_parquet(path)
        elif spoil == "truncated file":
            path = write_parquet(fake, tmp_path / "fer2013.parquet")
            path.write_bytes(path.read_bytes()[:-100])
        else:
            path = write_csv(fake, tmp_path / "fer2013.csv")
            spoiled(pd.read_csv(path, dtype=str), spoil if spoil != "missing file" else "wrong column").to_csv(
                path, index=False
            )
            path = tmp_path / "gone.csv" if spoil == "missing file" else path
        given = ["train", "strong", "--data", str(path), "--results", str(tmp_path / "results"), *TINY]
        assert main(given) == 1
        line = error_line(capsys)
        assert line.startswith("training: ")
        assert self.SAID[spoil] in line
        assert [other for other, said in self.SAID.items() if said in line] == [spoil]
        assert not (tmp_path / "results").exists()
