"""Which layers each network module of the trainer trains, and at which rank.

Source: sd-scripts 48d368fa, `networks/lora*.py`: `create_network` and the constructors. An argument that a module does
not know changes nothing there, and nothing here.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence

from loratpl.plan.disk.lora_asked import Asked, Pair, pair, patterns, ranks_by_pattern, selected
from loratpl.plan.disk.lora_layers import UNET, Layer, SizeUnknownError
from loratpl.plan.disk.lora_unet import of_stable_diffusion

_DOUBLE_BLOCKS, _SINGLE_BLOCKS, _ANY_BLOCKS = 19, 38, 999
# An argument → the words that a layer's name must all hold; the first pair that fits decides.
_FLUX_KINDS = (
    ("img_attn_dim", ("img_attn",)), ("txt_attn_dim", ("txt_attn",)), ("img_mlp_dim", ("img_mlp",)),
    ("txt_mlp_dim", ("txt_mlp",)), ("img_mod_dim", ("img_mod",)), ("txt_mod_dim", ("txt_mod",)),
    ("single_dim", ("single_blocks", "linear")), ("single_mod_dim", ("modulation",)),
)  # fmt: skip
_SD3_KINDS = (
    ("context_attn_dim", ("context_block", "attn")), ("context_mlp_dim", ("context_block", "mlp")),
    ("context_mod_dim", ("context_block", "adaLN_modulation")), ("x_attn_dim", ("x_block", "attn")),
    ("x_mlp_dim", ("x_block", "mlp")), ("x_mod_dim", ("x_block", "adaLN_modulation")),
)  # fmt: skip
_LUMINA_KINDS = (
    ("attn_dim", ("attention",)), ("mlp_dim", ("mlp",)), ("mod_dim", ("modulation",)), ("refiner_dim", ("refiner",)),
)  # fmt: skip
_FLUX_EMBEDDERS = ("_img_in", "_time_in", "_vector_in", "_guidance_in", "_txt_in")
_SD3_EMBEDDERS = (
    "context_embedder", "_t_embedder", "x_embedder", "y_embedder", "final_layer_adaLN_modulation", "final_layer_linear",
)  # fmt: skip
_LUMINA_EMBEDDERS = ("x_embedder", "t_embedder", "cap_embedder")
_LUMINA_FILTERS = {
    "all": ("",), "transformer": ("layers_",), "refiners": ("noise_refiner", "context_refiner"),
    "noise_refiner": ("noise_refiner",), "context_refiner": ("context_refiner",),
}  # fmt: skip
_FLUX_BLOCKS = {
    "all": {"DoubleStreamBlock", "SingleStreamBlock"},
    "single": {"SingleStreamBlock"},
    "double": {"DoubleStreamBlock"},
}
_ANIMA_BLOCKS = frozenset({"Block", "PatchEmbed", "TimestepEmbedding", "FinalLayer"})
_ANIMA_ADAPTER = "LLMAdapterTransformerBlock"
_ANIMA_NEVER = r".*(_modulation|_norm|_embedder|final_layer).*"


def pairs_of(asked: Asked, layers: Sequence[Layer]) -> Iterator[Pair]:
    """Yields the LoRAs that the trainer makes of these layers.

    Raises:
        SizeUnknownError: It is not known which these are.
    """
    choose = _MODULES.get(asked.module)
    if choose is None:
        raise SizeUnknownError(f"kohyatpl does not know which layers {asked.module} trains")
    yield from choose(asked, layers)


def _of_flux(asked: Asked, layers: Sequence[Layer]) -> Iterator[Pair]:
    only = asked.arguments.get("train_blocks", "all")
    if only not in _FLUX_BLOCKS:
        raise SizeUnknownError(f"train_blocks cannot be {only}")
    splits = asked.is_on("split_qkv")
    if splits and only != "single":
        raise SizeUnknownError("the trainer ends on split_qkv=True here")
    by_pattern = ranks_by_pattern(asked)
    double = selected(asked.arguments.get("train_double_block_indices"), _DOUBLE_BLOCKS)
    single = selected(asked.arguments.get("train_single_block_indices"), _SINGLE_BLOCKS)

    def rank_of(layer: Layer, otherwise: int) -> int:
        name = layer.lora_name
        found = next((rank for pattern, rank in by_pattern if pattern.search(name)), None)
        if found is not None or layer.part != UNET:
            return otherwise if found is None else found
        rank = _rank_of_kind(asked, name, _FLUX_KINDS, otherwise)
        chosen = double if "double" in name else single if "single" in name else None
        return rank if chosen is None or not rank or int(name.split("_")[4]) in chosen else 0

    for layer in layers:
        if layer.part == "te3" and not asked.is_on("train_t5xxl"):
            continue
        if layer.part != UNET or layer.block in _FLUX_BLOCKS[only]:
            rank = rank_of(layer, asked.dim)
            parts = 4 if splits and layer.part == UNET and layer.name.endswith("linear1") else 1
            if rank:
                yield pair(asked, layer, rank, parts=parts)
    yield from _embedders(asked, layers, "in_dims", _FLUX_EMBEDDERS, rank_of)


def _of_sd3(asked: Asked, layers: Sequence[Layer]) -> Iterator[Pair]:
    chosen = selected(asked.arguments.get("train_block_indices"), _ANY_BLOCKS)
    conv_dim = asked.rank("conv_dim")

    def rank_of(layer: Layer, otherwise: int) -> int:
        if layer.part != UNET:
            return otherwise
        name = layer.lora_name
        if layer.is_wide_convolution:
            return otherwise if conv_dim is None else conv_dim
        rank = _rank_of_kind(asked, name, _SD3_KINDS, otherwise)
        is_left = chosen is not None and "joint_blocks" in name and int(name.split("_")[4]) not in chosen
        return 0 if is_left else rank

    for layer in layers:
        if layer.part == "te3" and not asked.is_on("train_t5xxl"):
            continue
        if layer.part != UNET or layer.block:
            rank = rank_of(layer, asked.dim)
            parts = 3 if asked.is_on("split_qkv") and layer.part == UNET and "qkv" in layer.name else 1
            if rank:
                yield pair(asked, layer, rank, parts=parts)
    yield from _embedders(asked, layers, "emb_dims", _SD3_EMBEDDERS, rank_of)


def _of_lumina(asked: Asked, layers: Sequence[Layer]) -> Iterator[Pair]:
    if asked.is_on("split_qkv"):
        raise SizeUnknownError("the trainer ends on split_qkv=True when it saves")
    only = asked.arguments.get("train_blocks", "all")
    if only not in _LUMINA_FILTERS:
        raise SizeUnknownError(f"train_blocks cannot be {only}")

    def rank_of(layer: Layer, otherwise: int) -> int:
        return _rank_of_kind(asked, layer.lora_name, _LUMINA_KINDS, otherwise) if layer.part == UNET else otherwise

    for layer in layers:
        is_meant = any(words in layer.lora_name for words in _LUMINA_FILTERS[only])
        if layer.part != UNET or (layer.block and is_meant):
            rank = rank_of(layer, asked.dim)
            if rank:
                yield pair(asked, layer, rank)
    yield from _embedders(asked, layers, "embedder_dims", _LUMINA_EMBEDDERS, rank_of)


def _of_hunyuan_image(asked: Asked, layers: Sequence[Layer]) -> Iterator[Pair]:
    by_pattern = ranks_by_pattern(asked)
    for layer in layers:
        name = layer.lora_name
        rank = next((rank for pattern, rank in by_pattern if pattern.search(name)), asked.dim)
        parts = 1
        if asked.is_on("split_qkv"):
            parts = 3 if "double" in name and "qkv" in name else 4 if "single" in name and "linear1" in name else 1
        if rank:
            yield pair(asked, layer, rank, parts=parts)


def _of_anima(asked: Asked, layers: Sequence[Layer]) -> Iterator[Pair]:
    blocks = _ANIMA_BLOCKS | (
        {_ANIMA_ADAPTER} if asked.arguments.get("train_llm_adapter", "").lower() == "true" else set()
    )
    never = [*patterns(asked, "exclude_patterns"), re.compile(_ANIMA_NEVER)]
    yet = patterns(asked, "include_patterns")
    by_pattern = ranks_by_pattern(asked)
    for layer in layers:
        if layer.part == UNET and layer.block not in blocks:
            continue
        name = layer.name
        if any(pattern.fullmatch(name) for pattern in never) and not any(pattern.fullmatch(name) for pattern in yet):
            continue
        rank = next((rank for pattern, rank in by_pattern if pattern.fullmatch(name)), asked.dim)
        if rank:
            yield pair(asked, layer, rank)


def _embedders(
    asked: Asked, layers: Sequence[Layer], argument: str, words: Sequence[str], rank_of: Callable[[Layer, int], int]
) -> Iterator[Pair]:
    """Yields the LoRAs of layers outside all blocks, which are found by a word in their names."""
    for word, otherwise in zip(words, asked.ranks(argument, len(words)) or (), strict=False):
        for layer in layers:
            rank = rank_of(layer, otherwise) if layer.part == UNET and word in layer.lora_name else 0
            if rank:
                yield pair(asked, layer, rank)


def _rank_of_kind(asked: Asked, name: str, kinds: Sequence[tuple[str, tuple[str, ...]]], otherwise: int) -> int:
    for argument, words in kinds:
        rank = asked.rank(argument)
        if rank is not None and all(word in name for word in words):
            return rank
    return otherwise


_MODULES: Mapping[str, Callable[[Asked, Sequence[Layer]], Iterator[Pair]]] = {
    "networks.lora": of_stable_diffusion,
    "networks.lora_fa": of_stable_diffusion,
    "networks.lora_flux": _of_flux,
    "networks.lora_sd3": _of_sd3,
    "networks.lora_lumina": _of_lumina,
    "networks.lora_hunyuan_image": _of_hunyuan_image,
    "networks.lora_anima": _of_anima,
}
