"""What the trainer fetches from the Hugging Face hub: tokenizers, and models that are named owner/name.

Without a network it must be there already, or the trainer ends some twenty seconds after its start with a message
about a connection. With one, it is fetched, and nothing is said.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from loratpl.check.machine.hub_cache import (
    has_files,
    hub_cache_dir,
    is_cached,
    model_dir_name,
    offline_variable,
    transformers_cache_dir,
)
from loratpl.check.machine.variables import where_of
from loratpl.config.paths import exists, is_hub_id
from loratpl.config.settings import Settings
from loratpl.errors import Problem

_MODEL = "pretrained_model_name_or_path"
_BPE = (("vocab.json",), ("merges.txt",))


@dataclass(frozen=True, slots=True)
class Tokenizer:
    """One tokenizer that a training script loads by its name on the hub.

    Attributes:
        model_id: That name.
        files: What is needed of it; of each group one file will do.
        has_flat_folder: Whether a folder of its own in `tokenizer_cache_dir` will do.
        uses_dir_as_cache: Whether `tokenizer_cache_dir` takes the place of the hub's cache.
    """

    model_id: str
    files: tuple[tuple[str, ...], ...]
    has_flat_folder: bool = True
    uses_dir_as_cache: bool = False

    @property
    def flat_name(self) -> str:
        """The folder in `tokenizer_cache_dir`."""
        return self.model_id.replace("/", "_")

    @property
    def flat_files(self) -> tuple[tuple[str, ...], ...]:
        """What is needed in that folder: the same, without a sub-folder of the hub's."""
        return tuple(tuple(Path(name).name for name in group) for group in self.files)


_CLIP_L = Tokenizer("openai/clip-vit-large-patch14", _BPE)
_CLIP_G = Tokenizer("laion/CLIP-ViT-bigG-14-laion2B-39B-b160k", _BPE)
_T5 = Tokenizer("google/t5-v1_1-xxl", (("spiece.model", "tokenizer.json"),))
_SD2 = Tokenizer("stabilityai/stable-diffusion-2", (("tokenizer/vocab.json",), ("tokenizer/merges.txt",)))
# sd-scripts 48d368fa: the `strategy_*.py` of each script. HunyuanImage's text encoders ask the hub a second time,
# without the folder; Lumina hands the folder on as a cache; Anima has its tokenizers among its own files.
TOKENIZERS: Mapping[str, tuple[Tokenizer, ...]] = {
    "sd15": (_CLIP_L,),
    "sd2": (_SD2,),
    "sdxl": (_CLIP_L, _CLIP_G),
    "sd3": (_CLIP_L, _CLIP_G, _T5),
    "flux": (_CLIP_L, _T5),
    "chroma": (_CLIP_L, _T5),
    "lumina": (
        Tokenizer(
            "google/gemma-2-2b",
            (("tokenizer.json", "tokenizer.model"), ("tokenizer_config.json", "config.json")),
            has_flat_folder=False,
            uses_dir_as_cache=True,
        ),
    ),
    "hunyuan-image": (
        Tokenizer("Qwen/Qwen2.5-VL-7B-Instruct", _BPE, has_flat_folder=False),
        Tokenizer("google/byt5-small", (("tokenizer_config.json",),), has_flat_folder=False),
    ),
    "anima": (),
}


def hub_problems(
    settings: Settings, env: Mapping[str, str], packages: Collection[str] | None = None
) -> Iterator[Problem]:
    """Yields what would have to be fetched from the hub and cannot be.

    Args:
        settings: The run's.
        env: The environment variables that the trainer will get.
        packages: What its environment has, by normal names; None where that is not known.
    """
    yield from _broken_folder_problems(settings)
    absent = [tokenizer for tokenizer in TOKENIZERS[settings.family.name] if not _is_there(tokenizer, settings, env)]
    models = [option for option in (_MODEL, "vae") if _is_absent_model(settings, option, env)]
    variable = offline_variable(env)
    if variable is None:
        if absent or models:
            yield from _downloader_problems(settings, env, packages)
        return
    for tokenizer in absent:
        yield _offline_tokenizer(tokenizer, settings, env, variable)
    for option in models:
        yield Problem(
            "machine.offline",
            f"`{option}` is {settings[option]} of the Hugging Face hub, {variable} forbids the network, and the model "
            f"is not in the cache {hub_cache_dir(env)}.",
            settings.where(option),
            f"Train once without {variable}, name a file or folder of this machine, or copy the folder "
            f"{model_dir_name(settings[option])} into the cache.",
        )


def _is_there(tokenizer: Tokenizer, settings: Settings, env: Mapping[str, str]) -> bool:
    own = settings["tokenizer_cache_dir"]
    if own is not None and tokenizer.uses_dir_as_cache:
        return is_cached(Path(own), tokenizer.model_id, tokenizer.files)
    if own is not None and tokenizer.has_flat_folder and exists(Path(own) / tokenizer.flat_name):
        return True  # whether it is whole is judged apart
    return is_cached(transformers_cache_dir(env), tokenizer.model_id, tokenizer.files)


def _broken_folder_problems(settings: Settings) -> Iterator[Problem]:
    """A folder that is there is used, whatever it holds: the trainer does not go to the hub then."""
    own = settings["tokenizer_cache_dir"]
    for tokenizer in TOKENIZERS[settings.family.name] if own is not None else ():
        folder = Path(str(own)) / tokenizer.flat_name
        if tokenizer.has_flat_folder and exists(folder) and not has_files(folder, tokenizer.flat_files):
            wanted = " and ".join(" or ".join(group) for group in tokenizer.flat_files)
            yield Problem(
                "config.file.missing",
                f"tokenizer_cache_dir has the tokenizer's folder {folder.name}, but not its {wanted}: the trainer "
                "takes the folder as it is, and ends on it.",
                settings.where("tokenizer_cache_dir"),
                f'Remove "{folder}", and the trainer fetches the tokenizer again; or copy a whole one there.',
            )


def _is_absent_model(settings: Settings, option: str, env: Mapping[str, str]) -> bool:
    value = settings[option]
    if value is None or Path(value).is_absolute() or not is_hub_id(value):
        return False
    if option == _MODEL and not settings.family.takes_hub_id:
        return False  # refused as it is
    files = (("model_index.json",),) if option == _MODEL else (("config.json", "vae/config.json"),)
    return not is_cached(hub_cache_dir(env), value, files)


def _offline_tokenizer(tokenizer: Tokenizer, settings: Settings, env: Mapping[str, str], variable: str) -> Problem:
    own = settings["tokenizer_cache_dir"]
    is_own_cache = own is not None and tokenizer.uses_dir_as_cache
    cache = Path(own) if own is not None and is_own_cache else transformers_cache_dir(env)
    copy = f"copy {model_dir_name(tokenizer.model_id)} from the cache of another machine into it"
    if tokenizer.has_flat_folder:
        copy += f", or set `tokenizer_cache_dir` to a folder that has it as {tokenizer.flat_name}"
    return Problem(
        "machine.offline",
        f"The tokenizer {tokenizer.model_id} is not in the cache {cache}, and {variable} forbids the trainer to fetch "
        "it from the Hugging Face hub.",
        where_of(settings, variable),
        f"Train once without {variable}, and it stays in the cache; or {copy}.",
    )


def _downloader_problems(
    settings: Settings, env: Mapping[str, str], packages: Collection[str] | None
) -> Iterator[Problem]:
    name = "HF_HUB_ENABLE_HF_TRANSFER"
    if packages is None or "hf-transfer" in packages or offline_variable({"HF_HUB_OFFLINE": env.get(name, "")}) is None:
        return
    yield Problem(
        "trainer.package",
        f"{name} asks for downloads with the Python package hf_transfer, which is not in the trainer's environment: "
        "what the training has to fetch from the Hugging Face hub cannot be fetched.",
        where_of(settings, name),
        f"Take {name} away.",
    )
