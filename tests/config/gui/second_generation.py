"""What the GUI of July 2026 writes, all 287 keys with the values that its fields have when nobody touched them."""

from __future__ import annotations

from typing import Any

SECOND_GENERATION: dict[str, Any] = {
    "LoRA_type": "Standard", "LyCORIS_preset": "full", "adaptive_noise_scale": 0, "additional_parameters": "",
    "ae": "", "anima_attn_mode": "torch", "anima_cache_text_encoder_outputs": False,
    "anima_cache_text_encoder_outputs_to_disk": False, "anima_checkbox": False, "anima_compile": False,
    "anima_compile_backend": "inductor", "anima_compile_cache_size_limit": 0, "anima_compile_dynamic": "auto",
    "anima_compile_fullgraph": False, "anima_compile_mode": "default", "anima_discrete_flow_shift": 1.0,
    "anima_llm_adapter_path": "", "anima_qwen3": "", "anima_qwen3_max_token_length": 512,
    "anima_qwen_image_vae_2d": False, "anima_sigmoid_scale": 1.0, "anima_split_attn": False,
    "anima_t5_max_token_length": 512, "anima_t5_tokenizer_path": "", "anima_timestep_sampling": "sigmoid",
    "anima_torch_compile": False, "anima_unsloth_offload_checkpointing": False, "anima_vae": "",
    "anima_vae_chunk_size": 0, "anima_vae_disable_cache": False, "apply_t5_attn_mask": False, "async_upload":
    False, "block_alphas": "", "block_dims": "", "block_lr_zero_threshold": "", "blocks_to_swap": 0,
    "bucket_no_upscale": True, "bucket_reso_steps": 64, "bypass_mode": False, "cache_latents": True,
    "cache_latents_to_disk": False, "caption_dropout_every_n_epochs": 0, "caption_dropout_rate": 0,
    "caption_extension": ".txt", "clip_g": "", "clip_g_dropout_rate": 0.0, "clip_l": "", "clip_skip": 1,
    "color_aug": False, "constrain": 0.0, "conv_alpha": 1, "conv_block_alphas": "", "conv_block_dims": "",
    "conv_dim": 1, "cpu_offload_checkpointing": False, "dataset_config": "", "debiased_estimation_loss": False,
    "decompose_both": False, "dim_from_weights": False, "discrete_flow_shift": 3.0, "dora_wd": False,
    "double_blocks_to_swap": 0, "down_lr_weight": "", "dynamo_backend": "no", "dynamo_mode": "default",
    "dynamo_use_dynamic": False, "dynamo_use_fullgraph": False, "enable_all_linear": False, "enable_bucket":
    True, "epoch": 1, "extra_accelerate_launch_args": "", "factor": -1, "flip_aug": False,
    "flux1_cache_text_encoder_outputs": False, "flux1_cache_text_encoder_outputs_to_disk": False,
    "flux1_checkbox": False, "fp8_base": False, "fp8_base_unet": False, "full_bf16": False, "full_fp16": False,
    "ggpo_beta": 0.01, "ggpo_sigma": 0.03, "gpu_ids": "", "gradient_accumulation_steps": 1,
    "gradient_checkpointing": False, "guidance_scale": 3.5, "highvram": False, "huber_c": 0.1, "huber_scale":
    1.0, "huber_schedule": "snr", "huggingface_path_in_repo": "", "huggingface_repo_id": "",
    "huggingface_repo_type": "", "huggingface_repo_visibility": "", "huggingface_token": "",
    "hunyuan_attn_mode": "torch", "hunyuan_byt5": "", "hunyuan_discrete_flow_shift": 5.0, "hunyuan_fp8_scaled":
    False, "hunyuan_fp8_vl": False, "hunyuan_image_cache_text_encoder_outputs": False,
    "hunyuan_image_cache_text_encoder_outputs_to_disk": False, "hunyuan_image_checkbox": False,
    "hunyuan_model_prediction_type": "raw", "hunyuan_sigmoid_scale": 1.0, "hunyuan_split_attn": False,
    "hunyuan_text_encoder": "", "hunyuan_text_encoder_cpu": False, "hunyuan_timestep_sampling": "sigma",
    "hunyuan_vae": "", "hunyuan_vae_chunk_size": 0, "img_attn_dim": "", "img_mlp_dim": "", "img_mod_dim": "",
    "in_dims": "", "ip_noise_gamma": 0, "ip_noise_gamma_random_strength": False, "keep_tokens": 0,
    "learning_rate": 0.0001, "log_config": False, "log_tracker_config": "", "log_tracker_name": "", "log_with":
    "", "logging_dir": "", "logit_mean": 0.0, "logit_std": 1.0, "loraplus_lr_ratio": 0,
    "loraplus_text_encoder_lr_ratio": 0, "loraplus_unet_lr_ratio": 0, "loss_type": "l2", "lowvram": False,
    "lr_scheduler": "cosine", "lr_scheduler_args": "", "lr_scheduler_num_cycles": 1, "lr_scheduler_power": 1.0,
    "lr_scheduler_type": "", "lr_warmup": 10, "lr_warmup_steps": 0, "lumina_ae": "",
    "lumina_cache_text_encoder_outputs": False, "lumina_cache_text_encoder_outputs_to_disk": False,
    "lumina_checkbox": False, "lumina_discrete_flow_shift": 6.0, "lumina_gemma2": "",
    "lumina_gemma2_max_token_length": 256, "lumina_model_prediction_type": "raw", "lumina_sigmoid_scale": 1.0,
    "lumina_system_prompt": "", "lumina_timestep_sampling": "shift", "lumina_use_flash_attn": False,
    "lumina_use_sage_attn": False, "main_process_port": 0, "masked_loss": False, "max_bucket_reso": 2048,
    "max_data_loader_n_workers": 0, "max_grad_norm": 1.0, "max_resolution": "512,512", "max_timestep": 1000,
    "max_token_length": 75, "max_train_epochs": 0, "max_train_steps": 0, "mem_eff_attn": False, "mem_eff_save":
    False, "metadata_author": "", "metadata_description": "", "metadata_license": "", "metadata_tags": "",
    "metadata_title": "", "mid_lr_weight": "", "min_bucket_reso": 256, "min_snr_gamma": 0, "min_timestep": 0,
    "mixed_precision": "fp16", "mode_scale": 1.29, "model_list": "", "model_prediction_type": "sigma_scaled",
    "model_type": "flux", "module_dropout": 0.0, "multi_gpu": False, "multires_noise_discount": 0.3,
    "multires_noise_iterations": 0, "network_alpha": 1, "network_dim": 8, "network_dropout": 0,
    "network_weights": "", "noise_offset": 0, "noise_offset_random_strength": False, "noise_offset_type":
    "Original", "num_cpu_threads_per_process": 2, "num_machines": 1, "num_processes": 1, "optimizer":
    "AdamW8bit", "optimizer_args": "", "output_dir": "", "output_name": "", "persistent_data_loader_workers":
    False, "pos_emb_random_crop_rate": 0.0, "pretrained_model_name_or_path": "model.safetensors",
    "prior_loss_weight": 1.0, "random_crop": False, "rank_dropout": 0, "rank_dropout_scale": False,
    "reg_data_dir": "", "rescaled": False, "resume": "", "resume_from_huggingface": "", "sample_every_n_epochs":
    0, "sample_every_n_steps": 0, "sample_prompts": "", "sample_sampler": "euler_a", "save_clip": False,
    "save_every_n_epochs": 1, "save_every_n_steps": 0, "save_last_n_epochs": 0, "save_last_n_epochs_state": 0,
    "save_last_n_steps": 0, "save_last_n_steps_state": 0, "save_model_as": "safetensors", "save_precision":
    "fp16", "save_state": False, "save_state_on_train_end": False, "save_state_to_huggingface": False,
    "save_t5xxl": False, "scale_v_pred_loss_like_noise_pred": False, "scale_weight_norms": 0,
    "sd3_cache_text_encoder_outputs": False, "sd3_cache_text_encoder_outputs_to_disk": False, "sd3_checkbox":
    False, "sd3_clip_l": "", "sd3_clip_l_dropout_rate": 0.0, "sd3_disable_mmap_load_safetensors": False,
    "sd3_enable_scaled_pos_embed": False, "sd3_fused_backward_pass": False, "sd3_t5_dropout_rate": 0.0,
    "sd3_t5xxl": "", "sd3_text_encoder_batch_size": 1, "sdxl": False, "sdxl_cache_text_encoder_outputs": False,
    "sdxl_no_half_vae": False, "seed": 0, "show_timesteps": "", "show_timesteps_resolution": "1024",
    "shuffle_caption": False, "single_blocks_to_swap": 0, "single_dim": "", "single_mod_dim": "",
    "skip_cache_check": False, "split_mode": False, "split_qkv": False, "stop_text_encoder_training": 0,
    "t5xxl": "", "t5xxl_device": "", "t5xxl_dtype": "bf16", "t5xxl_lr": 0, "t5xxl_max_token_length": 512,
    "text_encoder_lr": 0.0001, "timestep_sampling": "sigma", "train_batch_size": 1, "train_blocks": "all",
    "train_data_dir": "", "train_double_block_indices": "all", "train_inpainting": False, "train_lora_ggpo":
    False, "train_norm": False, "train_on_input": True, "train_single_block_indices": "all", "train_t5xxl":
    False, "training_comment": "", "txt_attn_dim": "", "txt_mlp_dim": "", "txt_mod_dim": "", "unet_lr": 0.0001,
    "unit": 1, "up_lr_weight": "", "use_cp": False, "use_scalar": False, "use_tucker": False, "v2": False,
    "v_parameterization": False, "v_pred_like_loss": 0, "vae": "", "vae_batch_size": 0, "wandb_api_key": "",
    "wandb_run_name": "", "weighted_captions": False, "weighting_scheme": "logit_normal", "xformers":
    "xformers",
}  # fmt: skip
