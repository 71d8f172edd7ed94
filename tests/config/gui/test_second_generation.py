"""A config of the GUI's second generation: what it means as a whole, and what is said of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from loratpl.config.gui.rows_families import BOXES
from loratpl.config.gui.translation import Mapped, Translation, translate
from loratpl.config.reading import RawConfig
from loratpl.config.setting import DEFAULT
from loratpl.config.settings import Settings
from loratpl.errors import Problem
from tests.config.gui.second_generation import SECOND_GENERATION
from tests.given import only, resolved

# What is wrong with a test's config for want of models, which is no matter here.
MODEL_CODES = ("config.model.", "config.vae.")


def gui(**changed: Any) -> dict[str, Any]:
    """Returns a config as the GUI writes it; what is ... is left out."""
    return {key: value for key, value in {**SECOND_GENERATION, **changed}.items() if value is not ...}


def meaning(folder: Path, overrides: Any = (), **changed: Any) -> tuple[Settings, list[Problem]]:
    """Returns what a config of the GUI means, and what is said of it but for missing models."""
    settings, problems = resolved(folder, gui(**changed), overrides)
    return settings, [problem for problem in problems if not problem.code.startswith(MODEL_CODES)]


def translated(**changed: Any) -> Translation:
    values = gui(**changed)
    return translate(RawConfig(Path("config.json"), values, {(key,): line for line, key in enumerate(values, 2)}))


def settled(folder: Path, **changed: Any) -> Settings:
    settings, problems = meaning(folder, **changed)
    assert problems == []
    return settings


def test_an_untouched_window_is_a_config(tmp_path: Path) -> None:
    settings = settled(tmp_path)
    expected = {
        "network_module": "networks.lora",
        "network_args": None,
        "optimizer_type": "AdamW8bit",
        "max_train_epochs": 1,
        "max_train_steps": None,
        "lr_warmup_steps": 0.1,
        "text_encoder_lr": [1e-4],
        "unet_lr": 1e-4,
        "resolution": "512,512",
        "max_bucket_reso": 2048,
        "seed": 0,
        "max_data_loader_n_workers": 0,
        "xformers": True,
        "sdpa": None,
        "max_grad_norm": 1.0,
        "discrete_flow_shift": None,
        "dataset_config": None,
    }
    assert {name: settings[name] for name in expected} == expected
    assert settings.family.name == "sd15"
    assert settings.block.launch.processes == 1


# --- the family


@pytest.mark.parametrize(("box", "family"), BOXES.items())
def test_a_box_is_the_family(tmp_path: Path, box: str, family: str) -> None:
    settings, problems = meaning(tmp_path, **{box: True})
    assert problems == []
    assert settings.family.name == family


def test_chroma_is_a_kind_of_flux(tmp_path: Path) -> None:
    settings, problems = meaning(
        tmp_path, flux1_checkbox=True, model_type="chroma", apply_t5_attn_mask=True, clip_l="/x/c.safetensors"
    )
    assert problems == []
    assert (settings.family.name, settings["model_type"], settings["clip_l"]) == ("chroma", "chroma", None)


def test_two_boxes_are_an_error_that_names_both(tmp_path: Path) -> None:
    problem = only(meaning(tmp_path, sdxl=True, flux1_checkbox=True)[1])
    assert (problem.code, problem.severity) == ("config.gui.conflict", "error")
    assert "`flux1_checkbox`" in problem.message
    assert "`sdxl`" in problem.message


def test_keys_of_other_families_do_not_count(tmp_path: Path) -> None:
    settings = settled(tmp_path, ae="/x/ae.sft", blocks_to_swap=8, guidance_scale=1.0, sdxl_no_half_vae=True)
    assert not {"ae", "blocks_to_swap", "guidance_scale", "no_half_vae"} & settings.options.keys()
    rows = {row.key: row for row in translated(ae="/x/ae.sft").mapping}
    assert rows["ae"] == Mapped("ae", None, None, "counts for flux, chroma; this config trains sd15")


def test_an_option_of_a_family_keeps_its_meaning_in_a_file_without_boxes(tmp_path: Path) -> None:
    values = {"max_resolution": "512", "family": "anima", "timestep_sampling": "sigmoid", "max_token_length": 150}
    settings = resolved(tmp_path, values)[0]
    assert settings["timestep_sampling"] == "sigmoid"
    assert settings["max_token_length"] == 150


def test_an_option_on_the_command_line_is_not_lost_to_a_box(tmp_path: Path) -> None:
    problem = only(meaning(tmp_path, (("ae", "/x/ae.sft"),))[1])
    assert (problem.code, "flux" in problem.message) == ("config.key.unknown", True)
    settings, _ = meaning(tmp_path, (("family", "flux"), ("ae", "/x/ae.sft")), sdxl=True)
    assert (settings.family.name, settings["ae"]) == ("flux", "/x/ae.sft")


@pytest.mark.parametrize(
    ("box", "changed", "expected"),
    [
        (
            "sdxl",
            {"sdxl_cache_text_encoder_outputs": True, "sdxl_no_half_vae": True},
            {"cache_text_encoder_outputs": True, "no_half_vae": True},
        ),
        (
            "flux1_checkbox",
            {"guidance_scale": 0, "discrete_flow_shift": 0, "t5xxl": "/x/t5.safetensors", "blocks_to_swap": 4},
            {"guidance_scale": 0.0, "discrete_flow_shift": 0.0, "t5xxl": "/x/t5.safetensors", "blocks_to_swap": 4},
        ),
        (
            "sd3_checkbox",
            {"sd3_clip_l": "/x/l.safetensors", "sd3_t5_dropout_rate": 0.1, "logit_mean": 0.5},
            {"clip_l": "/x/l.safetensors", "t5_dropout_rate": 0.1, "logit_mean": 0.5},
        ),
        (
            "hunyuan_image_checkbox",
            {"hunyuan_vae": "/x/v.safetensors", "vae": "/x/other.safetensors", "hunyuan_attn_mode": "torch"},
            {"vae": "/x/v.safetensors", "network_train_unet_only": True, "text_encoder_lr": None},
        ),
        (
            "anima_checkbox",
            {"anima_qwen3": "/x/q.safetensors", "anima_attn_mode": "flash", "clip_skip": 2},
            {"qwen3": "/x/q.safetensors", "attn_mode": "flash", "clip_skip": None},
        ),
        (
            "lumina_checkbox",
            {"lumina_gemma2": "/x/g.safetensors", "lumina_system_prompt": "draw"},
            {"gemma2": "/x/g.safetensors", "system_prompt": "draw", "discrete_flow_shift": 6.0},
        ),
    ],
)
def test_a_familys_part_of_the_window_becomes_its_options(
    tmp_path: Path, box: str, changed: dict[str, Any], expected: dict[str, Any]
) -> None:
    settings, problems = meaning(tmp_path, **{box: True}, **changed)
    assert problems == []
    assert {name: settings[name] for name in expected} == expected


# --- the network


@pytest.mark.parametrize(
    ("changed", "module", "arguments"),
    [
        ({"LoRA_type": "Kohya LoCon", "conv_dim": 8, "conv_alpha": 4}, "networks.lora", {"conv_dim=8", "conv_alpha=4"}),
        ({"LoRA_type": "Standard", "conv_dim": 8, "rank_dropout": 0.1}, "networks.lora", {"rank_dropout=0.1"}),
        ({"LoRA_type": "LoRA-FA", "block_dims": "2,2"}, "networks.lora_fa", {"block_dims=2,2"}),
        (
            {"LoRA_type": "Kohya DyLoRA", "unit": 4},
            "networks.dylora",
            {"conv_dim=1", "conv_alpha=1", "unit=4"},
        ),
        (
            {"LoRA_type": "LyCORIS/iA3", "train_on_input": True},
            "lycoris.kohya",
            {"preset=full", "conv_dim=1", "conv_alpha=1", "train_on_input=True", "algo=ia3"},
        ),
        (
            {"LoRA_type": "LyCORIS/DyLoRA", "unit": 4, "LyCORIS_preset": "C:/my presets/a.toml"},
            "lycoris.kohya",
            {
                "preset=C:/my presets/a.toml", "conv_dim=1", "conv_alpha=1", "use_tucker=False", "block_size=4",
                "rank_dropout=0", "module_dropout=0.0", "algo=dylora", "train_norm=False",
            },
        ),
        (
            {"LoRA_type": "LyCORIS/Diag-OFT", "constrain": 0.5},
            "lycoris.kohya",
            {
                "preset=full", "conv_dim=1", "conv_alpha=1", "module_dropout=0.0", "use_tucker=False",
                "rank_dropout=0", "rank_dropout_scale=False", "constraint=0.5", "rescaled=False", "algo=diag-oft",
                "train_norm=False",
            },
        ),
        (
            {"LoRA_type": "Flux1", "flux1_checkbox": True, "train_blocks": "single", "split_qkv": True},
            "networks.lora_flux",
            {
                "train_double_block_indices=all", "train_single_block_indices=all", "train_blocks=single",
                "split_qkv=True",
            },
        ),
        (
            {"LoRA_type": "Flux1", "flux1_checkbox": True, "train_lora_ggpo": True, "loraplus_unet_lr_ratio": 4},
            "networks.lora_flux",
            {
                "train_double_block_indices=all", "train_single_block_indices=all", "ggpo_sigma=0.03",
                "ggpo_beta=0.01", "loraplus_unet_lr_ratio=4",
            },
        ),
        ({"LoRA_type": "Standard", "sd3_checkbox": True}, "networks.lora_sd3", set()),
        ({"LoRA_type": "Lumina", "lumina_checkbox": True}, "networks.lora_lumina", set()),
        ({"LoRA_type": "LoCon"}, "lycoris.kohya", None),
    ],
)  # fmt: skip
def test_the_kind_of_network_is_a_module_and_its_arguments(
    tmp_path: Path, changed: dict[str, Any], module: str, arguments: set[str] | None
) -> None:
    settings, problems = meaning(tmp_path, **changed)
    assert problems == []
    assert settings["network_module"] == module
    if arguments is not None:
        assert set(settings["network_args"] or ()) == arguments


def test_a_native_network_that_the_trainer_lacks_is_named_with_what_to_use(tmp_path: Path) -> None:
    settings, problems = meaning(tmp_path, sdxl=True, LoRA_type="Kohya LoKr", factor=4)
    problem = only(problems)
    assert (problem.code, problem.severity) == ("config.gui.network", "warning")
    assert "LyCORIS/LoKr" in problem.fix
    assert settings["network_args"] == ["factor=4"]  # and no conv_dim that nobody chose


@pytest.mark.parametrize(
    ("changed", "code", "named"),
    [
        ({"LoRA_type": "Flux1"}, "config.gui.conflict", "flux"),
        ({"LoRA_type": "LoRA-FA", "anima_checkbox": True}, "config.gui.conflict", "anima"),
        ({"LoRA_type": "Kohya LoConn"}, "config.value", "Kohya LoCon"),
        ({"LoRA_type": 3}, "config.value", "`LoRA_type` is 3"),
    ],
)
def test_a_kind_that_is_none_or_of_another_family_is_an_error(
    tmp_path: Path, changed: dict[str, Any], code: str, named: str
) -> None:
    problem = only(meaning(tmp_path, **changed)[1])
    assert (problem.code, problem.severity) == (code, "error")
    assert named in problem.message + problem.fix


def test_arguments_without_a_kind_are_named(tmp_path: Path) -> None:
    settings, problems = meaning(tmp_path, LoRA_type=..., conv_dim=8, use_tucker=True)
    assert sorted(problem.where.partition(": ")[2] for problem in problems) == [
        "conv_dim",
        "use_tucker",
    ]
    assert {problem.code for problem in problems} == {"config.gui.dropped"}
    assert settings["network_args"] is None


def test_network_args_of_the_file_come_last_and_win(tmp_path: Path) -> None:
    own = {"LoRA_type": "Kohya LoCon", "network_args": ["conv_dim=2", "verbose=True"]}
    settings, problems = meaning(tmp_path, **own)
    assert problems == []
    assert settings["network_args"] == ["conv_alpha=1", "conv_dim=2", "verbose=True"]
    settings, _ = meaning(tmp_path, (("network_args", "conv_dim=3"),), **own)
    assert settings["network_args"] == ["conv_dim=3"]


# --- rates, noise, length


@pytest.mark.parametrize(
    ("box", "rates"), [("flux1_checkbox", [1e-4, 1e-5]), ("sd3_checkbox", [1e-4, 1e-4, 1e-5]), ("sdxl", [1e-4])]
)
def test_the_rate_of_t5_is_the_last_of_the_encoders(tmp_path: Path, box: str, rates: list[float]) -> None:
    settings, problems = meaning(tmp_path, **{box: True}, t5xxl_lr=1e-5)
    assert problems == []
    assert settings["text_encoder_lr"] == rates


def test_a_rate_for_t5_alone_is_refused(tmp_path: Path) -> None:
    problem = only(meaning(tmp_path, flux1_checkbox=True, t5xxl_lr=1e-5, text_encoder_lr=0)[1])
    assert (problem.code, problem.where.partition(": ")[2]) == ("config.value", "t5xxl_lr")


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("Original", {"noise_offset": 0.05, "adaptive_noise_scale": 0.01, "multires_noise_iterations": None}),
        ("Multires", {"noise_offset": None, "adaptive_noise_scale": None, "multires_noise_iterations": 6}),
        (..., {"noise_offset": 0.05, "adaptive_noise_scale": 0.01, "multires_noise_iterations": 6}),
    ],
)
def test_one_kind_of_noise_counts(tmp_path: Path, kind: Any, expected: dict[str, Any]) -> None:
    noise = {"noise_offset": 0.05, "adaptive_noise_scale": 0.01, "multires_noise_iterations": 6}
    settings = settled(tmp_path, noise_offset_type=kind, **noise)
    assert {name: settings[name] for name in expected} == expected


def test_a_scale_without_an_offset_is_left_out_with_a_warning(tmp_path: Path) -> None:
    settings, problems = meaning(tmp_path, adaptive_noise_scale=0.01)
    assert settings["adaptive_noise_scale"] is None
    assert only(problems).code == "config.gui.dropped"


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({"max_grad_norm": 0}, {"max_grad_norm": 0.0}),
        ({"prior_loss_weight": 0}, {"prior_loss_weight": 0.0}),
        ({"noise_offset_type": "Multires", "multires_noise_discount": 0}, {"multires_noise_discount": 0.0}),
        ({"lr_scheduler_power": 0}, {"lr_scheduler_power": 0.0}),
        ({"network_alpha": 0}, {"network_alpha": 0.0}),
        ({"save_every_n_epochs": 0}, {"save_every_n_epochs": None}),
        ({"max_train_steps": 0, "epoch": 4}, {"max_train_epochs": 4, "max_train_steps": None}),
        ({"max_train_steps": ..., "epoch": 4}, {"max_train_epochs": 4, "max_train_steps": None}),
        ({"max_train_steps": 800, "epoch": 4}, {"max_train_epochs": None, "max_train_steps": 800}),
        ({"lr_warmup_steps": 50}, {"lr_warmup_steps": 50}),
        ({"lr_warmup_steps": 0, "lr_warmup": 5}, {"lr_warmup_steps": 0.05}),
        ({"lr_warmup_steps": 0, "lr_warmup": 0}, {"lr_warmup_steps": None}),
    ],
)
def test_zeros_and_lengths_mean_what_was_meant(
    tmp_path: Path, changed: dict[str, Any], expected: dict[str, Any]
) -> None:
    settings = settled(tmp_path, **changed)
    assert {name: settings[name] for name in expected} == expected


@pytest.mark.parametrize("changed", [{"lr_warmup": 10}, {"lr_warmup_steps": 20, "lr_warmup": 0}])
@pytest.mark.parametrize("scheduler", [{"lr_scheduler": "constant"}, {"lr_scheduler_type": "CosineAnnealingLR"}])
def test_a_warm_up_that_the_trainer_refuses_is_left_out(
    tmp_path: Path, changed: dict[str, Any], scheduler: dict[str, Any]
) -> None:
    settings, problems = meaning(tmp_path, **changed, **scheduler)
    assert settings["lr_warmup_steps"] is None
    assert only(problems).code == "config.gui.dropped"


def test_the_optimiser_wins_over_the_box_that_it_replaced(tmp_path: Path) -> None:
    assert settled(tmp_path, optimizer="adamw8bit", use_8bit_adam=True)["optimizer_type"] == "adamw8bit"
    assert settled(tmp_path, optimizer="Lion", use_8bit_adam=False)["optimizer_type"] == "Lion"
    settings, problems = meaning(tmp_path, (("optimizer", "Lion"),), optimizer="AdamW", use_8bit_adam=True)
    assert (settings["optimizer_type"], problems) == ("Lion", [])
    problem = only(meaning(tmp_path, optimizer="Lion", use_8bit_adam=True)[1])
    assert (problem.code, problem.severity) == ("config.gui.conflict", "error")
    assert settled(tmp_path, optimizer=..., use_8bit_adam=True)["optimizer_type"] == "AdamW8bit"
    setting = settled(tmp_path, optimizer=...).options["optimizer_type"]
    assert (setting.value, setting.source) == ("AdamW", DEFAULT)
    settings, problems = meaning(tmp_path, (("use_8bit_adam", True),), optimizer="Lion")
    assert (settings["optimizer_type"], problems) == ("AdamW8bit", [])


@pytest.mark.parametrize(
    ("value", "xformers", "sdpa"), [("none", None, False), ("sdpa", None, True), (False, None, True)]
)
def test_attention_is_what_the_list_says(tmp_path: Path, value: Any, xformers: Any, sdpa: bool) -> None:
    settings = settled(tmp_path, xformers=value)
    assert (settings["xformers"], settings["sdpa"]) == (xformers, sdpa)


# --- samples, trackers, launching


def test_prompts_that_are_no_file_draw_no_samples_and_say_so(tmp_path: Path) -> None:
    settings, problems = meaning(tmp_path, sample_prompts="a cat\na dog", sample_every_n_epochs=1)
    assert not {"sample_prompts", "sample_every_n_epochs"} & settings.options.keys()
    assert "config import" in only(problems).fix
    assert meaning(tmp_path, sample_prompts="a cat")[1] == []


def test_samples_without_prompts_are_left_out(tmp_path: Path) -> None:
    settings, problems = meaning(tmp_path, sample_every_n_steps=100)
    assert settings["sample_every_n_steps"] is None
    assert only(problems).where.endswith(": sample_every_n_steps")


def test_a_file_of_prompts_is_one(tmp_path: Path) -> None:
    settings = settled(tmp_path, sample_prompts="prompts.txt", sample_every_n_steps=100)
    assert (settings["sample_prompts"], settings["sample_every_n_steps"]) == (str(tmp_path / "prompts.txt"), 100)


def test_the_run_at_the_tracker_has_the_outputs_name(tmp_path: Path) -> None:
    assert settled(tmp_path, output_name="cats")["wandb_run_name"] == "cats"
    assert settled(tmp_path, output_name="cats", wandb_run_name="dogs")["wandb_run_name"] == "dogs"
    assert settled(tmp_path, log_with="all", use_wandb=True)["log_with"] == "all"
    assert settled(tmp_path, use_wandb="True")["log_with"] == "wandb"


def test_what_accelerate_was_told_becomes_ours(tmp_path: Path) -> None:
    settings, problems = meaning(
        tmp_path,
        num_processes=2,
        multi_gpu=True,
        gpu_ids="0, 1",
        num_cpu_threads_per_process=4,
        main_process_port=29501,
    )
    assert problems == []
    assert (settings.block.launch.processes, settings.block.launch.threads) == (2, 4)
    assert settings.block.env == {"CUDA_VISIBLE_DEVICES": "0,1"}


def test_what_accelerate_was_told_may_stand_beside_our_own_block(tmp_path: Path) -> None:
    block = {"launch": {"threads": 2}, "env": {"A": "b"}}
    settings = settled(tmp_path, num_processes=2, gpu_ids="1", kohyatpl=block)
    assert settings.block.env == {"A": "b", "CUDA_VISIBLE_DEVICES": "1"}
    assert settings.block.launch.processes == 2
    problem = only(meaning(tmp_path, num_processes=2, kohyatpl={"launch": {"processes": 4}})[1])
    assert problem.code == "config.gui.conflict"


@pytest.mark.parametrize(
    "changed",
    [
        {"extra_accelerate_launch_args": "--same_network"},
        {"dynamo_mode": "max-autotune"},
        {"num_machines": 2},
        {"lowvram": True},
        {"train_inpainting": True},
        {"conv_dims": "2,2"},
        {"sdxl_min_timestep": 100},
        {"flux1_checkbox": True, "single_blocks_to_swap": 4},
        {"flux1_checkbox": True, "mem_eff_save": True},
        {"anima_checkbox": True, "anima_compile": True},
        {"anima_checkbox": True, "show_timesteps": "image"},
    ],
)
def test_what_has_no_counterpart_is_a_warning_with_what_to_use(tmp_path: Path, changed: dict[str, Any]) -> None:
    problem = only(meaning(tmp_path, **changed)[1])
    assert (problem.code, problem.severity) == ("config.gui.dropped", "warning")
    assert problem.where.endswith(f": {list(changed)[-1]}")
    assert problem.fix


def test_another_kind_of_training_and_unused_state_are_dropped(tmp_path: Path) -> None:
    settled(tmp_path, leco_prompts="x", save_as_bool=True, multi_gpu=True, show_timesteps_resolution="512")
    problem = only(meaning(tmp_path, leko_prompts="x")[1])
    assert problem.code == "config.key.unknown"


# --- additional_parameters


def test_the_tail_of_the_command_line_becomes_options_and_wins(tmp_path: Path) -> None:
    tail = (
        '--max_grad_norm=0 --lowram --optimizer_args "betas=(0.9,0.99)" weight_decay=0.1 '
        '--training_comment "two words" --min-bucket-reso 128'
    )
    settings, problems = meaning(tmp_path, additional_parameters=tail, optimizer_args="weight_decay=0.5")
    assert problems == []
    assert settings["max_grad_norm"] == 0.0
    assert settings["lowram"] is True
    assert settings["optimizer_args"] == ["betas=(0.9,0.99)", "weight_decay=0.1"]
    assert settings["training_comment"] == "two words"
    assert settings["min_bucket_reso"] == 128
    assert settings.options["max_grad_norm"].where.endswith(": additional_parameters")
    rows = translated(additional_parameters=tail).mapping
    assert (
        Mapped("max_grad_norm", None, None, "`additional_parameters` wins over it, as on the trainer's command line")
        in rows
    )
    assert [row.becomes for row in rows if row.key == "additional_parameters"] == [
        None,
        "max_grad_norm",
        "lowram",
        "optimizer_args",
        "training_comment",
        "min_bucket_reso",
    ]  # fmt: skip


def test_our_own_command_line_wins_over_the_tail(tmp_path: Path) -> None:
    settings, _ = meaning(tmp_path, (("max_grad_norm", 2),), additional_parameters="--max_grad_norm=0")
    assert settings["max_grad_norm"] == 2.0


@pytest.mark.parametrize(
    ("tail", "code", "named"),
    [
        ("--max_grad_nrom=0", "config.key.unknown", "max_grad_norm"),
        ("--bogus_switch 1 2", "config.key.unknown", "bogus_switch"),
        ("stray --lowram", "config.value", "stray"),
        ("--lowram=yes", "config.value", "no value"),
        ("--max_grad_norm", "config.value", "one value"),
        ('--training_comment "open', "config.value", "taken apart"),
        ("--max_grad_norm=much", "config.value", "a number"),
        ("--dataset_config=a.toml", "config.key.reserved", "dataset_config"),
        (5, "config.value", "no text"),
    ],
)
def test_a_tail_that_is_none_is_refused(tmp_path: Path, tail: Any, code: str, named: str) -> None:
    problem = only(meaning(tmp_path, additional_parameters=tail)[1])
    assert (problem.code, problem.severity) == (code, "error")
    assert problem.where.endswith(": additional_parameters")
    assert named in problem.message


# --- the whole


def test_every_key_has_a_row_in_the_mapping() -> None:
    assert [row.key for row in translated().mapping] == list(gui())


def test_nothing_of_the_gui_is_left_in_the_options(tmp_path: Path) -> None:
    settings = settled(tmp_path)
    assert not {"LoRA_type", "optimizer", "noise_offset_type", "epoch", "sdxl"} & settings.options.keys()


def test_null_is_as_good_as_left_out(tmp_path: Path) -> None:
    settings, problems = resolved(
        tmp_path, {**dict.fromkeys(SECOND_GENERATION), "pretrained_model_name_or_path": "model.safetensors"}
    )
    assert problems == ()
    assert {
        setting.source for name, setting in settings.options.items() if name != "pretrained_model_name_or_path"
    } == {DEFAULT}
