"""Every error the project raises on purpose.

    ResEmoteNetError
    ├── ImageError (ValueError)                 a picture that cannot be read, or an array that is no picture
    ├── UnknownModelError (ValueError)          a name that is not in the model registry
    ├── CompactLayoutError (ValueError)         the compact layout would not be exact here
    ├── DeviceError (ValueError)                a device was asked for that this machine does not have
    ├── CheckpointError                         anything wrong with a model folder or a .pth file
    │   ├── CheckpointNotFoundError (FileNotFoundError)
    │   ├── CheckpointFormatError (ValueError)      unreadable, damaged, or of a newer schema
    │   ├── CheckpointMismatchError (ValueError)    missing or surplus keys, wrong shapes
    │   └── UnsafeCheckpointError (ValueError)      a pickle that holds more than tensors
    ├── DatasetError                            anything wrong with a data set
    │   ├── DatasetNotFoundError (FileNotFoundError)
    │   └── DatasetFormatError (ValueError)         wrong column, label out of range, broken picture, empty split
    ├── ResultsError                            a results folder that cannot be read or must not be overwritten
    └── TrainingError                           a run that cannot start or must not go on (a loss not finite, say)

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
