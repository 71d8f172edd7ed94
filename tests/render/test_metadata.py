"""What render lets the LoRA say of itself, where the config does not."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import toml

from loratpl.config.modelspec import FILLED_IN, MAX_PHRASE_CHARS, MAX_TRIGGERS
from loratpl.config.settings import parse_assignment
from loratpl.dataset.scan import scan
from loratpl.project import ProjectPaths, RunPaths, open_project
from loratpl.render.metadata import metadata_of, triggers_of
from loratpl.render.prepare import Depth, load_settings, prepare
from loratpl.render.renderer import render, write
from loratpl.render.toml_text import to_toml
from loratpl.run.again import recorded_settings
from loratpl.trainer.paths import TrainerPaths
from tests.run.earlier_runs import a_record, make_run
from tests.stand_in import make_trainable_project, write_picture

TRAINER = TrainerPaths(Path("/opt/sd-scripts/48d368fa"))
HINT = 'Prompt with "ohwx cat"; a strength of 0.7 to 1 is usual.'
WHOLE = {
    "metadata_trigger_phrase": "ohwx cat",
    "metadata_tags": "sd15, lora, text-to-image, ohwx cat",
    "metadata_usage_hint": HINT,
}


def project_of(folder: Path, **changes: Any) -> ProjectPaths:
    return open_project(make_trainable_project(folder / "project", **changes))


def add_concept(project: ProjectPaths, name: str, captions: Sequence[str | None] = (None,)) -> None:
    """Adds a folder with a picture for each caption, one without a caption file for None."""
    folder = project.image_dir / name
    folder.mkdir()
    for number, caption in enumerate(captions):
        write_picture(folder / f"{number}.png", number)
        if caption is not None:
            (folder / f"{number}.txt").write_text(caption, encoding="utf-8")


def filled(project: ProjectPaths, overrides: Sequence[str] = ()) -> dict[str, Any]:
    """Returns the metadata options that render writes for a project."""
    prepared = prepare(project, None, [parse_assignment(text) for text in overrides], depth=Depth.PLAN)
    rendered = render(prepared.settings, prepared.plan, TRAINER, RunPaths(project.root_dir / "run"))
    return {name: value for name, value in rendered.options.items() if name.startswith("metadata_")}


def triggers(project: ProjectPaths) -> tuple[str, ...]:
    prepared = prepare(project, depth=Depth.PLAN)
    return triggers_of(prepared.settings, prepared.plan.dataset)


def test_what_is_unset_is_filled_in_and_the_run_writes_it(odd_path: Path) -> None:
    project = project_of(odd_path)
    prepared = prepare(project)
    paths = RunPaths(odd_path / "run")
    rendered = render(prepared.settings, prepared.plan, TRAINER, paths)
    write(rendered, prepared.settings, paths)
    assert {name: toml.load(paths.train_toml_path)[name] for name in FILLED_IN} == WHOLE
    # The config of the run is as it was resolved: used again, it says what the folders are by then.
    assert not json.loads(paths.config_path.read_text(encoding="utf-8")).keys() & WHOLE.keys()


def test_what_the_user_wrote_is_never_changed(tmp_path: Path) -> None:
    written = {"metadata_tags": " my,tags", "metadata_trigger_phrase": "zxc", "metadata_title": "T"}
    assert filled(project_of(tmp_path, **written)) == {
        **written,
        "metadata_usage_hint": 'Prompt with "zxc"; a strength of 0.7 to 1 is usual.',
    }


@pytest.mark.parametrize("changes", [{"no_metadata": True}, {"save_model_as": "ckpt"}, {"save_model_as": "pt"}])
def test_a_file_that_holds_no_metadata_is_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, changes: dict[str, Any]
) -> None:
    assert filled(project_of(tmp_path, **changes)) == {}
    monkeypatch.setenv("KOHYATPL_AUTHOR", "Ann")
    assert ("metadata_author" in filled(open_project(tmp_path / "project"))) is ("no_metadata" not in changes)


def test_an_empty_text_is_left_out_and_false_keeps_it_out(tmp_path: Path) -> None:
    project = project_of(tmp_path, metadata_tags="", metadata_usage_hint=None, metadata_trigger_phrase=False)
    # Whoever keeps the trigger words out does not want them in another field either.
    assert filled(project) == {"metadata_tags": "sd15, lora, text-to-image"}
    off = [f"{name}=false" for name in FILLED_IN]
    assert filled(project, off) == {}
    assert filled(project, ["metadata_trigger_phrase=false", "metadata_usage_hint=Be kind."]) == {
        "metadata_tags": "sd15, lora, text-to-image",
        "metadata_usage_hint": "Be kind.",
    }


def test_what_was_kept_out_is_kept_out_when_the_settings_are_used_again(tmp_path: Path) -> None:
    project = project_of(tmp_path, metadata_tags=False)
    prepared = prepare(project)
    root = str(project.root_dir.resolve())
    paths = make_run(project, project_dir=root)
    write(render(prepared.settings, prepared.plan, TRAINER, paths), prepared.settings, paths)
    project.config_path.write_text("{}", encoding="utf-8")
    recorded = recorded_settings(project, paths, a_record(project_dir=root))
    settings, problems = load_settings(project, recorded.config_path, recorded.overrides)
    assert problems == ()
    assert metadata_of(settings, prepared.plan.dataset) == {n: t for n, t in WHOLE.items() if n != "metadata_tags"}


@pytest.mark.parametrize(
    ("family", "kept"),
    [
        ("sdxl", set(FILLED_IN)),
        ("flux", set(FILLED_IN)),
        ("anima", {"metadata_tags"}),
        ("hunyuan-image", {"metadata_tags"}),
    ],
)
def test_what_a_script_would_drop_is_not_written(tmp_path: Path, family: str, kept: set[str]) -> None:
    project = project_of(tmp_path, family=family)
    settings, _ = load_settings(project, None)
    plan = prepare(project_of(tmp_path / "other")).plan
    found = metadata_of(settings, plan.dataset)
    assert set(found) == kept
    assert found["metadata_tags"] == f"{family}, lora, text-to-image, ohwx cat"


def test_the_author_is_named_only_by_the_user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    project = project_of(tmp_path)
    assert "metadata_author" not in filled(project)
    monkeypatch.setenv("KOHYATPL_AUTHOR", " Änn O'Neil ")
    assert filled(project)["metadata_author"] == "Änn O'Neil"
    setting = load_settings(project, None)[0].options["metadata_author"]
    assert (setting.source, setting.where) == ("environment KOHYATPL_AUTHOR", "KOHYATPL_AUTHOR")
    assert filled(project, ["metadata_author=Bo"])["metadata_author"] == "Bo"
    assert "metadata_author" not in filled(project, ["metadata_author=false"])


@pytest.mark.parametrize(
    ("folder", "captions", "changes", "expected"),
    [
        ("3_sks dog", ["sks dog, running", "a sks_dog"], {}, "sks dog"),
        # The folder's name is not trained where there is a caption.
        ("3_sks dog", ["sks, running", "a photo of SKS"], {}, "sks"),
        ("3_sks dog", ["a dog runs", "a cathedral of sksks"], {}, ""),
        ("3_sks dog", [None, "a dog runs"], {}, "sks dog"),
        ("3_sks dog", ["", "sks dog"], {}, "sks dog"),
        ("3_a dog", ["the dog runs"], {}, "dog"),
        ("3_style", ["a house", "a tree"], {"caption_prefix": "zxc style,"}, "zxc style"),
        ("3_paintings", ["a house", "a tree"], {"caption_prefix": "zxc, "}, "zxc"),
        ("3_dog", ["a dog"], {"caption_prefix": "zxc,"}, "zxc, dog"),
        ("3_日本 猫", ["可愛い日本の猫"], {}, "日本"),
        ("3_!!!", [None], {}, ""),
    ],
)
def test_a_trigger_is_what_stands_for_the_concept_in_its_captions(
    tmp_path: Path, folder: str, captions: list[str | None], changes: dict[str, Any], expected: str
) -> None:
    project = project_of(tmp_path, **changes)
    for path in (project.image_dir / "1_ohwx cat").iterdir():
        path.unlink()
    add_concept(project, folder, captions)
    settings, _ = load_settings(project, None)

    found = triggers_of(settings, scan(project.image_dir, None))
    assert found == ((expected,) if expected else ())


def test_concepts_stand_in_the_order_of_their_folders_and_regularisation_images_are_none(tmp_path: Path) -> None:
    project = project_of(tmp_path)
    (project.reg_dir / "2_cat").mkdir()
    write_picture(project.reg_dir / "2_cat" / "1.png")
    add_concept(project, "3_sks dog")
    add_concept(project, "5_OHWX CAT")  # the same words again
    assert triggers(project) == ("ohwx cat", "sks dog")
    found = filled(project)
    assert found["metadata_trigger_phrase"] == "ohwx cat, sks dog"
    assert found["metadata_usage_hint"].startswith('Prompt with "ohwx cat" or "sks dog", whichever you want;')


def test_a_concept_may_have_its_own_captions(tmp_path: Path) -> None:
    project = project_of(tmp_path, kohyatpl={"concepts": {"sks dog": {"caption_extension": ".cap"}}})
    add_concept(project, "3_sks dog", ["a dog"])
    assert triggers(project) == ("ohwx cat", "sks dog")  # its .txt is not read
    (project.image_dir / "3_sks dog" / "0.cap").write_text("a dog", encoding="utf-8")
    assert triggers(project) == ("ohwx cat",)


def test_hundreds_of_concepts_stay_one_line(tmp_path: Path) -> None:
    project = project_of(tmp_path)
    for number in range(40):
        add_concept(project, f"1_concept{number:02} {'long ' * (number // 10)}word")
    found = filled(project)
    assert len(found["metadata_trigger_phrase"]) <= MAX_PHRASE_CHARS
    assert 3 < len(triggers(project)) <= MAX_TRIGGERS
    assert found["metadata_usage_hint"].startswith("Prompt with the trigger words of the concept that you want;")


@pytest.mark.parametrize("name", ['it\'s "a" \\x cat', "ñandú 😀 猫", "a\tb\x07c", "'''", ", [x]", "back\\"])
def test_odd_names_are_written_as_the_trainer_reads_them_or_not_at_all(tmp_path: Path, name: str) -> None:
    project = project_of(tmp_path)
    (project.image_dir / "1_ohwx cat").rename(project.image_dir / "rest")
    add_concept(project, f"1_{name}")
    settings, _ = load_settings(project, None)

    found = metadata_of(settings, scan(project.image_dir, None))
    assert toml.loads(to_toml(found)) == found  # raises where the trainer would misread it
    assert all("\n" not in text and text.isprintable() for text in found.values())
