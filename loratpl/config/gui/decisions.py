"""What the keys of the kohya_ss GUI mean together: each decision looks at a draft, and changes it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from loratpl.config.families import FAMILIES
from loratpl.config.gui.draft import Draft, Mapped
from loratpl.config.gui.keys import GUI_KEYS
from loratpl.config.gui.network import NETWORKS, UNTOUCHED, Network, items_of, network_of
from loratpl.config.gui.parameters import Refused, options_in
from loratpl.config.gui.rows_families import BOXES
from loratpl.config.gui.values import shown
from loratpl.config.options import nearest, number_of
from loratpl.trainer.manifest import BASE_SCRIPT, load_manifest

_RATES = ("text_encoder_lr", "unet_lr")
_OFFSET_KEYS = ("noise_offset", "noise_offset_random_strength", "adaptive_noise_scale")
_PYRAMID_KEYS = ("multires_noise_iterations", "multires_noise_discount")
_PROMPT_FILES = (".txt", ".toml", ".json")
_SAMPLE_KEYS = ("sample_every_n_steps", "sample_every_n_epochs")


def decide_family(draft: Draft) -> None:
    """Two boxes at once are an error; Chroma is a kind of FLUX to the GUI."""
    chosen = [key for key in BOXES if draft.value(key) is not None]
    for other in chosen[1:]:
        where = draft.written[chosen[0]].where
        draft.refuse(
            other,
            f"`{other}` is true, and so is `{chosen[0]}` ({where}): a model is of one family",
            "Set one of the two to false.",
            "config.gui.conflict",
        )
        draft.drop(other, f"`{chosen[0]}` says another family")
    if draft.family == "chroma" and draft.value("flux1_checkbox") is not None:
        draft.become("flux1_checkbox", "family", "chroma")


def decide_length(draft: Draft) -> None:
    """`epoch` counts only where nothing else says how long to train; the command line says it last."""
    if draft.value("epoch") is None:
        return
    for other in ("max_train_epochs", "max_train_steps"):
        if draft.value(other) is None:
            continue
        if draft.is_override("epoch") and not draft.is_override(other):
            draft.drop(other, "`--set epoch` wins over it")
            continue
        draft.drop("epoch", f"`{other}` wins over it, as in the trainer")
        # 1 is what the GUI writes when nobody touched the field.
        if other == "max_train_epochs" and number_of(draft.written["epoch"].value) not in (
            1,
            number_of(draft.written[other].value),
        ):
            epochs = draft.written[other].value
            reason = f"`epoch` has no effect: `max_train_epochs` is {epochs}, and wins over it"
            draft.warn("epoch", reason, "Take one of the two out.", "config.steps.ignored")
        return


def decide_cycles(draft: Draft) -> None:
    """An empty number of restarts is one an epoch."""
    key = "lr_scheduler_num_cycles"
    epochs = number_of(draft.value("epoch"))  # one that is no number of epochs is refused where it stands
    if key in draft.written and draft.written[key].is_unset and epochs is not None and epochs.is_integer():
        draft.become(key, key, int(epochs))


def decide_rates(draft: Draft) -> None:
    """The GUI's way to train one part alone is a rate of 0 for the other; 0 for both is no wish for nothing."""
    given = [key for key in _RATES if key in draft.written and draft.written[key].value is not None]
    off = [key for key in given if draft.value(key) is None]
    if draft.family == "hunyuan-image" and "text_encoder_lr" in draft.written:
        note = "HunyuanImage has no text encoder to train"
        draft.become("text_encoder_lr", "network_train_unet_only", value=True, note=note)
    elif len(off) == 1:
        what = "network_train_unet_only" if off == ["text_encoder_lr"] else "network_train_text_encoder_only"
        draft.become(off[0], what, value=True)
    elif len(off) == len(_RATES):
        entry = draft.written.get("learning_rate")
        if entry is None or entry.is_unset or number_of(entry.value) == 0:
            key = "unet_lr" if entry is None else "learning_rate"
            reason = "learning_rate, text_encoder_lr and unet_lr are all 0 or empty, so nothing would be learnt"
            fix = 'Set `"learning_rate": "1e-4"`, or the rates of the text encoder and the U-Net.'
            draft.refuse(key, reason, fix)
        for key in off:
            note = "both rates are 0 or empty: both parts train at `learning_rate`"
            draft.mapped[key] = Mapped(key, key, None, note)
    _decide_t5_rate(draft)


def _decide_t5_rate(draft: Draft) -> None:
    rate = draft.value("t5xxl_lr")
    if rate is None:
        return
    draft.drop("t5xxl_lr", "the last rate of `text_encoder_lr`")
    others = draft.value("text_encoder_lr")
    if others is None or draft.mapped["text_encoder_lr"].becomes != "text_encoder_lr":
        fix = "Set a rate for `text_encoder_lr` too, or `t5xxl_lr` to 0."
        draft.refuse("t5xxl_lr", "`t5xxl_lr` has a rate, but `text_encoder_lr` has none", fix)
    elif not isinstance(others, list):
        # SD3 has two encoders before T5.
        before = [others] * (2 if draft.family == "sd3" else 1)
        draft.become("text_encoder_lr", "text_encoder_lr", [*before, rate], "with `t5xxl_lr` as the last one")


def decide_warm_up(draft: Draft) -> None:
    """The trainer refuses a warm-up under `constant`; the GUI sent it, and the scheduler of its time ignored it."""
    if draft.is_second and draft.value("lr_warmup_steps") is not None and not draft.is_override("lr_warmup"):
        if "lr_warmup" in draft.written:
            draft.drop("lr_warmup", "`lr_warmup_steps` wins over it")
    elif draft.is_second and draft.value("lr_warmup") is not None and "lr_warmup_steps" in draft.written:
        draft.drop("lr_warmup_steps", "`lr_warmup` says it")
    scheduler = draft.value("lr_scheduler_type")
    note = f"the scheduler `{scheduler}` has no warm-up"
    if scheduler is None and draft.value("lr_scheduler") == "constant":
        note = "the scheduler `constant` has no warm-up"
    elif scheduler is None:
        return
    for key in ("lr_warmup", "lr_warmup_steps"):
        if draft.value(key) is not None and key in draft.written and (key == "lr_warmup" or draft.is_second):
            draft.drop(key, note)
            fix = "Set it to 0, or choose `constant_with_warmup` for `lr_scheduler`."
            draft.warn(key, f"`{key}` is left out: {note}", fix)


def decide_optimiser(draft: Draft) -> None:
    """`optimizer` replaced the box `use_8bit_adam`; a file that still ticks the box must mean the same by both."""
    chosen, ticked = draft.value("optimizer"), draft.value("use_8bit_adam")
    if chosen is None or "use_8bit_adam" not in draft.written:
        return
    if draft.is_override("use_8bit_adam") and not draft.is_override("optimizer"):
        if ticked is not None:
            draft.drop("optimizer", "`--set use_8bit_adam` wins over it")
        return
    if ticked is not None and str(chosen).lower() != str(ticked).lower() and not draft.is_override("optimizer"):
        reason = "`use_8bit_adam` and `optimizer` name different optimisers"
        draft.refuse("use_8bit_adam", reason, "Take one of the two out.", "config.gui.conflict")
    draft.drop("use_8bit_adam", "`optimizer` wins over it")


def decide_noise(draft: Draft) -> None:
    """The GUI sends one kind of noise, whatever the fields of the other hold."""
    kind = draft.raw("noise_offset_type")
    for chosen, other_keys in (("Original", _PYRAMID_KEYS), ("Multires", _OFFSET_KEYS)):
        for key in other_keys if kind == chosen else ():
            if key in draft.written and not draft.is_override(key):
                draft.drop(key, f"`noise_offset_type` is `{chosen}`")
    key = "adaptive_noise_scale"
    if draft.value(key) is not None and draft.value("noise_offset") is None:
        note = "it needs a `noise_offset`, which is 0 or empty"
        draft.drop(key, note)
        draft.warn(key, f"`{key}` is left out: {note}", "Set `noise_offset`, for example to 0.05, or this to 0.")


def decide_tracker(draft: Draft) -> None:
    """The GUI names the run at Weights & Biases after its output."""
    key = "wandb_run_name"
    if key in draft.written and draft.value(key) is None and draft.value("output_name") is not None:
        draft.become(key, key, draft.value("output_name"))
    if draft.value("use_wandb") is not None and draft.value("log_with") is not None:
        draft.drop("use_wandb", "`log_with` says it")


def decide_samples(draft: Draft) -> None:
    """The GUI's prompts are a text; the trainer reads a file, and fails at the first sample without one."""
    key = "sample_prompts"
    text = draft.value(key)
    if key not in draft.written or (text is not None and not is_prompts_text(text)):
        return
    asked = [other for other in _SAMPLE_KEYS if draft.value(other) is not None]
    if text is None:
        for other in asked:
            draft.drop(other, "there are no prompts to draw samples of")
            reason = f"`{other}` is left out: there are no prompts to draw samples of"
            draft.warn(other, reason, "Name a file of prompts in `sample_prompts`.")
    elif draft.prompts_file:
        draft.become(key, key, draft.prompts_file, "the prompts, in a file of their own")
    else:
        draft.drop(key, "the trainer wants a file, which `config import --out` writes")
        for other in asked:
            draft.drop(other, "the prompts are in no file")
        if asked:
            fix = "`kohyatpl config import FILE --out NEW.json` writes the prompts to a file and names it."
            draft.warn(key, "`sample_prompts` holds prompts, not a file of them, so no samples are drawn", fix)


def is_prompts_text(value: Any) -> bool:
    """Returns whether a value of `sample_prompts` is prompts, not the name of a file of them."""
    return isinstance(value, str) and ("\n" in value.strip() or not value.lower().endswith(_PROMPT_FILES))


def decide_network(draft: Draft) -> None:
    """The kind of network decides its module, and which keys go into `network_args`."""
    arguments = {key: draft.raw(key) for key in draft.mapped if key in GUI_KEYS and GUI_KEYS[key].argument}
    kind = draft.raw("LoRA_type")
    if kind is None:
        for key, value in arguments.items():
            draft.drop(key, "there is no `LoRA_type` that it could belong to")
            is_untouched = value in (None, False, UNTOUCHED.get(key)) or number_of(value) in (0, 1, -1)
            if not is_untouched:
                draft.warn(key, f"`{key}` is left out: the file has no `LoRA_type`", "Write it into `network_args`.")
        return
    network = _chosen_network(draft, kind)
    items = items_of(network, arguments)
    for key in arguments:
        if key in items:
            draft.become(key, "network_args", items[key])
        else:
            draft.drop(key, f"not sent: unset, or no part of `{kind}`")
    draft.items = [*items.values(), *network.fixed]
    note = f"`{'`, `'.join(network.fixed)}` in `network_args`" if network.fixed else GUI_KEYS["LoRA_type"].reason
    if network.module:
        draft.become("LoRA_type", "network_module", network.module, note)
    elif draft.family in ("sd15", "sd2", "sdxl"):
        draft.become("LoRA_type", "network_module", "networks.lora", note)
    else:
        draft.drop("LoRA_type", "the family's own module")


def _chosen_network(draft: Draft, kind: Any) -> Network:
    network = network_of(kind, draft.family) if isinstance(kind, str) else None
    if network is None:
        near = nearest(str(kind), NETWORKS) or ["Standard"]
        draft.refuse(
            "LoRA_type",
            f"`LoRA_type` is {shown(kind)}, which is no kind of network that the GUI has",
            f"Write `{near[0]}`, or another kind that the GUI offers.",
        )
        return NETWORKS["Standard"]
    if network.families and draft.family not in network.families:
        families = " or ".join(network.families)
        draft.refuse(
            "LoRA_type",
            f"`LoRA_type` is `{kind}`, a network for {families}; this config trains {draft.family}",
            f"Choose `Standard`, which is the family's own network, or the family {families}.",
            "config.gui.conflict",
        )
    elif network.instead:
        reason = f"the pinned trainer has no {network.module}, which `LoRA_type` `{kind}` stands for"
        draft.warn("LoRA_type", reason, network.instead, "config.gui.network")
    return network


def decide_parameters(draft: Draft) -> None:
    """`additional_parameters` is a piece of the trainer's command line, which wins over its config file."""
    key = "additional_parameters"
    text = draft.raw(key)
    if text is None:
        return
    script = FAMILIES[draft.family].script if draft.family in FAMILIES else BASE_SCRIPT
    for found in options_in(text, script, load_manifest()):
        if isinstance(found, Refused):
            draft.refuse(key, f"`{key}`: {found.reason}", found.fix)
        else:
            draft.added.append(Mapped(key, *found, "from the command line's tail"))
            for other, row in draft.mapped.items():
                if row.becomes == found[0] and not draft.is_override(other):
                    draft.drop(other, f"`{key}` wins over it, as on the trainer's command line")


# In this order: what is decided earlier is what the later ones look at.
FOR_A_FILE_OF_THE_GUI: tuple[Callable[[Draft], None], ...] = (
    decide_family,
    decide_optimiser,
    decide_noise,
    decide_network,
    decide_tracker,
    decide_cycles,
    decide_rates,
    decide_samples,
)
FOR_ANY_FILE: tuple[Callable[[Draft], None], ...] = (decide_length, decide_warm_up, decide_parameters)
