"""Name the closest parameter where an override (`-S sgma_p=0.5`) names none, which Hydra's own message does not.

Hydra loads this as a plugin: in DVC by `plugins_path` of .dvc/config, in compose_params.py since it lies beside it. No
hook is there for errors, so the method that applies overrides is wrapped; should it be gone, Hydra's own message stays.
"""

from __future__ import annotations

from typing import Any

from check_params import dotted
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra.errors import ConfigCompositionException
from omegaconf import OmegaConf

from csvr.errors import closest

APPLY = "_apply_overrides_to_config"
original = getattr(ConfigLoaderImpl, APPLY, None)


def apply(overrides: list[Any], config: Any) -> None:
    """As Hydra, one by one, so that it is known which one failed."""
    assert original
    for override in overrides:
        try:
            original([override], config)
        except ConfigCompositionException:
            key = override.key_or_group
            params: dict[str, Any] = OmegaConf.to_container(config)  # type: ignore[assignment]
            names = [name for name in dotted(params) if name.split(".")[0] != "hydra"]
            if key in names:
                raise
            known = names if "." in key else [name for name in names if "." not in name]
            text = f"{key} = {override.value()}: there is no such parameter; {closest(key, known)}"
            raise ConfigCompositionException(text) from None


if original:
    setattr(ConfigLoaderImpl, APPLY, staticmethod(apply))
