"""Writes which layers of each family's models the trainer's network modules may train, with their shapes.

Run by the trainer's interpreter, by path:
`python modules.py --source SD_SCRIPTS_DIR --commit COMMIT --out modules.json`
The trainer's own loaders build the models, on a device without memory and with no file to read.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import itertools
import json
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any
from unittest.mock import patch

SCHEMA = 1
LAYERS = ("Linear", "Conv2d")
# What a row says of a layer that lies in none of the blocks that a network module looks into.
NO_BLOCK = ""
# The families whose network modules also find layers by name alone, anywhere in the transformer.
FOUND_BY_NAME = ("sd3", "flux", "chroma", "lumina")

Models = Mapping[str, Any]
Row = tuple[str, str, tuple[int, ...]]


def library(name: str) -> Any:
    """Returns a module of the trainer's library."""
    return importlib.import_module(f"library.{name}")


@contextlib.contextmanager
def nothing_to_read(module: Any, **readers: Callable[..., Any]) -> Iterator[None]:
    """Lets a loader of `module` build its models without memory: `readers` stand for what reads and converts files."""
    import torch

    def unfilled(*_args: Any, **_kwargs: Any) -> tuple[list[str], list[str]]:
        return [], []  # nothing was missing, nothing unexpected

    with contextlib.ExitStack() as patches:
        for name, reader in readers.items():
            patches.enter_context(patch.object(module, name, reader))
        patches.enter_context(patch.object(torch.nn.Module, "load_state_dict", unfilled))
        patches.enter_context(torch.device("meta"))
        yield


def nothing(*_args: Any, **_kwargs: Any) -> dict[str, Any]:
    """Returns a file without tensors."""
    return {}


def stable_diffusion(*, v2: bool) -> Models:
    """Returns the text encoder and the U-Net of Stable Diffusion 1 or 2, as they come from a single file."""
    util = library("model_util")
    readers: dict[str, Callable[..., Any]] = {
        "load_checkpoint_with_text_encoder_conversion": lambda *_args, **_kwargs: (None, {}),
        "convert_ldm_unet_checkpoint": nothing,
        "convert_ldm_vae_checkpoint": nothing,
        f"convert_ldm_clip_checkpoint_v{2 if v2 else 1}": nothing,
    }
    with nothing_to_read(util, **readers):
        text, _, unet = util.load_models_from_stable_diffusion_checkpoint(v2, "", "meta", None, False)
    return {"te": text, "unet": unet}


def stable_diffusion_xl() -> Models:
    """Returns both text encoders and the U-Net of Stable Diffusion XL."""
    util = library("sdxl_model_util")
    readers: dict[str, Callable[..., Any]] = {
        "load_file": nothing,
        "_load_state_dict_on_device": nothing,
        "convert_sdxl_text_encoder_2_checkpoint": lambda *_args, **_kwargs: ({}, None),
    }
    convert_vae = patch.object(util.model_util, "convert_ldm_vae_checkpoint", nothing)
    with nothing_to_read(util, **readers), convert_vae:
        first, second, _, unet, *_ = util.load_models_from_sdxl_checkpoint("", "x.safetensors", "meta")
    return {"te1": first, "te2": second, "unet": unet}


def text_encoder(module_name: str, load_name: str, *, reader: str = "load_safetensors") -> Any:
    """Returns the text encoder that one of the trainer's loaders builds."""
    module = library(module_name)
    with nothing_to_read(module, **{reader: nothing}):
        return getattr(module, load_name)("x.safetensors", None, "meta")


def stable_diffusion_3() -> Models:
    """Returns the models of Stable Diffusion 3.5 medium, whose blocks hold every layer that there is.

    The transformer's shapes are its own: the trainer reads those of another model from its file.
    """
    models = library("sd3_models")
    with nothing_to_read(models):
        transformer = models.create_sd3_mmdit(
            models.SD3Params(
                patch_size=2, depth=24, num_patches=384 * 384, pos_embed_max_size=384, adm_in_channels=2048,
                qk_norm="rms", x_block_self_attn_layers=list(range(13)), context_embedder_in_features=4096,
                context_embedder_out_features=1536, model_type="5-medium",
            )
        )  # fmt: skip
    return {
        "te1": text_encoder("sd3_utils", "load_clip_l"),
        "te2": text_encoder("sd3_utils", "load_clip_g"),
        "te3": text_encoder("flux_utils", "load_t5xxl"),
        "unet": transformer,
    }


def flux() -> Models:
    """Returns the models of FLUX.1 dev."""
    models = library("flux_models")
    with nothing_to_read(models):
        transformer = models.Flux(models.configs["dev"].params)
    return {
        "te1": text_encoder("flux_utils", "load_clip_l"),
        "te3": text_encoder("flux_utils", "load_t5xxl"),
        "unet": transformer,
    }


def chroma() -> Models:
    """Returns the models of Chroma."""
    models = library("chroma_models")
    with nothing_to_read(models):
        transformer = models.Chroma(models.chroma_params)
    return {"te3": text_encoder("flux_utils", "load_t5xxl"), "unet": transformer}


def lumina() -> Models:
    """Returns the models of Lumina Image 2."""
    util = library("lumina_util")
    with nothing_to_read(util, load_safetensors=nothing):
        transformer = util.load_lumina_model("", None, "meta")
    return {"te": text_encoder("lumina_util", "load_gemma2"), "unet": transformer}


def hunyuan_image() -> Models:
    """Returns the transformer of HunyuanImage 2.1; its text encoders are never trained."""
    models = library("hunyuan_image_models")
    with nothing_to_read(models):
        return {"unet": models.create_model("torch", False, None)}


def anima() -> Models:
    """Returns the models of Anima."""
    import torch

    util = library("anima_utils")
    with nothing_to_read(util, load_safetensors_with_lora_and_fp8=nothing, load_file=nothing):
        text, _ = util.load_qwen3_text_encoder("x.safetensors", torch.float32, "meta")
        transformer = util.load_anima_model("meta", "", "torch", False, "meta", torch.float32)
    return {"te": text, "unet": transformer}


# Each family's models, and the network module that trains them.
FAMILIES: Mapping[str, tuple[Callable[[], Models], str]] = {
    "sd15": (lambda: stable_diffusion(v2=False), "lora"),
    "sd2": (lambda: stable_diffusion(v2=True), "lora"),
    "sdxl": (stable_diffusion_xl, "lora"),
    "sd3": (stable_diffusion_3, "lora_sd3"),
    "flux": (flux, "lora_flux"),
    "chroma": (chroma, "lora_flux"),
    "lumina": (lumina, "lora_lumina"),
    "hunyuan-image": (hunyuan_image, "lora_hunyuan_image"),
    "anima": (anima, "lora_anima"),
}


def blocks_of(network: str, *, text: bool) -> set[str]:
    """Returns the names of the classes that a network module looks into, of text encoders or of the model itself."""
    module = importlib.import_module(f"networks.{network}")
    (network_class,) = (value for name, value in vars(module).items() if name.endswith("LoRANetwork"))
    found: set[str] = set()
    for name in dir(network_class):
        if "TARGET_REPLACE_MODULE" in name and name.startswith("TEXT_ENCODER") is text:
            found.update(getattr(network_class, name))
    return found


def layers_of(model: Any, blocks: set[str], *, everywhere: bool) -> dict[str, tuple[str, tuple[int, ...]]]:
    """Returns block and shape of each layer, by the layer's name in the model."""
    found: dict[str, tuple[str, tuple[int, ...]]] = {}
    for name, module in model.named_modules():
        is_block = type(module).__name__ in blocks
        if is_block or (everywhere and name == ""):
            for child_name, child in module.named_modules(prefix=name):
                if type(child).__name__ in LAYERS:
                    found[child_name] = (type(module).__name__ if is_block else NO_BLOCK, tuple(child.weight.shape))
    return found


def rows_of(layers: Mapping[str, tuple[str, tuple[int, ...]]]) -> list[Row]:
    """Returns the layers as few rows: `blocks.{0-2}.proj` stands for three of them."""
    groups: dict[tuple[str, str, tuple[int, ...]], list[tuple[str, ...]]] = defaultdict(list)
    for name, (block, shape) in layers.items():
        parts = name.split(".")
        form = ".".join("*" if part.isdecimal() else part for part in parts)
        groups[form, block, shape].append(tuple(part for part in parts if part.isdecimal()))
    rows = []
    for (form, block, shape), numbers in groups.items():
        for ranges in merged(numbers):
            filled = iter(ranges)
            name = ".".join(next(filled) if part == "*" else part for part in form.split("."))
            rows.append((name, block, shape))
    return rows


def merged(numbers: Iterable[tuple[str, ...]]) -> list[tuple[str, ...]]:
    """Returns tuples of numbers as tuples of ranges that together stand for the same.

    >>> merged([("0", "1"), ("1", "1"), ("2", "1")])
    [('{0-2}', '1')]
    """
    rows = list(numbers)
    for position in reversed(range(len(rows[0]))):
        groups: dict[tuple[str, ...], list[int]] = defaultdict(list)
        for row in rows:
            groups[(*row[:position], *row[position + 1 :])].append(int(row[position]))
        rows = [
            (*others[:position], text, *others[position:])
            for others, values in groups.items()
            for text in ranges_of(sorted(values))
        ]
    return rows


def ranges_of(values: Iterable[int]) -> Iterator[str]:
    """Yields the runs of following numbers in sorted ones.

    >>> list(ranges_of([0, 1, 2, 5]))
    ['{0-2}', '5']
    """
    for _, run in itertools.groupby(enumerate(values), lambda item: item[1] - item[0]):
        numbers = [value for _, value in run]
        yield f"{{{numbers[0]}-{numbers[-1]}}}" if len(numbers) > 1 else str(numbers[0])


def table() -> dict[str, dict[str, list[Row]]]:
    """Returns the rows of each family's models."""
    found: dict[str, dict[str, list[Row]]] = {}
    for family, (build, network) in FAMILIES.items():
        found[family] = {
            part: rows_of(
                layers_of(
                    model,
                    blocks_of(network, text=part != "unet"),
                    everywhere=part == "unet" and family in FOUND_BY_NAME,
                )
            )
            for part, model in build().items()
        }
    return found


def text_of(families: Mapping[str, Mapping[str, Iterable[Row]]], commit: str) -> str:
    """Returns the file, one row a line."""
    text = json.dumps({"schema": SCHEMA, "commit": commit, "families": families}, indent=1)
    # A row is the innermost list but one: its text stands on one line, and so do its numbers.
    return re.sub(r"\[\n\s+(\"[^\[\]]*)\[([^\[\]]*)\]\s*\]", _one_line, text) + "\n"


def _one_line(match: re.Match[str]) -> str:
    return "[" + " ".join(match[1].split()) + " [" + " ".join(match[2].split()) + "]]"


def main() -> None:
    """Writes the file that the command line names."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--source", type=Path, required=True, help="the checkout of sd-scripts")
    arguments.add_argument("--commit", required=True, help="what the checkout is at")
    arguments.add_argument("--out", type=Path, required=True, help="the JSON file to write")
    given = arguments.parse_args()
    out_path = given.out.resolve()

    # Beside this file when it is run; what is above can be imported from anywhere.
    import torchvision_ops
    from parsers import enter

    torchvision_ops.install()
    enter(given.source.resolve())
    out_path.write_text(text_of(table(), given.commit), encoding="utf-8")


if __name__ == "__main__":
    main()
