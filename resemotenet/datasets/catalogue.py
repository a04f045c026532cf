"""All data sets: what they are called, what users have of them, where they come from, and how to tell a folder."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from ..emotions import EMOTIONS
from ..errors import DatasetNotFoundError
from . import affectnet, ckplus, expw, fer2013, photographs, rafdb, upstream
from .base import FaceSource
from .collection import Collection
from .fer2013 import FER2013, USAGES
from .lists import folders_in

Whole = Collection | FER2013
Layout = tuple[str, Path]

_DEEPEST = 3
"""So many folders, each alone in the one above, are looked into: "archive/images/images/train"."""


class Reader(Protocol):
    """Reads a data set; ``skip_broken`` leaves out pictures that are absent. FER2013 knows none."""

    def __call__(self, path: Path, *, skip_broken: bool = False) -> Whole: ...


@dataclass(frozen=True)
class DatasetInfo:
    """What is known of a data set before it is there.

    Attributes:
        name: for --dataset.name, and the name of its own labels.
        title: for people.
        faces: how many, and how they are split.
        layouts: files that users have, one layout each.
        labels: its codes, in its own order.
        source: where to ask for it; nothing here downloads.
        url: the page of the source; None where there is none.
        licence: what it may be used for.
        citation: the paper to cite.
        use: "training and evaluation" or "evaluation only".
        find_layout: recognises a folder; None where the data is another one.
        read: see ``Reader``.
    """

    name: str
    title: str
    faces: str
    layouts: tuple[str, ...]
    labels: str
    source: str
    url: str | None
    licence: str
    citation: str
    find_layout: Callable[[Path], Layout | None]
    read: Reader
    use: str = "training and evaluation"


def _codes(codes: dict[int, str | None] | dict[int, str]) -> str:
    return ", ".join(f"{code} {emotion or 'left out'}" for code, emotion in codes.items())


def _read_fer2013(path: Path, *, skip_broken: bool = False) -> Whole:
    return fer2013.read_fer2013(path)


_RESEARCH = "non-commercial research; must not be passed on"

# The order is that in which a folder is tried: signs that others share come last.
CATALOGUE: tuple[DatasetInfo, ...] = (
    DatasetInfo(
        name=rafdb.NAME,
        title="RAF-DB, basic emotions",
        faces="12,271 train, 3,068 test; validation: a tenth of train",
        layouts=(
            "Image/aligned/train_00001_aligned.jpg + EmoLabel/list_patition_label.txt",
            "DATASET/{train,test}/<1-7>/train_00001_aligned.jpg (+ train_labels.csv, test_labels.csv)",
        ),
        labels=_codes(rafdb.CODES),
        source="the authors, on request by a member of a university: whdeng.cn/RAF/model1.html",
        url="http://whdeng.cn/RAF/model1.html",
        licence=_RESEARCH,
        citation="Li, Deng and Du, Reliable crowdsourcing and deep locality-preserving learning for expression "
        "recognition in the wild, CVPR 2017",
        find_layout=rafdb.find_layout,
        read=rafdb.read_rafdb,
    ),
    DatasetInfo(
        name=affectnet.NAME,
        title="AffectNet, seven emotions",
        faces="283,901 train (a twentieth of it validation), 3,500 test (the authors' validation set)",
        layouts=(
            "{train_set,val_set}/images/<id>.jpg + {train_set,val_set}/annotations/<id>_exp.npy",
            "Manually_Annotated_file_lists/{training,validation}.csv + Manually_Annotated_Images/",
        ),
        labels=_codes(affectnet.CODES),
        source="the authors, on request by the head of a laboratory: mohammadmahoor.com/affectnet",
        url="http://mohammadmahoor.com/affectnet/",
        licence=_RESEARCH,
        citation="Mollahosseini, Hasani and Mahoor, AffectNet: a database for facial expression, valence, and arousal "
        "computing in the wild, IEEE Transactions on Affective Computing 10(1), 2019",
        find_layout=affectnet.find_layout,
        read=affectnet.read_affectnet,
    ),
    DatasetInfo(
        name=expw.NAME,
        title="ExpW, expressions in the wild",
        faces="91,793; no official split: 64,253 / 18,449 / 9,091 train, validation, test are cut by photograph",
        layouts=("image/origin/*.jpg + label/label.lst",),
        labels=_codes(expw.CODES),
        source="the authors: mmlab.ie.cuhk.edu.hk/projects/socialrelation",
        url="http://mmlab.ie.cuhk.edu.hk/projects/socialrelation/index.html",
        licence=_RESEARCH,
        citation="Zhang, Luo, Loy and Tang, From facial expression recognition to interpersonal relation prediction, "
        "IJCV 126, 2018",
        find_layout=expw.find_layout,
        read=expw.read_expw,
    ),
    DatasetInfo(
        name="ckplus",
        title="CK+, extended Cohn-Kanade",
        faces="309 peak frames (ckplus-peak), or the last three of each sequence (ckplus-last3), all test",
        layouts=(
            "cohn-kanade-images/S005/001/*.png + Emotion/S005/001/*_emotion.txt (+ Landmarks/, to cut out the face)",
            "{anger,disgust,fear,happy,sadness,surprise,contempt}/S010_004_00000017.png (the 48x48 copy)",
        ),
        labels=_codes(ckplus.CODES),
        source="the authors, on request: jeffcohn.net/Resources",
        url="http://www.jeffcohn.net/Resources/",
        licence=_RESEARCH,
        citation="Lucey, Cohn, Kanade, Saragih, Ambadar and Matthews, The extended Cohn-Kanade dataset (CK+), CVPR "
        "workshops 2010",
        find_layout=ckplus.find_layout,
        read=ckplus.read_ckplus,
        use="evaluation only",
    ),
    DatasetInfo(
        name=upstream.NAME,
        title="a folder made for upstream's training script",
        faces="as given; without validation a tenth of train",
        layouts=("{train,valid,test}_labels.csv (file name, label; with a header or without) + {train,valid,test}/",),
        labels=_codes(upstream.CODES),
        source="upstream's data_csv.py makes it from your own pictures",
        url=None,
        licence="that of the pictures",
        citation="Roy, Kathania, Sharma, Dey and Ansari, ResEmoteNet, IEEE Signal Processing Letters, 2024",
        find_layout=upstream.find_layout,
        read=upstream.read_upstream,
    ),
    DatasetInfo(
        name=photographs.NAME,
        title="photographs of your own, with an emotion each",
        faces="as given, all test; faces are found by the detector, and of several in a picture the largest counts",
        layouts=(
            "<emotion>/*.jpg",
            "photographs.csv, pictures.csv or labels.csv (image, label, perhaps person)",
            "photographs.parquet (image as bytes, label, perhaps id and person)",
        ),
        labels=f"none: names, {', '.join(EMOTIONS)}",
        source="you",
        url=None,
        licence="that of the pictures",
        citation="none",
        find_layout=photographs.find_layout,
        read=photographs.read_photographs,
        use="evaluation only: python -m training evaluate MODEL --data PATH",
    ),
    DatasetInfo(
        name="fer2013",
        title="FER2013, with the FER+ votes where they are present",
        faces="28,709 train (Training), 3,589 validation (PublicTest), 3,589 test (PrivateTest)",
        layouts=(
            "fer2013.csv, icml_face_data.csv (+ fer2013new.csv) or train.csv",
            "{train,test}/<emotion>/*.jpg, perhaps validation/",
            "fer2013.parquet (row, usage, emotion, image, ferplus_*)",
        ),
        labels="0 angry, 1 disgust, 2 fear, 3 happy, 4 sad, 5 surprise, 6 neutral",
        source="Kaggle's 2013 facial expression recognition challenge; FER+ votes: github.com/microsoft/FERPlus",
        url="https://www.kaggle.com/c/challenges-in-representation-learning-facial-expression-recognition-challenge",
        licence=f"{_RESEARCH}; the FER+ votes are MIT",
        citation="Goodfellow et al., Challenges in representation learning, ICONIP 2013; Barsoum et al., Training deep "
        "networks for facial expression recognition with crowd-sourced label distribution, ICMI 2016",
        find_layout=fer2013.find_layout,
        read=_read_fer2013,
    ),
)


def dataset_info(name: str) -> DatasetInfo:
    """The entry of a data set.

    Raises:
        ValueError: there is none of that name.
    """
    for info in CATALOGUE:
        if info.name == name:
            return info
    raise ValueError(f"there is no data set {name!r}; there are {', '.join(info.name for info in CATALOGUE)}")


def recognise(path: str | Path, name: str | None = None) -> tuple[DatasetInfo, str, Path]:
    """Which data set lies at ``path``, in which layout, and from which folder on; by its first sign only.

    A half-copied folder is recognised too; reading it says what is missing.

    Args:
        name: the one that it has to be; where signs of several are there, it decides.

    Raises:
        DatasetNotFoundError: nothing is there, nothing known, or not the one that it has to be.
    """
    path = Path(path)
    if not path.exists():
        raise DatasetNotFoundError(f"there is nothing at {path}")
    if name is not None:
        return _recognise_as(path, name)
    for place in _places(path):
        for info in CATALOGUE:
            if (found := info.find_layout(place)) is not None:
                return info, *found
    expected = "\n".join(f"    {info.name}: {layout}" for info in CATALOGUE for layout in info.layouts)
    raise DatasetNotFoundError(f"{path} does not look like any data set known here; expected one of\n{expected}")


def _places(path: Path) -> Iterator[Path]:
    """The path, and what an archive was unpacked to: the one folder in it, and the one in that."""
    yield path
    for _ in range(_DEEPEST):
        folders = folders_in(path) if path.is_dir() else []
        if len(folders) != 1:
            return
        (path,) = folders
        yield path


def _recognise_as(path: Path, name: str) -> tuple[DatasetInfo, str, Path]:
    names = [info.name for info in CATALOGUE]
    if name not in names:
        raise DatasetNotFoundError(f"no data set is called {name!r}; there are {', '.join(names)}")
    wanted = dataset_info(name)
    for place in _places(path):
        if (found := wanted.find_layout(place)) is not None:
            return wanted, *found
    others = [info.name for info in CATALOGUE if info.find_layout(path) is not None]
    looks = f"; it looks like {others[0]}" if others else ""
    expected = " or ".join(wanted.layouts)
    raise DatasetNotFoundError(f"{path} does not look like {name}{looks}; expected {expected}")


def splits_of(whole: Whole) -> dict[str, FaceSource]:
    """The splits that a data set has, under its own labels."""
    if isinstance(whole, Collection):
        return dict(whole.splits)
    return {split: whole.split(split) for split, usage in USAGES.items() if (whole.usage == usage).any()}
