"""Every error the project raises on purpose.

    ResEmoteNetError
    ├── ImageError (ValueError)                 a picture that cannot be read, or an array that is no picture
    ├── VideoError (ValueError)                 a video that cannot be opened, or has no pictures
    ├── CorpusError                             a table that cannot be written, or that another call is writing
    ├── UnknownModelError (ValueError)          a name that is not in the model registry
    ├── CompactLayoutError (ValueError)         the compact layout would not be exact here
    ├── DeviceError (ValueError)                a device was asked for that this machine does not have
    ├── BackendError (ValueError)               a library was asked to run a network that is not installed or cannot
    ├── CheckpointError                         anything wrong with a model folder or a .pth file
    │   ├── CheckpointNotFoundError (FileNotFoundError)
    │   ├── CheckpointFormatError (ValueError)      unreadable, damaged, or of a newer schema
    │   ├── CheckpointMismatchError (ValueError)    missing or surplus keys, wrong shapes
    │   └── UnsafeCheckpointError (ValueError)      a pickle that holds more than tensors
    ├── DatasetError                            anything wrong with a data set
    │   ├── DatasetNotFoundError (FileNotFoundError)
    │   └── DatasetFormatError (ValueError)         wrong column, label out of range, broken picture, empty split
    ├── ResultsError                            a results folder that cannot be read or must not be overwritten
    ├── TrainingError                           a run that cannot start or must not go on (a loss not finite, say)
    ├── PublicationError (ValueError)           something that must not be published as it is
    └── HubError                                the Hugging Face Hub did not give or take what was asked
        ├── HubConnectionError (ConnectionError)    not now: no network, offline mode, a Hub that fails or is too slow
        ├── HubNotFoundError (FileNotFoundError)    no such repository, revision or file, or none that one may see
        ├── HubAccessError (PermissionError)        sign in, accept the terms, or use a token that has the right
        └── HubIntegrityError (ValueError)          what came cannot be trusted, and was not taken

Below HubError there is a class for each thing that a caller can do: try again later, ask for another name, sign in,
stop trusting. What exactly happened is for people, and stands in the message.

Where a built-in type fits as well, the error is that too, so ``except ValueError`` keeps its usual meaning.
"""

import errno
import unicodedata

# Messages quote files of strangers, which may hold names of any length and codes that command a terminal.
LONGEST_MESSAGE = 1500
_UNSEEN = {"Cc", "Cf", "Cs", "Zl", "Zp"}
_ELSEWHERE = "name another place"
_REMEDIES = {
    errno.ENOSPC: f"make room there, or {_ELSEWHERE}",
    errno.EDQUOT: f"make room there, or {_ELSEWHERE}",
    errno.EFBIG: f"the disk, or a limit on this process, takes no larger file; {_ELSEWHERE}",
    errno.EROFS: _ELSEWHERE,
    errno.EACCES: f"change who may write or read there, or {_ELSEWHERE}",
    errno.EPERM: f"change who may write or read there, or {_ELSEWHERE}",
    errno.ENOENT: "make the folder first, or correct the name",
    errno.ENOTDIR: "a part of this name is a file; correct it",
    errno.EISDIR: "this is a folder; name a file",
    errno.EIO: "the disk fails; copy what is on it",
}


class ResEmoteNetError(Exception):
    """Base of all errors of this project: catch it to catch them all.

    As text it has at most ``LONGEST_MESSAGE`` characters, the middle left out, and nothing that a terminal would obey.
    """

    def __str__(self) -> str:
        text = super().__str__()
        if len(text) > LONGEST_MESSAGE:
            # What was expected and what to do stand at the end.
            text = f"{text[: LONGEST_MESSAGE // 2]} [... {len(text):,} characters ...] {text[-LONGEST_MESSAGE // 3 :]}"
        return "\n".join(map(printable, text.split("\n")))


def printable(text: str) -> str:
    """A line for a terminal: what it would obey, and cannot show, as escape sequences of Python ("\\x1b[2J")."""
    return "".join(map(_visible, text))


def _visible(character: str) -> str:
    seen = unicodedata.category(character) not in _UNSEEN
    return character if seen else character.encode("unicode_escape").decode("ascii")


def in_words(error: OSError) -> str:
    """What the system refused, where, and what to do about it: one sentence for people."""
    place = f"{error.filename}: " if error.filename else ""
    remedy = _REMEDIES.get(error.errno or 0)
    return printable(f"{place}{error.strerror or error}") + (f"; {remedy}" if remedy else "")


class ImageError(ResEmoteNetError, ValueError):
    """A picture cannot be read, or an array does not have the layout of a picture."""


class VideoError(ResEmoteNetError, ValueError):
    """A video cannot be opened, or there are no pictures in it."""


class CorpusError(ResEmoteNetError):
    """A table of many pictures cannot be written or read, or is another call's."""


class UnknownModelError(ResEmoteNetError, ValueError):
    """A model name is not in the registry."""


class CompactLayoutError(ResEmoteNetError, ValueError):
    """The compact layout was asked for where it would not compute the same function."""


class DeviceError(ResEmoteNetError, ValueError):
    """A device was asked for that this machine does not have."""


class BackendError(ResEmoteNetError, ValueError):
    """A library was asked to run a network that is not installed, or that cannot run it."""


class CheckpointError(ResEmoteNetError):
    """A model folder or an upstream checkpoint cannot be used."""


class CheckpointNotFoundError(CheckpointError, FileNotFoundError):
    """There is no model at the place named."""


class CheckpointFormatError(CheckpointError, ValueError):
    """A file of a model folder is damaged, incomplete or of a newer schema."""


class CheckpointMismatchError(CheckpointError, ValueError):
    """Weights and architecture do not fit: missing or surplus keys, or wrong shapes."""


class UnsafeCheckpointError(CheckpointError, ValueError):
    """A pickle holds more than tensors; loading it could run code."""


class DatasetError(ResEmoteNetError):
    """A data set cannot be used."""


class DatasetNotFoundError(DatasetError, FileNotFoundError):
    """There is no data set at the path named."""


class DatasetFormatError(DatasetError, ValueError):
    """A data set is there, but its content is not what its format says."""


class ResultsError(ResEmoteNetError):
    """A results folder cannot be read or must not be overwritten."""


class TrainingError(ResEmoteNetError):
    """A run cannot start, or must not go on."""


class PublicationError(ResEmoteNetError, ValueError):
    """A model must not be published as it is: an unfinished run, uncommitted code, figures that do not agree."""


class HubError(ResEmoteNetError):
    """The Hugging Face Hub did not give or take what was asked."""


class HubConnectionError(HubError, ConnectionError):
    """The Hub gives nothing now, and may later: no network, offline mode, too many requests, a failing or slow Hub."""


class HubNotFoundError(HubError, FileNotFoundError):
    """There is no such repository, revision or file of a model, or none that this token may know of."""


class HubAccessError(HubError, PermissionError):
    """There is no token, or it is not accepted, or lacks the right; or the owners ask for an agreement first."""


class HubIntegrityError(HubError, ValueError):
    """What the Hub sent cannot be trusted: other or more bytes than on record, names that lead out of a folder."""
