"""Configs of every format: suffixes, values that cannot be meant, and which files are configs at all."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from loratpl.config.reading import SUFFIXES, RawConfig, has_known_keys, read_config
from loratpl.config.reading.text import text_of
from loratpl.errors import ConfigError
from tests.config.reading.files import SCALARS, config_file, objects, problems_of, read, refused
from tests.given import outcome

KNOWN = frozenset({"seed", "family", "enable_bucket", "mixed_precision", "vae"})
CODES = {
    "config.encoding", "config.key.duplicate", "config.nesting", "config.path.escape", "config.shape", "config.syntax",
    "config.unreadable", "config.value",
}  # fmt: skip
EXAMPLES = (
    '{"seed": 1, "vae": "C:\\\\m", "a": {"b": [1.5e-4, true, null]}}',
    "seed: 1\nvae: &v 'x'\na: {b: [1.5e-4, true, *v]}\nc:\n  - x\n  - |\n    text\n",
    "seed = 1\n[a.b]\nc = [1.5e-4, {d = true}]\n[[e]]\nf = '''x'''\n\"g\" = \"\\u00e9\"\n",
)


@pytest.mark.parametrize("suffix", [".txt", ".jsonc", ".cfg", ""])
def test_json_is_read_under_any_other_suffix(tmp_path: Path, suffix: str) -> None:
    assert read(tmp_path, '\n {"seed": 1}', f"config{suffix}")[0] == {"seed": 1}


@pytest.mark.parametrize("suffix", [".txt", ".ini", ""])
@pytest.mark.parametrize("content", ["seed = 1", "seed: 1", "", "[a]\nseed = 1"])
def test_what_is_neither_named_nor_seen_is_refused(tmp_path: Path, suffix: str, content: str) -> None:
    problem = refused(tmp_path, content, f"config{suffix}", "config.suffix", "JSON, YAML or TOML")
    assert "Rename it" in problem.fix


@pytest.mark.parametrize("name", ["config.json", "config.yaml", "config.yml", "config.toml"])
@pytest.mark.parametrize("content", ["", " \n\t\n", "\ufeff"])
def test_an_empty_file_is_refused(tmp_path: Path, name: str, content: str) -> None:
    refused(tmp_path, content, name, "config.shape", "is empty")


@pytest.mark.parametrize("content", ["[]", '[{"seed": 1}]', "5", '"seed"', "null", "true"])
def test_what_is_no_object_is_refused(tmp_path: Path, content: str) -> None:
    assert "{" in refused(tmp_path, content, "config.json", "config.shape", "at its top level").fix


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        ('{"general": {"enable_bucket": true}, "datasets": []}', "dataset file"),
        ('{"compute_environment": "LOCAL_MACHINE", "mixed_precision": "fp16"}', "accelerate"),
        ('{"_class_name": "StableDiffusionPipeline", "vae": ["diffusers", "AutoencoderKL"]}', "Diffusers"),
    ],
)
def test_files_of_other_programs_are_told(tmp_path: Path, content: str, kind: str) -> None:
    refused(tmp_path, content, "config.json", "config.shape", kind)
    assert not has_known_keys(tmp_path / "config.json", KNOWN)


@pytest.mark.parametrize(
    ("name", "content", "whats"),
    [
        ("config.json", '{\n"a": NaN,\n"b": [1, {"c": -Infinity}],\n"d": 1e999}', ["NaN", "infinite", "too large"]),
        ("config.yaml", "\na: .nan\nb: [1, {c: -.inf}]\nd: 1e999", ["NaN", "infinite", "too large"]),
        ("config.toml", "\na = nan\nb = [1, {c = -inf}]\nd = 1e999", ["NaN", "infinite", "too large"]),
        ("config.json", '{\n"a": ' + "9" * 5000 + "}", ["too large"]),
        ("config.yaml", "\na: -" + "9" * 5000, ["too large"]),
    ],
)
def test_numbers_that_are_none_are_refused_with_their_keys(
    tmp_path: Path, name: str, content: str, whats: list[str]
) -> None:
    problems = problems_of(tmp_path, content, name)
    keys = ["a", "b.c", "d"]
    for line, (problem, what, key) in enumerate(zip(problems, whats, keys, strict=False), 2):
        assert (problem.code, problem.where) == ("config.value", f"{name} line {line}: {key}")
        assert what in problem.message
    assert len(problems) == len(whats)


@pytest.mark.parametrize(
    ("written", "named", "meant"),
    [
        (r"C:\temp\new", 'a tab ("\\t")', "C:/temp/new"),
        (r"C:\new/base", "a line break", "C:/new/base"),
        (r"C:\backup", 'U+0008 ("\\b")', "C:/backup"),
        (r"C:\flux\\dev", 'U+000C ("\\f")', "C:/flux/dev"),
        (r"D:\\models\rare", "a line break", "D:/models/rare"),
        (r"C:/a\u0001", "U+0001", "C:/a?"),
    ],
)
@pytest.mark.parametrize(
    ("name", "form"), [("c.json", '{{\n"{0}": "{1}"}}'), ("c.toml", '\n{0} = "{1}"'), ("c.yaml", '\n{0}: "{1}"')]
)
def test_a_path_whose_backslash_became_a_sign_is_refused(
    tmp_path: Path, written: str, named: str, meant: str, name: str, form: str
) -> None:
    problem = refused(tmp_path, form.format("note", written), name, "config.path.escape", named)
    assert problem.where == f"{name} line 2: note"
    assert f"`{meant}`" in problem.fix


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        (r"C:\LoRA", "C:/LoRA"),
        (r"C:\Pictures", "C:/Pictures"),
        (r"C:\Nets", "C:/Nets"),
        (r"C:\_old", "C:/_old"),
        (r"C:\ai\e", "C:/ai/e"),
    ],
)
def test_yaml_has_more_such_signs(tmp_path: Path, written: str, meant: str) -> None:
    assert f"`{meant}`" in refused(tmp_path, f'vae: "{written}"', "c.yaml", "config.path.escape", "line 1").fix


@pytest.mark.parametrize("key", ["train_data_dir", "pretrained_model_name_or_path", "log_file", "t5_tokenizer_path"])
@pytest.mark.parametrize("value", [r"sub\train", r"..\new", r"a\fb"])
def test_a_relative_path_is_known_by_its_key(tmp_path: Path, key: str, value: str) -> None:
    refused(tmp_path, f'{{"{key}": "{value}"}}', "c.json", "config.path.escape", f"`{key}`")


def test_a_path_in_a_list_or_under_our_own_key_is_looked_at(tmp_path: Path) -> None:
    content = '{"a": {"b":\n[["x\\train.safetensors"]]}, "base_weights": ["a.pt",\n"a\\nb"]}'
    assert [problem.where for problem in problems_of(tmp_path, content, "c.json")] == [
        "c.json line 1: a.b",
        "c.json line 2: base_weights",
    ]


def test_a_line_break_behind_a_path_is_said_to_be_just_that(tmp_path: Path) -> None:
    problem = refused(
        tmp_path, '{"vae": "/m/x.safetensors\\n"}', "c.json", "config.path.escape", "ends with a line break"
    )
    assert "`/m/x.safetensors`" in problem.fix


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("sample_prompts", "a cat\na dog"),
        ("metadata_description", "one\ntwo"),
        ("caption_separator", "\n"),
        ("note", "a:\tb"[:2]),
        ("vae", "C:\\models\\né\xa0x"),
        ("output_dir", "/home/\u3000日本"),
    ],
)
def test_other_texts_may_hold_such_signs(tmp_path: Path, key: str, value: str) -> None:
    assert read(tmp_path, json.dumps({key: value}), "c.json")[0] == {key: value}


def test_a_key_is_named_with_its_line_and_without_where_there_is_none() -> None:
    raw = RawConfig(Path("a/my.json"), {}, {("seed",): 3, ("kohyatpl", "env"): 7})
    assert raw.where("seed") == "my.json line 3: seed"
    assert raw.where("kohyatpl", "env") == "my.json line 7: kohyatpl.env"
    assert raw.where("network_dim") == "my.json: network_dim"


@pytest.mark.parametrize(
    ("name", "content", "is_config"),
    [
        ("a.json", '{"seed": 1, "x": 2}', True),
        ("a.json", '{"x": 2}', False),
        ("a.json", '{"x": {"seed": 1}}', False),
        ("a.json", "{}", False),
        ("a.json", "not JSON", False),
        ("a.json", "[1]", False),
        ("a.json", "", False),
        ("a.yaml", "x: 1\nseed: 2", True),
        ("a.yml", "x:\n  y: 1", False),
        ("a.toml", "[section]\nseed = 1", True),
        ("a.toml", "[tool.ruff]\nseed = 1", False),
        ("dataset.toml", "[general]\nenable_bucket = true\n[[datasets]]\nresolution = 512", False),
        ("default_config.yaml", "compute_environment: LOCAL_MACHINE\nmixed_precision: 'no'", False),
        # What its owner has to mend is a config all the same: "there is none" would send them looking elsewhere.
        ("a.json", '{\n "seed": 1, // the seed\n}', True),
        ("a.json", '{"vae": "C:\\models"}', True),
        ("a.json", '{"seed": 1, "seed": 2}', True),
        ("a.json", '{"seed": NaN}', True),
        ("a.yaml", "seed: 1\n\tx: 2", True),
        ("a.toml", "seed = one", True),
        ("a.json", '{"other": "C:\\models"}', False),
        ("dataset.toml", "[general]\nenable_bucket = True\n[[datasets]]\ndatasets = x", False),
        ("a.json", "\0" * 20, False),
    ],
)
def test_a_file_is_a_config_when_it_holds_a_known_key(tmp_path: Path, name: str, content: str, is_config: bool) -> None:
    assert has_known_keys(config_file(tmp_path, content, name), KNOWN) is is_config


def test_a_missing_file_is_no_config(tmp_path: Path) -> None:
    assert not has_known_keys(tmp_path / "none.json", KNOWN)


@st.composite
def _damaged(draw: st.DrawFn) -> str:
    """Returns a config, or most of one, with any changes in it."""
    text = draw(st.sampled_from(EXAMPLES) | objects(SCALARS).map(json.dumps))
    rng = draw(st.randoms(use_true_random=False))
    for _ in range(draw(st.integers(0, 4))):
        at = rng.randint(0, len(text))
        piece = rng.choice(
            ('"', "'", "\\", "{", "}", "[", "]", ":", "=", ",", "\n", "\t", "&a ", "*a", "<<: ", "!x", '"""', "'''",
             "- ", "#", "//", "/*", "%", "---\n", ".", "0", "é", "\0", "\u2028", "\r", "? ", "|", ">", "@", "1e999")
        )  # fmt: skip
        text = text[:at] + piece + text[at + rng.choice((0, 0, 1, 5)) :]
    return text


@settings(deadline=None, max_examples=300)
@given(
    content=st.binary(max_size=200)
    | st.text(max_size=200).map(lambda text: text.encode("utf-8", "replace"))
    | _damaged().map(str.encode)
)
@example(content=b"\xef\xbb\xbf\xef\xbb\xbf{}")
@example(content=b'a = "\\U99999999"\n"\\U99999999" = 1')
@example(content=b"- - - ? : &a *a")
def test_no_content_ends_in_anything_but_a_config_or_problems(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    for suffix in SUFFIXES:
        path = config_file(tmp_path_factory.getbasetemp(), content, f"config{suffix}")
        raw, error = outcome(ConfigError, lambda path=path: read_config(path))  # type: ignore[misc]
        has_known_keys(path, KNOWN)
        if raw is None:
            assert error is not None
            assert {problem.code for problem in error.problems} <= CODES
            assert all(problem.message.startswith(f"config{suffix}") and problem.fix for problem in error.problems)
            continue
        assert all(1 <= line <= len(text_of(path).splitlines()) for line in raw.lines.values())
        assert all((key,) in raw.lines for key in raw.values)


@settings(deadline=None)
@given(values=objects(SCALARS | st.none()), indent=st.sampled_from([None, 1, 4]))
def test_json_is_read_the_same_under_the_name_of_yaml(
    tmp_path_factory: pytest.TempPathFactory, values: dict[str, Any], indent: int | None
) -> None:
    text = json.dumps(values, ensure_ascii=False, indent=indent).replace("\u2028", " ")  # a line break to YAML
    folder = tmp_path_factory.getbasetemp()
    assert read(folder, text, "config.yaml") == read(folder, text, "config.json")


@pytest.mark.timeout(60)
@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize(
    "content",
    [
        '{"a": "' + '\\"' * 500_000,
        'a = """' + '\\"' * 500_000,
        '"""\\' * 250_000,
        "'''a" * 250_000,
        "/*" * 500_000,
        "{" + "//\n" * 300_000,
        "#" * 1_000_000,
        "# \n" * 300_000 + "x",
        '{"a": "\\"' + " " * 1_000_000,
    ],
    ids=range(9),
)
def test_no_content_takes_more_than_its_length(tmp_path: Path, suffix: str, content: str) -> None:
    """At these lengths anything that looks again from each place would take minutes."""
    path = config_file(tmp_path, content, f"config{suffix}")
    outcome(ConfigError, lambda: read_config(path))
    has_known_keys(path, KNOWN)
