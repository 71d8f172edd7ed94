"""What a training takes of the machine; NVIDIA's library is a stand-in of the same names, /proc the real one."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from loratpl.run.gauges import Gauges, Reading, is_trainer, nvidia_library, read_gpus, resident_bytes
from tests.command_line import eventually

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
RUN_ID = "20260101-000000-lora"
GB = 10**9


class FakeNvml:
    """GPUs of a machine, as NVIDIA's library tells them."""

    class NVMLError(Exception):
        """What the library raises."""

    def __init__(self, *pids: int | None, has_failed: bool = False) -> None:
        self._pids, self._has_failed = pids, has_failed

    def nvmlDeviceGetCount(self) -> int:  # noqa: N802 - the library's name
        if self._has_failed:
            raise self.NVMLError("GPU is lost")
        return len(self._pids)

    def nvmlDeviceGetHandleByIndex(self, number: int) -> int:  # noqa: N802
        return number

    def nvmlDeviceGetUUID(self, gpu: int) -> str:  # noqa: N802
        return f"GPU-{gpu}{gpu}{gpu}"

    def nvmlDeviceGetComputeRunningProcesses(self, gpu: int) -> list[Any]:  # noqa: N802
        return [] if self._pids[gpu] is None else [SimpleNamespace(pid=self._pids[gpu])]

    def nvmlDeviceGetMemoryInfo(self, gpu: int) -> Any:  # noqa: N802
        return SimpleNamespace(used=(gpu + 1) * GB, total=24 * GB)

    def nvmlDeviceGetUtilizationRates(self, gpu: int) -> Any:  # noqa: N802
        if gpu == 3:
            raise self.NVMLError("Not supported")
        return SimpleNamespace(gpu=10 * (gpu + 1))


@pytest.fixture
def process(monkeypatch: pytest.MonkeyPatch) -> Iterator[subprocess.Popen[bytes]]:
    """A process that could be the trainer of RUN_ID, which leads its group."""
    code = "import time; time.sleep(60)"
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "2,GPU-00")
    child = subprocess.Popen([sys.executable, "-c", code, f"log/{RUN_ID}/events.jsonl"], start_new_session=True)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES")
    eventually(lambda: is_trainer(child.pid, RUN_ID), "the process is there")
    yield child
    child.kill()
    child.wait()


def test_the_gpu_that_the_trainer_uses_is_read(process: subprocess.Popen[bytes]) -> None:
    library = FakeNvml(1, process.pid, None)
    assert read_gpus(library, process.pid, "") == Reading(1, 2 * GB, 24 * GB, 20)


def test_several_gpus_are_taken_together(process: subprocess.Popen[bytes]) -> None:
    library = FakeNvml(process.pid, process.pid)
    assert read_gpus(library, process.pid, "cuda") == Reading(2, 3 * GB, 48 * GB, 15)


@pytest.mark.parametrize(
    ("device", "used"), [("cuda", 3 * GB), ("cuda:0", 3 * GB), ("cuda:1", 1 * GB), ("cuda:2", None), ("cpu", None)]
)
def test_in_a_container_the_trainers_own_choice_tells_the_gpu(
    process: subprocess.Popen[bytes], device: str, used: int | None
) -> None:
    """There the driver tells ids of processes that mean nothing inside."""
    assert read_gpus(FakeNvml(1, 1, 1, 1), process.pid, device).gpu_used_bytes == used


def test_a_gpu_that_does_not_tell_how_busy_it_is_tells_its_memory() -> None:
    pid = -1
    assert read_gpus(FakeNvml(None, None, None, pid), pid, "") == Reading(1, 4 * GB, 24 * GB, None)


def test_a_gpu_that_was_lost_is_no_reading() -> None:
    assert read_gpus(FakeNvml(1, has_failed=True), 1, "cuda") == Reading()


def test_memory_is_read_while_the_trainer_lives(process: subprocess.Popen[bytes]) -> None:
    gauges = Gauges(process.pid, RUN_ID, interval_s=0.01)
    gauges.start()
    eventually(lambda: (gauges.reading.ram_bytes or 0) > 1_000_000, "a reading")
    process.kill()
    process.wait()
    gauges.join(10)
    assert not gauges.is_alive()


def test_the_reading_ends_when_it_is_told_to(process: subprocess.Popen[bytes]) -> None:
    gauges = Gauges(process.pid, RUN_ID)
    gauges.start()
    time.sleep(0.05)
    gauges.stop()
    gauges.join(10)
    assert not gauges.is_alive()


def test_another_process_is_not_the_trainer(process: subprocess.Popen[bytes]) -> None:
    assert not is_trainer(process.pid, "20260101-000001-lora")
    assert not is_trainer(2**22 + 1, RUN_ID)
    assert resident_bytes(2**22 + 1) is None


@pytest.mark.parametrize("text", [None, "class NVMLError(Exception): pass\ndef nvmlInit(): raise NVMLError"])
def test_without_the_library_or_a_driver_there_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str | None
) -> None:
    monkeypatch.delitem(sys.modules, "pynvml", raising=False)
    monkeypatch.syspath_prepend(str(tmp_path))
    source = "raise ImportError" if text is None else text
    (tmp_path / "pynvml.py").write_text(source, encoding="utf-8")
    assert nvidia_library() is None
    monkeypatch.delitem(sys.modules, "pynvml", raising=False)
