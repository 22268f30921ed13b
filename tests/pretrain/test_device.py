"""On a GPU, nothing is left on the CPU: shapes and devices are followed without one, by torch's fake tensors."""

import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensorMode

from csvr.data.augment import random_colours, random_crops
from csvr.data.batches import Batch
from csvr.pretrain import model as model_module
from csvr.pretrain import views as views_module
from csvr.pretrain.model import CSVR
from csvr.pretrain.views import make_views

from .small import params


def test_views_and_losses_are_on_the_device_of_the_networks(monkeypatch: pytest.MonkeyPatch) -> None:
    p, clips = params(), 3
    p["model"]["generation"]["penalty_every"] = 2  # not in step 1: autograd itself needs a real GPU
    noise = CSVR(p, 8).noise(clips)
    # What looks at values, which fake tensors don't have.
    monkeypatch.setattr(torch, "randint", lambda *_: 1)
    monkeypatch.setattr(model_module, "mi_infonce", lambda queries, keys, positives, *_: (queries @ keys.T).mean())
    crops, colours = random_crops(clips, (32, 36), (0.5, 1.0)), random_colours(clips, 0.5, 0.5, 0.5, 0.5)
    monkeypatch.setattr(views_module, "random_crops", lambda *_: crops)
    monkeypatch.setattr(views_module, "random_colours", lambda *_: colours)
    place = torch.arange(clips)
    with FakeTensorMode(allow_non_fake_inputs=True):
        device = torch.device("cuda")
        with device:
            model = CSVR(p, 8)
            images = torch.zeros(clips, 3, 4, 32, 36, dtype=torch.uint8)
            poses = torch.zeros(clips, 8, 17, 3)
            batch = Batch(
                clip=images, future=images[: model.futures], poses=poses, future_poses=poses, iframes=images[:, :, 0],
                owner=torch.arange(clips), share=(0, 1), iframe_place=place, total=(clips, clips),
            )  # fmt: skip
        views = make_views(batch, p["augment"], 28)._replace(
            noise={name: value.to(device) for name, value in noise.items()}
        )
        assert {value.device.type for value in views[:-1]} == {"cuda"}
        with torch.no_grad():
            terms = model(views, step=1)
        assert {value.device.type for value in terms.values()} == {"cuda"}
