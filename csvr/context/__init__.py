"""Context branch: clip and I-frame encoders, projection heads, MI-InfoNCE."""

from csvr import imports

imports.torchvision()
