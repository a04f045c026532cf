"""FER2013 as folders of pictures, the way copies of it go around.

    train/<emotion>/*.jpg and test/<emotion>/*.jpg, perhaps with validation/

Folders may be called otherwise: Train, training, PublicTest, valid, val; Anger, happiness, 0_angry. A bare number is
refused: copies count the emotions in their own ways, and nothing in the folder says which. A picture belongs to the
split that its own name gives (PublicTest_123.jpg, wherever it lies), else to that of its folder.
"""

from collections.abc import Iterator
from pathlib import Path

from ..emotions import EMOTIONS
from ..errors import DatasetFormatError
from .lists import folders_in, pictures_in
from .names import emotion_called, is_emotion

_USAGES = {
    **dict.fromkeys(("train", "training"), "Training"),
    **dict.fromkeys(("validation", "valid", "val", "publictest"), "PublicTest"),
    **dict.fromkeys(("test", "testing", "privatetest"), "PrivateTest"),
}
_NAMED = ("Training", "PublicTest", "PrivateTest")


def is_here(path: Path) -> bool:
    """Whether a folder of a split has a folder in it that is called like an emotion, or by a number."""
    return any(
        is_emotion(each.name) or each.name.isdecimal() for split in _split_folders(path) for each in folders_in(split)
    )


def labelled_files(path: Path) -> Iterator[tuple[Path, str, str]]:
    """(file, emotion, Usage) of every picture, in the order of their names.

    Raises:
        DatasetFormatError: a folder's name says no emotion, or contempt.
    """
    for split in _split_folders(path):
        for folder in folders_in(split):
            emotion = emotion_called(folder.name, str(folder))
            if emotion is None:
                raise DatasetFormatError(f"{folder} is not an emotion of FER2013; expected {', '.join(EMOTIONS)}")
            for file in pictures_in(folder):
                named = file.name.split("_")[0]
                yield file, emotion, named if named in _NAMED else _USAGES[split.name.lower()]


def note_on(usages: set[str], path: Path) -> str | None:
    """What to do about a copy that lacks a split; None where nothing is to be said."""
    if "PrivateTest" in usages:
        return None
    if "PublicTest" in usages:
        return (
            f"{path} has no folder test: call the one with the validation pictures test, and a tenth of train is cut "
            "off for validation"
        )
    return f"{path} has no folder test beside train; copy it too"


def _split_folders(path: Path) -> list[Path]:
    if not path.is_dir():
        return []
    found: dict[str, Path] = {}
    for folder in folders_in(path):
        usage = _USAGES.get(folder.name.lower())
        if usage in found:
            raise DatasetFormatError(f"{found[usage]} and {folder} are both for one split; keep one, or join them")
        if usage is not None:
            found[usage] = folder
    return [found[usage] for usage in _NAMED if usage in found]
