"""The page of runs: one file that needs nothing else, has every number as it was told, and gives nothing away."""

from __future__ import annotations

import base64
import hashlib
import itertools
import json
import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from loratpl.errors import UsageError
from loratpl.project import ProjectPaths
from loratpl.report.ledger.comparing import compare_runs
from loratpl.report.story.story import RunStory, SamplePrompt, SettingRow
from loratpl.run.history import find_run
from loratpl.ui.pages.files import PAGES_DIR
from loratpl.ui.pages.report_content import report_page
from loratpl.ui.pages.report_page import report_html, write_report_page
from loratpl.ui.pages.report_samples import MAX_PICTURES, grid_of
from loratpl.ui.pages.thumbnails import NoThumbnail, Thumbnail, thumbnails_of
from tests.stand_in import write_picture
from tests.ui.pages.reading import Read, read_page
from tests.ui.pages.stories import RUN_ID, given_concept, given_numbers, given_sample, given_story, project_at

NOON = datetime(2026, 11, 22, 12, 0)  # noqa: DTZ001 - shown as it is
SECOND_ID = "20260103-030405-second"
HOSTILE = "</script><img src=x onerror=alert(1)>{{ 7*7 }}\u202e&amp;"


class EveryThumbnail(Mapping[Path, Thumbnail | NoThumbnail]):
    """The same small picture for every file: what is drawn is another matter."""

    def __getitem__(self, path: Path) -> Thumbnail | NoThumbnail:
        return Thumbnail(b"jpeg", (96, 64), (960, 640), is_turned=False)

    def __iter__(self) -> Any:
        return iter(())

    def __len__(self) -> int:
        return 0

    def __contains__(self, path: object) -> bool:
        return True


def _html(*stories: RunStory) -> str:
    return report_html(report_page(stories, made_at=NOON), EveryThumbnail(), EveryThumbnail())


def _read(*stories: RunStory) -> Read:
    return read_page(_html(*stories))


def _data(read: Read) -> list[dict[str, Any]]:
    (text,) = (text for attributes, text in read.scripts if attributes.get("id") == "data")
    runs: list[dict[str, Any]] = json.loads(text)["runs"]
    return runs


def _two(project: ProjectPaths) -> tuple[RunStory, RunStory]:
    """Two runs: the second learnt faster, and failed."""
    failure = {"cause": "CUDA out of memory.", "fix": "Set `train_batch_size` to 1."}
    second = given_story(
        project, SECOND_ID, record={"state": "failed", "failure": failure}, config={"learning_rate": 0.5}, steps=30
    )
    settings = (SettingRow("learning_rate", 0.5, "command line", 2e-06), *second.settings[1:])
    return given_story(project), replace(second, settings=settings)


def test_a_page_says_what_a_run_was(odd_path: Path) -> None:
    story = given_story(
        project_at(odd_path), record={"memory": {"process_peak_bytes": 2_000_000_000}, "system": {"cpus": "8"}}
    )
    text = _read(story).text
    for piece in (
        "Training report ohwx finished Finished: all 40 steps were trained.",
        "40 of 40 steps 0.1012 average loss at the end 0.0991 loss of the last step 1:15 from beginning to end",
        "0 of 2 LoRA files still there",
        "10 views per epoch → 10 batches → 10 steps per epoch × 4 epochs = 40 steps",
        "5_ohwx cat 2 5 10 83.3 %", "1_cat regularisation 2 1 2 16.7 %", "512 × 512 6 60.0 %",
        "Epoch Last step Mean loss loss/validation/step_average Learning rate unet",
        "1 10 0.1900 0.2100 0.0001 5e-05", "All steps",
        "Before step 1 Step 20 Step 40", "ohwx cat, photo Negative: blurry width 512 , seed 7",
        "ohwx-step00000020.safetensors 20 2", "gone or changed",
        "What you set ( 2 )", "learning_rate 0.0001 config.json 2e-06", "optimizer_type AdamW default \"\"",
        "kohyatpl run --from 20260102-030405-ohwx --name NEW", "Most memory the process 2.0 GB", "Processor cores 8",
        "Written 2026-11-22 12:00, kohyatpl",
    ):  # fmt: skip
        assert piece in text


def test_the_numbers_are_those_that_were_told(tmp_path: Path) -> None:
    story = given_story(project_at(tmp_path))
    (run,) = _data(_read(story))
    numbers = story.numbers
    assert run["steps"] == list(numbers.steps)
    assert run["times"] == list(numbers.times)
    assert run["losses"] == list(numbers.losses)
    assert run["averages"] == list(numbers.average_losses)
    assert run["rates"] == {name: list(values) for name, values in numbers.rates.items()}
    assert run["seconds"] == list(numbers.seconds)
    assert run["epochs"] == [[one.epoch, one.step, one.average_loss] for one in story.epochs]
    assert [(one["name"], one["steps"], one["values"]) for one in run["series"]] == [
        (one.name, list(one.steps), list(one.values)) for one in story.series
    ]
    assert run["memory"] == [[one.time, one.step, one.process_bytes, one.gpu_bytes] for one in story.memory]
    assert [step for step, _ in run["checkpoints"]] == [20, 40]
    assert run["samples"] == [0, 20, 40]


def test_what_went_wrong_comes_first(tmp_path: Path) -> None:
    project = project_at(tmp_path)
    problem = {
        "code": "run.loss.jump", "severity": "warning", "where": "", "message": "The loss jumps.",
        "fix": "Lower the rate.", "step": 7,
    }  # fmt: skip
    failure = {"cause": f"No space left on {project.root_dir}/output/a b.safetensors.", "fix": "Make `room`."}
    record = {"state": "failed", "failure": failure, "problems": [problem], "last_step": 12}
    story = given_story(project, record=record)
    text = _read(story).text
    assert "Failed after step 12 of 40." in text
    assert "Error: Why it failed No space left on output/a b.safetensors. Make room ." in text
    assert "Warning: After step 7 The loss jumps. Lower the rate." in text
    assert text.index("Why it failed") < text.index("Views per epoch")


def test_several_runs_side_by_side(tmp_path: Path) -> None:
    project = project_at(tmp_path)
    stories = _two(project)
    compared = compare_runs(project, find_run(project, "ohwx"), find_run(project, "second"))
    page = report_page(stories, compared, NOON)
    read = read_page(report_html(page, EveryThumbnail(), EveryThumbnail()))
    text = read.text
    assert "Training report ohwx, second" in text
    assert "second failed 30 of 40" in text
    assert "Settings What ohwx second learning_rate 0.0001 0.5" in text
    assert "What differs ( 1 )" in text
    assert "ohwx cat, photo Negative: blurry width 512 , seed 7 ohwx second" in text  # a row of each, one prompt
    assert [run["label"] for run in _data(read)] == ["ohwx", "second"]
    assert len({(run["colour"], run["dash"]) for run in _data(read)}) == 2
    assert text.count("5_ohwx cat 2 5 10 83.3 %") == 1  # both were trained on the same


def test_more_runs_than_two_and_two_of_one_name(tmp_path: Path) -> None:
    project = project_at(tmp_path)
    third = given_story(project, "20260104-030405-ohwx", record={"pin": "b" * 40})
    other = (SamplePrompt(0, "a dog", "", ()),)
    page = report_page((*_two(project), replace(third, prompts=other)), made_at=NOON)
    assert [head.label for head in page.heads] == ["20260102-030405-ohwx", "second", "20260104-030405-ohwx"]
    rows = {row.key: row.values for group in page.differences for row in group.rows}
    assert rows["learning_rate"] == ("0.0001", "0.5", "0.0001")
    assert rows["sd-scripts"] == ("a" * 12, "a" * 12, "b" * 12)
    assert [(prompt.name, [row.run for row in prompt.rows]) for prompt in page.samples.prompts] == [
        ("ohwx cat, photo", [0, 1]),
        ("a dog", [2]),
    ]


CHANGED = [
    {"what": "settings", "key": "seed", "before": "1", "now": "2"},
    {"what": "settings", "key": "output_name", "before": "a", "now": "b"},
    {"what": "environment", "key": "torch", "before": "2.12", "now": "2.13"},
]


@pytest.mark.parametrize(
    ("origin", "told"),
    [
        ({"repeats": RUN_ID}, f"Repeats {RUN_ID} with seed 2 (1 before)"),
        ({"parent": RUN_ID}, f"What was trained is not what {RUN_ID} trained: seed 2 (1 before)."),
    ],
)
def test_what_was_changed_on_the_way_is_told_without_what_changes_nothing(
    tmp_path: Path, origin: dict[str, Any], told: str
) -> None:
    project = project_at(tmp_path)
    given_story(project)
    story = given_story(project, SECOND_ID, record={**origin, "differences": CHANGED})
    assert told in _read(story).text


def test_a_run_that_tells_little(tmp_path: Path) -> None:
    record = {"state": "lost", "last_step": 0, "plan": {}}
    story = given_story(project_at(tmp_path), steps=0, record=record, series=(), epochs=(), memory=(), concepts=())
    story = replace(story, samples=(), checkpoints=(), settings=(), unknown=("Its config is gone.",))
    read = _read(story)
    assert "Lost after step 0: kohyatpl was killed, or its machine went down." in read.text
    assert "The run has told of no step." in read.text
    assert "No LoRA was saved." in read.text
    assert "Its config is gone." in read.text
    assert [attributes for attributes in read.all("figure") if attributes.get("class") == "plotted"] == []


def test_a_page_needs_nothing_else_and_runs_nothing_else(tmp_path: Path) -> None:
    read = _read(*_two(project_at(tmp_path)))
    assert {tag for tag, _ in read.elements} & {"iframe", "object", "embed", "video", "base"} == set()
    for tag, attributes in read.elements:
        assert not [name for name in attributes if name.startswith("on")], tag
        for name in ("src", "href", "action"):
            assert re.match(r"data:|#", attributes.get(name) or "#"), (tag, attributes)
    (policy,) = (meta["content"] or "" for meta in read.all("meta") if meta.get("http-equiv"))
    hashes = [
        f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
        for attributes, text in read.scripts
        if "type" not in attributes
    ]
    assert len(hashes) == 2
    assert f"script-src {' '.join(hashes)}; connect-src 'none';" in policy
    assert policy.startswith("default-src 'none';")
    assert "eval" not in policy


def test_names_are_shown_and_never_become_part_of_the_page(tmp_path: Path) -> None:
    def named(name: str) -> RunStory:
        run_id = f"20260102-030405-{name.replace('/', '|')}"
        story = given_story(project_at(tmp_path), run_id)
        return replace(
            story,
            concepts=(replace(story.concepts[0], folder=f"5_{name}"),),
            prompts=(SamplePrompt(0, name, name, ((name, name),)),),
            settings=(SettingRow(name, [name], name, {name: name}),),
            series=(replace(story.series[0], name=f"validation/loss/{name}"),),
            unknown=(name,),
        )

    html = _html(named(HOSTILE))
    read, plain = read_page(html), _read(named("cat"))
    assert [tag for tag, _ in read.elements] == [tag for tag, _ in plain.elements]
    assert [set(attributes) for _, attributes in read.elements] == [set(attributes) for _, attributes in plain.elements]
    shown = HOSTILE.replace("\u202e", "\\u202e")
    assert shown in read.texts
    (run,) = _data(read)
    assert run["label"] == shown.replace("/", "|")
    assert run["series"][0]["name"] == f"validation/loss/{shown}"
    assert "\u202e" not in html


def test_no_folder_of_the_machine_is_named(tmp_path: Path) -> None:
    project = project_at(tmp_path)
    failure = {"cause": "'/home/me/models/secret place/a.ckpt' and C:\\Users\\me\\b.ckpt differ.", "fix": ""}
    record = {
        "state": "failed", "failure": failure, "model": "/home/me/models/a.ckpt", "project_dir": "/srv/old/cats",
        "overrides": {"vae": "/home/me/vae.pt"}, "config_file": "/home/me/other.json",
    }  # fmt: skip
    story = given_story(project, record=record)
    rows = (
        SettingRow("vae", "/home/me/vae files/v.pt", "/home/me/other.json line 3", None),
        SettingRow("train_data_dir", str(project.image_dir), "default", None),
        SettingRow("reg_data_dir", "/srv/old/cats/reg_dir", "default", None),
        SettingRow("network_args", ["file=/home/me/x/y.json", "rank=1/2"], "config.json", None),
    )
    story = replace(story, settings=rows, unknown=("/srv/old/cats/log/a.txt is gone.",))
    story.detail.summary.run.paths.command_path.write_text("/home/me/python train.py", encoding="utf-8")
    html = _html(story)
    folded = re.compile(r'<details class="details trainer-command">.*?</details>', re.DOTALL)
    (command,) = folded.findall(html)
    assert "/home/me/python train.py" in command
    without = folded.sub("", html)
    for place in ("/home/me", "Users", "/srv", str(tmp_path)):
        assert place not in without, place
    text = read_page(without).text
    for piece in ("vae …/v.pt", "train_data_dir image_dir", "reg_data_dir reg_dir", "file=…/y.json", "rank=1/2",
                  "log/a.txt is gone.", "Base model …/a.ckpt"):  # fmt: skip
        assert piece in text


def test_a_page_can_be_read_without_eyes_and_hands(tmp_path: Path) -> None:
    read = _read(*_two(project_at(tmp_path)))
    tags = [tag for tag, _ in read.elements]
    assert [tags.count(name) for name in ("h1", "header", "nav", "main", "footer")] == [1] * 5
    identifiers = [attributes["id"] for _, attributes in read.elements if "id" in attributes]
    assert len(set(identifiers)) == len(identifiers)
    named = {attributes["aria-labelledby"] for attributes in (*read.all("section"), *read.all("dialog"))}
    targets = {str(link["href"]).removeprefix("#") for link in read.all("a")}
    labelled = {label["for"] for label in (*read.all("label"), *read.all("output")) if "for" in label}
    described = {one["aria-describedby"] for one in read.all("input") if "aria-describedby" in one}
    assert named | targets | labelled | described <= set(identifiers)
    levels = [int(tag[1]) for tag in tags if re.fullmatch(r"h[1-6]", tag)]
    assert all(after <= before + 1 for before, after in itertools.pairwise(levels))
    assert all(image.get("alt") is not None for image in read.all("img"))
    assert {heading.get("scope") for heading in read.all("th")} == {"col", "row", "rowgroup"}
    regions = [one for one in read.all("div") if one.get("role") == "region"]
    assert regions
    assert all(one.get("tabindex") == "0" and one.get("aria-label") for one in regions)


def test_lines_and_words_can_be_told_from_their_ground() -> None:
    looks = (PAGES_DIR / "looks.css").read_text(encoding="utf-8") + (PAGES_DIR / "report.css").read_text(
        encoding="utf-8"
    )
    colours = re.findall(r"(--[\w-]+): (#[0-9a-f]{6})", looks)
    light: dict[str, str] = {}
    dark: dict[str, str] = {}
    for name, value in colours:
        (dark if name in light else light).setdefault(name, value)
    for theme in (light, dark):
        lines = [name for name in theme if re.fullmatch(r"--line-\d", name)]
        assert len(lines) == 8
        for ground in (theme["--card"], theme["--page"]):
            assert min(_contrast(theme[name], ground) for name in (*lines, "--raw", "--focus")) >= 3
            words = ("--text", "--quiet", "--accent", "--bad", "--good", "--reg")
            assert min(_contrast(theme[name], ground) for name in words) >= 4.5


def _contrast(one: str, other: str) -> float:
    """Returns the ratio that WCAG 2 has for two colours."""
    lightest, darkest = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (lightest + 0.05) / (darkest + 0.05)


def _luminance(colour: str) -> float:
    parts = (int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5))
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_pictures_are_in_the_page_and_those_that_are_gone_are_said_to_be(tmp_path: Path) -> None:
    project = project_at(tmp_path)
    story = given_story(project)
    gone = replace(story.samples[1], is_there=False)
    story.samples[1].path.unlink()
    story.samples[2].path.write_bytes(b"no picture")
    path = tmp_path / "page.html"
    write_report_page(path, report_page([replace(story, samples=(story.samples[0], gone, story.samples[2]))]))
    read = read_page(path.read_text(encoding="utf-8"))
    drawn = {str(image["alt"]): (image["width"], image["height"]) for image in read.all("img") if image.get("src")}
    assert drawn == {
        "Picture 1 of 5_ohwx cat": ("64", "64"), "Picture 2 of 5_ohwx cat": ("64", "64"),
        "Picture 1 of 1_cat": ("64", "64"), "Picture 2 of 1_cat": ("64", "64"),
        "ohwx cat, photo, step 0": ("96", "64"),
    }  # fmt: skip
    assert "This picture is gone." in read.texts
    assert "This picture cannot be decoded." in read.texts


def test_many_pictures_are_smaller_and_more_are_thinned_out(tmp_path: Path) -> None:
    project = project_at(tmp_path)
    story = given_story(project)
    places = report_page([story]).samples
    assert (places.longest_px, places.left_out) == (512, 0)
    one = given_sample(project, "x", 0)
    samples = tuple(replace(one, step=step) for step in range(MAX_PICTURES + 500))
    some = _read(replace(story, samples=samples[:200]))
    assert "Because there are 200 pictures, each is at most 320 pixels here." in some.text
    page = report_page([replace(story, samples=samples)])
    assert (len(page.samples.pictures), page.samples.left_out, page.samples.longest_px) == (1000, 500, 192)
    assert (page.samples.steps[0], page.samples.steps[-1]) == (0, len(samples) - 1)


def test_prompts_that_nobody_knows_any_more_have_a_number(tmp_path: Path) -> None:
    project = project_at(tmp_path)
    story = given_story(project)
    unknown = replace(
        story, prompts=(SamplePrompt(0, "", "", ()),), samples=(*story.samples, given_sample(project, "x", 20, 3))
    )
    text = _read(unknown).text
    assert "Prompt 1 Its text is not known any more." in text
    assert "Prompt 4 Its text is not known any more." in text


def test_a_folder_that_has_changed_since_is_said_to_have(tmp_path: Path) -> None:
    project = project_at(tmp_path)
    renamed = replace(given_concept(project), folder="7_ohwx cat", images_now=3)
    gone = replace(given_concept(project, "1_cat", is_reg=True), folder_now=None, pictures=())
    text = _read(replace(given_story(project), concepts=(renamed, gone))).text
    assert "now 5_ohwx cat, now 3 images" in text
    assert "the folder is not there any more" in text


def test_settings_are_in_the_order_of_interest(tmp_path: Path) -> None:
    story = given_story(project_at(tmp_path))
    more = (SettingRow("network_alpha", 8, "preset sdxl-8gb", 1), SettingRow("sdpa", False, "default", False))
    groups = report_page([replace(story, settings=(*more, *story.settings))]).settings
    assert [(group.heading, [one.key for one in group.settings], group.is_open) for group in groups] == [
        ("What you set", ["learning_rate", "network_dim"], True),
        ("From the preset", ["network_alpha"], False),
        ("Defaults of kohyatpl and what it worked out", ["sdpa", "optimizer_type"], False),
    ]
    older = tuple(replace(row, source="") for row in (*more, *story.settings))
    groups = report_page([replace(story, settings=older)]).settings
    assert [(group.heading, [one.key for one in group.settings]) for group in groups] == [
        ("Not as the trainer does it by itself", ["network_alpha", "learning_rate", "network_dim", "optimizer_type"]),
        ("As the trainer does it by itself", ["sdpa"]),
    ]


def test_a_secret_that_was_put_into_a_config_is_not_shown(tmp_path: Path) -> None:
    project = project_at(tmp_path)
    secrets: tuple[dict[str, Any], ...] = (
        {"wandb_api_key": "hush-1"},
        {"kohyatpl": {"env": {"HF_TOKEN": "hush-2"}}},
        {"wandb_api_key": "hush-3"},
    )
    stories = [
        given_story(project, f"2026010{day}-030405-run{day}", config=config, record={"overrides": config})
        for day, config in enumerate(secrets, 1)
    ]
    rows = tuple(SettingRow(key, "hush-4", "config.json", None) for key in ("wandb_api_key", "kohyatpl.env.A_KEY"))
    stories[0] = replace(stories[0], settings=rows)
    compared = compare_runs(project, find_run(project, "run1"), find_run(project, "run3"))
    for page in (report_page(stories), report_page([stories[0], stories[2]], compared)):
        html = report_html(page, EveryThumbnail(), EveryThumbnail())
        assert "hush" not in html
        assert "(hidden)" in html


def test_long_runs_have_every_nth_step_in_the_table(tmp_path: Path) -> None:
    page = report_page([given_story(project_at(tmp_path), steps=10)])
    long = report_page([replace(given_story(project_at(tmp_path), SECOND_ID), numbers=given_numbers(1030))])
    assert (page.tables[0].every, len(page.tables[0].steps.rows)) == (1, 10)
    assert long.tables[0].every == 21
    assert [row[0] for row in long.tables[0].steps.rows][:3] == ["1", "21", "42"]
    assert long.tables[0].steps.rows[-1][0] == "1,030"


def test_small_pictures_keep_their_shape_and_size(tmp_path: Path) -> None:
    write_picture(tmp_path / "wide.png", 1, (1200, 600))
    write_picture(tmp_path / "small.png", 2, (40, 30))
    found = thumbnails_of([(tmp_path / "wide.png", None), (tmp_path / "small.png", None)], 512)
    assert [(one.size, one.picture_size) for one in found if isinstance(one, Thumbnail)] == [
        ((512, 256), (1200, 600)),
        ((40, 30), (40, 30)),
    ]


def test_a_file_of_somebody_else_is_never_replaced(tmp_path: Path) -> None:
    page = report_page([given_story(project_at(tmp_path))])
    path = tmp_path / "report.html"
    path.write_text("mine", encoding="utf-8")
    with pytest.raises(UsageError):
        write_report_page(path, page)
    assert path.read_text(encoding="utf-8") == "mine"


def test_no_pictures_no_grid(tmp_path: Path) -> None:
    story = replace(given_story(project_at(tmp_path)), samples=())
    assert grid_of([story], places=report_places()).steps == ()


def report_places() -> Any:
    """Returns what a grid needs to know of folders: nothing."""
    from loratpl.ui.pages.report_places import Places

    return Places(())
