"""How much disk a training needs; tests/trainer compares it with what a training leaves."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest

from loratpl.config.families import FAMILIES
from loratpl.dataset.latent_caches import latent_cache_of
from loratpl.dataset.scan import Concept, Dataset, Picture
from loratpl.plan.disk.caches import npz_bytes, text_arrays
from loratpl.plan.disk.lora import LoraSize, lora_size
from loratpl.plan.disk.need import DiskNeed, disk_need
from loratpl.plan.planner import make_plan
from tests.given import resolved
from tests.plan.made import concept, dataset, squares

SMALL = {"resolution": "512,512"}


def need_of(folder: Path, of: Dataset | None = None, **values: Any) -> DiskNeed:
    block = {"run": {"save_state_every": values.pop("save_state_every", "never")}}
    settings, _ = resolved(folder, {**SMALL, "kohyatpl": block, **values})
    return disk_need(settings, make_plan(squares(10) if of is None else of, settings))


def lora_bytes(folder: Path, **values: Any) -> int:
    size = lora_size(resolved(folder, values)[0])
    assert isinstance(size, LoraSize)
    return size.file_bytes


def test_every_checkpoint_stays_unless_it_is_removed(tmp_path: Path) -> None:
    one = lora_bytes(tmp_path)
    need = need_of(tmp_path, max_train_epochs=6)
    assert (need.lora_bytes, need.checkpoints_bytes, need.checkpoints_peak_bytes) == (one, 6 * one, 6 * one)
    assert need.peak_bytes == 6 * one
    kept = need_of(tmp_path, max_train_epochs=6, save_last_n_epochs=2)
    assert (kept.checkpoints_bytes, kept.checkpoints_peak_bytes) == (3 * one, 3 * one)
    least = need_of(tmp_path, max_train_epochs=6, save_last_n_epochs=0)
    assert (least.checkpoints_bytes, least.checkpoints_peak_bytes) == (one, one)


def test_states_come_on_top_at_their_own_time(tmp_path: Path) -> None:
    need = need_of(tmp_path, max_train_epochs=5, save_state=True, save_last_n_epochs=1)
    assert need.lora_bytes
    assert need.state_bytes
    assert need.state_bytes > 2 * need.lora_bytes  # the Adam family keeps two float32 for each number
    assert (need.states_bytes, need.states_peak_bytes) == (2 * need.state_bytes, 2 * need.state_bytes)
    assert need.peak_bytes == 2 * (need.lora_bytes + need.state_bytes)


@pytest.mark.parametrize("every", ["10 min", "2 epochs"])
def test_the_states_to_resume_from_are_the_newest_and_the_one_that_replaces_it(tmp_path: Path, every: str) -> None:
    need, without = need_of(tmp_path, save_state_every=every), need_of(tmp_path)
    assert need.state_bytes
    assert (need.resume_states_bytes, without.resume_states_bytes) == (2 * need.state_bytes, 0)
    assert (need.peak_bytes or 0) - (without.peak_bytes or 0) == 2 * need.state_bytes


@pytest.mark.parametrize(
    ("optimizer", "bytes_per_number"),
    [
        ("AdamW", 8), ("adamw", 8), ("torch.optim.RAdam", 8), ("AdamW8bit", 2.03), ("PagedAdamW8bit", 2.03),
        ("Lion", 4), ("Lion8bit", 1.016), ("Prodigy", 16), ("SGDNesterov", 4), ("Adafactor", 0.5),
        ("AdamWScheduleFree", 8),
    ],
)  # fmt: skip
def test_what_an_optimiser_keeps_of_each_number(tmp_path: Path, optimizer: str, bytes_per_number: float) -> None:
    settings, _ = resolved(tmp_path, {"network_dim": 16, "optimizer_type": optimizer})
    size = lora_size(settings)
    assert isinstance(size, LoraSize)
    need = disk_need(settings, make_plan(squares(1), settings))
    assert need.state_bytes == pytest.approx(
        size.state_bytes + size.parameters * bytes_per_number, abs=600_000 + 0.001 * size.parameters
    )


def test_training_in_half_precision_halves_a_state(tmp_path: Path) -> None:
    whole = need_of(tmp_path).state_bytes
    half = need_of(tmp_path, full_bf16=True, mixed_precision="bf16").state_bytes
    assert whole
    assert half
    assert half < 0.6 * whole


def test_an_unknown_optimiser_is_unknown_only_where_it_matters(tmp_path: Path) -> None:
    without = need_of(tmp_path, optimizer_type="some.package.Optimiser")
    assert (without.state_bytes, without.states_bytes) == (None, 0)
    assert without.peak_bytes is not None
    assert "some.package.Optimiser" in without.unknown
    resumable = need_of(tmp_path, optimizer_type="some.package.Optimiser", save_state_every="10 min")
    assert (resumable.resume_states_bytes, resumable.peak_bytes) == (None, None)
    needed = need_of(tmp_path, optimizer_type="some.package.Optimiser", save_state=True)
    assert (needed.states_bytes, needed.states_peak_bytes, needed.peak_bytes) == (None, None, None)


def test_an_unknown_network_leaves_the_rest_known(tmp_path: Path) -> None:
    need = need_of(tmp_path, network_module="lycoris.kohya", cache_latents_to_disk=True)
    assert (need.lora_bytes, need.checkpoints_bytes, need.state_bytes, need.peak_bytes) == (None, None, None, None)
    assert need.latent_caches_bytes > 0
    assert "lycoris.kohya" in need.unknown


def test_the_json_holds_whole_numbers_and_null(tmp_path: Path) -> None:
    known = need_of(tmp_path, cache_latents_to_disk=True, save_state=True).as_json()
    assert {type(value) for name, value in known.items() if name != "unknown"} == {int}
    assert known["unknown"] == ""
    unknown = need_of(tmp_path, network_module="lycoris.kohya").as_json()
    assert unknown["lora_bytes"] is None


def latents_bytes(family: str, width: int, height: int, *, sets: int = 1, mask: bool = False) -> int:
    """The values alone, without what the archive adds."""
    how = latent_cache_of(family)
    return sets * how.channels * (width // how.stride) * (height // how.stride) * 4 + (
        width * height * 4 if mask else 0
    )


@pytest.mark.parametrize("family", FAMILIES)
def test_latents_on_disk_are_as_large_as_the_buckets(tmp_path: Path, family: str) -> None:
    of = dataset(concept(3, (512, 512), (512, 512), (768, 512)))
    values = {"family": family, "cache_latents_to_disk": True, "bucket_reso_steps": 64, "max_bucket_reso": 1024}
    need = need_of(tmp_path, of, **values)
    plain = 2 * latents_bytes(family, 512, 512) + latents_bytes(family, 640, 384)
    assert 0 < need.latent_caches_bytes - plain < 3 * 1000  # repeats make no second cache
    twice = need_of(tmp_path, of, **values, flip_aug=True).latent_caches_bytes
    assert 0 < twice - 2 * plain < 3 * 1300


def test_a_mask_has_the_size_of_the_picture(tmp_path: Path) -> None:
    need = need_of(tmp_path, squares(2), cache_latents_to_disk=True, alpha_mask=True)
    assert 0 < need.latent_caches_bytes - 2 * latents_bytes("sd15", 512, 512, mask=True) < 2 * 1300


def test_caches_only_where_they_are_asked_for(tmp_path: Path) -> None:
    need = need_of(tmp_path, cache_latents=True)
    assert (need.latent_caches_bytes, need.text_caches_bytes) == (0, 0)


def on_disk(folder: Path, count: int) -> Dataset:
    folder.mkdir(parents=True)
    pictures = tuple(Picture(folder / f"{number}.png", 512, 512) for number in range(count))
    return Dataset(folder.parent, None, (Concept(folder, 1, "ohwx cat", False, pictures),), ())


@pytest.mark.parametrize("name", ["0_0512x0512_sd.npz", "0.npz"])
def test_a_cache_that_is_there_is_not_needed_again(odd_path: Path, name: str) -> None:
    of = on_disk(odd_path / "image_dir" / "1_ohwx cat", 2)
    values = {"cache_latents_to_disk": True}
    both = need_of(odd_path, of, **values).latent_caches_bytes
    (odd_path / "image_dir" / "1_ohwx cat" / name).write_bytes(bytes(both // 2))
    assert need_of(odd_path, of, **values).latent_caches_bytes == both // 2


def test_two_resolutions_share_an_archive_in_the_newer_families_alone(tmp_path: Path) -> None:
    two = {"kohyatpl": {"datasets": [{"resolution": "512,512"}, {"resolution": "256,256"}]}}
    values = {"cache_latents_to_disk": True, "bucket_reso_steps": 64, **two}
    of = squares(1)
    flux = need_of(tmp_path, of, family="flux", **values).latent_caches_bytes
    both = latents_bytes("flux", 512, 512) + latents_bytes("flux", 256, 256)
    assert 0 < flux - both < 2000
    sd = need_of(tmp_path, of, family="sd15", **values).latent_caches_bytes
    assert 0 < sd - latents_bytes("sd15", 256, 256) < 1000  # the second one is written over the first


@pytest.mark.parametrize(
    ("family", "values", "megabytes"),
    [
        ("sdxl", {"mixed_precision": "bf16"}, 0.64),
        ("sdxl", {"mixed_precision": "fp16"}, 0.32),
        ("sdxl", {"mixed_precision": "bf16", "max_token_length": 225}, 1.87),
        ("sd3", {"mixed_precision": "bf16"}, 5.47),
        ("flux", {"mixed_precision": "bf16"}, 8.40),
        ("flux", {"mixed_precision": "bf16", "t5xxl_max_token_length": 256}, 4.20),
        ("chroma", {"mixed_precision": "bf16"}, 8.40),
        ("lumina", {"mixed_precision": "bf16"}, 2.37),
        ("anima", {"mixed_precision": "bf16"}, 2.11),
        ("hunyuan-image", {"mixed_precision": "bf16"}, 4.43),
    ],
)
def test_what_the_text_encoders_of_each_family_give_for_a_caption(
    tmp_path: Path, family: str, values: dict[str, Any], megabytes: float
) -> None:
    settings, _ = resolved(tmp_path, {"family": family, **values})
    assert npz_bytes(text_arrays(settings)) / 1e6 == pytest.approx(megabytes, abs=0.02)
    on = {"cache_text_encoder_outputs": True, "cache_text_encoder_outputs_to_disk": True}
    need = need_of(tmp_path, squares(3), family=family, **on, **values)
    assert need.text_caches_bytes == 3 * npz_bytes(text_arrays(settings))


def test_samples_are_counted_by_their_pixels(tmp_path: Path) -> None:
    (tmp_path / "p.txt").write_text("a --w 1024 --h 1024\nb\n", encoding="utf-8")
    need = need_of(tmp_path, sample_prompts="p.txt", sample_every_n_epochs=1, max_train_epochs=2)
    assert need.samples_bytes == math.floor(2 * (1024**2 + 512**2) * 1.6)
    assert need.peak_bytes == (need.checkpoints_peak_bytes or 0) + need.samples_bytes


def test_prompts_that_cannot_be_read_are_unknown(tmp_path: Path) -> None:
    (tmp_path / "p.json").write_text("{", encoding="utf-8")
    need = need_of(tmp_path, sample_prompts="p.json", sample_at_first=True)
    assert (need.samples_bytes, need.peak_bytes) == (None, None)
    assert "p.json" in need.unknown
