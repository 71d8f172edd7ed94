"""Runs whose story a card is made of: records, configs and sample pictures as a training leaves them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from loratpl.project import ProjectPaths
from loratpl.report.story.reading import story_of
from loratpl.report.story.story import RunStory
from loratpl.run.history import find_run
from tests.report.ledger.told import a_run, an_output
from tests.stand_in import write_picture

RUN = "20260102-030405-cats"
CONCEPTS = [
    {"folder": "10_ohwx cat", "images": 14, "repeats": 10, "is_reg": False},
    {"folder": "5_cat", "images": 20, "repeats": 5, "is_reg": True},
]
RENDERED = {
    "metadata_trigger_phrase": "ohwx cat",
    "metadata_tags": "sd15, lora, text-to-image, ohwx cat",
    "metadata_usage_hint": 'Prompt with "ohwx cat"; a strength of 0.7 to 1 is usual.',
}


def told_story(
    root_dir: Path,
    config: dict[str, Any] | None = None,
    rendered: dict[str, Any] | None = RENDERED,
    samples: Sequence[tuple[int, int]] = (),
    prompts: Sequence[str] = ("ohwx cat on a sofa", "a dog"),
    **record: Any,
) -> RunStory:
    """Returns the story of a finished run.

    Args:
        root_dir: The project's.
        config: What its config says beside the usual.
        rendered: What its train.toml says beside that, None for one that is gone.
        samples: Those that it drew: step and prompt.
        prompts: They were drawn from.
        record: What its record says.
    """
    project = ProjectPaths(root_dir)
    output_dir = root_dir / "output"
    values = {
        "output_name": "cats", "output_dir": str(output_dir), "network_module": "networks.lora", "network_alpha": 8.0,
        "sample_prompts": str(root_dir / "prompts.txt"), "sample_every_n_steps": 2, **(config or {}),
    }  # fmt: skip
    pictures = [_sample(output_dir, str(values["output_name"]), step, prompt) for step, prompt in samples]
    events = [
        {"event": "sample", "time": 1767323045.0 + number, "step": step, "prompt": prompt, "path": str(path)}
        for number, ((step, prompt), path) in enumerate(zip(samples, pictures, strict=True))
    ]
    final = an_output(output_dir / f"{values['output_name']}.safetensors")
    given = {
        "model": "/home/ann/models/base.safetensors", "model_sha256": "b" * 64, "concepts": CONCEPTS,
        "outputs": [final], "last_step": 6, "plan": {"total_steps": 6, "epochs": 3},
        "project_dir": str(root_dir.resolve()), **record,
    }  # fmt: skip
    paths = a_run(project, RUN, values, events=events, **given)
    (paths.run_dir / "sample_prompts.txt").write_text("".join(f"{text}\n" for text in prompts), encoding="utf-8")
    (root_dir / "prompts.txt").write_text("".join(f"{text}\n" for text in prompts), encoding="utf-8")
    if rendered is not None:
        from loratpl.render.toml_text import to_toml

        config_path = json.loads(paths.config_path.read_text(encoding="utf-8"))
        told = {name: value for name, value in config_path.items() if name != "family" and value is not False}
        paths.train_toml_path.write_text(to_toml({**told, **rendered}), encoding="utf-8")
    return story_of(project, find_run(project, RUN))


def _sample(output_dir: Path, name: str, step: int, prompt: int) -> Path:
    path = output_dir / "sample" / f"{name}_{step:06}_{prompt:02}_20260102030405.png"
    path.parent.mkdir(parents=True, exist_ok=True)
    write_picture(path, step * 10 + prompt, (64, 96))
    return path
