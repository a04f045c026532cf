"""RAF-DB, basic emotions (Li, Deng and Du 2017): 12,271 training and 3,068 test faces from the web.

Layouts read:

    official    EmoLabel/list_patition_label.txt ("train_00001.jpg 5"; the misspelling is theirs) and
                Image/aligned/train_00001_aligned.jpg, perhaps below basic/
    folders     DATASET/train/<1-7>/train_00001_aligned.jpg, DATASET/test/..., perhaps train_labels.csv and
                test_labels.csv (image,label) beside them; the labels then have to agree

The aligned faces (100x100, colour) are read, as in the literature; Image/original holds whole photographs. There is no
validation split: a tenth of train is cut off, stratified by emotion. Ids ("train_00001") are the same in both layouts,
so the cut is too.
"""

import re
from pathlib import Path

from ..errors import DatasetFormatError, DatasetNotFoundError
from .collection import Carved, Collection, Listing, check_inside, code_of
from .lists import csv_rows, first_there, folders_in, is_picture, need_file, need_folder, pictures_in, word_rows

NAME = "raf-db"
CODES = {1: "surprise", 2: "fear", 3: "disgust", 4: "happy", 5: "sad", 6: "angry", 7: "neutral"}
# The data's counts; Table II of the ResEmoteNet paper has the same.
EXPECTED = {
    "train": {"angry": 705, "disgust": 717, "fear": 281, "happy": 4772, "neutral": 2524, "sad": 1982, "surprise": 1290},
    "test": {"angry": 162, "disgust": 160, "fear": 74, "happy": 1185, "neutral": 680, "sad": 478, "surprise": 329},
}
CARVED = Carved("train", {"train": 0.9, "validation": 0.1}, seed=0, by="face")
LIST = "EmoLabel/list_patition_label.txt"
_LISTS = (LIST, "EmoLabel/list_partition_label.txt")
_ALIGNED = "Image/aligned"
_PICTURE = re.compile(r"(train|test)_\d+")


def find_layout(path: Path) -> tuple[str, Path] | None:
    """The layout and the folder it starts from, by the first sign of either; None if it is neither."""
    for root in (path, path / "basic"):
        if (root / "EmoLabel").is_dir() or (root / _ALIGNED).is_dir():
            return "official", root
    for root in (path, path / "DATASET"):
        numbered = [root / split / str(code) for split in ("train", "test") for code in CODES]
        there = [folder for folder in numbered if folder.is_dir()]
        if there and all(_is_ours(folder) for folder in there):
            return "folders", root
    return None


def _is_ours(folder: Path) -> bool:
    """Whether its pictures are called as RAF-DB's: other sets have folders of these numbers, for other emotions."""
    pictures = pictures_in(folder)
    return not pictures or _PICTURE.match(pictures[0].name) is not None


def read_rafdb(path: str | Path, *, skip_broken: bool = False) -> Collection:
    """Read RAF-DB from either layout.

    Args:
        path: the folder that holds Image/ and EmoLabel/, or DATASET/.
        skip_broken: leave out pictures that are listed but missing, instead of stopping.

    Raises:
        DatasetNotFoundError: it is not RAF-DB, or a folder or list is missing.
        DatasetFormatError: a label is none of 1 to 7, a face is there twice, pictures are absent, train or test is.
    """
    found = find_layout(Path(path))
    if found is None:
        raise DatasetNotFoundError(
            f"{path} is not RAF-DB; expected {_ALIGNED}/ and {LIST}, or DATASET/train/<1-7>/ and DATASET/test/<1-7>/. "
            "The authors give it to researchers: whdeng.cn/RAF/model1.html"
        )
    layout, root = found
    listing = (_from_list if layout == "official" else _from_folders)(root, skip_broken)
    return listing.collect(carved=CARVED, expected=EXPECTED)


def _from_list(root: Path, skip_broken: bool) -> Listing:
    origin = "the authors' download of RAF-DB basic (Image/aligned.zip and EmoLabel)"
    listing = Listing(NAME, "official", root, origin, skip_broken=skip_broken)
    need_folder(root, _ALIGNED, "train_00001_aligned.jpg and so on", origin)
    name = next((name for name in _LISTS if (root / name).is_file()), LIST)
    file = need_file(root, name, "a line 'train_00001.jpg 5' for every face", origin)
    for number, words in word_rows(file):
        place = f"{file}, line {number}"
        if len(words) != 2 or not is_picture(words[0]):
            raise DatasetFormatError(f"{place}: {' '.join(words)!r}, expected a file name and a label")
        check_inside(words[0], place)
        stem, _, suffix = words[0].rpartition(".")
        split = _split_of(stem, place)
        emotion = code_of(words[1], CODES, place)
        listing.add(split, f"{_ALIGNED}/{stem}_aligned.{suffix}", emotion, id=stem, place=place)
    return listing


def _split_of(stem: str, place: str) -> str:
    split = stem.split("_")[0]
    if split not in ("train", "test"):
        raise DatasetFormatError(f"{place}: {stem!r} belongs to no split; expected train_... or test_...")
    return split


def _from_folders(root: Path, skip_broken: bool) -> Listing:
    origin = "the copy of RAF-DB with DATASET/train/<1-7>/ and DATASET/test/<1-7>/"
    listing = Listing(NAME, "folders", root, origin, skip_broken=skip_broken)
    for split in ("train", "test"):
        folder = need_folder(root, split, "folders 1 to 7", origin)
        for code in CODES:
            need_folder(folder, str(code), f"the faces of {CODES[code]}", origin)
        files: dict[str, str] = {}
        for each in folders_in(folder):
            emotion = _emotion_of(each)
            for picture in pictures_in(each):
                file = picture.relative_to(root).as_posix()
                files[picture.name] = each.name
                listing.add(split, file, emotion, id=picture.stem.removesuffix("_aligned"), place=str(picture))
        _compare_with_list(listing, split, files)
    return listing


def _emotion_of(folder: Path) -> str:
    known = {str(code): emotion for code, emotion in CODES.items()}
    if folder.name not in known:
        meaning = ", ".join(f"{code} {emotion}" for code, emotion in known.items())
        raise DatasetFormatError(f"{folder} is not a class folder of RAF-DB; expected {meaning}")
    return known[folder.name]


def _compare_with_list(listing: Listing, split: str, files: dict[str, str]) -> None:
    """Where <split>_labels.csv is there, it has to say what the folders say."""
    name = f"{split}_labels.csv"
    path = first_there(listing.root / name, listing.root.parent / name)
    if path is None:
        return
    for row, (number, cells) in enumerate(csv_rows(path)):
        if row == 0 and not is_picture(cells[0]):  # image,label
            continue
        place = f"{path}, line {number}"
        if len(cells) != 2 or not is_picture(cells[0]):
            raise DatasetFormatError(f"{place}: {','.join(cells)!r}, expected image,label")
        code_of(cells[1], CODES, place)
        folder = files.get(cells[0])
        if folder is None:
            listing.lacks(f"{listing.root / split / cells[1] / cells[0]}", place)
        elif folder != cells[1]:
            raise DatasetFormatError(
                f"{place}: {cells[0]} has the label {cells[1]}, but it lies in the folder {split}/{folder}; one of "
                "them is wrong, copy both again"
            )
