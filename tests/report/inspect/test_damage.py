"""Files that are damaged or meant to do harm: every one of them is told, none of them costs anything."""

from __future__ import annotations

import json
import os
import pickle
import struct
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from loratpl.errors import EXIT_CODE_OF, ExitCode, Problem
from loratpl.report.inspect import Inspection, inspect_file, inspection_json
from loratpl.report.inspect.header import MAX_HEADER_BYTES, MAX_TENSORS
from loratpl.ui.inspect_text import inspection_lines
from tests.report.inspect.made_files import entry, lora, raw_file, weights_file

WHOLE = {"a": entry("F32", [2], 0, 8), "b": entry("F16", [2, 2], 8, 16)}
DATA = bytes(16)


def problem_of(path: Path) -> Problem:
    found = inspect_file(path)
    assert json.dumps(inspection_json(found))
    assert inspection_lines([found]) is not None
    (problem,) = [problem for problem in found.problems if problem.severity == "error"]
    assert str(path) in problem.message
    assert problem.where == str(path)
    assert problem.fix
    assert EXIT_CODE_OF[problem.code.partition(".")[0]] == ExitCode.PROJECT
    return problem


def test_what_the_formats_own_library_takes_is_whole(tmp_path: Path) -> None:
    """The file that is damaged below; without metadata; with a key more; with many dimensions."""
    more = {**WHOLE["a"], "x": 1}
    for header in (
        WHOLE,
        {"__metadata__": None, **WHOLE},
        {**WHOLE, "a": more},
        {**WHOLE, "a": entry("F32", [1] * 40 + [2], 0, 8)},
    ):
        assert inspect_file(raw_file(tmp_path / "a.safetensors", header, DATA)).problems == ()


HEADERS: dict[str, tuple[Any, str]] = {
    "no JSON": (b"not JSON at all", "no JSON"),
    "JSON cut": (json.dumps(WHOLE).encode()[:-5], "describes a tensor"),
    "a list": ([], "no JSON"),
    "a number": (5, "no JSON"),
    "something behind": (json.dumps(WHOLE).encode() + b"{}", "behind its header's end"),
    "a comma too many": (b'{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},}', "is no text"),
    "no colon": (b'{"a" 5}', "no JSON"),
    "a tensor without a shape": ({"a": {"dtype": "F32", "data_offsets": [0, 8]}}, "describes a tensor"),
    "a tensor that is null": ({"a": None}, "describes a tensor"),
    "a negative offset": ({"a": entry("F32", [2], -8, 0)}, "describes a tensor"),
    "a negative side": ({"a": entry("F32", [-2], 0, 8)}, "describes a tensor"),
    "a broken side": (b'{"a":{"dtype":"F32","shape":[2.5],"data_offsets":[0,8]}}', "describes a tensor"),
    "NaN": (b'{"a":{"dtype":"F32","shape":[NaN],"data_offsets":[0,8]}}', "describes a tensor"),
    "Infinity": (b'{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,Infinity]}}', "describes a tensor"),
    "true": (b'{"a":{"dtype":"F32","shape":[2],"data_offsets":[false,true]}}', "describes a tensor"),
    "three offsets": (b'{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8,16]}}', "describes a tensor"),
    "an object inside": (b'{"a":{"dtype":{"x":1},"shape":[2],"data_offsets":[0,8]}}', "describes a tensor"),
    "a number of a thousand digits": (b'{"a":{"dtype":"F32","shape":[' + b"9" * 990, "describes a tensor"),
    "deep nesting": (b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}", "describes a tensor"),
    "deep objects": (b'{"a":' * 50_000, "describes a tensor"),
    "many dimensions": ({"a": entry("F32", [1] * 80, 0, 4)}, "describes a tensor"),
    "no UTF-8": (b'{"\xff\xfe":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}', "no UTF-8"),
    "UTF-16": (json.dumps(WHOLE).encode("utf-16-le"), "is no text"),
    "half of a pair": ({"\ud800": entry("F32", [2], 0, 8)}, "no UTF-8"),
    "a shape twice": (b'{"a":{"dtype":"F32","shape":[2],"shape":[2],"data_offsets":[0,8]}}', "describes a tensor"),
    "NaN in a key more": (b'{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8],"x":NaN}}', "describes a tensor"),
    "a NUL": (b'{"a\x00b":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}', "no JSON"),
    "a long name": ({"x" * 10_000: entry("F32", [2], 0, 8)}, "10,002 bytes"),
    "a text without an end": (b'{"' + b"a" * 100_000, "no JSON"),
    "backslashes": (b'{"' + b"\\" * 100_001, "no JSON"),
    "a bad escape": (b'{"\\x":1}', "no JSON"),
    "metadata of numbers": ({"__metadata__": {"ss_steps": 5}}, "is no text"),
    "metadata of objects": ({"__metadata__": {"ss_tag_frequency": {"a": 1}}}, "is no text"),
    "metadata that is a list": ({"__metadata__": ["a"]}, "no JSON"),
    "metadata without UTF-8": (b'{"__metadata__":{"a":"\xc3("}}', "no UTF-8"),
    "too many tensors": (
        {f"{number}": entry("F32", [0], 0, 0) for number in range(MAX_TENSORS + 1)}, f"more than {MAX_TENSORS:,}",
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", HEADERS)
def test_a_header_that_is_none_is_told(tmp_path: Path, kind: str) -> None:
    header, why = HEADERS[kind]
    problem = problem_of(raw_file(tmp_path / "a.safetensors", header, DATA))
    assert problem.code == "project.weights.header"
    assert why in problem.message


LAYOUTS: dict[str, tuple[Any, bytes, str, str]] = {
    "cut": (WHOLE, DATA[:-3], "project.weights.cut", "3 bytes are missing at its end, where b should be"),
    "longer": (WHOLE, DATA + b"xy", "project.weights.tensors", "2 bytes follow"),
    "far away": ({"a": entry("U8", [2**62], 0, 2**62)}, DATA, "project.weights.cut", "are missing"),
    "overlapping": (
        {"a": entry("F32", [4], 0, 16), "b": entry("F32", [1], 8, 12)}, DATA, "project.weights.tensors", "b lies over",
    ),
    "the same bytes": (
        {"a": entry("F32", [4], 0, 16), "b": entry("F32", [4], 0, 16)}, DATA, "project.weights.tensors", "lies over",
    ),
    "a gap": (
        {"a": entry("F32", [1], 0, 4), "b": entry("F32", [2], 8, 16)}, DATA, "project.weights.tensors", "after bytes",
    ),
    "a shape too large": ({"a": entry("F32", [5], 0, 16)}, DATA, "project.weights.tensors", "another size"),
    "a shape of billions": (
        {"a": entry("F32", [10**9] * 9, 0, 16)}, DATA, "project.weights.tensors", "another size",
    ),
    "an unknown type": ({"a": entry("Q4_K", [4], 0, 16)}, DATA, "project.weights.tensors", "a (Q4_K) has a type"),
    "backwards": ({"a": entry("F32", [4], 16, 0)}, b"", "project.weights.tensors", ""),
    "duplicates": (
        b'{"a":{"dtype":"F32","shape":[4],"data_offsets":[0,16]},"a":{"dtype":"F32","shape":[4],"data_offsets":[0,16]}}',
        DATA, "project.weights.tensors", "a more than once",
    ),
    "metadata twice": (
        b'{"__metadata__":{"a":"b"},"__metadata__":{"a":"c"},"x":{"dtype":"F32","shape":[4],"data_offsets":[0,16]}}',
        DATA, "project.weights.tensors", "more than once",
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", LAYOUTS)
def test_tensors_that_do_not_lie_as_the_header_says_are_told(tmp_path: Path, kind: str) -> None:
    header, data, code, why = LAYOUTS[kind]
    found = inspect_file(raw_file(tmp_path / "a.safetensors", header, data), with_values=True)
    assert {problem.code for problem in found.problems} == {code}
    assert any(why in problem.message for problem in found.problems)
    assert not found.is_whole
    assert found.values is None


@pytest.mark.parametrize("length", [2**63, 2**64 - 1, 10**9, MAX_HEADER_BYTES * 9])
def test_a_header_longer_than_its_file_is_not_read(tmp_path: Path, length: int) -> None:
    problem = problem_of(raw_file(tmp_path / "a.safetensors", WHOLE, DATA, length=length))
    assert problem.code == "project.weights.header"
    assert f"{length:,}" in problem.message


def test_a_file_that_ends_inside_its_header_is_said_to_be_cut(tmp_path: Path) -> None:
    path = raw_file(tmp_path / "a.safetensors", WHOLE)
    path.write_bytes(path.read_bytes()[:40])
    assert problem_of(path).code == "project.weights.cut"


@pytest.mark.parametrize("size", [1, 7])
def test_a_file_of_some_bytes_is_told(tmp_path: Path, size: int) -> None:
    path = tmp_path / "a.safetensors"
    path.write_bytes(b"x" * size)
    assert problem_of(path).code == "project.weights.header"


@settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_whatever_is_done_to_a_file_it_is_an_answer(tmp_path: Path, data: st.DataObject) -> None:
    """Bytes of it replaced, left out, doubled or put in, in its header or in its tensors: never an exception."""
    path = weights_file(tmp_path / "a.safetensors", lora("lora_unet_mid_block_proj_in"), {"ss_network_module": "é"})
    content = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(content) - 1))
        until = at + data.draw(st.integers(0, 40))
        match data.draw(st.sampled_from(("replace", "remove", "double", "insert"))):
            case "replace":
                content[at:until] = data.draw(st.binary(min_size=until - at, max_size=until - at))
            case "remove":
                content = bytearray(content[:at] + content[until:]) or bytearray(b"\0")
            case "double":
                content[at:at] = content[at:until]
            case _:
                content[at:at] = data.draw(
                    st.sampled_from([b'"', b"{", b"[[", b"\\", b"\0", b"\xff", b"NaN", b"1e999"])
                )
    path.write_bytes(content)
    found = inspect_file(path, with_values=True)
    assert json.loads(json.dumps(inspection_json(found), allow_nan=False))
    assert isinstance(inspection_lines([found, found]), list)


@settings(deadline=None, max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=st.binary(max_size=600))
def test_any_bytes_are_an_answer(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "any.safetensors"
    path.write_bytes(content)
    found = inspect_file(path, with_values=True)
    assert found.problems or found.tensors == 0


# --- files of other kinds


def zip_of(path: Path, names: tuple[str, ...]) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        for name in names:
            archive.writestr(name, b"content")


class Armed:
    """Leaves a trace when it is unpickled."""

    def __init__(self, trace: Path) -> None:
        self._trace = trace

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self._trace),)


OTHERS: dict[str, tuple[Callable[[Path], object], str, str]] = {
    "empty": (lambda path: path.write_bytes(b""), "kind", "is empty"),
    "a pickle": (lambda path: path.write_bytes(pickle.dumps({"a": 1}, 2)), "pickle", "not opened"),
    "a zip of PyTorch": (lambda path: zip_of(path, ("x/data.pkl", "x/data/0")), "pickle", "a zip of 2 parts"),
    "a zip of safetensors": (lambda path: zip_of(path, ("my.safetensors",)), "kind", "in it are my.safetensors"),
    "a zip of others": (lambda path: zip_of(path, ("a.txt",)), "kind", "without any safetensors"),
    "a damaged zip": (lambda path: path.write_bytes(b"PK\x03\x04" + b"x" * 500), "pickle", "damaged or cut"),
    "a page": (lambda path: path.write_bytes(b"\n<!DOCTYPE html><html>Sign in"), "kind", "web page"),
    "a page with a mark": (lambda path: path.write_bytes(b"\xef\xbb\xbf<html>"), "kind", "web page"),
    "an error of a server": (lambda path: path.write_bytes(b'{"error": "Access denied"}'), "kind", "JSON"),
    "a pointer of LFS": (
        lambda path: path.write_bytes(b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 5\n"),
        "kind", "git lfs pull",
    ),
    "a pointer of git-annex": (lambda path: path.write_bytes(b"/annex/objects/SHA256E-s1--00\n"), "kind", "annex get"),
    "GGUF": (lambda path: path.write_bytes(b"GGUF\x03\0\0\0" + bytes(99)), "kind", "GGUF"),
    "gzip": (lambda path: path.write_bytes(b"\x1f\x8b\x08" + bytes(99)), "kind", "gzip"),
    "a picture": (lambda path: path.write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(99)), "kind", "picture"),
    "zeros": (lambda path: path.write_bytes(bytes(5000)), "kind", "zeros"),
}  # fmt: skip


@pytest.mark.parametrize("kind", OTHERS)
def test_another_kind_of_file_is_told_by_its_bytes(tmp_path: Path, kind: str) -> None:
    write, code, why = OTHERS[kind]
    path = tmp_path / "a.safetensors"
    write(path)
    problem = problem_of(path)
    assert problem.code == f"project.weights.{code}"
    assert why in f"{problem.message} {problem.fix}"


@pytest.mark.parametrize("name", ["old.ckpt", "old.pt", "old.bin", "lora.safetensors"])
@pytest.mark.parametrize("protocol", [0, 2, 5])
def test_a_pickle_is_never_opened(tmp_path: Path, name: str, protocol: int) -> None:
    trace = tmp_path / "opened"
    (tmp_path / name).write_bytes(pickle.dumps(Armed(trace), protocol))
    found = inspect_file(tmp_path / name, with_values=True)
    assert found.problems[0].code in ("project.weights.pickle", "project.weights.header")
    assert not trace.exists()
    if protocol:
        assert found.problems[0].code == "project.weights.pickle"


def test_a_zip_of_a_million_parts_is_not_listed(tmp_path: Path) -> None:
    end = struct.pack("<4sHHHHIIH", b"PK\x05\x06", 0, 0, 65535, 65535, 100_000_000, 4, 0)
    (tmp_path / "a.ckpt").write_bytes(b"PK\x03\x04" + bytes(1000) + end)
    assert problem_of(tmp_path / "a.ckpt").code == "project.weights.pickle"


def test_what_is_no_file_is_not_opened(odd_path: Path) -> None:
    os.mkfifo(odd_path / "pipe")
    (odd_path / "link").symlink_to(odd_path / "nowhere")
    (odd_path / "annexed").symlink_to(Path("..") / ".git" / "annex" / "objects" / "x")
    for name, why in (
        ("pipe", "is a pipe"), ("link", "a link to"), ("annexed", "git annex get"), ("absent", "is not there"),
        ("", "is a folder without weights"), ("absent/below", "is not there"), ("x" * 300, "cannot be read"),
    ):  # fmt: skip
        problem = problem_of(odd_path / name)
        assert problem.code == "project.weights.unreadable"
        assert why in f"{problem.message} {problem.fix}"
    assert "is a device" in problem_of(Path(os.devnull)).message
    assert "cannot be read" in problem_of(odd_path / "nul\0byte").message


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="root may read everything")
def test_a_file_without_permission_is_told(tmp_path: Path) -> None:
    path = weights_file(tmp_path / "a.safetensors", lora("lora_unet_x"))
    path.chmod(0)
    assert "cannot be read" in problem_of(path).message


# --- what it costs

COSTS = """
import json, sys
from pathlib import Path
from loratpl.report.inspect import inspect_file, inspection_json
from loratpl.ui.inspect_text import inspection_lines
peaks = {}
for path in map(Path, sys.argv[1:]):
    Path("/proc/self/clear_refs").write_text("5")  # the peak is counted from here
    found = inspect_file(path, with_values=True)
    inspection_lines([found])
    json.dumps(inspection_json(found))
    status = Path("/proc/self/status").read_text()
    peaks[path.stem] = int(next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM")))
    del found
print(json.dumps(peaks))
"""
EMPTY = b'":{"dtype":"U8","shape":[0],"data_offsets":[0,0]}'
BOMBS: dict[str, Callable[[], bytes]] = {
    "keys": lambda: b"{" + b",".join(b'"%d":{}' % number for number in range(500_000)) + b"}",
    "tensors": lambda: b"{" + b",".join(b'"%d%b' % (number, EMPTY) for number in range(100_000)) + b"}",
    "modules": lambda: b"{" + b",".join(b'"%d.lora_up.weight%b' % (n, EMPTY) for n in range(MAX_TENSORS)) + b"}",
    "brackets": lambda: b"[" * 10_000_000,
    "quotes": lambda: b'{"__metadata__":{"a":"' + b'\\"' * 5_500_000 + b'"}}',
    "pictures": lambda: '{{"__metadata__":{{"a":"{}"}}}}'.format("😀" * 2_500_000).encode(),
    "one picture": lambda: b'{"__metadata__":{"a":"' + b"x" * 11_000_000 + b'\\ud83d\\ude00"}}',
    "metadata": lambda: b'{"__metadata__":{' + b",".join(b'"%d":""' % number for number in range(100_000)) + b"}}",
    "tags": lambda: json.dumps(
        {"__metadata__": {"ss_tag_frequency": json.dumps({"a": {f"tag {n}": n for n in range(110_000)}})}}
    ).encode(),
    "nested tags": lambda: json.dumps({"__metadata__": {"ss_datasets": "[" * 3_000_000}}).encode(),
    "a long header": lambda: b" " * (MAX_HEADER_BYTES + 1),
}


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_bomb_costs_less_than_a_hundred_megabytes(tmp_path: Path) -> None:
    paths = [raw_file(tmp_path / f"{kind}.safetensors", make()) for kind, make in BOMBS.items()]
    done = subprocess.run(
        [sys.executable, "-c", COSTS, *map(str, paths)], capture_output=True, text=True, check=True, timeout=120
    )
    peaks = json.loads(done.stdout)
    assert set(peaks) == set(BOMBS)
    assert {kind: peak_kb for kind, peak_kb in peaks.items() if peak_kb >= 100_000} == {}


@pytest.mark.parametrize("text", ["é" * 1_100_000, "x" * 2_000_000 + "😀"], ids=["é", "x"])
def test_long_texts_beyond_ascii_are_refused(tmp_path: Path, text: str) -> None:
    for ascii_only in (False, True):
        header = json.dumps({"__metadata__": {"a": text}}, ensure_ascii=ascii_only).encode()
        assert "beyond ASCII" in problem_of(raw_file(tmp_path / "a.safetensors", header)).message
    header = json.dumps({"__metadata__": {"a": json.dumps({"tag": text})}}).encode()  # as the trainer writes tags
    assert inspect_file(raw_file(tmp_path / "a.safetensors", header)).problems == ()


def test_an_absurdly_long_value_is_cut_for_a_person_and_whole_for_a_program(tmp_path: Path) -> None:
    path = weights_file(
        tmp_path / "a.safetensors", lora("lora_unet_x"), {"ss_output_name": "x" * 50_000, "y": "z" * 999}
    )
    found: Inspection = inspect_file(path)
    text = "\n".join(inspection_lines([found]))
    assert len(text) < 4000
    assert "(50,000 characters)" in text
    assert inspection_json(found)["metadata"]["ss_output_name"] == "x" * 50_000


def test_nothing_in_a_file_can_write_to_the_terminal(tmp_path: Path) -> None:
    evil = "\x1b[2J\x07\r\u202e"
    header = {"__metadata__": {"ss_output_name": evil, evil: evil, "software": json.dumps({"name": evil})}}
    tensors = lora(f"lora_unet_{evil}")
    at = 0
    data = b""
    for name, array in tensors.items():
        header[name] = entry("F32", list(array.shape), at, at + array.nbytes)
        at, data = at + array.nbytes, data + array.tobytes()
    found = inspect_file(raw_file(tmp_path / "a.safetensors", header, data))
    assert found.problems == ()
    text = "\n".join(inspection_lines([found, found]))
    assert not set(text) & set("\x1b\x07\r\u202e")
    assert text.encode()
    assert found.parameters == sum(array.size for name, array in tensors.items() if not name.endswith("alpha"))
