"""The second generation of the GUI's keys, what every model family has: rates, noise, saving, logging, launching."""

from __future__ import annotations

from loratpl.config.block import BLOCK_KEY
from loratpl.config.gui.key import GuiKey, same
from loratpl.config.gui.values import (
    argument_words,
    as_written,
    asked_for,
    beyond_default,
    devices,
    nothing,
    processes,
    prompts,
    secret_text,
    ticked,
    unset_at_zero,
    wandb,
)

PROCESSES = f"{BLOCK_KEY}.launch.processes"
VISIBLE_DEVICES = f"{BLOCK_KEY}.env.CUDA_VISIBLE_DEVICES"
_UNSET = "the same option; 0 is unset"
_ZERO_KEPT = "the same option; 0 is kept (the GUI dropped it, and the trainer took its own default)"

ROWS = (
    # Rates and steps.
    GuiKey(
        "optimizer",
        "optimizer_type",
        as_written,
        "another name of the same; it wins over `use_8bit_adam`",
    ),
    *same(
        "optimizer_args",
        "lr_scheduler_args",
        reason="the same option; `NAME=VALUE` pairs with blanks between them, a value may hold blanks",
        meaning=argument_words,
    ),
    *same("lr_scheduler_type", meaning=as_written),
    *same("max_grad_norm", reason="the same option; 0 is kept: no clipping (the GUI dropped it, and 1.0 was used)"),
    *same("fp8_base", "full_bf16", "highvram", "weighted_captions", "masked_loss"),
    GuiKey(
        "t5xxl_lr",
        "text_encoder_lr",
        unset_at_zero,
        "the rate of the T5 encoder: the last one of `text_encoder_lr`; 0 is unset: the same rate for all of them",
        families=("flux", "chroma", "sd3"),
    ),
    # Pictures and captions.
    *same("cache_latents_to_disk", "skip_cache_check", "min_bucket_reso", "max_bucket_reso"),
    *same("vae_batch_size", reason=_UNSET, meaning=unset_at_zero),
    GuiKey(
        "dataset_config",
        "dataset_config",
        as_written,
        "refused unless empty: kohyatpl trains the folders of `train_data_dir`, and writes the dataset file itself",
    ),
    GuiKey(
        "train_inpainting",
        None,
        asked_for,
        "no counterpart: a warning where it is true",
        instead="Take it out: the pinned trainer has no option for it.",
    ),
    # Noise and loss.
    GuiKey(
        "noise_offset_type",
        None,
        nothing,
        "dropped: it chooses which noise keys count: `Original` the offset's, `Multires` the pyramid's",
    ),
    *same(
        "noise_offset",
        "multires_noise_iterations",
        reason=f"{_UNSET}; dropped where `noise_offset_type` chooses the other",
        meaning=unset_at_zero,
    ),
    *same(
        "noise_offset_random_strength",
        reason="the same option; dropped where `noise_offset_type` is `Multires`",
    ),
    *same(
        "multires_noise_discount",
        reason="the same option, 0 is kept; dropped where `noise_offset_type` is `Original`",
    ),
    *same(
        "adaptive_noise_scale",
        reason=f"{_UNSET}; dropped with `Multires`, and with a warning where there is no `noise_offset`, which the "
        "trainer asks for",
        meaning=unset_at_zero,
    ),
    *same("ip_noise_gamma", "min_snr_gamma", "v_pred_like_loss", reason=_UNSET, meaning=unset_at_zero),
    *same(
        "ip_noise_gamma_random_strength",
        "scale_v_pred_loss_like_noise_pred",
        "debiased_estimation_loss",
        "loss_type",
        "huber_schedule",
    ),
    *same("huber_c", "huber_scale", "min_timestep", "max_timestep", reason=_ZERO_KEPT),
    # Precision, memory and speed.
    GuiKey(
        "lowvram",
        None,
        asked_for,
        "no counterpart: a warning where it is true",
        instead="Take it out: the trainer has no such option. `gradient_checkpointing` and, for the newer families, "
        "`blocks_to_swap` save memory.",
    ),
    # Files.
    *same(
        "save_every_n_steps",
        "save_last_n_epochs",
        "save_last_n_epochs_state",
        "save_last_n_steps",
        "save_last_n_steps_state",
        reason=_UNSET,
        meaning=unset_at_zero,
    ),
    *same("save_state_on_train_end", "network_weights"),
    *same(
        "vae",
        reason="the same option; HunyuanImage and Anima have a key of their own for it",
        families=("sd15", "sd2", "sdxl", "sd3", "flux", "chroma", "lumina"),
    ),
    *same("metadata_author", "metadata_description", "metadata_license", "metadata_tags", "metadata_title"),
    *same(
        "huggingface_repo_id",
        "huggingface_repo_type",
        "huggingface_repo_visibility",
        "huggingface_path_in_repo",
        "save_state_to_huggingface",
        "async_upload",
    ),
    *same(
        "huggingface_token",
        reason="a secret: passed on as the environment variable `HF_TOKEN`, never written to a file of a run",
        meaning=secret_text,
    ),
    *same("resume_from_huggingface", reason="the same option, a flag: any text switches it on", meaning=ticked),
    # Samples.
    GuiKey(
        "sample_prompts",
        "sample_prompts",
        prompts,
        "the GUI holds the prompts, the trainer wants a file: `config import --out` writes them to a new file beside "
        "the config; in a config that is used as it is they are left out with a warning where samples were asked for",
    ),
    *same("sample_every_n_steps", "sample_every_n_epochs", reason=_UNSET, meaning=unset_at_zero),
    *same("sample_sampler"),
    # Logging.
    *same("log_with", "log_tracker_name", "log_tracker_config", "log_config"),
    *same("wandb_run_name", reason="the same option; empty is `output_name`, as the GUI filled it in"),
    *same(
        "wandb_api_key",
        reason="a secret: passed on as the environment variable `WANDB_API_KEY`, never written to a file of a run",
        meaning=secret_text,
    ),
    GuiKey("use_wandb", "log_with", wandb, "true is `wandb`, written as a text or not"),
    # How it is started.
    GuiKey(
        "num_processes",
        PROCESSES,
        processes,
        "what accelerate was told; the steps of an epoch are divided by it (the GUI trained every epoch that often)",
    ),
    GuiKey(
        "gpu_ids",
        VISIBLE_DEVICES,
        devices,
        "the GPUs that the trainer sees, which is what accelerate made of it; empty is all of them",
    ),
    GuiKey("multi_gpu", None, nothing, "dropped: several `num_processes` say it"),
    GuiKey(
        "num_machines",
        None,
        beyond_default(0, 1),
        "no counterpart: a warning where there are several",
        instead="Train on one machine: kohyatpl starts no others.",
    ),
    GuiKey("main_process_port", None, nothing, "dropped: kohyatpl gives each run a port of its own"),
    *same(
        "dynamo_backend",
        reason="the same option, `no` is unset; it compiles only where `torch_compile` is true, as under the GUI",
        meaning=beyond_default("no"),
    ),
    *(
        GuiKey(
            name,
            None,
            beyond_default(default),
            "no counterpart: a warning unless it is as the GUI had it at first",
            instead="Take it out; `torch_compile` and `dynamo_backend` are what the trainer has.",
        )
        for name, default in (
            ("dynamo_mode", "default"),
            ("dynamo_use_fullgraph", False),
            ("dynamo_use_dynamic", False),
        )
    ),
    GuiKey(
        "extra_accelerate_launch_args",
        None,
        asked_for,
        "no counterpart: a warning unless it is empty",
        instead=f"Use what stands under `{BLOCK_KEY}.launch` and `{BLOCK_KEY}.env`.",
    ),
    GuiKey(
        "additional_parameters",
        None,
        nothing,
        "each of the trainer's options in it becomes that option, and wins over the other keys, as on the trainer's "
        "command line; anything else in it is an error",
    ),
    # Of versions between.
    GuiKey("save_as_bool", None, nothing, "dropped: state of the window, no setting"),
    GuiKey(
        "stop_text_encoder_training_pct",
        None,
        unset_at_zero,
        "no counterpart: a warning unless it is 0",
        instead="Take it out: the trainer stops no earlier. A lower `text_encoder_lr` trains it less, 0 not at all.",
    ),
    *(
        GuiKey(
            name,
            None,
            asked_for,
            "no counterpart: a warning unless it is empty",
            instead=f"`network_args` takes `{name.replace('conv', 'conv_block')}=…`.",
        )
        for name in ("conv_dims", "conv_alphas")
    ),
    *(
        GuiKey(
            f"sdxl_{name}",
            None,
            beyond_default(default),
            "dropped with a warning unless it is the whole range: today's GUI does not know it either",
            instead=f"Write `{name}`.",
        )
        for name, default in (("min_timestep", 0), ("max_timestep", 1000))
    ),
)
