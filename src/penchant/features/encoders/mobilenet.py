"""MobileNetV2 (Sandler et al. 2018, arXiv 1801.04381, table 2) up to its pooled features.

Modules bear the names of torchvision's state dict. Batch normalization is folded into the
convolution before it, which changes results by rounding only.
"""

from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

WIDTH = 1280
_STAGES = (  # expansion, channels, blocks, stride of the first block
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
)


def _layer(inside: int, out: int, size: int = 1, stride: int = 1, groups: int = 1) -> nn.Sequential:
    convolution = nn.Conv2d(inside, out, size, stride, padding=size // 2, groups=groups, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm2d(out), nn.ReLU6(inplace=True))


class _InvertedResidual(nn.Module):
    """Inverted residual: widen, filter each channel, narrow without a non-linearity."""

    def __init__(self, inside: int, out: int, expansion: int, stride: int) -> None:
        super().__init__()
        wide = inside * expansion
        layers: list[nn.Module] = [] if expansion == 1 else [_layer(inside, wide)]
        layers += [_layer(wide, wide, 3, stride, groups=wide)]
        layers += [nn.Conv2d(wide, out, 1, bias=False), nn.BatchNorm2d(out)]
        self.conv = nn.Sequential(*layers)
        self.residual = stride == 1 and inside == out

    def forward(self, x: Tensor) -> Tensor:
        return x + self.conv(x) if self.residual else self.conv(x)


class MobileNetV2(nn.Module):
    """Pictures (B, 3, H, W), normalized, to features (B, 1280)."""

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = [_layer(3, 32, 3, stride=2)]
        inside = 32
        for expansion, out, blocks, stride in _STAGES:
            for block in range(blocks):
                layers.append(
                    _InvertedResidual(inside, out, expansion, stride if block == 0 else 1)
                )
                inside = out
        self.features = nn.Sequential(*layers, _layer(inside, WIDTH))

    def forward(self, x: Tensor) -> Tensor:
        return self.features(x).mean(dim=(2, 3))

    @classmethod
    def load(cls, path: Path) -> "MobileNetV2":
        """With the weights of a state dict as torchvision saves it, ready for inference."""
        state = torch.load(path, map_location="cpu", weights_only=True)
        network = cls()
        network.load_state_dict({k: v for k, v in state.items() if k.startswith("features.")})
        _fold(network.eval().requires_grad_(False))
        return network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]


def _fold(module: nn.Module) -> None:
    """Fold each batch normalization into the convolution before it."""
    previous: tuple[str, nn.Module] | None = None
    for name, child in list(module.named_children()):
        if isinstance(child, nn.BatchNorm2d) and previous and isinstance(previous[1], nn.Conv2d):
            setattr(module, previous[0], fuse_conv_bn_eval(previous[1], child))
            setattr(module, name, nn.Identity())
        _fold(child)
        previous = name, child
