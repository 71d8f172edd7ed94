"""A project of real files that is mended, and what stands in it byte for byte."""

from __future__ import annotations

import hashlib
import os
import stat
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from PIL import Image

from loratpl.dataset.inspect import Tier, inspect_tree
from loratpl.fix import FixOptions, FixPlan, FixResult, UndoneFixes, apply_fixes, fixing, plan_fixes, undo_fixes
from loratpl.project import ProjectPaths
from tests.given import settings_of

CONCEPT = "10_ohwx cat"
Snapshot = dict[str, tuple[object, ...]]


class Mended:
    """A project, and the commands on it."""

    def __init__(
        self, root_dir: Path, values: Mapping[str, Any] | None = None, options: FixOptions | None = None
    ) -> None:
        self.paths = ProjectPaths(root_dir.resolve())
        self.folder = self.paths.image_dir / CONCEPT
        self.folder.mkdir(parents=True, exist_ok=True)
        self.settings = settings_of(self.paths.root_dir, dict(values or {}))
        self.options = options or FixOptions()

    def plan(self, tier: Tier = "full") -> FixPlan:
        settings = self.settings
        image_dir = settings.path("train_data_dir") or self.paths.image_dir
        tree = inspect_tree(image_dir, settings.path("reg_data_dir"), tier=tier)
        return plan_fixes(self.paths, settings, tree, self.options)

    def fix(self, workers: int | None = None) -> FixResult:
        with fixing(self.paths):
            return apply_fixes(self.paths, self.plan(), workers=workers)

    def undo(self) -> UndoneFixes:
        with fixing(self.paths):
            return undo_fixes(self.paths)

    def names(self) -> list[str]:
        return sorted(path.name for path in self.folder.iterdir())

    def texts(self) -> list[str]:
        return [action.text for action in self.plan().actions]


def snapshot(root_dir: Path) -> Snapshot:
    """Returns all that stands below a folder but for what is hidden: kinds, content, times, modes."""
    found: Snapshot = {}
    for folder, inner, names in os.walk(root_dir):
        if ".kohyatpl" in inner:
            inner.remove(".kohyatpl")
        for name in (*inner, *names):
            path = Path(folder) / name
            status = path.lstat()
            what, mtime_ns = "folder", status.st_mtime_ns
            if stat.S_ISLNK(status.st_mode):
                what = str(path.readlink())
            elif stat.S_ISREG(status.st_mode):
                what = hashlib.sha256(path.read_bytes()).hexdigest()
            else:
                mtime_ns = 0
            found[str(path.relative_to(root_dir))] = (what, status.st_mode, mtime_ns)
    return found


def drawing(size: tuple[int, int] = (80, 60)) -> Image.Image:
    """Returns a picture that is the same from no other side: red from left to right, green from top to bottom."""
    red = Image.linear_gradient("L").rotate(90).resize(size)
    green = Image.linear_gradient("L").resize(size)
    return Image.merge("RGB", (red, green, Image.new("L", size, 40)))


def turned(orientation: int) -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = orientation
    exif[0x010F] = "Camera"
    return exif


def adobe_rgb() -> bytes:
    """Returns a colour profile of the primaries and the gamma of Adobe RGB (1998)."""
    primaries = {b"rXYZ": (0.60974, 0.31111, 0.01947), b"gXYZ": (0.20528, 0.62567, 0.06087),
                 b"bXYZ": (0.14919, 0.06322, 0.74457), b"wtpt": (0.9642, 1.0, 0.8249)}  # fmt: skip
    tags = {
        name: b"XYZ \0\0\0\0" + struct.pack(">3i", *(round(v * 65536) for v in xyz)) for name, xyz in primaries.items()
    }
    curve = b"curv\0\0\0\0" + struct.pack(">IH", 1, round(2.19921875 * 256)) + b"\0\0"
    tags |= {b"rTRC": curve, b"gTRC": curve, b"bTRC": curve}
    name = b"Adobe RGB (1998)\0"
    tags[b"desc"] = b"desc\0\0\0\0" + struct.pack(">I", len(name)) + name + bytes(79)
    tags[b"cprt"] = b"text\0\0\0\0none\0\0\0\0"
    offset = 128 + 4 + 12 * len(tags)
    table, data = struct.pack(">I", len(tags)), b""
    for tag, content in tags.items():
        padded = content + bytes(-len(content) % 4)
        table += struct.pack(">4sII", tag, offset + len(data), len(content))
        data += padded
    header = bytearray(128)
    header[0:4] = struct.pack(">I", offset + len(data))
    header[8:12] = b"\x02\x10\0\0"
    header[12:24] = b"mntrRGB XYZ "
    header[36:40] = b"acsp"
    header[68:80] = struct.pack(">3i", 0xF6D6, 0x10000, 0xD32D)
    return bytes(header) + table + data


def write_ailing(folder: Path) -> None:
    """Writes one file or more of everything that can be mended, and what belongs to them."""
    picture = drawing()
    _write_named(folder, picture)
    picture.convert("CMYK").save(folder / "print.jpg")
    (folder / "print.txt").write_bytes("a café".encode("cp1252"))
    steps = b"".join(struct.pack("<H", 1000 * number) for number in range(64))
    Image.frombytes("I;16", (64, 1), steps).resize((64, 64)).save(folder / "deep.png")
    clear = picture.convert("RGBA")
    clear.putalpha(Image.linear_gradient("L").resize(picture.size))
    clear.save(folder / "clear.png")
    picture.quantize(16).save(folder / "palette.png", transparency=3)
    picture.save(folder / "wide.png", icc_profile=adobe_rgb())
    picture.save(folder / "scan.tiff")
    picture.save(folder / "wrong.png", "JPEG")
    picture.save(folder / "stale.png")
    (folder / "stale_0100x0100_sd.npz").write_bytes(b"of another size")
    picture.save(folder / "healthy.png")
    (folder / "healthy.txt").write_text("nothing is wrong with it", encoding="utf-8")
    _set_times(folder)


def write_few(folder: Path) -> None:
    """Writes one file of each way in which files are changed, renamed, made and taken out."""
    _write_named(folder, drawing((24, 16)))
    _set_times(folder)


def _write_named(folder: Path, picture: Image.Image) -> None:
    picture.save(folder / "a turned.jpg", exif=turned(6))
    (folder / "a turned.txt").write_text("a cat on its side", encoding="utf-8")
    (folder / "a turned_0080x0060_sd.npz").write_bytes(b"of the picture as it lay")
    picture.save(folder / "case.Jpg", "JPEG")
    (folder / "case.TXT").write_text("a caption in capitals", encoding="utf-8")
    picture.save(folder / "twin.jpg")
    picture.save(folder / "twin.png")
    (folder / "twin.txt").write_bytes("\ufeff\n\nboth\u200b of them\n".encode())
    picture.save(folder / "shown.gif")
    (folder / "shown.txt").write_bytes(b"")
    (folder / "linked.jpg").symlink_to("a turned.jpg")
    (folder / "a turned.jpg").chmod(0o600)
    junk = folder.parent / "__MACOSX" / folder.name
    junk.mkdir(parents=True)
    (junk / "._a turned.jpg").write_bytes(b"\0\5\x16\7")


def _set_times(folder: Path) -> None:
    for number, path in enumerate(sorted(folder.iterdir())):
        time_ns = 10**18 + number * 10**9 + 7
        os.utime(path, ns=(time_ns, time_ns), follow_symlinks=False)
