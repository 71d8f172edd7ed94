"""The table of what may be another in a resumed run: of options that there are, and of none that trains."""

from __future__ import annotations

import pytest

from loratpl.config.block import Block
from loratpl.run.harmless import HARMLESS, reason_of
from loratpl.trainer.manifest import load_manifest

OPTIONS = sorted({name for options in load_manifest().options_of.values() for name in options})


@pytest.mark.parametrize("name", [name for group in HARMLESS for name in group.options if "." not in name])
def test_every_row_is_an_option_of_the_trainer(name: str) -> None:
    assert any(o.startswith(name[:-1]) if name.endswith("*") else o == name for o in OPTIONS)


@pytest.mark.parametrize("name", [name for group in HARMLESS for name in group.options if "." in name])
def test_every_row_of_ours_is_a_setting_of_ours(name: str) -> None:
    assert name.split(".")[1] in {*Block.model_fields, "run"}


@pytest.mark.parametrize(
    "name",
    [
        "learning_rate", "network_dim", "network_args", "seed", "train_batch_size", "gradient_accumulation_steps",
        "max_train_steps", "max_train_epochs", "lr_scheduler", "optimizer_args", "mixed_precision", "cache_latents",
        "cache_latents_to_disk", "vae_batch_size", "max_data_loader_n_workers", "persistent_data_loader_workers",
        "validation_split", "validation_seed", "resume", "initial_step", "shuffle_caption", "scale_weight_norms",
        "use_sage_attn", "vae", "network_weights", "resume_from_huggingface", "kohyatpl.datasets",
        "kohyatpl.launch.processes", "kohyatpl.launch.tiny_unet", "kohyatpl.concepts.cat.flip_aug",
        "kohyatpl.concepts.cat.match", "pretrained_model_name_or_path", "prior_loss_weight", "no_half_vae",
    ],
)  # fmt: skip
def test_what_trains_is_not_in_it(name: str) -> None:
    assert reason_of(name) is None


@pytest.mark.parametrize(
    "name",
    [
        "save_every_n_steps", "save_last_n_epochs_state", "sample_prompts", "metadata_title", "log_with", "output_name",
        "gradient_checkpointing", "sdpa", "kohyatpl.run.save_state_every", "kohyatpl.env.CUDA_VISIBLE_DEVICES",
        "kohyatpl.concepts.cat.weight", "kohyatpl.balance.tolerance", "kohyatpl.launch.threads",
    ],
)  # fmt: skip
def test_what_does_not_train_has_its_reason(name: str) -> None:
    assert reason_of(name)
