"""A card as Markdown."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from loratpl import __version__
from loratpl.config.modelspec import one_line
from loratpl.report.card.card import Card, CardSample
from loratpl.report.card.front_matter import front_matter
from loratpl.report.card.loading import can_diffusers_load, comfyui_sentence, diffusers_code
from loratpl.report.card.markdown import block, code, link, picture, plain, table

# Stands under the head of each of our cards, of whatever version.
MARK = f"<!-- kohyatpl {__version__} -->"
_FAMILIES = {
    "sd15": "Stable Diffusion 1.x",
    "sd2": "Stable Diffusion 2.x",
    "sdxl": "Stable Diffusion XL",
    "sd3": "Stable Diffusion 3",
    "flux": "FLUX.1",
    "chroma": "Chroma",
    "lumina": "Lumina Image 2.0",
    "hunyuan-image": "HunyuanImage 2.1",
    "anima": "Anima",
}
_HASH_CHARS = 12


def card_text(card: Card, picture_paths: Mapping[CardSample, str] | None = None) -> str:
    """Returns a card as Markdown with a head for the Hugging Face hub.

    Args:
        card: The card.
        picture_paths: Where samples lie, relative to the card; one that is not among them is not shown.
    """
    paths = picture_paths or {}
    lines = [*front_matter(card, paths), "", MARK, "", f"# {plain(card.title)}", ""]
    sections = (
        _opening(card), _to_fill_in(card), _triggers(card), _usage(card), _samples(paths), _base(card),
        _settings(card), _dataset(card), _training(card), _files(card), _license(card),
    )  # fmt: skip
    for section in sections:
        lines += section
    return "\n".join(lines).rstrip("\n") + "\n"


def missing(card: Card) -> tuple[str, ...]:
    """Returns what a card still lacks before it is passed on, each as what is to be done."""
    found = []
    if not card.license:
        found.append(
            "Say under which licence it may be used: `license` in the head, and `metadata_license` in the config."
        )
    if not card.has_hub_base:
        found.append("For the Hugging Face hub, name the base model as it is called there: `base_model` in the head.")
    return tuple(found)


def _opening(card: Card) -> Iterator[str]:
    yield f"A LoRA for {_family(card)}, trained with sd-scripts."
    yield ""
    if card.description:
        yield from (plain(card.description), "")
    if card.author:
        yield from (f"By {plain(card.author)}.", "")
    if not card.is_whole:
        of = f" of {card.total_steps}" if card.total_steps else ""
        yield from (f"**The training is not whole: it is {card.state} after step {card.last_step}{of}.**", "")


def _to_fill_in(card: Card) -> Iterator[str]:
    todo = missing(card)
    if todo:
        yield from ("> **To fill in**", ">", *(f"> * {one}" for one in todo), "")


def _triggers(card: Card) -> Iterator[str]:
    yield from ("## Trigger words", "")
    if not card.triggers:
        yield from ("None: prompt in the words of the captions that it was trained on.", "")
        return
    yield from (*(f"* {code(trigger)}" for trigger in card.triggers), "")


def _usage(card: Card) -> Iterator[str]:
    yield from ("## How to use it", "")
    if card.hint:
        yield from (plain(card.hint), "")
    yield f"* ComfyUI: {comfyui_sentence(card)}."
    if card.family not in ("hunyuan-image", "anima", "lumina"):
        name = f"<lora:{card.output_name}:0.8>"
        yield f"* AUTOMATIC1111 and Forge: put the file into `models/Lora` and {code(name)} into the prompt."
    if can_diffusers_load(card):
        yield from ("* Diffusers:", "", *block(diffusers_code(card), "python"))
    yield ""


def _samples(paths: Mapping[CardSample, str]) -> Iterator[str]:
    if not paths:
        return
    yield from ("## Samples", "")
    prompts: dict[int, list[CardSample]] = {}
    for sample in paths:
        prompts.setdefault(sample.prompt_index, []).append(sample)
    for samples in prompts.values():
        first = samples[0]
        yield f"{code(first.prompt)}" if first.prompt else "A prompt that is not known any more"
        if first.negative:
            yield f"without {code(first.negative)}"
        yield ""
        pictures = [picture(f"{first.prompt or 'A sample'}, step {one.step}", paths[one]) for one in samples]
        yield from (*table([f"step {one.step}" for one in samples], [pictures]), "")


def _base(card: Card) -> Iterator[str]:
    yield from ("## Base model", "")
    sha256 = f" (SHA-256 {code(card.base_model_sha256)})" if card.base_model_sha256 else ""
    name = f"[{plain(card.base_model)}](https://huggingface.co/{link(card.base_model)})" if card.has_hub_base else ""
    yield from (f"{name or code(card.base_model)}, {_family(card)}{sha256}.", "")


def _settings(card: Card) -> Iterator[str]:
    if card.settings:
        rows = [(code(key, in_table=True), code(value, in_table=True)) for key, value in card.settings]
        yield from ("## Settings", "", *table(("Option", "Value"), rows), "")


def _dataset(card: Card) -> Iterator[str]:
    if card.concepts:
        rows = [
            (
                code(one.name, in_table=True) if one.name else "–",
                "regularisation" if one.is_reg else "concept",
                str(one.images),
                str(one.repeats),
            )
            for one in card.concepts
        ]
        yield from ("## Training data", "", *table(("Folder", "Kind", "Images", "Repeats per epoch"), rows), "")


def _training(card: Card) -> Iterator[str]:
    yield from ("## Training", "")
    epochs = f" in {card.epochs} epoch{'' if card.epochs == 1 else 's'}" if card.epochs and card.is_whole else ""
    yield f"* {card.last_step} steps{epochs}"
    yield f"* sd-scripts at commit {code(card.pin[:_HASH_CHARS])}, kohyatpl {code(card.kohyatpl)}"
    yield from (f"* {card.date}", "")


def _files(card: Card) -> Iterator[str]:
    if card.files:
        rows = [
            (
                code(one.name, in_table=True),
                str(one.step),
                "–" if one.size_bytes is None else f"{one.size_bytes / 1e6:.1f} MB",
                code(one.sha256) if one.sha256 else "–",
            )
            for one in card.files
        ]
        yield from ("## Files", "", *table(("File", "After step", "Size", "SHA-256"), rows), "")


def _license(card: Card) -> Iterator[str]:
    yield from ("## Licence", "")
    yield plain(card.license) if card.license else "Not said yet. The licence of the base model may bind it, too."


def _family(card: Card) -> str:
    return _FAMILIES.get(card.family, one_line(card.family))
