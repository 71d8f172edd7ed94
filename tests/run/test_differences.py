"""What is not as it was: every kind of change is found, and nothing that is the same."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from loratpl import __version__
from loratpl.config.setting import Setting
from loratpl.project import open_project
from loratpl.records import ConceptRecord, RunRecord
from loratpl.render.prepare import Prepared, prepare
from loratpl.render.renderer import config_of, render, write
from loratpl.run.again import RecordedSettings, recorded_settings
from loratpl.run.differences import MODEL_KEY, Comparison, Difference, compare
from loratpl.run.fingerprint import Hashes, hashes_now
from loratpl.trainer.pin import load_pin
from loratpl.trainer.status import Marker
from tests.run.earlier_runs import a_record, make_run
from tests.stand_in import StandIn, make_trainable_project, write_picture, write_safetensors


@dataclass
class Trained:
    """A project that was trained as it was then; it may be changed since."""

    root_dir: Path
    marker: Marker
    record: RunRecord
    settings: RecordedSettings
    overrides: list[tuple[str, Any]] = field(default_factory=list)

    def set(self, **values: Any) -> None:
        """Changes the project's config; None takes a key out."""
        path = self.root_dir / "config.json"
        config = {**json.loads(path.read_text(encoding="utf-8")), **values}
        path.write_text(json.dumps({k: v for k, v in config.items() if v is not None}), encoding="utf-8")

    def now(self) -> Prepared:
        return prepare(open_project(self.root_dir), overrides=self.overrides)

    def compared(self, hashes: Hashes | None = None) -> Comparison:
        prepared = self.now()
        return compare(self.record, self.settings, prepared, hashes or hashes_now(prepared), load_pin(), self.marker)


def train(root_dir: Path, stand_in: StandIn, **changes: Any) -> Trained:
    make_trainable_project(root_dir, **changes)
    project = open_project(root_dir)
    prepared = prepare(project)
    paths = make_run(project)
    write(render(prepared.settings, prepared.plan, stand_in.paths, paths), prepared.settings, paths)
    hashes = hashes_now(prepared)
    marker = stand_in.status.marker
    assert marker is not None
    marker = marker.model_copy(update={"packages": {"torch": "2.6.0", "numpy": "2.0"}})
    concepts = [
        ConceptRecord(
            folder=c.folder, images=c.images, repeats=c.repeats, is_reg=c.is_reg,
            content_sha256=hashes.concepts[folder.folder],
        )
        for c, folder in zip(prepared.plan.concepts, prepared.plan.dataset.concepts, strict=True)
    ]  # fmt: skip
    record = a_record(
        project_dir=str(project.root_dir.resolve()), kohyatpl=__version__, pin=load_pin().commit, python=marker.python,
        packages=marker.packages, model=prepared.settings["pretrained_model_name_or_path"],
        model_sha256=hashes.model, concepts=concepts,
    )  # fmt: skip
    return Trained(root_dir, marker, record, recorded_settings(project, paths, record))


@pytest.fixture
def trained(tmp_path: Path, stand_in: StandIn) -> Trained:
    return train(tmp_path / "project", stand_in)


def test_what_is_compared_is_what_a_run_keeps(tmp_path: Path, stand_in: StandIn) -> None:
    trained = train(tmp_path / "project", stand_in, metadata_title="ñandú", network_args=["conv_dim=4"])
    assert config_of(trained.now().settings) == trained.settings.values


def test_nothing_differs_where_nothing_was_changed(odd_path: Path, stand_in: StandIn) -> None:
    trained = train(odd_path / "project", stand_in)
    assert trained.compared() == Comparison(())


def test_another_network_is_told(trained: Trained) -> None:
    trained.set(network_dim=4, network_alpha=2)
    assert trained.compared().differences == (
        Difference("network", "network_alpha", "8.0", "2.0"),
        Difference("network", "network_dim", "16", "4"),
    )


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"learning_rate": 2e-4}, Difference("settings", "learning_rate", "0.0001", "0.0002")),
        ({"noise_offset": 0.1}, Difference("settings", "noise_offset", None, "0.1")),
        ({"max_train_steps": 8}, Difference("settings", "max_train_steps", "6", "8")),
        ({"family": "sd2"}, Difference("settings", "family", "sd15", "sd2")),
    ],
)
def test_settings_that_train_are_told(trained: Trained, values: dict[str, Any], expected: Difference) -> None:
    trained.set(**values)
    assert expected in trained.compared().that_matter


@pytest.mark.parametrize(
    "values",
    [{"metadata_title": "a"}, {"save_every_n_epochs": 1}, {"output_name": "b"}, {"gradient_checkpointing": True}],
)
def test_settings_that_do_not_train_are_told_with_their_reason(trained: Trained, values: dict[str, Any]) -> None:
    trained.set(**values)
    compared = trained.compared()
    assert compared.that_matter == ()
    difference = only_difference(compared)
    assert difference.key in values
    assert difference.reason


def only_difference(compared: Comparison) -> Difference:
    (difference,) = compared.differences
    return difference


@pytest.mark.parametrize("values", [{"noise_offset": None}, {"flip_aug": False}, {"prior_loss_weight": 1.0}])
def test_the_same_said_in_another_way_is_the_same(trained: Trained, values: dict[str, Any]) -> None:
    trained.set(**values)
    assert trained.compared().differences == ()


def test_what_is_written_as_the_trainers_own_default_is_the_same_as_unset(trained: Trained) -> None:
    trained.set(min_snr_gamma=None, lr_scheduler_num_cycles=1)  # the trainer's own default is 1
    assert trained.compared().differences == ()


def test_settings_of_ours_are_told_by_their_whole_path(trained: Trained) -> None:
    env = {**trained.settings.values["kohyatpl"]["env"], "CUDA_VISIBLE_DEVICES": "1"}
    trained.set(kohyatpl={"env": env, "launch": {"threads": 2}, "concepts": {"ohwx cat": {"flip_aug": True}}})
    compared = trained.compared()
    assert [difference.key for difference in compared.that_matter] == ["kohyatpl.concepts.ohwx cat.flip_aug"]
    assert [difference.text for difference in compared.harmless] == [
        "kohyatpl.env.CUDA_VISIBLE_DEVICES is 1 and was unset",
        "kohyatpl.launch.threads is 2 and was unset",
    ]


def test_settings_that_an_earlier_version_did_not_have_are_not_told(trained: Trained) -> None:
    values = {key: value for key, value in trained.settings.values.items() if key != "kohyatpl"}
    own = {"env": trained.settings.values["kohyatpl"]["env"]}
    trained.settings = RecordedSettings(trained.settings.config_path, (), {**values, "kohyatpl": own})
    assert trained.compared().differences == ()


# --- pictures


def images(trained: Trained) -> Path:
    return trained.root_dir / "image_dir" / "1_ohwx cat"


def test_a_picture_more_is_told(trained: Trained) -> None:
    write_picture(images(trained) / "3.png", 3)
    difference = only_difference(trained.compared())
    assert difference == Difference("dataset", "image_dir/1_ohwx cat", "2 pictures", "3 pictures")
    assert difference.text == "image_dir/1_ohwx cat was 2 pictures and is 3 pictures"


def test_another_picture_is_told(trained: Trained) -> None:
    write_picture(images(trained) / "2.png", 3)
    difference = only_difference(trained.compared())
    assert (difference.what, difference.key) == ("dataset", "the pictures and captions of image_dir/1_ohwx cat")
    assert difference.matters


def test_another_caption_is_told(trained: Trained) -> None:
    (images(trained) / "2.txt").write_text("a cat", encoding="utf-8")
    assert only_difference(trained.compared()).key == "the pictures and captions of image_dir/1_ohwx cat"


def test_other_repeats_are_told_as_such(trained: Trained) -> None:
    images(trained).rename(images(trained).with_name("4_ohwx cat"))
    difference = only_difference(trained.compared())
    assert difference.text == "the repeats of image_dir/4_ohwx cat was 1 and is 4"
    assert difference.matters


def test_concepts_that_come_and_go_are_told(trained: Trained) -> None:
    images(trained).rename(images(trained).with_name("1_sks dog"))
    assert [difference.text for difference in trained.compared().differences] == [
        "image_dir/1_ohwx cat was 2 pictures and is not there",
        "image_dir/1_sks dog is 2 pictures and was not there",
    ]


def test_regularisation_images_are_no_concept_of_the_same_name(trained: Trained) -> None:
    folder = trained.root_dir / "reg_dir" / "1_ohwx cat"
    folder.mkdir(parents=True)
    write_picture(folder / "1.png", 1)
    assert only_difference(trained.compared()).text == "reg_dir/1_ohwx cat is 1 picture and was not there"


def test_the_same_pictures_in_another_folder_are_the_same(trained: Trained, tmp_path: Path) -> None:
    (trained.root_dir / "image_dir").rename(tmp_path / "elsewhere")
    trained.set(train_data_dir=str(tmp_path / "elsewhere"))
    compared = trained.compared()
    assert compared.that_matter == ()
    assert only_difference(compared).key == "train_data_dir"


def test_what_was_not_hashed_is_no_difference_and_is_said(trained: Trained) -> None:
    unhashed = [concept.model_copy(update={"content_sha256": None}) for concept in trained.record.concepts]
    trained.record = trained.record.model_copy(update={"concepts": unhashed, "model_sha256": None})
    for hashes in (hashes_now(trained.now()), hashes_now(trained.now(), with_model=False)):
        compared = trained.compared(hashes)
        assert compared.differences == ()
        assert len(compared.unknown) == 2
        assert all("ended before it was hashed" in text for text in compared.unknown)


def test_what_cannot_be_hashed_now_is_said_too(trained: Trained) -> None:
    compared = trained.compared(Hashes(None, {}))
    assert compared.differences == ()
    assert all("cannot be read now" in text for text in compared.unknown)
    assert len(compared.unknown) == 2


# --- the base model


def test_another_base_model_under_the_same_name_is_told(trained: Trained) -> None:
    write_safetensors(Path(trained.record.model), {"a": [2.0]})
    difference = only_difference(trained.compared())
    assert (difference.what, difference.matters) == ("model", True)
    assert len(str(difference.now)) == 12


def test_the_same_base_model_elsewhere_is_the_same(trained: Trained, tmp_path: Path) -> None:
    Path(trained.record.model).rename(tmp_path / "renamed.safetensors")
    trained.set(pretrained_model_name_or_path=str(tmp_path / "renamed.safetensors"))
    compared = trained.compared()
    assert compared.that_matter == ()
    assert only_difference(compared).reason == "it is the same file elsewhere"


def test_another_base_model_that_is_not_hashed_is_told(trained: Trained, tmp_path: Path) -> None:
    trained.record = trained.record.model_copy(update={"model_sha256": None})
    write_safetensors(tmp_path / "other.safetensors", {"a": [1.0]})
    trained.set(pretrained_model_name_or_path=str(tmp_path / "other.safetensors"))
    assert only_difference(trained.compared()).text.endswith(f"is {tmp_path / 'other.safetensors'}")


def test_a_model_of_the_hub_is_known_by_its_name(trained: Trained) -> None:
    prepared = trained.now()
    options = {**prepared.settings.options, MODEL_KEY: Setting("owner/name", "", "")}
    prepared = replace(prepared, settings=replace(prepared.settings, options=options))
    record = trained.record.model_copy(update={"model": "owner/name", "model_sha256": None})
    hashes = Hashes(None, hashes_now(prepared, with_model=False).concepts)
    for then, count in (("owner/name", 0), ("owner/other", 1)):
        values = {**trained.settings.values, MODEL_KEY: then}
        settings = replace(trained.settings, values=values)
        compared = compare(record, settings, prepared, hashes, load_pin(), trained.marker)
        assert (len(compared.that_matter), compared.unknown) == (count, ())


# --- trainer and environment


@pytest.mark.parametrize(
    ("changes", "what", "matters"),
    [
        ({"pin": "b" * 40}, "trainer", True),
        ({"python": "3.10"}, "environment", False),
        ({"kohyatpl": "0.0.1"}, "environment", False),
        ({"packages": {"torch": "2.5.0", "numpy": "2.0"}}, "environment", False),
        ({"packages": {"numpy": "2.0"}}, "environment", False),
    ],
)
def test_what_trained_is_compared(trained: Trained, changes: Mapping[str, Any], what: str, matters: bool) -> None:
    trained.record = trained.record.model_copy(update=dict(changes))
    difference = only_difference(trained.compared())
    assert (difference.what, difference.matters) == (what, matters)


def test_what_matters_comes_first(trained: Trained) -> None:
    trained.set(metadata_title="a", learning_rate=1e-3)
    trained.record = trained.record.model_copy(update={"pin": "b" * 40, "python": "3.10"})
    assert [difference.matters for difference in trained.compared().differences] == [True, True, False, False]


def test_a_difference_is_recorded_as_it_is() -> None:
    recorded = Difference("settings", "seed", "1", None).as_record()
    assert recorded.model_dump() == {"what": "settings", "key": "seed", "before": "1", "now": None}
