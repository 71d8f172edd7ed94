"""The settings back out of a LoRA: a header as the trainer writes it gives the settings it was made from."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from loratpl.config.lora_settings import settings_of_lora
from loratpl.config.reading import read_config
from loratpl.config.settings import resolve
from loratpl.errors import ConfigError
from loratpl.trainer.manifest import BASE_SCRIPT, load_manifest
from loratpl.weights import Tensor, WeightsFile
from tests.given import outcome, refusal, write_config

TENSORS = {"lora_unet_a.lora_up.weight": "F16", "lora_te_a.lora_up.weight": "F16"}
# The trainer writes these from the options of the same name; see its `train_network.py`.
DATASET = ("resolution", "train_batch_size", "enable_bucket", "min_bucket_reso", "max_bucket_reso")
SUBSET = ("color_aug", "flip_aug", "random_crop", "shuffle_caption", "keep_tokens", "caption_prefix")


def header_of(options: dict[str, Any], **changed: str | None) -> dict[str, str]:
    """Returns the metadata that the trainer writes for these options: every value a text, `None` for unset."""
    defaults = {name: option.default for name, option in load_manifest().options_of[BASE_SCRIPT].items()}
    values = {**defaults, **options}
    subset = {name: values[name] for name in SUBSET}
    dataset = {
        "resolution": [int(side) for side in str(values["resolution"]).split(",")],
        "batch_size_per_device": values["train_batch_size"],
        **{name: values[name] for name in DATASET[2:]},
        "subsets": [{**subset, "img_count": 2, "num_repeats": 10}, {**subset, "img_count": 1, "num_repeats": 5}],
    }
    optimiser = {"AdamW": "torch.optim.adamw.AdamW", "AdamW8bit": "bitsandbytes.optim.adamw.AdamW8bit"}
    arguments = ",".join(item for item in values["optimizer_args"] or ())
    kind = optimiser.get(values["optimizer_type"], values["optimizer_type"])
    plain = (
        "output_name", "learning_rate", "unet_lr", "gradient_checkpointing", "gradient_accumulation_steps",
        "lr_warmup_steps", "lr_scheduler", "network_module", "network_dim", "network_alpha", "network_dropout",
        "mixed_precision", "full_fp16", "v2", "clip_skip", "max_token_length", "cache_latents", "seed", "lowram",
        "noise_offset", "multires_noise_iterations", "multires_noise_discount", "max_grad_norm",
        "caption_dropout_rate", "prior_loss_weight", "min_snr_gamma", "scale_weight_norms", "training_comment",
        "loss_type", "huber_c",
    )  # fmt: skip
    texts = {name: str(values[name]) for name in plain}
    texts |= {
        "text_encoder_lr": str(values["text_encoder_lr"]),
        "debiased_estimation": str(values["debiased_estimation_loss"]),
        "optimizer": f"{kind}({arguments})" if arguments else kind,
        "num_batches_per_epoch": "20",
        "num_epochs": "3",
        "max_train_steps": "60",
        "base_model_version": "sd_v1",
        "sd_model_name": "base.safetensors",
        "datasets": json.dumps([dataset]),
        "dataset_dirs": json.dumps({"10_ohwx cat": {"n_repeats": 10, "img_count": 2}}),
    }
    if values["network_args"]:
        named = dict(item.split("=", 1) for item in values["network_args"])
        texts["network_args"] = json.dumps({**named, "dropout": None})
    return {f"ss_{name}": text for name, text in {**texts, **changed}.items() if text is not None}


def lora(metadata: dict[str, str], tensors: dict[str, str] = TENSORS) -> WeightsFile:
    return WeightsFile(Path("a.safetensors"), 100, {n: Tensor(t, (1,)) for n, t in tensors.items()}, metadata)


OPTIONS: dict[str, Any] = {
    "output_name": "cats", "learning_rate": 1e-4, "unet_lr": 5e-5, "text_encoder_lr": [1e-5], "network_dim": 32,
    "network_alpha": 16.0, "network_module": "networks.lora", "network_args": ["conv_dim=4", "conv_alpha=1"],
    "lr_scheduler": "cosine", "lr_warmup_steps": 0.1, "max_train_epochs": 3, "train_batch_size": 2, "seed": 7,
    "resolution": "768,512", "enable_bucket": True, "min_bucket_reso": 128, "max_bucket_reso": 2048,
    "mixed_precision": "bf16", "save_precision": "fp16", "cache_latents": True, "clip_skip": 2,
    "max_token_length": 150, "gradient_checkpointing": True, "gradient_accumulation_steps": 1,
    "optimizer_type": "AdamW8bit", "optimizer_args": ["weight_decay=0.1", "betas=(0.9, 0.99)"],
    "noise_offset": 0.05, "min_snr_gamma": 5.0, "flip_aug": True, "shuffle_caption": True, "keep_tokens": 1,
    "max_grad_norm": 0.5, "prior_loss_weight": 0.5, "caption_dropout_rate": 0.1, "training_comment": "say hi",
    "debiased_estimation_loss": True,
}  # fmt: skip


def test_a_training_of_known_settings_gives_the_same_settings(tmp_path: Path) -> None:
    found = settings_of_lora(lora(header_of(OPTIONS)))
    assert {name: found.values[name] for name in OPTIONS} == OPTIONS
    assert found.values["family"] == "sd15"
    assert (found.base_model, found.folders) == ("base.safetensors", ("10_ohwx cat",))
    settings, problems = resolve(read_config(write_config(tmp_path, dict(found.values))), project_name="other")
    assert problems == ()
    assert {name: settings[name] for name in OPTIONS} == OPTIONS


def test_what_no_lora_tells_is_listed() -> None:
    lost = settings_of_lora(lora(header_of(OPTIONS))).lost
    assert {"pretrained_model_name_or_path", "train_data_dir", "caption_extension", "save_every_n_epochs"} <= set(lost)
    assert not set(lost) & OPTIONS.keys()


def test_every_value_says_where_it_was_found() -> None:
    rows = {row.becomes: row for row in settings_of_lora(lora(header_of(OPTIONS))).mapping}
    assert (rows["network_dim"].key, rows["network_dim"].value) == ("ss_network_dim", 32)
    assert rows["save_precision"].key == "tensors"
    assert rows["keep_tokens"].key == "ss_datasets"


def test_steps_that_are_no_whole_epochs_stay_steps() -> None:
    values = settings_of_lora(lora(header_of(OPTIONS, max_train_steps="50"))).values
    assert (values["max_train_steps"], "max_train_epochs" in values) == (50, False)
    values = settings_of_lora(
        lora(header_of({**OPTIONS, "gradient_accumulation_steps": 4}, max_train_steps="15"))
    ).values
    assert values["max_train_epochs"] == 3


def test_the_older_form_of_a_folder_training_is_read() -> None:
    texts = {
        "datasets": None, "resolution": "(640, 512)", "batch_size_per_device": "4", "bucket_no_upscale": "True",
        "keep_tokens": "2", "enable_bucket": "False",
    }  # fmt: skip
    found = settings_of_lora(lora(header_of(OPTIONS, **texts)))
    expected = {"resolution": "640,512", "train_batch_size": 4, "bucket_no_upscale": True, "enable_bucket": False}
    assert {name: found.values[name] for name in expected} == expected
    assert "bucket_no_upscale" not in found.lost


def test_folders_that_differ_are_not_made_one(tmp_path: Path) -> None:
    datasets = json.loads(header_of(OPTIONS)["ss_datasets"])
    datasets[0]["subsets"][0]["keep_tokens"] = 9
    assert "keep_tokens" not in settings_of_lora(lora(header_of(OPTIONS, datasets=json.dumps(datasets)))).values


@pytest.mark.parametrize(
    ("tensors", "expected"),
    [
        ({"lora_unet_a": "F32"}, {"network_train_unet_only": True, "save_precision": "float"}),
        ({"lora_te_a": "BF16"}, {"network_train_text_encoder_only": True, "save_precision": "bf16"}),
        ({"lora_unet_a": "F32", "lora_te_a": "F16"}, {}),
    ],
)
def test_the_tensors_tell_which_part_was_trained(tensors: dict[str, str], expected: dict[str, Any]) -> None:
    values = settings_of_lora(lora(header_of({**OPTIONS, "save_precision": None}), tensors)).values
    told = ("network_train_unet_only", "network_train_text_encoder_only", "save_precision")
    assert {name: values[name] for name in told if name in values} == expected


def test_another_family_is_known_by_its_version_and_has_its_own_options() -> None:
    texts = {"base_model_version": "flux1", "guidance_scale": "1.0", "timestep_sampling": "sigmoid"}
    header = header_of({**OPTIONS, "network_module": "networks.lora_flux"}, **texts)
    values = settings_of_lora(lora(header)).values
    assert (values["family"], values["guidance_scale"], values["timestep_sampling"]) == ("flux", 1.0, "sigmoid")


def test_descriptions_and_v_prediction_are_read() -> None:
    header = {**header_of(OPTIONS, base_model_version="sd_v2_v", v2="True"), "modelspec.author": "me"}
    values = settings_of_lora(lora(header)).values
    assert (values["family"], values["v_parameterization"], values["metadata_author"]) == ("sd2", True, "me")


FILLED = {
    "modelspec.title": "cats",
    "modelspec.trigger_phrase": "ohwx cat",
    "modelspec.tags": "sd15, lora, text-to-image, ohwx cat",
    "modelspec.usage_hint": 'Prompt with "ohwx cat"; a strength of 0.7 to 1 is usual.',
}


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ({}, {}),
        # Of a LoRA without a phrase, as some scripts write it.
        ({"modelspec.trigger_phrase": None, "modelspec.usage_hint": None}, {}),
        ({"modelspec.trigger_phrase": "ohwx", "modelspec.tags": "sd15, lora, text-to-image, ohwx"}, {"usage_hint"}),
        ({"modelspec.trigger_phrase": "zxc"}, {"trigger_phrase", "usage_hint"}),
        ({"modelspec.tags": "mine"}, {"tags"}),
        ({"modelspec.title": "Cats!", "modelspec.license": "MIT"}, {"title", "license"}),
    ],
)
def test_what_somebody_wrote_into_a_lora_is_read_and_what_render_makes_again_is_not(
    said: dict[str, str | None], expected: set[str]
) -> None:
    texts = {name: text for name, text in {**FILLED, **said}.items() if text is not None}
    values = settings_of_lora(lora({**header_of(OPTIONS), **texts})).values
    found = {name.removeprefix("metadata_"): value for name, value in values.items() if name.startswith("metadata_")}
    assert found == {name: texts[f"modelspec.{name}"] for name in expected}


@pytest.mark.parametrize(
    "broken",
    [
        {"datasets": "{", "network_args": "[", "text_encoder_lr": "[1e", "optimizer": "torch.optim.adamw.AdamW(a=,"},
        {"datasets": "[5]", "network_args": "5", "network_dim": "many", "seed": "", "base_model_version": "unknown"},
        {"datasets": '[{"subsets": 5, "resolution": null}]', "resolution": "(", "max_train_steps": "x"},
        {"datasets": '[{"subsets": [5]}]', "num_batches_per_epoch": "0", "num_epochs": "nan", "lr_scheduler": "None"},
    ],
)
def test_a_header_that_is_partly_broken_gives_the_rest(broken: dict[str, str]) -> None:
    found, _ = outcome(ConfigError, lambda: settings_of_lora(lora(header_of(OPTIONS, **broken))))
    assert found is not None
    assert found.values["network_alpha"] == 16.0


@pytest.mark.parametrize("metadata", [{}, {"format": "pt"}, {"ss_session_id": "1"}])
def test_a_file_without_settings_is_refused(metadata: dict[str, str]) -> None:
    _, error = outcome(ConfigError, lambda: settings_of_lora(lora(metadata)))
    assert error is not None
    refusal(error, ConfigError, "config.lora.metadata", "a.safetensors")
