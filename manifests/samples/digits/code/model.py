"""A small convolutional network for 8 x 8 images of handwritten digits."""

import torch
from torch import nn


class DigitsNet(nn.Module):
    """Two convolutions, one pooling, two linear layers: about 73,000 parameters."""

    def __init__(self) -> None:
        """Make the network with fresh weights."""
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(1, 32, kernel_size=3, padding=1),
            nn.ReLU(),
            nn.Conv2d(32, 64, kernel_size=3, padding=1),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Flatten(),
        )
        self.classifier = nn.Sequential(nn.Linear(64 * 4 * 4, 52), nn.ReLU(), nn.Linear(52, 10))

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        """Map images, shape (n, 64), grey levels 0 to 16, to the logits of the ten digits, shape (n, 10)."""
        return self.classifier(self.features(pixels.reshape(-1, 1, 8, 8) / 16.0))
