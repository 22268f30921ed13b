"""Fine-tuning: encoders and a linear classifier trained end to end on labelled videos."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from csvr.adam import Adam
from csvr.context.backbone import pool
from csvr.data.augment import flip_poses, hold_missing, normalise_poses, random_colours, random_crops
from csvr.data.batches import Features
from csvr.evaluation.features import BATCH, device_of, load_clips
from csvr.evaluation.probe import draw_few, draw_share
from csvr.pretrain.model import Encoders
from csvr.pretrain.schedule import schedule


class Classifier(nn.Module):
    """Pooled features, batch norm (so that features of any scale weigh alike), dropout, one linear layer.

    Args:
        encoders: Copied, so that the caller's stay as they are.
        names: Features to use, of "f_s", "f_d", "f_i".
        classes: Number of classes.
        dropout: Probability; CMD fine-tunes with 0.3.
    """

    def __init__(self, encoders: Encoders, names: list[str], classes: int, dropout: float) -> None:
        super().__init__()
        self.encoders, self.names = copy.deepcopy(encoders), names
        channels = encoders.backbone.out_channels
        width = sum(encoders.pose.out_channels if n == "f_d" and encoders.pose else channels for n in names)
        self.head = nn.Sequential(nn.BatchNorm1d(width, affine=False), nn.Dropout(dropout), nn.Linear(width, classes))

    def forward(self, clip: Tensor, poses: Tensor) -> Tensor:
        """Clips (N, 3, T, H, W) and normalised poses (N, T', 17, 3) → logits (N, classes)."""
        maps = self.encoders(clip, poses)
        logits: Tensor = self.head(torch.cat([pool(maps[name]) for name in self.names], 1))
        return logits


def finetuned_classes(
    encoders: Encoders,
    names: list[str],
    features: Features,
    train: tuple[list[str], NDArray[np.int64]],
    test: list[str],
    params: dict[str, Any],
    seed: int,
    fraction: float | None = None,
) -> NDArray[np.int64]:
    """Fine-tune on some labelled videos, test on `evaluate.clips` uniform clips a video, soft-max averaged.

    Args:
        encoders, names: See `Classifier`.
        features: Stored clips and poses.
        train: Videos and their classes.
        test: Videos.
        params: Effective parameters; used are evaluate.finetune, evaluate.clips and augment.area.
        seed: Draws the labelled videos, their clips and the augmentation.
        fraction: Share of each class that is labelled (`draw_share`), instead of `evaluate.finetune.per_class` videos.

    Returns:
        The predicted class of each test video.
    """
    area = (float(params["augment"]["area"][0]), float(params["augment"]["area"][1]))
    settings = params["evaluate"]["finetune"]
    if fraction is not None:
        chosen = draw_share(train[1], fraction, np.random.default_rng([seed, 4]))
        train, settings = ([train[0][i] for i in chosen], train[1][chosen]), settings | {"per_class": None}
    model = train_classifier(encoders, names, features, train, settings, area, seed)
    return predicted(model, features, test, params["evaluate"]["clips"])


def train_classifier(
    encoders: Encoders,
    names: list[str],
    features: Features,
    train: tuple[list[str], NDArray[np.int64]],
    settings: dict[str, Any],
    area: tuple[float, float],
    seed: int,
) -> Classifier:
    """Encoders and classifier trained on labelled videos.

    The last epoch counts; nothing is chosen by looking at the test videos.

    Args:
        encoders, names: See `Classifier`.
        features: Stored clips and poses.
        train: Videos and their classes.
        settings: Parameters as `evaluate.finetune` has them; `per_class: None` takes all videos.
        area: Least and largest share of the image that a random crop keeps.
        seed: Draws the classifier, the labelled videos, their clips and the augmentation.

    Returns:
        In evaluation mode.
    """
    span = features.shape.span
    videos, labels = train
    rng = np.random.default_rng([seed, 3])
    torch.manual_seed(seed)  # so that it is the same whatever was trained before
    per_class = settings["per_class"]
    chosen = np.arange(len(labels)) if per_class is None else draw_few(labels, per_class, rng)
    device = device_of(encoders)
    model = Classifier(encoders, names, int(labels.max()) + 1, settings["dropout"]).to(device).train()
    parts = ((model.encoders, settings["lr"] * settings["encoder_lr_factor"]), (model.head, settings["lr"]))
    optimisers = [(Adam(part.parameters(), lr, weight_decay=settings["weight_decay"]), lr) for part, lr in parts]
    steps = max(1, settings["epochs"] * len(chosen) // settings["batch"])
    order: list[int] = []
    for step in range(steps):
        while len(order) < settings["batch"]:
            order += rng.permutation(chosen).tolist()
        index, order = order[: settings["batch"]], order[settings["batch"] :]
        some = [videos[i] for i in index]
        starts = [int(rng.integers(0, features.length(v) - span + 1)) for v in some]
        images = torch.stack([features.images(v, s) for v, s in zip(some, starts, strict=True)]).to(device)
        poses = torch.stack([features.keypoints(v, s) for v, s in zip(some, starts, strict=True)]).to(device)
        crops = random_crops(len(images), (images.shape[-2], images.shape[-1]), area)
        colours = random_colours(len(images), settings["colour"], settings["permute"], gray=0.0, invert=0.0)
        clip = colours.apply(crops.apply(images.float(), features.shape.crop))
        poses = hold_missing(flip_poses(normalise_poses(poses, poses), crops.flip))
        for optimiser, _ in optimisers:
            optimiser.zero_grad()
        loss = F.cross_entropy(model(clip, poses), torch.from_numpy(labels[index]).to(device))
        loss.backward()  # type: ignore[no-untyped-call]
        for optimiser, lr in optimisers:
            optimiser.lr = lr * schedule(step, steps, settings["warmup"])
            optimiser.step()
    return model.eval()


@torch.inference_mode()
def predicted(model: Classifier, features: Features, test: list[str], clips: int) -> NDArray[np.int64]:
    """Class of each test video, by the soft-max averaged over `clips` uniform clips of it."""
    found, device = [], device_of(model)
    for first in range(0, len(test), BATCH):
        some = test[first : first + BATCH]
        chance = model(*load_clips(features, some, clips, device)).softmax(1).unflatten(0, (len(some), clips)).mean(1)
        found.append(chance.argmax(1).cpu().numpy())
    return np.concatenate(found)


def correct(
    model: Classifier, features: Features, test: tuple[list[str], NDArray[np.int64]], clips: int
) -> NDArray[np.float64]:
    """1 or 0 for each test video; arguments as of `predicted`, with the videos' classes."""
    return np.asarray(predicted(model, features, test[0], clips) == test[1], dtype=np.float64)
