"""The optimisers and schedulers that the trainer's environment has, and the arguments that each takes.

Data: what `inspect.signature` says of the pinned environment's classes, less what the trainer passes itself.
tests/trainer/test_optimizer_table.py compares it with the installed environment.
"""

from __future__ import annotations

_TORCH_FLAGS = "foreach maximize differentiable"
_ADAM = f"betas eps weight_decay amsgrad capturable fused {_TORCH_FLAGS}"
_BNB_8BIT = "args min_8bit_size percentile_clipping block_wise"
_BNB_ADAM = f"betas eps weight_decay amsgrad optim_bits {_BNB_8BIT}"
_BNB_ADEMAMIX = "betas alpha t_alpha t_beta3 eps weight_decay min_8bit_size"
_BNB_LION = f"betas weight_decay {_BNB_8BIT}"
_BNB_SGD = f"momentum dampening weight_decay nesterov {_BNB_8BIT}"
_SF = "weight_decay r weight_lr_power foreach"
_PRODIGY = "betas beta3 eps weight_decay use_bias_correction d0 d_coef"

# Module and class → the names of its arguments.
OPTIMIZER_ARGUMENTS: dict[str, frozenset[str]] = {
    path: frozenset(names.split())
    for path, names in {
        "torch.optim.ASGD": f"lambd alpha t0 weight_decay capturable {_TORCH_FLAGS}",
        "torch.optim.Adadelta": f"rho eps weight_decay capturable {_TORCH_FLAGS}",
        "torch.optim.Adafactor": "beta2_decay eps d weight_decay foreach maximize",
        "torch.optim.Adagrad": f"lr_decay weight_decay initial_accumulator_value eps fused {_TORCH_FLAGS}",
        "torch.optim.Adam": f"{_ADAM} decoupled_weight_decay",
        "torch.optim.AdamW": _ADAM,
        "torch.optim.Adamax": f"betas eps weight_decay capturable {_TORCH_FLAGS}",
        "torch.optim.Muon": "weight_decay momentum nesterov ns_coefficients eps ns_steps adjust_lr_fn",
        "torch.optim.NAdam": f"betas eps weight_decay momentum_decay decoupled_weight_decay capturable {_TORCH_FLAGS}",
        "torch.optim.RAdam": f"betas eps weight_decay decoupled_weight_decay capturable {_TORCH_FLAGS}",
        "torch.optim.RMSprop": f"alpha eps weight_decay momentum centered capturable {_TORCH_FLAGS}",
        "torch.optim.Rprop": f"etas step_sizes capturable {_TORCH_FLAGS}",
        "torch.optim.SGD": f"momentum dampening weight_decay nesterov fused {_TORCH_FLAGS}",
        "bitsandbytes.optim.AdEMAMix": f"{_BNB_ADEMAMIX} optim_bits is_paged",
        "bitsandbytes.optim.AdEMAMix8bit": f"{_BNB_ADEMAMIX} is_paged",
        "bitsandbytes.optim.AdamW": f"{_BNB_ADAM} is_paged",
        "bitsandbytes.optim.AdamW8bit": f"{_BNB_ADAM} is_paged",
        "bitsandbytes.optim.Adam8bit": f"{_BNB_ADAM} is_paged",
        "bitsandbytes.optim.Lion": f"{_BNB_LION} optim_bits is_paged",
        "bitsandbytes.optim.Lion8bit": f"{_BNB_LION} is_paged",
        "bitsandbytes.optim.PagedAdEMAMix8bit": _BNB_ADEMAMIX,
        "bitsandbytes.optim.PagedAdamW": _BNB_ADAM,
        "bitsandbytes.optim.PagedAdamW32bit": _BNB_ADAM,
        "bitsandbytes.optim.PagedAdamW8bit": _BNB_ADAM,
        "bitsandbytes.optim.PagedLion8bit": _BNB_LION,
        "bitsandbytes.optim.SGD8bit": _BNB_SGD,
        "lion_pytorch.Lion": "betas weight_decay use_triton decoupled_weight_decay",
        "prodigyopt.Prodigy": f"{_PRODIGY} decouple safeguard_warmup growth_rate fsdp_in_use slice_p",
        "prodigyplus.ProdigyPlusScheduleFree": (
            f"{_PRODIGY} weight_decay_by_lr prodigy_steps use_speed split_groups split_groups_mean factored "
            "factored_fp32 fused_back_pass use_stableadamw use_muon_pp use_cautious use_grams use_adopt "
            "use_orthograd use_focus stochastic_rounding"
        ),
        "schedulefree.AdamWScheduleFree": f"betas eps warmup_steps {_SF}",
        "schedulefree.RAdamScheduleFree": f"betas eps silent_sgd_phase {_SF}",
        "schedulefree.SGDScheduleFree": f"momentum warmup_steps {_SF}",
        "transformers.optimization.Adafactor": (
            "eps clip_threshold decay_rate beta1 weight_decay scale_parameter relative_step warmup_init"
        ),
    }.items()
}

# What the trainer makes of a name, whatever its case (`get_optimizer`). dadaptation is not in the environment.
SPOKEN_OPTIMIZERS = {
    "AdamW": "torch.optim.AdamW",
    "AdamW8bit": "bitsandbytes.optim.AdamW8bit",
    "Adafactor": "transformers.optimization.Adafactor",
    "Lion": "lion_pytorch.Lion",
    "Lion8bit": "bitsandbytes.optim.Lion8bit",
    "PagedAdamW": "bitsandbytes.optim.PagedAdamW",
    "PagedAdamW8bit": "bitsandbytes.optim.PagedAdamW8bit",
    "PagedAdamW32bit": "bitsandbytes.optim.PagedAdamW32bit",
    "PagedLion8bit": "bitsandbytes.optim.PagedLion8bit",
    "Prodigy": "prodigyopt.Prodigy",
    "SGDNesterov": "torch.optim.SGD",
    "SGDNesterov8bit": "bitsandbytes.optim.SGD8bit",
    "AdamWScheduleFree": "schedulefree.AdamWScheduleFree",
    "RAdamScheduleFree": "schedulefree.RAdamScheduleFree",
    "SGDScheduleFree": "schedulefree.SGDScheduleFree",
    "DAdaptation": "dadaptation.experimental.DAdaptAdamPreprint",
    "DAdaptAdamPreprint": "dadaptation.experimental.DAdaptAdamPreprint",
    "DAdaptAdaGrad": "dadaptation.DAdaptAdaGrad",
    "DAdaptAdam": "dadaptation.DAdaptAdam",
    "DAdaptAdan": "dadaptation.DAdaptAdan",
    "DAdaptAdanIP": "dadaptation.experimental.DAdaptAdanIP",
    "DAdaptLion": "dadaptation.DAdaptLion",
    "DAdaptSGD": "dadaptation.DAdaptSGD",
}
# torch's own that no step of the trainer can be made with: one wants a closure, one sparse gradients.
UNFIT_OPTIMIZERS = frozenset({"torch.optim.LBFGS", "torch.optim.SparseAdam"})

# `lr_scheduler` → the names of its arguments.
SCHEDULER_ARGUMENTS: dict[str, frozenset[str]] = {
    name: frozenset(names.split())
    for name, names in {
        "constant": "last_epoch",
        "constant_with_warmup": "last_epoch",
        "linear": "last_epoch",
        "cosine": "num_cycles last_epoch",
        "cosine_with_restarts": "last_epoch",
        "polynomial": "lr_end last_epoch",
        "inverse_sqrt": "last_epoch",
        "cosine_with_min_lr": "last_epoch min_lr",
        "warmup_stable_decay": "num_training_steps warmup_type decay_type last_epoch",
        "piecewise_constant": "step_rules last_epoch",
    }.items()
}
# The trainer calls these with arguments that they do not take.
UNFIT_SCHEDULERS = frozenset({"reduce_lr_on_plateau", "cosine_warmup_with_min_lr"})
# `lr_scheduler_type`: a class of torch.optim.lr_scheduler.
SCHEDULER_CLASS_ARGUMENTS: dict[str, frozenset[str]] = {
    name: frozenset(names.split())
    for name, names in {
        "ConstantLR": "factor total_iters last_epoch",
        "CosineAnnealingLR": "T_max eta_min last_epoch",
        "CosineAnnealingWarmRestarts": "T_0 T_mult eta_min last_epoch",
        "CyclicLR": (
            "base_lr max_lr step_size_up step_size_down mode gamma scale_fn scale_mode cycle_momentum base_momentum "
            "max_momentum last_epoch"
        ),
        "ExponentialLR": "gamma last_epoch",
        "LinearLR": "start_factor end_factor total_iters last_epoch",
        "MultiStepLR": "milestones gamma last_epoch",
        "OneCycleLR": (
            "max_lr total_steps epochs steps_per_epoch pct_start anneal_strategy cycle_momentum base_momentum "
            "max_momentum div_factor final_div_factor three_phase last_epoch"
        ),
        "PolynomialLR": "total_iters power last_epoch",
        "StepLR": "step_size gamma last_epoch",
    }.items()
}
