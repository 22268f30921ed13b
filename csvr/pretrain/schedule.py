"""The learning rate over a training, pretraining and fine-tuning alike."""

from __future__ import annotations

import math


def schedule(step: int, steps: int, warmup: int) -> float:
    """Factor on the learning rate: linear warm-up, then cosine to 0 (CMD's schedule)."""
    return min(1.0, (step + 1) / max(warmup, 1)) * 0.5 * (1 + math.cos(math.pi * step / steps))
