"""CK+, the extended Cohn-Kanade data (Lucey et al. 2010): posed expressions in the laboratory; for evaluation only.

593 sequences of 123 subjects go from a neutral face to the peak of an expression; 327 of them have an emotion.
Layouts read:

    sequences   cohn-kanade-images/S005/001/S005_001_00000011.png with Emotion/S005/001/S005_001_00000011_emotion.txt,
                perhaps Landmarks/S005/001/S005_001_00000011_landmarks.txt
    48x48       anger/S010_004_00000017.png and so on, the last three frames of each sequence, cut to the face

Contempt is left out and counted. Two conventions are common, and they give different numbers, so each has its name:
"ckplus-peak" is the last frame of each labelled sequence (309 faces), "ckplus-last3" the last three (927), which are
nearly the same picture three times. Neither holds a neutral face. Frames of the sequences show head and shoulders
(640x490); with Landmarks the face is cut out, without the whole frame is what there is, and a note says so.

How much is left round the face is a choice made here, with no frame of CK+ at hand to measure it on. There is nothing
to agree with: CK+ comes without boxes, others take the box of whatever detector they have (Haar cascades, MTCNN, dlib),
few say with what margin, and the 48x48 copy comes without a word on it. So figures of the two layouts are not the same
measurement.

All faces are one split, "test". Who trains on CK+ does so in ten folds by subject (``splits.folds`` of ``groups``).
"""

import re
from collections.abc import Iterator
from pathlib import Path

from ..errors import DatasetFormatError, DatasetNotFoundError
from .collection import Collection, Listing, code_of
from .lists import folders_in, need_folder, pictures_in, word_rows
from .names import NAMES

CODES: dict[int, str | None] = {
    0: "neutral", 1: "angry", 2: None, 3: "disgust", 4: "fear", 5: "happy", 6: "sad", 7: "surprise",
}  # fmt: skip
CONVENTIONS = {"ckplus-peak": 1, "ckplus-last3": 3}
# Sequences of each emotion by Lucey et al. (2010); 18 more are contempt: 327 in all, as the data's own readme says.
SEQUENCES = {"angry": 45, "disgust": 59, "fear": 25, "happy": 69, "neutral": 0, "sad": 28, "surprise": 83}
_IMAGES, _EMOTIONS, _LANDMARKS = "cohn-kanade-images", "Emotion", "Landmarks"
_FRAME = re.compile(r"(S\d+)_(\d+)_(\d+)")
_ORIGIN = "the download of CK+ (cohn-kanade-images.zip, Emotion_labels.zip, Landmarks.zip), jeffcohn.net/Resources"
# The face is taken as a square round the 68 landmarks, this much larger than they are, and this much further up, for
# they end at the brows: to about the middle of the forehead and a little below the chin.
_LARGER, _UP = 1.25, 0.05

Box = tuple[int, int, int, int]


def find_layout(path: Path) -> tuple[str, Path] | None:
    """The layout and the folder it starts from, by the first sign of either; None if it is neither."""
    if (path / _IMAGES).is_dir() or ((path / _EMOTIONS).is_dir() and not (path / "train").is_dir()):
        return "sequences", path
    for root in (path, path / "CK+48"):
        classes = [each for each in folders_in(root) if each.name.lower() in NAMES] if root.is_dir() else []
        if any(_FRAME.match(file.name) for folder in classes for file in pictures_in(folder)[:1]):
            return "48x48", root
    return None


def read_ckplus(path: str | Path, *, labels: str = "ckplus-peak", skip_broken: bool = False) -> Collection:
    """Read CK+ from either layout, without contempt; its one split is "test".

    Args:
        path: the folder that holds cohn-kanade-images/ and Emotion/, or the folders of emotions.
        labels: "ckplus-peak" or "ckplus-last3".
        skip_broken: leave out frames that a label belongs to and that are absent, instead of stopping.

    Raises:
        ValueError: no such convention.
        DatasetNotFoundError: it is not CK+, or a folder is missing.
        DatasetFormatError: a label is none of 0 to 7, a folder is no emotion, a file name has no subject.
    """
    if labels not in CONVENTIONS:
        raise ValueError(f"there is no {labels!r} for CK+; there are {', '.join(CONVENTIONS)}")
    found = find_layout(Path(path))
    if found is None:
        raise DatasetNotFoundError(
            f"{path} is not CK+; expected {_IMAGES}/ and {_EMOTIONS}/, or folders anger/, disgust/, ... with "
            f"S010_004_00000017.png. The first is {_ORIGIN}"
        )
    layout, root = found
    listing = Listing(labels, layout, root, _ORIGIN, skip_broken=skip_broken)
    (_from_sequences if layout == "sequences" else _from_folders)(listing, CONVENTIONS[labels])
    expected = {"test": {emotion: n * CONVENTIONS[labels] for emotion, n in SEQUENCES.items()}}
    return listing.collect(need=("test",), expected=expected, expected_by="Lucey et al.")


def _from_sequences(listing: Listing, frames: int) -> None:
    root = listing.root
    need_folder(root, _IMAGES, "S005/001/S005_001_00000011.png and so on", _ORIGIN)
    need_folder(root, _EMOTIONS, "S005/001/S005_001_00000011_emotion.txt and so on", _ORIGIN)
    cut = (root / _LANDMARKS).is_dir()
    if not cut:
        listing.notes.append(
            f"there is no {_LANDMARKS}/, so whole frames with head and shoulders are read, not faces: unzip it beside "
            f"{_IMAGES}/ before any figure is taken"
        )
    for file, label in _labels(root / _EMOTIONS):
        emotion = code_of(label, CODES, str(file))
        if emotion is None:
            listing.left_out["contempt"] += 1
            continue
        subject, sequence, _ = _parts(file)
        folder = root / _IMAGES / subject / sequence
        there = pictures_in(folder) if folder.is_dir() else []
        peak = folder / file.name.replace("_emotion.txt", ".png")
        if peak not in there:
            listing.lacks(str(peak), f"labelled by {file}")
            continue
        for frame in there[: there.index(peak) + 1][-frames:]:
            box = _face_box(root / _LANDMARKS / subject / sequence / f"{frame.stem}_landmarks.txt") if cut else None
            _add(listing, frame, emotion, box)


def _labels(folder: Path) -> Iterator[tuple[Path, str]]:
    """(file, its one word) of every labelled sequence; most folders of sequences without emotion are empty."""
    for file in sorted(folder.glob("S*/*/*_emotion.txt")):
        words = [word for _, line in word_rows(file) for word in line]
        if len(words) != 1:
            raise DatasetFormatError(f"{file} holds {words}, expected one number")
        yield file, words[0]


def _from_folders(listing: Listing, frames: int) -> None:
    folders = folders_in(listing.root)
    there = {NAMES.get(folder.name.lower()) for folder in folders}
    if missing := [emotion for emotion, n in SEQUENCES.items() if n and emotion not in there]:
        raise DatasetNotFoundError(
            f"{listing.root} has no folder of {', '.join(missing)}; expected anger, disgust, fear, happy, sadness and "
            "surprise. They come with the 48x48 copy of CK+"
        )
    for folder in folders:
        name = folder.name.lower()
        if name not in NAMES:
            raise DatasetFormatError(f"{folder} is not a class folder of CK+; expected one of {', '.join(NAMES)}")
        emotion = NAMES[name]
        sequences: dict[tuple[str, str], list[tuple[int, Path]]] = {}
        for file in pictures_in(folder):
            subject, sequence, frame = _parts(file)
            sequences.setdefault((subject, sequence), []).append((frame, file))
        for members in sequences.values():
            for _, file in sorted(members)[-frames:]:
                if emotion is None:
                    listing.left_out["contempt"] += 1
                else:
                    _add(listing, file, emotion, None)


def _parts(file: Path) -> tuple[str, str, int]:
    """Subject, sequence, frame."""
    match = _FRAME.match(file.name)
    if match is None:
        raise DatasetFormatError(
            f"{file}: the name does not tell the subject; expected one like S010_004_00000017; folds go by subject"
        )
    return match[1], match[2], int(match[3])


def _add(listing: Listing, frame: Path, emotion: str, box: Box | None) -> None:
    file = frame.relative_to(listing.root).as_posix()
    listing.add("test", file, emotion, id=frame.stem, place=str(frame), group=_parts(frame)[0], box=box)


def _face_box(file: Path) -> Box:
    """The square around the landmarks of one frame."""
    if not file.is_file():
        raise DatasetNotFoundError(f"{file} is missing; expected the landmarks of that frame. It comes with {_ORIGIN}")
    try:
        points = [(float(x), float(y)) for _, (x, y) in word_rows(file)]
        x, y = zip(*points, strict=True)
    except ValueError as error:
        raise DatasetFormatError(f"{file} holds no landmarks, a line 'x y' each ({error})") from None
    side = _LARGER * max(max(x) - min(x), max(y) - min(y))
    left = (max(x) + min(x) - side) / 2
    top = (max(y) + min(y) - side) / 2 - _UP * side
    return round(left), round(top), round(left + side), round(top + side)
