"""Random captions under random names, read by us and by the pinned trainer's own dataset class: the same texts."""

from __future__ import annotations

import json
import random
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from loratpl.dataset.captions import CaptionSettings, ConceptCaptions, Origin, read_concept
from loratpl.dataset.scan import Concept, Picture
from loratpl.resources import INSIDE_DIR
from loratpl.trainer.status import TrainerStatus
from tests.stand_in import oddest

pytestmark = [pytest.mark.trainer, pytest.mark.xdist_group("read back")]

FOLDERS = 300
ANSWER_TIMEOUT_S = 60
WORDS = (
    "a",
    "cat",
    "日本語",
    "猫",
    "😀",
    "قطة",
    "{a|b}",
    "x ",
    "　",
    "\t",
    "\ufeff",
    "\u200b",
    "\x0b",
    "\x85",
    "\u2028",
)
ENDS = ("\n", "\r\n", "\r", "\n\n", "", " \n", "\x0c")
STEMS = (
    "1",
    "cat",
    "a_b",
    "a_1_2_3",
    "a_1_2_3_4",
    "b_0100_0200_0300_0400",
    "b",
    "a",
    "é",
    "x_y_z_1_2_3_4",
    "v1.5",
    "_",
)
FOLDER_NAMES = ("10_ohwx cat", "2_", "3_a_b_c", "7", "1_日本")


class TrainerReader:
    """One process of the trainer's interpreter that is asked again and again."""

    def __init__(self, status: TrainerStatus) -> None:
        here = Path(__file__).with_name("real_captions.py")
        paths = status.paths
        self.child = subprocess.Popen(
            [paths.python_path, here, "--source", paths.source_dir, "--inside", INSIDE_DIR],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            encoding="utf-8",
        )
        assert self._answer() == {"ready": True}

    def read(self, parameters: dict[str, Any]) -> dict[str, Any]:
        """Returns what the trainer makes of a folder."""
        assert self.child.stdin is not None
        self.child.stdin.write(json.dumps(parameters) + "\n")
        self.child.stdin.flush()
        return self._answer()

    def _answer(self) -> dict[str, Any]:
        assert self.child.stdout is not None
        answer: dict[str, Any] = json.loads(self.child.stdout.readline())
        return answer


@pytest.fixture(scope="module")
def reader(installed_trainer: TrainerStatus) -> Iterator[TrainerReader]:
    """The trainer's own reader."""
    found = TrainerReader(installed_trainer)
    yield found
    found.child.communicate(timeout=ANSWER_TIMEOUT_S)


def random_content(draw: random.Random) -> bytes:
    """Returns what a caption file may hold, one in seven of them what the trainer ends on."""
    kind = draw.randrange(14)
    if kind == 0:
        return b""
    if kind == 1:
        return draw.randbytes(draw.randint(1, 40))
    lines = (" ".join(draw.choices(WORDS, k=draw.randint(0, 4))) + draw.choice(ENDS) for _ in range(draw.randint(1, 4)))
    return ("".join(lines) or "\n").encode("utf-8")


def make_folder(draw: random.Random, parent: Path) -> tuple[Concept, CaptionSettings]:
    """Returns a concept folder of a few pictures with captions of all kinds, under a path with underscores or none."""
    for _ in range(draw.randint(0, 3)):
        parent /= draw.choice(("plain", "u_1", "v_2_w", "k_3_4_5_6"))
    folder = parent / draw.choice(FOLDER_NAMES)
    folder.mkdir(parents=True)
    extension = draw.choice((".txt", ".caption", ".TXT"))
    stems = draw.sample(STEMS, k=draw.randint(1, 4))
    for stem in stems:
        (folder / f"{stem}.png").touch()
    for stem in draw.sample(STEMS, k=draw.randint(0, 5)):
        for name in (f"{stem}{extension}", *((f"{stem}.cap",) if draw.random() < 0.1 else ())):
            path = folder / name
            if draw.random() < 0.05:
                path.mkdir()
            else:
                path.write_bytes(random_content(draw))
    for above in folder.parents[: draw.choice((0, 0, 1, 3))]:  # where the face-crop rule may lead
        (above / f"{draw.choice(('u', 'v', 'k', 'plain', '10', '3'))}{extension}").write_bytes(random_content(draw))
    pictures = tuple(Picture(path, 64, 64) for path in sorted(folder.glob("*.png"), key=str))
    class_tokens = folder.name.partition("_")[2]
    concept = Concept(folder, 1, class_tokens, is_reg=False, pictures=pictures)
    return concept, CaptionSettings(extension, enable_wildcard=draw.random() < 0.3)


def ours(captions: ConceptCaptions) -> dict[str, Any]:
    """Returns our reading in the trainer's form."""
    if any(caption.file is not None and caption.file.ends_training for caption in captions.captions):
        return {"ended": True}
    return {"captions": {str(caption.picture): caption.text for caption in captions.captions}}


def test_every_picture_gets_the_caption_that_the_trainer_takes(
    reader: TrainerReader, tmp_path_factory: pytest.TempPathFactory
) -> None:
    base = oddest(tmp_path_factory.mktemp("plain"))  # without underscores, which count from the root on
    assert "_" not in str(base)
    seen: dict[object, int] = {}
    for number in range(FOLDERS):
        concept, options = make_folder(random.Random(number), base / f"c{number}")
        read = read_concept(concept, options)
        answer = reader.read(
            {
                "image_dir": str(concept.folder),
                "class_tokens": concept.class_tokens,
                "caption_extension": options.extension,
                "enable_wildcard": options.enable_wildcard,
            }
        )
        kind = answer.pop("ended", "")
        assert (answer if not kind else {"ended": True}) == ours(read), (number, kind)
        for what in (kind, *(caption.origin for caption in read.captions)):
            seen[what] = seen.get(what, 0) + 1
    # What the test is about did happen.
    for what in ("AssertionError", "UnicodeDecodeError", Origin.OWN, Origin.FACE_CROP, Origin.CLASS_TOKENS):
        assert seen.get(what, 0) >= FOLDERS // 40, (what, seen)
