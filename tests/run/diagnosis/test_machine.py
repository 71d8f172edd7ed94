"""What the kernel tells after a training, from files as it writes them."""

from __future__ import annotations

from pathlib import Path

import pytest

from loratpl.run.diagnosis.machine import Kill, MachineWatch, Sources, free_bytes

GIB = 1 << 30
KILLED = (
    "6,1204,812345678,-;Memory cgroup out of memory: Killed process 4242 (pt_main_thread) total-vm:9000000kB, "
    "anon-rss:7340032kB, file-rss:0kB, shmem-rss:0kB, UID:0 pgtables:100kB oom_score_adj:0\n"
)
XID = "4,1205,812345679,-;NVRM: Xid (PCI:0000:01:00): 79, pid=4242, GPU has fallen off the bus.\n"


@pytest.fixture
def sources(tmp_path: Path) -> Sources:
    """A machine of 16 GiB whose control group is not limited."""
    made = Sources(tmp_path / "proc", tmp_path / "cgroup", tmp_path / "kmsg", tmp_path)
    write(made.proc_dir / "meminfo", "MemTotal:       16777216 kB\nMemAvailable:    1000 kB\n")
    write(made.proc_dir / "vmstat", "nr_free_pages 7\noom_kill 3\n")
    write(made.proc_dir / "self" / "cgroup", "0::/user.slice/a.service\n")
    write(made.kernel_log_path, "6,1,1,-;earlier: Killed process 1 (python) total-vm:1kB, anon-rss:1kB\n")
    return made


def write(path: Path, text: str, mode: str = "w") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open(mode, encoding="utf-8") as file:
        file.write(text)


def test_a_quiet_training_leaves_no_kill(sources: Sources) -> None:
    facts = MachineWatch(sources).facts()
    assert facts.total_bytes == 16 * GIB
    assert facts.kill_count == 0
    assert (facts.limit_bytes, facts.peak_bytes, facts.kills, facts.gpu_errors) == (None, None, (), ())


def test_only_what_was_added_meanwhile_counts(sources: Sources) -> None:
    watch = MachineWatch(sources)
    write(sources.proc_dir / "vmstat", "oom_kill 4\n")
    write(sources.kernel_log_path, KILLED + XID, "a")
    facts = watch.facts()
    assert facts.kill_count == 1
    assert facts.kills == (Kill(4242, "pt_main_thread", 7 * GIB),)
    assert facts.gpu_errors == ("NVRM: Xid (PCI:0000:01:00): 79, pid=4242, GPU has fallen off the bus.",)


def test_the_groups_own_count_comes_before_the_machines(sources: Sources) -> None:
    group = sources.cgroup_dir / "user.slice" / "a.service"
    write(group / "memory.events", "low 0\nhigh 0\nmax 12\noom 0\noom_kill 0\noom_group_kill 0\n")
    watch = MachineWatch(sources)
    write(sources.proc_dir / "vmstat", "oom_kill 9\n")  # somebody else's
    assert watch.facts().kill_count == 0


@pytest.mark.parametrize("is_seen_from_inside", [False, True])
def test_limit_and_peak_of_a_container(sources: Sources, *, is_seen_from_inside: bool) -> None:
    group = sources.cgroup_dir if is_seen_from_inside else sources.cgroup_dir / "user.slice" / "a.service"
    write(group / "memory.max", f"{8 * GIB}\n")
    write(group / "memory.peak", f"{8 * GIB - 4096}\n")
    write(group / "memory.events", "oom_kill 0\n")
    watch = MachineWatch(sources)
    write(group / "memory.events", "oom_kill 1\n")
    facts = watch.facts()
    assert (facts.limit_bytes, facts.peak_bytes, facts.kill_count) == (8 * GIB, 8 * GIB - 4096, 1)


def test_version_1_of_control_groups(sources: Sources) -> None:
    write(sources.proc_dir / "self" / "cgroup", "9:name=systemd:/\n4:cpu,memory:/box\n0::/\n")
    group = sources.cgroup_dir / "memory" / "box"
    write(group / "memory.limit_in_bytes", f"{2 * GIB}\n")
    write(group / "memory.max_usage_in_bytes", f"{GIB}\n")
    write(group / "memory.oom_control", "oom_kill_disable 0\nunder_oom 0\noom_kill 5\n")
    watch = MachineWatch(sources)
    write(group / "memory.oom_control", "oom_kill_disable 0\nunder_oom 0\noom_kill 6\n")
    facts = watch.facts()
    assert (facts.limit_bytes, facts.peak_bytes, facts.kill_count) == (2 * GIB, GIB, 1)


def test_no_limit_is_written_as_a_huge_one(sources: Sources) -> None:
    write(sources.proc_dir / "self" / "cgroup", "4:memory:/\n")
    write(sources.cgroup_dir / "memory" / "memory.limit_in_bytes", "9223372036854771712\n")
    assert MachineWatch(sources).facts().limit_bytes is None


def test_a_system_that_tells_nothing(tmp_path: Path) -> None:
    nowhere = tmp_path / "nowhere"
    facts = MachineWatch(Sources(nowhere, nowhere, nowhere, nowhere)).facts()
    assert (facts.total_bytes, facts.limit_bytes, facts.kill_count, facts.shared_bytes) == (None, None, None, None)
    assert facts.kills == ()


def test_a_kernel_log_that_says_more_than_the_counters(sources: Sources) -> None:
    """As on a kernel without the counter."""
    (sources.proc_dir / "vmstat").unlink()
    watch = MachineWatch(sources)
    write(sources.kernel_log_path, KILLED, "a")
    assert watch.facts().kill_count == 1


def test_the_kernels_log_is_given_back(sources: Sources) -> None:
    before = len(list(Path("/proc/self/fd").iterdir())) if Path("/proc/self/fd").is_dir() else 0
    watch = MachineWatch(sources)
    watch.close()
    watch.close()
    assert watch.facts().kills == ()
    assert (len(list(Path("/proc/self/fd").iterdir())) if before else 0) == before


@pytest.mark.skipif(not Path("/proc/meminfo").exists(), reason="Linux tells in /proc")
def test_this_machine_can_be_asked() -> None:
    facts = MachineWatch().facts()
    assert facts.total_bytes is not None
    assert facts.total_bytes > GIB / 4
    assert facts.shared_bytes is not None


def test_room_is_asked_of_the_nearest_folder_that_is_there(tmp_path: Path) -> None:
    assert free_bytes(tmp_path / "not" / "there yet") == pytest.approx(free_bytes(tmp_path), rel=0.01)
