"""CSVR: three branches around the features f_s, f_d and f_i, and the loss that trains them together.

    L = σ_v·L_video + σ_p·L_pose + σ_c·L_context        (the paper has σ_v = 1)

A branch whose weight is 0 is not built, so it costs nothing.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from csvr.context.backbone import pool
from csvr.context.clip_encoder import clip_encoder
from csvr.context.iframe import IFrameEncoder
from csvr.context.mi_infonce import mi_infonce
from csvr.context.projection import ProjectionHead
from csvr.distributed import gather, processes, rank
from csvr.generation.discriminator import VideoDiscriminator
from csvr.generation.losses import gradient_penalty, judge_once, reconstruction_loss
from csvr.generation.tganv2 import Pyramid, VideoGenerator, real_pyramid
from csvr.integration.layer import IntegrationLayer
from csvr.pose.gan_losses import discriminator_loss, generator_loss, interpolate_penalty, pose_reconstruction
from csvr.pose.networks import Decoder, Discriminator, pose_encoder, pose_gan
from csvr.pretrain.views import Views

Params = dict[str, Any]


class Encoders(nn.Module):
    """What is kept after pretraining: clip encoder (f_s), pose encoder (f_d) and integration layer (f_i).

    Args:
        model: The `model` parameters.
        motion: Whether there is a pose encoder; without it there is no integration layer either.
    """

    def __init__(self, model: Params, motion: bool) -> None:
        super().__init__()
        self.backbone = clip_encoder(model["backbone"])
        self.pose = pose_encoder(model["pose"]) if motion else None
        self.integration = (
            IntegrationLayer(self.backbone.out_channels, self.pose.out_channels, **model["integration"])
            if self.pose
            else None
        )

    def forward(self, clip: Tensor, poses: Tensor, integrated: int | None = None) -> dict[str, Tensor]:
        """Feature maps: f_s (N, C, t, h, w), and with a pose encoder f_d (N, C_d, t') or, of heat maps,
        (N, C_d, t', h', w'), f_i (as f_s), mask M; these two of the first `integrated` clips, None is all."""
        maps: dict[str, Tensor] = {"f_s": self.backbone(clip)}
        if self.pose is not None and self.integration is not None:
            maps["f_d"] = self.pose(poses)
            maps["f_i"], mask = self.integration(maps["f_s"], maps["f_d"], integrated)
            if mask is not None:
                maps["mask"] = mask
        return maps


class ContextBranch(nn.Module):
    """Clip feature against I-frame features by multi-instance InfoNCE."""

    def __init__(self, model: Params, clip_channels: int) -> None:
        super().__init__()
        context = model["context"]
        self.iframe = IFrameEncoder(**context["iframe"])
        self.clip_head = ProjectionHead(clip_channels, **context["head"])
        self.iframe_head = ProjectionHead(self.iframe.out_channels, **context["head"])
        self.temperature, self.symmetric = context["temperature"], context["symmetric"]

    def forward(self, static: Tensor, iframes: Tensor, owner: Tensor) -> dict[str, Tensor]:
        """Loss, and statistics of the solution: accuracy of the nearest I-frame, spread of the embeddings.

        Clips and I-frames of all processes are contrasted with each other, in each process.
        """
        # Embeddings of unit length differ by less than half precision can tell.
        queries, keys = self.clip_head(pool(static)).float(), self.iframe_head(self.iframe(iframes)).float()
        # Clip n of process r is clip n·W + r of the whole batch.
        own = gather(torch.arange(len(queries), device=owner.device) * processes() + rank())
        queries, keys, owner = gather(queries), gather(keys), gather(owner * processes() + rank())
        positives = own[:, None] == owner
        with torch.autocast(queries.device.type, enabled=False):
            loss = mi_infonce(queries, keys, positives, self.temperature, self.symmetric)
            nearest = (queries @ keys.T).argmax(1, keepdim=True)
        return {
            "context": loss,
            "context_accuracy": positives.gather(1, nearest).float().mean().detach(),
            "context_spread": queries.std(0).mean().detach(),
        }


class PoseBranch(nn.Module):
    """Future poses from f_d by a conditional GAN (the encoder is the one of `Encoders`).

    Args:
        pose: The `model.pose` parameters: its losses and their weights.
        decoder, discriminator: As `pose_gan` makes them.
    """

    def __init__(self, pose: Params, decoder: Decoder, discriminator: Discriminator) -> None:
        super().__init__()
        self.decoder, self.discriminator = decoder, discriminator
        self.kind, self.adversarial = pose["gan"], pose["adversarial"]
        self.reconstruction, self.penalty = pose["reconstruction"], pose["penalty"]

    def forward(self, motion: Tensor, views: Views) -> dict[str, Tensor]:
        """Loss of the generator, and of its discriminator on the same prediction; `pose_l1` is that of coordinates."""
        noise = views.noise or {}
        predicted = self.decoder(motion, views.poses, noise.get("pose")).float()
        target, visible = self.decoder.target(views.future_poses), views.future_poses[..., 2] > 0
        distance = self.decoder.distance(predicted, target, visible)
        found = self.decoder.coordinates(predicted.detach(), views.poses)
        # In full precision, for the penalty's sake (see VideoBranch).
        with torch.autocast(motion.device.type, enabled=False):
            self.discriminator.requires_grad_(False)
            fooled = generator_loss(self.discriminator(views.poses, predicted, visible), self.kind)
            self.discriminator.requires_grad_(True)
            judge = self._judge(views.poses, target, predicted.detach(), visible, noise.get("mix"))
        return {
            "pose": self.reconstruction * distance + self.adversarial * fooled,
            "pose_l1": pose_reconstruction(found, views.future_poses[..., :2], visible),
            "pose_discriminator": judge,
        }

    def predict(self, motion: Tensor, poses: Tensor) -> Tensor:
        """Future x, y (N, future, K, 2) in the units of `poses` (N, T', K, 3), whatever the kind of the networks."""
        return self.decoder.coordinates(self.decoder(motion, poses), poses)

    def _judge(self, past: Tensor, target: Tensor, predicted: Tensor, visible: Tensor, mix: Tensor | None) -> Tensor:
        """Discriminator loss on the real and the predicted future of one past; `mix` as in `interpolate_penalty`."""
        real, fake = (self.discriminator.join(past, future, visible) for future in (target, predicted))
        # It has no batch norm: the same as one by one.
        of_real, of_fake = self.discriminator.judge(torch.cat([real, fake])).chunk(2)
        loss = discriminator_loss(of_real, of_fake, self.kind)
        if self.kind == "wgan_gp":
            loss = loss + interpolate_penalty(self.discriminator.judge, real, fake, self.penalty, mix)
        return loss


class VideoBranch(nn.Module):
    """Two TGANv2 networks: one reconstructs the clip, one predicts its future, both from f_i."""

    NAMES = ("clip", "future")

    def __init__(self, model: Params, channels: int, frames: int) -> None:
        super().__init__()
        generation = model["generation"]
        generators = {name: VideoGenerator(channels, frames, **generation["generator"]) for name in self.NAMES}
        self.sizes, self.noise_channels = generators["clip"].sizes, generators["clip"].noise_channels
        self.generators = nn.ModuleDict(generators)
        self.discriminators = nn.ModuleDict(
            {name: VideoDiscriminator(levels=len(self.sizes), **generation["discriminator"]) for name in self.NAMES}
        )
        self.kind, self.adversarial = generation["gan"], generation["adversarial"]
        self.reconstruction, self.penalty = generation["reconstruction"], generation["penalty"]
        self.penalty_every, self.clips = generation["penalty_every"], generation["clips"]

    def forward(self, integrated: Tensor, views: Views, step: int) -> dict[str, Tensor]:
        """Loss of both generators, and of both discriminators, on the clips that have a future."""
        terms: dict[str, Tensor] = {}
        integrated = integrated[: len(views.future)]
        video, judged = integrated.new_zeros(()), integrated.new_zeros(())
        for name in self.NAMES:
            fake: Pyramid = self.generators[name](integrated, (views.noise or {}).get(name))
            real = real_pyramid(getattr(views, name)[: len(integrated)], self.sizes, fake.frames)
            distance = reconstruction_loss(fake.clips, real)
            terms[f"video_{name}_l1"] = distance.detach()
            video = video + self.reconstruction * distance
            if self.adversarial:
                # In full precision: the penalty squares gradients (bfloat16 ended in NaN).
                with torch.autocast(integrated.device.type, enabled=False):
                    clips = [clip.float() for clip in fake.clips]
                    fooled, found = self._adversarial(self.discriminators[name], real, clips, step)
                video, judged = video + self.adversarial * fooled, judged + found
        return {"video": video, "video_discriminator": judged} | terms

    def _adversarial(
        self, discriminator: nn.Module, real: list[Tensor], fake: list[Tensor], step: int
    ) -> tuple[Tensor, Tensor]:
        """Loss of a generator, and of its discriminator; every `penalty_every` steps with the penalty, scaled up
        accordingly (lazy R1)."""
        penalise = step % self.penalty_every == 0
        real = [clip.detach().requires_grad_(penalise) for clip in real]
        of_real, of_fake, fooling = judge_once(discriminator, real, fake)
        loss = discriminator_loss(of_real, of_fake, self.kind)
        if penalise:
            loss = loss + self.penalty_every * gradient_penalty(of_real, real, self.penalty, reduction="mean")
        return generator_loss(fooling, self.kind), loss


class CSVR(nn.Module):
    """All networks of one variant.

    Args:
        params: The parameters `model`, `clip`, `sigma_v`, `sigma_p`, `sigma_c` and `pose_input`.
        pose_frames: Poses of a clip, T'.

    Raises:
        ValueError: σ_p > 0 without pose input.
    """

    def __init__(self, params: Params, pose_frames: int) -> None:
        super().__init__()
        if params["sigma_p"] and not params["pose_input"]:
            raise ValueError("sigma_p > 0 needs pose_input: true")
        model = params["model"]
        self.weights = {name: float(params[f"sigma_{name[0]}"]) for name in ("video", "pose", "context")}
        self.encoders = Encoders(model, params["pose_input"])
        channels = self.encoders.backbone.out_channels
        self.context = ContextBranch(model, channels) if self.weights["context"] else None
        self.pose = (
            PoseBranch(model["pose"], *pose_gan(model["pose"], self.encoders.pose.out_channels, pose_frames))
            if self.weights["pose"] and self.encoders.pose
            else None
        )
        self.video = VideoBranch(model, channels, params["clip"]["frames"]) if self.weights["video"] else None
        self.futures = self.video.clips if self.video else 0

    def forward(self, views: Views, step: int) -> dict[str, Tensor]:
        """Every loss term of one step. `loss` trains encoders and generators, `discriminator` the discriminators."""
        # Nothing is made of the other clips' f_i.
        maps = self.encoders(views.clip, views.poses, integrated=len(views.future))
        terms: dict[str, Tensor] = {}
        if self.context is not None:
            terms |= self.context(maps["f_s"], views.iframes, views.owner)
        if self.pose is not None:
            terms |= self.pose(maps["f_d"], views)
        if self.video is not None:
            terms |= self.video(maps.get("f_i", maps["f_s"]), views, step)
        zero = views.clip.new_zeros(())
        terms["loss"] = sum((w * terms[name] for name, w in self.weights.items() if w), start=zero)
        judges = [value for name, value in terms.items() if name.endswith("_discriminator")]
        terms["discriminator"] = sum(judges, start=zero)
        return terms

    def noise(self, batch: int) -> dict[str, Tensor]:
        """Draw what is random in the networks, for a whole batch: the generators' noise, `pose` (batch, Z), `clip` and
        `future` (clips that are generated, Z); and `mix` (batch,), where wgan_gp's penalty is taken."""
        drawn: dict[str, Tensor] = {}
        if self.pose is not None:
            drawn["pose"] = torch.randn(batch, self.pose.decoder.noise_channels)
            if self.pose.kind == "wgan_gp":
                drawn["mix"] = torch.rand(batch)
        if self.video is not None:
            for name in self.video.NAMES:
                drawn[name] = torch.rand(self.futures, self.video.noise_channels) * 2 - 1
        return drawn

    def discriminators(self) -> list[nn.Parameter]:
        """Parameters that `discriminator` trains; `loss` trains all others."""
        return [p for name, p in self.named_parameters() if ".discriminator" in name]

    def generators(self) -> list[nn.Parameter]:
        """Parameters that `loss` trains."""
        return [p for name, p in self.named_parameters() if ".discriminator" not in name]
