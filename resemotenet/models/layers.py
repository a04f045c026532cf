"""The blocks that networks here are made of: squeeze-and-excitation, and ResEmoteNet's residual block.

Paper: Roy et al., "ResEmoteNet: Bridging Accuracy and Loss Reduction in Facial Emotion Recognition", 2024
(https://doi.org/10.1109/LSP.2024.3521321). Parameter names follow the released code
(https://github.com/ArnabKumarRoy02/ResEmoteNet), so that its checkpoints load strictly. Written anew for this
project; the compact layout of the residual block is ours.
"""

from torch import Tensor, nn

from ..errors import CompactLayoutError


def scale_channels(channels: int, width: float) -> int:
    """A channel count at this width, at least 1.

    Raises:
        ValueError: ``width`` is not positive.
    """
    if not width > 0:
        raise ValueError(f"width must be positive, got {width}; 1.0 is the published network")
    return max(1, round(channels * width))


class SqueezeExcitation(nn.Module):
    """Scale every channel by a gate computed from the mean of all channels (Hu et al., 2018).

    (N, C, H, W) -> (N, C, H, W). The hidden layer has ``channels // reduction`` units; no biases, as upstream.
    """

    def __init__(self, channels: int, reduction: int = 16) -> None:
        super().__init__()
        hidden = max(1, channels // reduction)
        self.fc = nn.Sequential(
            nn.Linear(channels, hidden, bias=False),
            nn.ReLU(),
            nn.Linear(hidden, channels, bias=False),
            nn.Sigmoid(),
        )

    def forward(self, x: Tensor) -> Tensor:
        gate: Tensor = self.fc(x.mean(dim=(2, 3)))
        return x * gate[:, :, None, None]


class ResidualBlock(nn.Module):
    """conv-BN-ReLU-conv-BN plus a projected shortcut; halves the map.

    (N, C_in, H, W) -> (N, C_out, ceil(H / 2), ceil(W / 2)).

    ``compact=True`` is the same function for a 2x2 map and no other: there the padding zeros meet five of the nine
    taps of the first kernel and eight of the second, so the live taps are a 2x2 and a 1x1 kernel.
    ``resemotenet.models.resemotenet`` converts weights between the two layouts.

    Raises:
        CompactLayoutError: the block is compact and its input is not 2x2.
    """

    def __init__(self, in_channels: int, out_channels: int, *, compact: bool = False) -> None:
        super().__init__()
        self.compact = compact
        if compact:
            self.conv1 = nn.Conv2d(in_channels, out_channels, kernel_size=2, stride=2)
            self.conv2 = nn.Conv2d(out_channels, out_channels, kernel_size=1)
        else:
            self.conv1 = nn.Conv2d(in_channels, out_channels, kernel_size=3, stride=2, padding=1)
            self.conv2 = nn.Conv2d(out_channels, out_channels, kernel_size=3, padding=1)
        self.bn1 = nn.BatchNorm2d(out_channels)
        self.bn2 = nn.BatchNorm2d(out_channels)
        self.relu = nn.ReLU()
        self.shortcut = nn.Sequential(
            nn.Conv2d(in_channels, out_channels, kernel_size=1, stride=2),
            nn.BatchNorm2d(out_channels),
        )

    def forward(self, x: Tensor) -> Tensor:
        if self.compact and x.shape[-2:] != (2, 2):
            raise CompactLayoutError(
                f"the compact layout got a {x.shape[-2]}x{x.shape[-1]} map where only 2x2 is exact; "
                "use square input of 40 to 71 pixels, or expand() the model first"
            )
        out: Tensor = self.relu(self.bn1(self.conv1(x)))
        out = self.bn2(self.conv2(out)) + self.shortcut(x)
        out = self.relu(out)
        return out
