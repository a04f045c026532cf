"""What the label definitions mean under which models are scored, and which of them follow from what a run is taught.

Training, tables, pages and cards all have it from here.
"""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Agreement:
    """How many faces the original label and the crowd call the same.

    Attributes:
        n: faces that were asked about: those with a majority by the definition meant, or all.
        same: how many of them have the crowd's emotion as their original label; a part of one where several emotions
            have equally many votes.
    """

    n: int
    same: float

    @property
    def share(self) -> float:
        return self.same / self.n


@dataclass(frozen=True)
class LabelSet:
    """One way to say what is right.

    Attributes:
        key: as in the name of a prediction file.
        dataset: the data set whose faces are scored.
        name: for people.
        definition: one sentence.
        agreement: by split, how FER2013's original label agrees with the crowd's majority: what a reader who agreed
            perfectly with one would score on the other. Counted in the data; empty where there was no crowd. Without
            the faces on which the crowd has no majority, so no figure to set beside one on all faces.
        most_votes: by split, the same on all faces: what a reader would score on these labels who always gave the
            emotion with the most FER+ votes of the seven. A plurality, on many faces no majority.
    """

    key: str
    dataset: str
    name: str
    definition: str
    agreement: dict[str, Agreement] = field(default_factory=dict)
    most_votes: dict[str, Agreement] = field(default_factory=dict)


# Counted over the parquet of FER2013 with FER+ votes; a test counts again where it is at hand.
_STRICT = {"validation": Agreement(2_854, 1_990), "test": Agreement(2_720, 1_965)}
_USUAL = {"validation": Agreement(3_186, 2_136), "test": Agreement(3_137, 2_115)}
# Of all faces: the emotion of the seven that has the most votes, single ones included. Where k emotions have equally
# many (139 faces of validation, 163 of test), each is said one time in k. Faces without a vote for any of the seven (10
# and 16, all of them without a name in FER+) count as missed; without them it would be 63.6% of test.
_MOST_VOTES = {"validation": Agreement(3_589, 2_265 + 3 / 4), "test": Agreement(3_589, 2_273 + 2 / 3)}

LABEL_SETS: dict[str, LabelSet] = {
    each.key: each
    for each in (
        LabelSet(
            "fer2013",
            "fer2013",
            "FER2013's own labels",
            "The label that FER2013 came with, one for every face.",
            # Of the faces on which people agree: where they do not, there is nothing to compare with.
            _STRICT,
            _MOST_VOTES,
        ),
        LabelSet(
            "ferplus-strict",
            "fer2013",
            "FER+ strict",
            "One of the seven emotions has more than half of the ten FER+ votes; other faces are left out.",
            _STRICT,
        ),
        LabelSet(
            "ferplus-usual",
            "fer2013",
            "FER+ usual",
            "Emotions with a single FER+ vote are dropped, then one of the seven has more than half of the votes that "
            "are left; other faces are left out.",
            _USUAL,
        ),
        LabelSet(
            "ferplus-soft",
            "fer2013",
            "FER+ most votes",
            "The emotion with the most FER+ votes, on faces with at least five votes for the seven emotions.",
        ),
        LabelSet(
            "raf-db", "raf-db", "RAF-DB", "The label that RAF-DB came with: the winner among some forty annotators."
        ),
        LabelSet("affectnet-7", "affectnet-7", "AffectNet-7", "The label that AffectNet came with, without contempt."),
        LabelSet("expw", "expw", "ExpW", "The label that ExpW came with, one for every face."),
        LabelSet("ckplus-peak", "ckplus", "CK+, peak frames", "The label of a sequence, on its last frame."),
        LabelSet(
            "ckplus-last3", "ckplus", "CK+, last three frames", "The label of a sequence, on its last three frames."
        ),
        LabelSet("upstream-csv", "upstream-csv", "upstream's CSV", "The code that the CSV gives for the picture."),
        LabelSet(
            "photographs",
            "photographs",
            "photographs",
            "The label of the picture, for the largest face that the detector finds in it.",
        ),
        LabelSet(
            "synthetic",
            "synthetic",
            "drawn faces",
            "The emotion that the program drew; it says nothing about people.",
        ),
    )
}


def label_set(key: str) -> LabelSet:
    """What a label definition means; one that is not known here stands for a data set of that name."""
    unknown = f"The labels that came with {key}; nothing more is known of them here."
    return LABEL_SETS.get(key) or LabelSet(key, key, key, unknown)


@dataclass(frozen=True)
class Teaching:
    """What a run is taught: the label sets that it learns from and is scored under.

    Attributes:
        key: ``dataset.labels`` of its config.
        name: for people.
        learned: the label set whose distribution is aimed at.
        scored: the label sets that predictions are scored under; the first one decides which epoch is kept.
        own: the label sets that are made of what is taught; any other is another task.
    """

    key: str
    name: str
    learned: str
    scored: tuple[str, ...]
    own: tuple[str, ...]

    @property
    def dataset(self) -> str:
        """The data set whose faces are learned from."""
        return label_set(self.learned).dataset

    @property
    def deciding(self) -> str:
        """The label set by which the epoch is chosen."""
        return self.scored[0]


FERPLUS = Teaching(
    "ferplus",
    "FER+ votes",
    learned="ferplus-soft",
    scored=("ferplus-strict", "ferplus-usual", "fer2013"),
    own=("ferplus-strict", "ferplus-usual", "ferplus-soft"),
)


def teaching(key: str) -> Teaching:
    """What follows from a run's ``dataset.labels``: all but the votes are learned and scored under their own name."""
    return FERPLUS if key == FERPLUS.key else Teaching(key, label_set(key).name, key, (key,), (key,))
