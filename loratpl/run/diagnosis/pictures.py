"""Pictures, captions and caches that the trainer could not read, most of them because they changed meanwhile."""

from __future__ import annotations

import re

from loratpl.run.diagnosis.evidence import Case, Explanation, row
from loratpl.run.diagnosis.log import file_logged, paths_in

_PICTURE = re.compile(r"\.(?:png|jpe?g|webp|bmp|jxl|avif)$", re.IGNORECASE)
_CACHE = re.compile(r"(?:\.npz|_te\w*\.safetensors)$")
_NEVER_CACHED = 'Set `"cache_latents": true` to read each picture once alone.'
_REREAD = "Run `kohyatpl check`, put a sound file in its place, then train again."


def _named(case: Case, found: re.Match[str]) -> str | None:
    path = next(iter(paths_in(found.string)), None) or file_logged(case.log.logged)
    return case.name(path) if path else None


def _unreadable(case: Case, found: re.Match[str]) -> Explanation | None:
    name = _named(case, found)
    if name is None:
        return Explanation(
            "A picture cannot be read, and the trainer does not say which.", "Run `kohyatpl check`, which names it."
        )
    return Explanation(f"The picture {name} cannot be read: it is damaged, cut or no picture.", _REREAD)


def _cut(case: Case, found: re.Match[str]) -> Explanation | None:
    path = file_logged(case.log.logged)
    if path is None:
        return Explanation(f"A picture is damaged ({found.group(0)}).", "Run `kohyatpl check`, which names it.")
    return Explanation(f"The picture {case.name(path)} is damaged ({found.group(0)}).", _REREAD)


def _too_large(case: Case, found: re.Match[str]) -> Explanation | None:
    path = file_logged(case.log.logged)
    which = f"The picture {case.name(path)}" if path else "A picture"
    pixels = f"{int(found.group(1)):,}"
    return Explanation(
        f"{which} has {pixels} pixels, more than Pillow opens.",
        "Scale it down (`kohyatpl check` names it), then train again.",
    )


def _gone(case: Case, found: re.Match[str]) -> Explanation | None:
    path = next((path for path in paths_in(found.string) if _PICTURE.search(path)), None)
    if path is None:
        return None
    fix = "Put it back, and leave the pictures alone until the training has ended"
    also = "" if case.settings["cache_latents"] else f"; {_NEVER_CACHED[0].lower()}{_NEVER_CACHED[1:-1]}"
    return Explanation(f"The picture {case.name(path)} was removed while it was being trained.", f"{fix}{also}.")


def _cache_gone(case: Case, found: re.Match[str]) -> Explanation | None:
    path = next((path for path in paths_in(found.string) if _CACHE.search(path)), None)
    if path is None:
        return None
    return Explanation(
        f"The cache {case.name(path)} was removed while it was being trained on.",
        "Train again: the trainer makes it anew; leave the folder alone until the training has ended.",
    )


def _cache_damaged(case: Case, _found: re.Match[str]) -> Explanation | None:
    path = file_logged(case.log.logged)
    if path is None or not path.endswith((".npz", ".safetensors")):
        return None
    return Explanation(
        f"The cache {case.name(path)} is damaged.", "Delete that file and train again: the trainer makes it anew."
    )


def _caption_encoding(case: Case, _found: re.Match[str]) -> Explanation | None:
    path = file_logged(case.log.logged)
    if path is None or not path.endswith(case.settings.caption_extension):
        return None
    return Explanation(
        f"The caption {case.name(path)} is not UTF-8.", "Run `kohyatpl check --fix`, or save it as UTF-8."
    )


def _nothing(case: Case, _found: re.Match[str]) -> Explanation | None:
    folder = case.name(case.settings.path("train_data_dir"))
    return Explanation(
        f"The trainer found no picture in {folder}, and trained nothing.",
        "Run `kohyatpl check`: it says why; a concept folder is named by repeats and words, as `10_ohwx cat`.",
    )


def _nan(case: Case, found: re.Match[str]) -> Explanation | None:
    name = case.name(found.group(1).strip())
    steps = []
    if case.settings.family.name == "sdxl" and not case.settings["no_half_vae"]:
        steps.append('set `"no_half_vae": true`')
    if case.settings["mixed_precision"] == "fp16":
        steps.append('set `"mixed_precision": "bf16"`')
    steps.append(f"run `kohyatpl check` to see whether {name} is sound")
    first, rest = steps[0], steps[1:]
    return Explanation(
        f"The VAE made numbers that are none (NaN) of {name}.",
        f"{first[0].upper()}{first[1:]}{''.join(f'; if it comes back, {step}' for step in rest)}.",
    )


ROWS = (
    row(
        "run.latents.nan",
        r"NaN detected in latents: ([^\n]+)",
        _nan,
        "train_util.py checks what the VAE made; the VAE of SDXL overflows in fp16",
    ),
    row(
        "run.picture.missing",
        r"^FileNotFoundError: \[(?:Errno|WinError) 2\]",
        _gone,
        "Pillow opens each picture again in every epoch unless its latents are cached",
    ),
    row(
        "run.cache.missing",
        r"^FileNotFoundError: \[(?:Errno|WinError) 2\]",
        _cache_gone,
        "caches on the disk are opened again in every epoch",
    ),
    row(
        "run.cache.damaged",
        r"BadZipFile|zipfile|pickled data when allow_pickle=False|EOFError: No data left in file|zlib\.error",
        _cache_damaged,
        "numpy's reader of .npz; the trainer logs the file before it gives up",
    ),
    row(
        "run.picture.size",
        r"DecompressionBombError: Image size \((\d+) pixels\)",
        _too_large,
        "Pillow refuses twice its MAX_IMAGE_PIXELS",
    ),
    row(
        "run.picture.damaged",
        r"cannot identify image file",
        _unreadable,
        "Pillow's UnidentifiedImageError",
    ),
    row(
        "run.picture.damaged",
        r"image file is truncated[^\n]*|Truncated File Read|broken data stream when reading image file"
        r"|unrecognized data stream contents[^\n]*|broken PNG file[^\n]*|cannot decode image data[^\n]*",
        _cut,
        "Pillow's decoders; the trainer logs the file before it gives up",
    ),
    row(
        "run.picture.damaged",
        r"^cv2\.error: OpenCV\([^)]*\)[^\n]*(?:imread|imdecode|!ssize\.empty\(\)|!_src\.empty\(\))[^\n]*",
        _unreadable,
        "OpenCV was handed an empty picture",
    ),
    row(
        "run.caption.encoding",
        r"^UnicodeDecodeError: 'utf-8' codec can't decode",
        _caption_encoding,
        "train_util.py logs the caption before it gives up",
    ),
    row(
        "run.dataset.empty",
        r"No data found\. Please verify",
        _nothing,
        "the trainer logs it and ends as if all were well",
        "logged",
    ),
)
