"""Measures the look at picture files: against bare decoding, on one core and on all, again, and with 100,000 files.

`python -m tests.benchmarks.inspected_pictures [PICTURES] [ROUNDS]` draws its pictures first (some minutes for 2,000).
What is compared takes turns, so that a machine whose speed drifts shifts all alike; quote the ratios.
"""

from __future__ import annotations

import io
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from PIL import Image

from loratpl.dataset.inspect import Tier, inspect_tree
from loratpl.dataset.inspect.decode import jpeg_decoder
from loratpl.dataset.inspect.pool import in_threads, usable_cores

MANY_FILES = 100_000
_SIDES = (320, 1024)


def photograph(width_px: int, height_px: int, seed: int) -> Image.Image:
    """Returns a picture that codecs find about as hard as a photograph: soft shapes under noise."""
    numbers = random.Random(seed)
    size = (width_px // 32 + 2, height_px // 32 + 2)
    shapes = Image.frombytes("RGB", size, numbers.randbytes(size[0] * size[1] * 3))
    soft = shapes.resize((width_px, height_px), Image.Resampling.BICUBIC)
    return Image.blend(soft, Image.effect_noise((width_px, height_px), 20).convert("RGB"), 0.2)


def write_mixed(image_dir: Path, count: int) -> None:
    """Writes pictures of all formats and many sizes with a caption each: half JPEG, a third PNG, WebP, some BMP."""
    for number in range(count):
        folder = image_dir / f"{1 + number % 4}_concept {number % 4}"
        folder.mkdir(parents=True, exist_ok=True)
        numbers = random.Random(number)
        picture = photograph(numbers.randint(*_SIDES), numbers.randint(*_SIDES), number)
        kind = number % 10
        path = folder / f"{number}.{'jpg' if kind < 5 else 'png' if kind < 8 else 'webp' if kind < 9 else 'bmp'}"
        options: dict[str, Any] = (
            {"quality": 90, "progressive": kind == 0} if kind < 5 else {"compress_level": 3} if kind < 8 else {}
        )
        (picture.convert("RGBA") if kind == 7 else picture).save(path, **options)
        path.with_suffix(".txt").write_text(f"a photograph, number {number}\n", encoding="utf-8")


def decode(path: Path) -> int:
    """Reads and decodes one picture and does nothing else, by the codecs that the check uses."""
    data = path.read_bytes()
    decoder = jpeg_decoder()
    if path.suffix == ".jpg" and decoder is not None:
        decoder(data, "RGB", min_width=72, min_height=64, strict=True)
    else:
        Image.open(io.BytesIO(data)).load()
    return len(data)


def seconds_of(work: Callable[[], object]) -> float:
    """Returns how long some work takes."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def stat_all(image_dir: Path) -> int:
    """Lists and asks every file of a tree, captions too."""
    count = 0
    for folder in os.scandir(image_dir):
        for entry in os.scandir(folder.path):
            entry.stat()
            count += 1
    return count


def peak_megabytes(image_dir: Path, tier: Tier) -> float:
    """Returns the largest memory of a new process that looks at a tree, the interpreter's own included."""
    code = (
        "import resource, sys; from pathlib import Path; from loratpl.dataset.inspect import inspect_tree;"
        "tree = inspect_tree(Path(sys.argv[1]), None, tier=sys.argv[2], cache_path=Path(sys.argv[3]));"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)"
    )
    argv = [sys.executable, "-c", code, str(image_dir), tier, str(image_dir.parent / "many.json")]
    return float(subprocess.run(argv, capture_output=True, text=True, check=True).stdout)


def write_many(image_dir: Path, count: int) -> None:
    """Writes small pictures of one content, in folders of a thousand."""
    buffer = io.BytesIO()
    photograph(48, 48, 1).save(buffer, "PNG")
    for number in range(count):
        folder = image_dir / f"1_concept {number // 1000}"
        if number % 1000 == 0:
            folder.mkdir(parents=True)
        (folder / f"{number}.png").write_bytes(buffer.getvalue())


def main(count: int, rounds: int) -> None:
    """Prints the ratios."""
    cores = usable_cores()
    with tempfile.TemporaryDirectory() as name:
        image_dir, cache_path = Path(name) / "image_dir", Path(name) / "inspections.json"
        write_mixed(image_dir, count)
        paths = sorted(path for path in image_dir.glob("*/*") if path.suffix != ".txt")
        full, bare, alone = [], [], []
        for _ in range(rounds):
            bare.append(seconds_of(lambda: list(in_threads(decode, paths, cores))))
            full.append(seconds_of(lambda: inspect_tree(image_dir, None)))
            alone.append(seconds_of(lambda: inspect_tree(image_dir, None, workers=1)))
        headers = seconds_of(lambda: inspect_tree(image_dir, None, tier="headers"))
        inspect_tree(image_dir, None, cache_path=cache_path)
        time.sleep(0.1)
        inspect_tree(image_dir, None, cache_path=cache_path)  # the youngest files are kept from here on
        again, bare_stat = [], []
        for _ in range(max(rounds, 15)):
            bare_stat.append(seconds_of(lambda: stat_all(image_dir)))
            again.append(seconds_of(lambda: inspect_tree(image_dir, None, cache_path=cache_path)))
        speed = statistics.median(b / f for b, f in zip(bare, full, strict=True))
        scaling = statistics.median(a / f for a, f in zip(alone, full, strict=True))
        second = statistics.median(a / s for a, s in zip(again, bare_stat, strict=True))
        print(
            f"{count} pictures, {cores} cores, {count / statistics.median(full):.0f} a second; headers {headers:.2f} s"
        )
        print(f"speed of bare decoding reached: {speed:.3f}   speed on all cores to one: {scaling:.2f}")
        print(f"second run: {statistics.median(again) * 1000:.1f} ms, {second:.2f} times scandir and stat")
        many_dir = Path(name) / "many"
        write_many(many_dir, MANY_FILES)
        for run in ("first", "second"):
            print(f"{MANY_FILES} files, headers, {run} run: {peak_megabytes(many_dir, 'headers'):.0f} MB")
        bare_many, again_many = [], []
        cached = Path(name) / "many.json"
        for _ in range(5):
            bare_many.append(seconds_of(lambda: stat_all(many_dir)))
            again_many.append(seconds_of(lambda: inspect_tree(many_dir, None, tier="headers", cache_path=cached)))
        ratio = statistics.median(a / s for a, s in zip(again_many, bare_many, strict=True))
        print(
            f"{MANY_FILES} files, second run: {statistics.median(again_many):.2f} s, {ratio:.2f} times scandir and stat"
        )


if __name__ == "__main__":
    main(*(int(word) for word in (*sys.argv[1:3], *("2000", "5")[len(sys.argv) - 1 :])))
