"""Start a network from weights that were trained on other pictures: a torchvision ConvNeXt or ResNet file.

The file is given by the user; nothing is downloaded. It holds a ``state_dict`` under torchvision's names, as
``torch.save(net.state_dict(), ...)`` or safetensors' ``save_file`` writes it. What a backbone was trained on decides
what its descendants may be used for, so keep its licence with the weights that come of it.
"""

from dataclasses import dataclass
from pathlib import Path

from torch import nn

from ..errors import CheckpointMismatchError
from ..models import emonext
from .fitting import assign_weights
from .state_dict import read_state_dict


@dataclass(frozen=True)
class BackboneReport:
    """What ``load_backbone`` did.

    Attributes:
        path: the file.
        loaded: how many tensors the network has from the file.
        left_out: tensors of the file that were not used: its classifier.
        random: tensors of the network that the file does not have, so that they keep their random start: the
            classifier, and what EmoNeXt adds to ConvNeXt.
        stripped: what the tensors were wrapped in, as in ``state_dict.StateDict``.
    """

    path: Path
    loaded: int
    left_out: tuple[str, ...]
    random: tuple[str, ...]
    stripped: tuple[str, ...] = ()

    def __str__(self) -> str:
        parts = sorted({name.rpartition(".")[0] for name in self.random})
        return (
            f"{self.path}: {self.loaded} tensors taken; left out: {', '.join(self.left_out) or 'nothing'}; "
            f"random still: {', '.join(parts)}" + (f"; stripped: {', '.join(self.stripped)}" if self.stripped else "")
        )


def load_backbone(module: nn.Module, path: str | Path) -> BackboneReport:
    """Give an EmoNeXt or a ResNet, in place, the weights of a torchvision ConvNeXt or ResNet of the same size.

    Strict: all but the last layer, and what EmoNeXt adds, must be in the file in its shape, and nothing else. ImageNet
    weights fit networks of three input channels at width 1. Call it before an optimizer is made: the parameters become
    new objects.

    Args:
        module: made by ``create_model``, on any device but meta.
        path: a .safetensors file, or one that torch.save wrote (.pth).

    Raises:
        ValueError: the module is no EmoNeXt and no torchvision ResNet.
        CheckpointNotFoundError: there is no such file.
        CheckpointFormatError: it is damaged, or holds no state_dict.
        UnsafeCheckpointError: it is a pickle that holds more than tensors and plain values.
        CheckpointMismatchError: missing or surplus tensors, or wrong shapes; the first of them are named.
    """
    head, added = _own_parts(module)
    path = Path(path).expanduser()
    read = read_state_dict(path)
    given = read.tensors
    own = module.state_dict()
    taken = {name: value for name, value in given.items() if not name.startswith(head)}
    random = {name: value for name, value in own.items() if name.startswith((head, *added))}
    if surplus := sorted(set(taken) & set(random)):
        raise CheckpointMismatchError(
            f"{path} is no plain ConvNeXt: it has {surplus[0]}, which EmoNeXt adds; expected torchvision's names only"
        )
    # Files from before torch 0.4.1, torchvision's ResNets among them, lack BN's counts of batches. They have a use only
    # where BN's momentum is None.
    counts = {name: value for name, value in own.items() if name.endswith("num_batches_tracked")}
    device = next(module.parameters()).device
    state = {name: value.to(device) for name, value in {**counts, **taken, **random}.items()}
    assign_weights(module, state, source=path)
    left_out = tuple(sorted(set(given) - set(taken)))
    return BackboneReport(path, len(taken), left_out, tuple(sorted(random)), read.stripped)


def _own_parts(module: nn.Module) -> tuple[str, tuple[str, ...]]:
    """Prefixes of what no backbone file gives: the last layer, and what the network has besides the backbone."""
    from torchvision.models import ResNet  # slow to import, few need it

    if isinstance(module, emonext.EmoNeXt):
        return emonext.HEAD, emonext.ADDED
    if isinstance(module, ResNet):
        return "fc.", ()
    raise ValueError(
        f"{type(module).__name__} starts from random weights only; a backbone file can be given to emonext_tiny to "
        "_xlarge, resnet18 and resnet34"
    )
