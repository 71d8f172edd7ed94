"""Makes the trainer's models small as they are imported; Python runs a file of this name at its start.

The sizes of most families are written into the trainer's code and not into their files. Each class stays what it is,
for a LoRA finds its targets by the names of classes; only the numbers that it is made with become small. Nothing of the
training is changed. For tests alone: they put this folder on the trainer's PYTHONPATH.
"""

from __future__ import annotations

import builtins
import dataclasses
import functools
import sys
from collections.abc import Callable, Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType
from typing import Any

# Every width of one text encoder fits the width that the transformer beside it expects.
CLIP = {"hidden_size": 32, "intermediate_size": 64, "num_attention_heads": 2, "projection_dim": 32}
T5 = {"d_model": 64, "d_ff": 64, "d_kv": 16, "num_heads": 2, "num_layers": 2, "num_decoder_layers": 2}
VAE = {"ch": 32, "ch_mult": [1, 1, 2, 2], "num_res_blocks": 1}
BLOCKS = 2
AXES = [8, 12, 12]  # of the rotary embedding; together the width of a head

_CHANGES: dict[str, Callable[[Any], None]] = {}


def changes(module_name: str) -> Callable[[Callable[[Any], None]], Callable[[Any], None]]:
    """Registers what is done to a module once it has run."""

    def register(change: Callable[[Any], None]) -> Callable[[Any], None]:
        _CHANGES[module_name] = change
        return change

    return register


class _ChangingLoader(Loader):
    """Runs a module as its own loader does, then changes it."""

    def __init__(self, real: Loader) -> None:
        self._real = real

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        """Returns what the module's own loader makes."""
        return self._real.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        """Runs the module and its change."""
        self._real.exec_module(module)
        _CHANGES[module.__name__](module)


class _ChangingFinder(MetaPathFinder):
    """Finds the modules that are to be changed, as the path finder does."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Returns the spec of a module that is to be changed, None for any other."""
        spec = PathFinder.find_spec(fullname, path, target) if fullname in _CHANGES else None
        if spec is not None and spec.loader is not None:
            spec.loader = _ChangingLoader(spec.loader)
        return spec


def always(function: Callable[..., Any], **forced: Any) -> Callable[..., Any]:
    """Returns `function` with some keyword arguments decided, whatever the caller says."""

    @functools.wraps(function, updated=())
    def called(*args: Any, **kwargs: Any) -> Any:
        return function(*args, **{**kwargs, **forced})

    return called


# --- Stable Diffusion XL


@changes("library.sdxl_original_unet")
def _sdxl_unet(module: Any) -> None:
    module.MODEL_CHANNELS, module.TIME_EMBED_DIM, module.CONTEXT_DIM = 32, 128, 64
    module.ADM_IN_CHANNELS = 32 + 6 * 256  # the pooled text and six sizes of 256 each, which stay
    build = module.Transformer2DModel.__init__

    def init(self: Any, *args: Any, **kwargs: Any) -> None:
        layers = min(BLOCKS, kwargs["num_transformer_layers"])
        build(self, *args, **{**kwargs, "num_transformer_layers": layers, "cross_attention_dim": 64})

    module.Transformer2DModel.__init__ = init


@changes("library.sdxl_model_util")
def _sdxl_text(module: Any) -> None:
    real = module.CLIPTextConfig

    def config(**kwargs: Any) -> Any:
        # The eleventh layer's output of the first encoder is used; of the second one, the last but one.
        layers = 12 if kwargs["num_hidden_layers"] == 12 else 3
        return real(**{**kwargs, **CLIP, "num_hidden_layers": layers})

    module.CLIPTextConfig = config


@changes("library.model_util")
def _sd_vae(module: Any) -> None:
    module.VAE_PARAMS_CH, module.VAE_PARAMS_CH_MULT = VAE["ch"], VAE["ch_mult"]
    module.VAE_PARAMS_NUM_RES_BLOCKS = VAE["num_res_blocks"]


# --- Stable Diffusion 3


@changes("library.sd3_models")
def _sd3_vae(module: Any) -> None:
    module.VAEEncoder = always(module.VAEEncoder, **VAE)
    module.VAEDecoder = always(module.VAEDecoder, **VAE)


@changes("library.sd3_utils")
def _sd3_text(module: Any) -> None:
    module.CLIPTextConfig = always(module.CLIPTextConfig, **CLIP, num_hidden_layers=2)


@changes("library.strategy_sd3")
def _sd3_text_joined(module: Any) -> None:
    """The states of the CLIP encoders are padded to T5's width, which is written out there."""

    def joined(_self: Any, clip: Any, t5: Any, pooled: Any) -> tuple[Any, Any]:
        import torch

        wide = torch.nn.functional.pad(clip, (0, T5["d_model"] - clip.shape[-1]))
        return torch.cat([wide, torch.zeros_like(wide) if t5 is None else t5], dim=1), pooled

    module.Sd3TextEncodingStrategy.concat_encodings = joined


# --- FLUX.1 and Chroma

_FLUX_SIZES = {
    "context_in_dim": T5["d_model"], "hidden_size": 64, "num_heads": 2, "axes_dim": AXES,
    "depth": BLOCKS, "depth_single_blocks": BLOCKS,
}  # fmt: skip


@changes("library.flux_models")
def _flux(module: Any) -> None:
    for config in module.configs.values():
        config.params = dataclasses.replace(config.params, **_FLUX_SIZES, vec_in_dim=CLIP["projection_dim"])
        config.ae_params = dataclasses.replace(config.ae_params, **VAE)


@changes("library.chroma_models")
def _chroma(module: Any) -> None:
    small = {**_FLUX_SIZES, "approximator_depth": 1, "approximator_hidden_size": 32}
    module.chroma_params = dataclasses.replace(module.chroma_params, **small)


@changes("library.flux_utils")
def _flux_text(module: Any) -> None:
    module.CLIPConfig = always(module.CLIPConfig, **CLIP, num_hidden_layers=2)
    module.T5Config = always(module.T5Config, **T5)  # Stable Diffusion 3 uses it as well


# --- Lumina 2


@changes("library.lumina_models")
def _lumina(module: Any) -> None:
    real = module.LuminaParams.get_2b_config()
    sizes = {"dim": 64, "n_layers": BLOCKS, "n_heads": 2, "n_kv_heads": 1, "axes_dims": AXES, "cap_feat_dim": 32}
    module.LuminaParams.get_2b_config = staticmethod(lambda: dataclasses.replace(real, **sizes))


@changes("library.lumina_util")
def _lumina_text(module: Any) -> None:
    module.Gemma2Config = always(
        module.Gemma2Config,
        vocab_size=512, hidden_size=32, intermediate_size=64, num_hidden_layers=2,
        num_attention_heads=2, num_key_value_heads=1, head_dim=16, query_pre_attn_scalar=16,
    )  # fmt: skip


# --- HunyuanImage 2.1

_HUNYUAN_NUMBERS = {3584: 64, 2048: 32, 28: 4, 20: BLOCKS, 40: BLOCKS}
_HUNYUAN_CHANNELS = {128: 32, 256: 32, 512: 64, 1024: 128}


def _with_numbers(function: Callable[..., Any]) -> Callable[..., Any]:
    """Returns a class that is made with the small number in the place of each large one."""

    def small(value: Any) -> Any:
        return _HUNYUAN_NUMBERS.get(value, value) if type(value) is int else value

    @functools.wraps(function, updated=())
    def called(*args: Any, **kwargs: Any) -> Any:
        return function(*map(small, args), **{name: small(value) for name, value in kwargs.items()})

    return called


@changes("library.hunyuan_image_models")
def _hunyuan(module: Any) -> None:
    """The constructor takes no sizes: it is given smaller parts to build with, and fewer blocks to count."""
    transformer = module.HYImageDiffusionTransformer
    build = transformer.__init__
    parts = (
        "ByT5Mapper", "PatchEmbed2D", "SingleTokenRefiner", "TimestepEmbedder", "MMDoubleStreamBlock",
        "MMSingleStreamBlock", "FinalLayer",
    )  # fmt: skip
    small_parts = {name: _with_numbers(getattr(module, name)) for name in parts}
    small_parts["range"] = _with_numbers(builtins.range)

    def init(self: Any, *args: Any, **kwargs: Any) -> None:
        before = dict(vars(module))
        vars(module).update(small_parts)
        try:
            build(self, *args, **kwargs)
        finally:
            for name in small_parts:
                vars(module).pop(name)
            vars(module).update({name: before[name] for name in parts})
        self.hidden_size, self.heads_num, self.rope_dim_list = 64, 4, [8, 8]

    transformer.__init__ = init


@changes("library.hunyuan_image_vae")
def _hunyuan_vae(module: Any) -> None:
    for name in ("Encoder", "Decoder"):
        build = getattr(module, name).__init__

        def init(self: Any, *args: Any, _build: Any = build, **kwargs: Any) -> None:
            channels = [_HUNYUAN_CHANNELS[count] for count in kwargs["block_out_channels"]]
            _build(self, *args, **{**kwargs, "block_out_channels": channels})

        getattr(module, name).__init__ = init
    move = module.HunyuanVAE2D.to

    def to(self: Any, *args: Any, **kwargs: Any) -> Any:
        """The trainer asks for float16, whose convolutions take a CPU a minute."""
        import torch

        if kwargs.get("dtype") is torch.float16:
            kwargs["dtype"] = torch.float32
        return move(self, *args, **kwargs)

    module.HunyuanVAE2D.to = to


@changes("library.hunyuan_image_text_encoder")
def _hunyuan_text(module: Any) -> None:
    # The width of byT5 stays: a caption without quoted text is given zeros of that width, which is written out.
    module.T5Config = always(module.T5Config, **{**T5, "d_model": 1472, "num_decoder_layers": 1})
    real = module.Qwen2_5_VLConfig
    text = {
        "vocab_size": 512, "hidden_size": 64, "intermediate_size": 64, "num_hidden_layers": 4, "max_window_layers": 4,
        "num_attention_heads": 2, "num_key_value_heads": 1, "bos_token_id": 0, "eos_token_id": 2,
        "rope_scaling": {"mrope_section": [4, 6, 6], "rope_type": "default", "type": "default"},
    }  # fmt: skip
    vision = {
        "depth": 1, "fullatt_block_indexes": [0], "hidden_size": 32, "intermediate_size": 32, "num_heads": 2,
        "out_hidden_size": 64,
    }  # fmt: skip

    def config(**kwargs: Any) -> Any:
        kwargs |= text
        kwargs["text_config"] = {**kwargs["text_config"], **text, "layer_types": ["full_attention"] * 4}
        kwargs["vision_config"] = {**kwargs["vision_config"], **vision}
        return real(**kwargs)

    module.Qwen2_5_VLConfig = config


# --- Anima


@changes("library.anima_models")
def _anima(module: Any) -> None:
    module.Anima.__init__ = always(
        module.Anima.__init__,
        model_channels=64, num_blocks=BLOCKS, num_heads=2, adaln_lora_dim=16, crossattn_emb_channels=32,
    )  # fmt: skip
    module.LLMAdapter.__init__ = always(
        module.LLMAdapter.__init__, source_dim=32, target_dim=32, model_dim=32, num_layers=2, num_heads=2
    )


@changes("library.qwen_image_autoencoder_kl")
def _anima_vae(module: Any) -> None:
    module.AutoencoderKLQwenImage.__init__ = always(
        module.AutoencoderKLQwenImage.__init__, base_dim=16, dim_mult=[1, 1, 2, 2], num_res_blocks=1
    )


sys.meta_path.insert(0, _ChangingFinder())
