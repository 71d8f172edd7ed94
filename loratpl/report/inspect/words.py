"""What the fields of a LoRA's metadata are called in plain words, and under which heading each is told.

sd-scripts 48d368fa (`train_network.py` and its siblings) writes `ss_*`; https://github.com/Stability-AI/ModelSpec says
what `modelspec.*` are; the others are those of ai-toolkit, OneTrainer and Diffusers.
"""

from __future__ import annotations

from collections.abc import Mapping

MADE, BASE, NETWORK, LENGTH, RATES, PICTURES, LOSS, MACHINE = (
    "Made", "Base model", "Network", "Length", "Rates", "Pictures", "Noise and loss", "Precision and memory",
)  # fmt: skip
HEADINGS = (MADE, BASE, NETWORK, LENGTH, RATES, PICTURES, LOSS, MACHINE)

_BY_HEADING: Mapping[str, Mapping[str, str]] = {
    MADE: {
        "modelspec.title": "title", "modelspec.author": "author", "modelspec.description": "description",
        "modelspec.date": "date", "modelspec.license": "licence", "modelspec.trigger_phrase": "trigger phrase",
        "modelspec.usage_hint": "how to use it", "modelspec.tags": "tags of its author",
        "modelspec.merged_from": "merged from", "modelspec.implementation": "implementation",
        "modelspec.implementation_version": "version of the trainer",
        "modelspec.sai_model_spec": "version of ModelSpec",
        "modelspec.thumbnail": "thumbnail", "modelspec.hash_sha256": "hash of the tensors (ModelSpec)",
        "ss_output_name": "name", "ss_session_id": "session", "ss_training_started_at": "training started",
        "ss_training_finished_at": "training finished", "ss_training_comment": "comment",
        "ss_sd_scripts_commit_hash": "commit of sd-scripts", "software": "program", "name": "name",
        "version": "version", "ot_branch": "branch of OneTrainer", "ot_revision": "revision of OneTrainer",
        "ot_config": "settings of OneTrainer", "format": "written for", "sshs_model_hash": "hash of the tensors",
        "sshs_legacy_hash": "old hash of the tensors",
    },
    BASE: {
        "ss_sd_model_name": "file", "ss_base_model_version": "version", "modelspec.architecture": "architecture",
        "ss_v2": "Stable Diffusion 2", "ss_model_type": "type", "ss_new_sd_model_hash": "SHA-256",
        "ss_sd_model_hash": "old hash", "ss_vae_name": "VAE", "ss_new_vae_hash": "VAE's SHA-256",
        "ss_vae_hash": "VAE's old hash", "modelspec.prediction_type": "predicts", "ss_clip_skip": "clip skip",
        "ss_max_token_length": "longest caption in tokens", "modelspec.encoder_layer": "layer of the text encoder",
        "modelspec.timestep_range": "timesteps", "modelspec.preprocessor": "preprocessor",
        "modelspec.is_negative_embedding": "negative embedding", "modelspec.unet_dtype": "U-Net's precision",
        "modelspec.vae_dtype": "VAE's precision",
    },
    NETWORK: {
        "ss_network_module": "module of sd-scripts", "ss_network_dim": "dim", "ss_network_alpha": "alpha",
        "ss_network_dropout": "dropout", "ss_network_args": "arguments",
        "lora_adapter_metadata": "settings (Diffusers)",
        "ss_scale_weight_norms": "norms scaled to",
    },
    LENGTH: {
        "ss_steps": "steps of this file", "ss_max_train_steps": "steps planned", "ss_epoch": "epoch of this file",
        "ss_num_epochs": "epochs planned", "ss_num_batches_per_epoch": "batches an epoch",
        "ss_gradient_accumulation_steps": "batches a step", "ss_batch_size_per_device": "batch size",
        "ss_total_batch_size": "batch size of all devices", "training_info": "trained for",
    },
    RATES: {
        "ss_learning_rate": "learning rate", "ss_unet_lr": "of the denoiser",
        "ss_text_encoder_lr": "of the text encoder",
        "ss_optimizer": "optimiser", "ss_lr_scheduler": "scheduler", "ss_lr_warmup_steps": "warm-up in steps",
        "ss_max_grad_norm": "gradients clipped at",
    },
    PICTURES: {
        "ss_num_train_images": "images with repeats", "ss_num_reg_images": "regularisation images",
        "ss_num_validation_images": "validation images", "ss_resolution": "resolution",
        "modelspec.resolution": "resolution (ModelSpec)", "ss_dataset_dirs": "concept folders",
        "ss_reg_dataset_dirs": "regularisation folders", "ss_datasets": "datasets", "ss_bucket_info": "buckets",
        "ss_enable_bucket": "bucketing", "ss_bucket_no_upscale": "no upscaling",
        "ss_min_bucket_reso": "smallest bucket",
        "ss_max_bucket_reso": "largest bucket", "ss_tag_frequency": "tags", "ss_shuffle_caption": "captions shuffled",
        "ss_keep_tokens": "tags kept in place", "ss_keep_tokens_separator": "kept before", "ss_flip_aug": "flipped",
        "ss_color_aug": "colours changed", "ss_random_crop": "cropped at random", "ss_cache_latents": "latents cached",
        "ss_caption_dropout_rate": "captions dropped",
        "ss_caption_dropout_every_n_epochs": "captions dropped every so many epochs",
        "ss_caption_tag_dropout_rate": "tags dropped", "ss_face_crop_aug_range": "cropped around faces",
        "ss_resize_interpolation": "resized with", "ss_validation_split": "share for validation",
        "ss_validation_seed": "seed of the validation", "ss_max_validation_steps": "steps of a validation",
        "ss_validate_every_n_epochs": "validated every so many epochs",
        "ss_validate_every_n_steps": "validated every so many steps",
    },
    LOSS: {
        "ss_seed": "seed", "ss_loss_type": "loss", "ss_huber_schedule": "Huber schedule", "ss_huber_c": "Huber c",
        "ss_huber_scale": "Huber scale", "ss_min_snr_gamma": "min SNR gamma",
        "ss_debiased_estimation": "debiased estimation",
        "ss_prior_loss_weight": "weight of regularisation images", "ss_noise_offset": "noise offset",
        "ss_noise_offset_random_strength": "noise offset of random strength",
        "ss_adaptive_noise_scale": "adaptive noise scale", "ss_multires_noise_iterations": "multires noise iterations",
        "ss_multires_noise_discount": "multires noise discount", "ss_ip_noise_gamma": "IP noise gamma",
        "ss_ip_noise_gamma_random_strength": "IP noise of random strength", "ss_zero_terminal_snr": "zero terminal SNR",
        "ss_weighting_scheme": "weighting of timesteps", "ss_logit_mean": "logit mean", "ss_logit_std": "logit std",
        "ss_mode_scale": "mode scale", "ss_guidance_scale": "guidance scale", "ss_timestep_sampling": "timesteps drawn",
        "ss_sigmoid_scale": "sigmoid scale", "ss_model_prediction_type": "model predicts",
        "ss_discrete_flow_shift": "shift of the flow", "ss_apply_t5_attn_mask": "T5's attention masked",
        "ss_apply_lg_attn_mask": "CLIP's attention masked",
    },
    MACHINE: {
        "ss_mixed_precision": "mixed precision", "ss_full_fp16": "all in fp16", "ss_fp8_base": "base model in fp8",
        "ss_fp8_base_unet": "U-Net in fp8", "ss_gradient_checkpointing": "gradient checkpointing",
        "ss_lowram": "low RAM",
    },
}  # fmt: skip
# Heading and words of each field.
FIELDS: Mapping[str, tuple[str, str]] = {
    key: (heading, words) for heading, fields in _BY_HEADING.items() for key, words in fields.items()
}
# Fields of several lines, which are told apart from the others.
TOLD_APART = frozenset({
    "ss_dataset_dirs", "ss_reg_dataset_dirs", "ss_datasets", "ss_bucket_info", "ss_tag_frequency",
    "modelspec.thumbnail", "ot_config",
})  # fmt: skip
# What a field says that was left unset or off, and the fields in which zero is off as well.
UNSET = frozenset({"None", "False", ""})
ZEROS = frozenset({"0", "0.0"})
OFF_AT_ZERO = frozenset({
    "ss_num_reg_images", "ss_num_validation_images", "ss_validation_split", "ss_caption_dropout_rate",
    "ss_caption_dropout_every_n_epochs", "ss_caption_tag_dropout_rate", "ss_keep_tokens", "ss_lr_warmup_steps",
    "ss_noise_offset", "ss_network_dropout", "ss_min_snr_gamma", "ss_adaptive_noise_scale", "ss_ip_noise_gamma",
    "ss_multires_noise_iterations", "ss_validate_every_n_epochs", "ss_validate_every_n_steps",
})  # fmt: skip
# Fields that sd-scripts writes whether or not they count, the field that decides, and the texts with which they do not.
NEEDS: Mapping[str, tuple[str, frozenset[str]]] = {
    **dict.fromkeys(("ss_huber_schedule", "ss_huber_c", "ss_huber_scale"), ("ss_loss_type", frozenset({"l1", "l2"}))),
    "ss_multires_noise_discount": ("ss_multires_noise_iterations", UNSET | ZEROS),
}
# Fields that say nothing to a person, or what is told of the file anyway.
SILENT = frozenset({
    "ss_session_id", "sshs_model_hash", "sshs_legacy_hash", "modelspec.hash_sha256", "modelspec.sai_model_spec",
    "modelspec.implementation", "format",
})  # fmt: skip
# Fields that repeat another where both are there.
REPEATED = {"ss_output_name": "modelspec.title", "ss_sd_scripts_commit_hash": "modelspec.implementation_version"}
# What the trainer writes in place of a hash that it could not take.
NO_HASH = {"IsADirectory": "none, for it is a folder", "NOFILE": "none, for there was no such file"}
