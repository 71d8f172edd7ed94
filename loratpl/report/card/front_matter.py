"""The head of a card, as the Hugging Face hub reads it (https://huggingface.co/docs/hub/model-cards)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from loratpl.config.modelspec import one_line
from loratpl.report.card.card import Card, CardSample
from loratpl.report.card.loading import can_diffusers_load
from loratpl.report.card.markdown import link

# Licences that the hub knows by these names; any other is "other" with a name.
_LICENSES = frozenset({
    "afl-3.0", "agpl-3.0", "apache-2.0", "artistic-2.0", "bigscience-openrail-m", "bsd-2-clause", "bsd-3-clause",
    "bsl-1.0", "cc", "cc-by-2.0", "cc-by-3.0", "cc-by-4.0", "cc-by-nc-2.0", "cc-by-nc-3.0", "cc-by-nc-4.0",
    "cc-by-nc-nd-3.0", "cc-by-nc-nd-4.0", "cc-by-nc-sa-2.0", "cc-by-nc-sa-3.0", "cc-by-nc-sa-4.0", "cc-by-nd-4.0",
    "cc-by-sa-3.0", "cc-by-sa-4.0", "cc0-1.0", "creativeml-openrail-m", "gpl", "gpl-2.0", "gpl-3.0", "lgpl-3.0", "mit",
    "mpl-2.0", "openrail", "openrail++", "unlicense", "wtfpl", "other", "unknown",
})  # fmt: skip
# What the hub finds models of a family by, beside "lora" and "text-to-image".
_TAGS_OF_FAMILY = {
    "sd15": ("stable-diffusion",),
    "sd2": ("stable-diffusion",),
    "sdxl": ("stable-diffusion-xl",),
    "sd3": ("sd3",),
    "hunyuan-image": ("hunyuanimage",),
}
_MAX_TEXT_CHARS = 500


def front_matter(card: Card, picture_paths: Mapping[CardSample, str]) -> list[str]:
    """Returns the lines of the head, its marks among them; what is not known is left out.

    Args:
        card: The card.
        picture_paths: Of the samples that lie beside the card, relative to it.
    """
    import yaml

    text: str = yaml.safe_dump(
        _fields(card, picture_paths), sort_keys=False, allow_unicode=True, default_flow_style=False, width=10_000
    )
    return ["---", *text.rstrip("\n").split("\n"), "---"]


def is_known_license(text: str) -> bool:
    """Returns whether the hub knows a licence by this name."""
    return text.strip().lower() in _LICENSES


def _fields(card: Card, picture_paths: Mapping[CardSample, str]) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    if card.license:
        known = is_known_license(card.license)
        fields["license"] = card.license.strip().lower() if known else "other"
        if not known:
            fields["license_name"] = _short(card.license)
    if card.has_hub_base:
        fields |= {"base_model": card.base_model, "base_model_relation": "adapter"}
    if can_diffusers_load(card):
        fields["library_name"] = "diffusers"
    fields["pipeline_tag"] = "text-to-image"
    fields["tags"] = ["text-to-image", "lora", *_TAGS_OF_FAMILY.get(card.family, (card.family,)), "template:sd-lora"]
    if card.triggers:
        fields["instance_prompt"] = _short(", ".join(card.triggers))
    widget = [_widget(sample, path) for sample, path in picture_paths.items() if sample.prompt]
    if widget:
        fields["widget"] = widget
    return fields


def _widget(sample: CardSample, path: str) -> dict[str, Any]:
    negative = {"parameters": {"negative_prompt": _short(sample.negative)}} if sample.negative else {}
    return {"text": _short(sample.prompt), **negative, "output": {"url": link(path)}}


def _short(text: str) -> str:
    return one_line(text)[:_MAX_TEXT_CHARS]
