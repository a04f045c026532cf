"""Every error the project raises on purpose.

    ResEmoteNetError
    ├── ImageError (ValueError)                 a picture that cannot be read, or an array that is no picture
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
        ├── HubConnectionError (ConnectionError)        no network, a broken connection, or offline mode
        ├── HubRepositoryNotFoundError (FileNotFoundError)
        ├── HubRevisionNotFoundError (FileNotFoundError)
        ├── HubFileNotFoundError (FileNotFoundError)    a repository without config.json or model.safetensors
        ├── HubAccessError (PermissionError)            no token, a wrong one, or one without the right
        │   └── HubGatedError                           its owners ask for an agreement first
        ├── HubRateLimitError                           too many requests
        ├── HubServerError                              the Hub itself fails, after retries
        ├── HubTooLargeError (ValueError)               a file larger than a model's may be; not downloaded
        ├── HubIntegrityError (ValueError)              other bytes than the Hub has on record
        └── HubUnsafeNameError (ValueError)             a file name that leads out of its folder

Where a built-in type fits as well, the error is that too, so ``except ValueError`` keeps its usual meaning.
"""


class ResEmoteNetError(Exception):
    """Base of all errors of this project: catch it to catch them all."""


class ImageError(ResEmoteNetError, ValueError):
    """A picture cannot be read, or an array does not have the layout of a picture."""


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
    """The Hub cannot be reached: no network, a connection that broke, or offline mode."""


class HubRepositoryNotFoundError(HubError, FileNotFoundError):
    """There is no such repository, or none that this token may know of."""


class HubRevisionNotFoundError(HubError, FileNotFoundError):
    """The repository has no such branch, tag or commit."""


class HubFileNotFoundError(HubError, FileNotFoundError):
    """The repository is there, but lacks a file that a model folder has."""


class HubAccessError(HubError, PermissionError):
    """There is no token, or it is not accepted, or it lacks the right."""


class HubGatedError(HubAccessError):
    """The owners of the repository ask every user for an agreement first."""


class HubRateLimitError(HubError):
    """The Hub answers no more for now: too many requests."""


class HubServerError(HubError):
    """The Hub itself fails, also after retries."""


class HubTooLargeError(HubError, ValueError):
    """A file is larger than a model's may be, and was not downloaded."""


class HubIntegrityError(HubError, ValueError):
    """What arrived is not what the Hub has on record; it was thrown away."""


class HubUnsafeNameError(HubError, ValueError):
    """A file name that leads out of its folder."""
