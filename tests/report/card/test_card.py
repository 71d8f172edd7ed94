"""What a card says of a run."""

from __future__ import annotations

import ast
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import yaml
from markdown_it import MarkdownIt
from markdown_it.token import Token

from loratpl.report.card.card import MAX_PICTURES, Card, card_of, chosen_samples
from loratpl.report.card.text import MARK, card_text, missing
from tests.report.card.told_story import CONCEPTS, RENDERED, told_story


def card(root_dir: Path, config: dict[str, Any] | None = None, **changes: Any) -> Card:
    return card_of(told_story(root_dir, config, **changes))


def head_of(text: str) -> dict[str, Any]:
    """Returns the fields of a card's head, read by a YAML reader that is not ours."""
    assert text.startswith("---\n")
    head, _, rest = text[4:].partition("\n---\n")
    assert rest.startswith(f"\n{MARK}\n\n# ")
    fields: dict[str, Any] = yaml.safe_load(head)
    return fields


def test_a_card_says_what_whoever_is_given_the_lora_must_know(odd_path: Path) -> None:
    found = card(odd_path, {"metadata_license": "MIT", "metadata_author": "Ann", "metadata_description": "A cat."})
    text = card_text(found)
    assert head_of(text) == {
        "license": "mit",
        "library_name": "diffusers",
        "pipeline_tag": "text-to-image",
        "tags": ["text-to-image", "lora", "stable-diffusion", "template:sd-lora"],
        "instance_prompt": "ohwx cat",
    }
    for line in (
        "By Ann.", "* `ohwx cat`", "A cat.", "MIT", "* 6 steps in 3 epochs", "| `network_dim` | `16` |",
        f"`base.safetensors`, Stable Diffusion 1.x (SHA-256 `{'b' * 64}`).", "| `ohwx cat` | concept | 14 | 10 |",
        "| `cat` | regularisation | 20 | 5 |", "* sd-scripts at commit `aaaaaaaaaaaa`, kohyatpl `0.0`", "* 2026-01-02",
        'Prompt with "ohwx cat"; a strength of 0.7 to 1 is usual.',
        'pipeline = StableDiffusionPipeline.from_single_file("base.safetensors", torch_dtype=torch.float16).to("cuda")',
        'pipeline.load_lora_weights(".", weight_name="cats.safetensors", adapter_name="lora")',
    ):  # fmt: skip
        assert line in text.split("\n"), line
    compile(text.partition("```python\n")[2].partition("\n```")[0], "card", "exec")


def test_nothing_of_the_machine_and_no_picture_of_the_training_is_told(odd_path: Path) -> None:
    config = {
        "network_weights": "/home/ann/secret/a.safetensors", "network_args": ["table=/home/ann/secret/t.json"],
        "vae": "/home/ann/secret/vae.pt", "optimizer_args": ["x=C:\\secret\\y"],
    }  # fmt: skip
    concept = odd_path / "image_dir" / "10_ohwx cat"
    concept.mkdir(parents=True)
    (concept / "secret.png").touch()
    text = card_text(card(odd_path, config, system={"gpus": "secret"}))
    assert "table=t.json" in text
    for word in ("secret", "/home", str(odd_path), "train_data_dir", "output_dir"):
        assert word not in text


def test_what_is_missing_is_said(tmp_path: Path) -> None:
    found = card(tmp_path)
    assert [one.partition(":")[0] for one in missing(found)] == [
        "Say under which licence it may be used", "For the Hugging Face hub, name the base model as it is called there",
    ]  # fmt: skip
    text = card_text(found)
    assert "> **To fill in**" in text
    assert "license" not in head_of(text)
    assert "## Licence\n\nNot said yet." in text


def test_a_base_model_of_the_hub_is_named_in_the_head(tmp_path: Path) -> None:
    found = card(tmp_path, {"metadata_license": "My own: ask"}, model="owner/name-v1.5", model_sha256=None)
    assert missing(found) == ()
    text = card_text(found)
    head = head_of(text)
    assert (head["base_model"], head["base_model_relation"]) == ("owner/name-v1.5", "adapter")
    assert (head["license"], head["license_name"]) == ("other", "My own: ask")
    assert "[owner/name-v1.5](https://huggingface.co/owner/name-v1.5), Stable" in text
    assert 'from_pretrained("owner/name-v1.5"' in text


@pytest.mark.parametrize(
    ("config", "rendered", "expected"),
    [
        ({}, RENDERED, ("ohwx cat",)),
        ({}, {**RENDERED, "metadata_trigger_phrase": "a, b", "metadata_usage_hint": "Be kind."}, ("a, b",)),
        (
            {},
            {
                "metadata_trigger_phrase": "a b, c",
                "metadata_usage_hint": 'Prompt with "a b" or "c", whichever you want; a strength of 0.7 to 1 is usual.',
            },
            ("a b", "c"),
        ),
        # The captions of all concepts do without the folder's name.
        ({}, {"metadata_usage_hint": "It has no trigger word.", "metadata_tags": "sd15, lora, text-to-image"}, ()),
        ({"metadata_trigger_phrase": False}, {"metadata_tags": "sd15, lora, text-to-image"}, ()),
        ({"family": "anima"}, {"metadata_tags": "anima, lora, text-to-image, ohwx cat"}, ("ohwx cat",)),
        # Of a run before render filled anything in, or one whose file is gone: the folders that are no regularisation.
        ({}, {}, ("ohwx cat",)),
        ({"no_metadata": True}, None, ("ohwx cat",)),
    ],
)
def test_trigger_words_are_those_of_the_lora(
    tmp_path: Path, config: dict[str, Any], rendered: dict[str, Any] | None, expected: tuple[str, ...]
) -> None:
    found = card(tmp_path, config, rendered=rendered)
    assert found.triggers == expected
    assert ("instance_prompt" in head_of(card_text(found))) is bool(expected)


def test_a_training_that_is_not_whole_says_so(tmp_path: Path) -> None:
    text = card_text(card(tmp_path, state="stopped", last_step=4))
    assert "**The training is not whole: it is stopped after step 4 of 6.**" in text
    assert "* 4 steps\n" in text


@pytest.mark.parametrize(
    ("config", "word"),
    [
        ({"network_module": "lycoris.kohya"}, None),
        ({"family": "anima", "network_module": "networks.lora_anima"}, "networks/convert_anima_lora_to_comfy.py"),
        ({"family": "sd3", "network_module": "networks.lora_sd3"}, "Stable Diffusion 3"),
    ],
)
def test_diffusers_is_named_only_where_it_loads_the_file(
    tmp_path: Path, config: dict[str, Any], word: str | None
) -> None:
    text = card_text(card(tmp_path, config))
    assert "library_name" not in head_of(text)
    assert "```python" not in text
    assert word is None or word in text


ODD = "*a* | `b` <script>x</script> [c](d) \"e\" 'f' # g: - h {i} $j$ & 日本 😀 \\ ```"


def test_whatever_was_written_is_shown_as_it_is(tmp_path: Path) -> None:
    config = {"output_name": "x", "metadata_title": f"{ODD}\n---\n# no heading", "metadata_license": ODD}
    concepts = [{**CONCEPTS[0], "folder": f"1_{ODD}"}]
    found = card(tmp_path, config, rendered=None, concepts=concepts, samples=[(2, 0)], prompts=[ODD])
    (sample,) = found.samples
    text = card_text(found, {sample: "x y'ö-samples/1.jpg"})
    head = head_of(text)
    assert head["instance_prompt"] == ODD
    assert (head["license"], head["license_name"]) == ("other", ODD)
    assert head["widget"] == [{"text": ODD, "output": {"url": "x%20y%27%C3%B6-samples/1.jpg"}}]
    tokens = MarkdownIt("commonmark").enable("table").parse(text.partition(MARK)[2])
    inline = [child for token in tokens for child in token.children or ()]
    types = [token.type for token in (*tokens, *inline)]
    assert not [found for found in types if "html" in found]
    # Of ours: what is to fill in, and the node of ComfyUI.
    assert (types.count("strong_open"), types.count("em_open"), types.count("link_open")) == (1, 1, 0)
    headings = [_said(after.children) for token, after in pairwise(tokens) if token.type == "heading_open"]
    assert headings == [
        f"{ODD} --- # no heading", "Trigger words", "How to use it", "Samples", "Base model", "Settings",
        "Training data", "Training", "Files", "Licence",
    ]  # fmt: skip
    (image,) = [child for child in inline if child.type == "image"]
    assert image.attrs["src"] == "x%20y%27%C3%B6-samples/1.jpg"
    assert _said(image.children) == f"{ODD}, step 2"
    codes = [child.content for child in inline if child.type == "code_inline"]
    assert codes.count(ODD) == 3  # the trigger, the prompt of the sample, the folder in a table
    (program,) = [token.content for token in tokens if token.type == "fence"]
    assert ast.literal_eval(program.partition("image = pipeline(")[2].partition(").images")[0]) == ODD


def _said(children: list[Token] | None) -> str:
    return "".join(child.content for child in children or ())


def test_pictures_are_of_the_last_steps_and_not_too_many(tmp_path: Path) -> None:
    drawn = [(step, prompt) for step in (2, 4, 6, 8, 10) for prompt in range(5)]
    story = told_story(tmp_path, samples=drawn, prompts=[f"prompt {n}" for n in range(5)])
    chosen = chosen_samples(story)
    assert [(one.prompt_index, one.step) for one in chosen] == [(p, s) for p in range(5) for s in (8, 10)]
    assert chosen[0].prompt == "prompt 0"
    (tmp_path / "output" / "sample" / chosen[0].path.name).unlink()
    story = told_story(tmp_path / "other", samples=[(2, prompt) for prompt in range(20)], prompts=["a"] * 20)
    assert len(chosen_samples(story)) == MAX_PICTURES
