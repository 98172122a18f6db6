"""The disks under a path, and what they did between two readings."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from ocr_otel import semconv
from ocr_otel.resources.host.disks import (
    Direction,
    DiskCounts,
    DiskSource,
    disks_under,
    parse_diskstats,
    place_of,
    rates,
)
from ocr_otel.resources.host.mounts import Kind, Mount, parse_mounts
from ocr_otel.resources.readings import Unavailable, series
from tests.unit.resources.host.conftest import RECORDED, Machine

MB = 1_000_000


def device(system: Path, number: str, at: str, partition: bool = False) -> Path:
    node = system / "devices" / at
    node.mkdir(parents=True, exist_ok=True)
    (system / "dev" / "block").mkdir(parents=True, exist_ok=True)
    (system / "dev" / "block" / number).symlink_to(node)
    if partition:
        (node / "partition").write_text("1\n")
    return node


@pytest.fixture
def system(tmp_path: Path) -> Path:
    """A disk with a partition, and LVM over encryption over a partition and a whole disk."""
    root = tmp_path / "sys"
    device(root, "259:0", "nvme0n1")
    first = device(root, "259:2", "nvme0n1/nvme0n1p2", partition=True)
    second = device(root, "8:0", "sda")
    crypt = device(root, "253:0", "virtual/dm-0")
    volume = device(root, "253:1", "virtual/dm-1")
    for node, below in ((crypt, first), (volume, crypt), (volume, second)):
        (node / "slaves").mkdir(exist_ok=True)
        (node / "slaves" / below.name).symlink_to(below)
    (second / "slaves").mkdir()
    return root


@pytest.mark.parametrize(
    ("number", "disks"),
    [
        ("259:0", ("nvme0n1",)),
        ("259:2", ("nvme0n1",)),
        ("8:0", ("sda",)),
        ("253:0", ("nvme0n1",)),
        ("253:1", ("nvme0n1", "sda")),
        ("9:9", ()),
    ],
)
def test_a_device_lies_on_disks(system: Path, number: str, disks: tuple[str, ...]) -> None:
    assert disks_under(number, str(system)) == disks


def test_places_of_a_container(machine: Callable[[str], Machine], system: Path) -> None:
    mounts = parse_mounts((machine("v2_namespace").root / "proc" / "self" / "mountinfo").read_bytes())
    found = {path: place_of(path, mounts, str(system)) for path in ("/data/set", "/work", "/mnt/my nfs/a", "/mnt/s3/a")}
    assert {path: place and (place.kind, place.type, place.disks) for path, place in found.items()} == {
        "/data/set": (Kind.DISK, "ext4", ("nvme0n1",)),
        "/work": (Kind.OVERLAY, "overlay", ()),
        "/mnt/my nfs/a": (Kind.NETWORK, "nfs4", ()),
        "/mnt/s3/a": (Kind.FUSE, "fuse.s3fs", ()),
    }


def test_an_overlay_seen_from_its_host_is_on_the_disk_of_its_upper_directory(system: Path, tmp_path: Path) -> None:
    (tmp_path / "upper").mkdir()
    mounts = [
        Mount("259:2", "/", "/", "ext4", "/dev/nvme0n1p2", "rw"),
        Mount("0:44", "/", "/merged", "overlay", "overlay", f"rw,lowerdir=/l,upperdir={tmp_path}/upper,workdir=/w"),
    ]
    place = place_of("/merged/run", mounts, str(system))
    assert place is not None
    assert (place.kind, place.disks) == (Kind.OVERLAY, ("nvme0n1",))


def test_the_fields_of_a_line() -> None:
    line = b"   8       0 sda 1 2 3 4000 5 6 7 8000 9 10000 11000 12 13 14 15 16 17\n"
    reads, writes = Direction(1, 2, 3 * 512, 4.0), Direction(5, 6, 7 * 512, 8.0)
    assert parse_diskstats(line, ["sda"]) == {"sda": DiskCounts(reads, writes, 10.0, 11.0)}
    assert parse_diskstats(line, ["sd"]) == {}


def test_counts_of_a_recorded_table() -> None:
    found = parse_diskstats((RECORDED / "hybrid" / "proc" / "diskstats").read_bytes(), ["vda"])
    assert found.keys() == {"vda"}
    assert found["vda"].read.operations > 0
    assert found["vda"].read.bytes % 512 == 0
    assert found["vda"].busy > 0


def test_rates_between_two_readings() -> None:
    nothing = Direction(0, 0, 0, 0.0)
    before = DiskCounts(Direction(100, 10, 10 * MB, 5.0), nothing, 10.0, 20.0)
    after = DiskCounts(Direction(300, 610, 60 * MB, 6.0), nothing, 10.5, 23.0)
    found = dict(rates("sda", before, after, 1.0))
    reads = {"system_device": "sda", "disk_io_direction": "read"}
    assert found == {
        series(semconv.DISK_UTILIZATION, system_device="sda"): 0.5,
        series(semconv.DISK_QUEUE, system_device="sda"): 3.0,
        series(semconv.DISK_WAIT, **reads): pytest.approx(0.005),
        series(semconv.DISK_REQUEST_SIZE, **reads): 50 * MB / 200,
        series(semconv.DISK_MERGED, **reads): 0.75,
    }


def test_a_disk_that_was_reset_or_rounds_up_stays_in_bounds() -> None:
    one = DiskCounts(Direction(5, 5, 5, 5.0), Direction(5, 5, 5, 5.0), 5.0, 5.0)
    none = DiskCounts(Direction(0, 0, 0, 0.0), Direction(0, 0, 0, 0.0), 0.0, 0.0)
    assert set(dict(rates("sda", one, none, 1.0)).values()) == {0.0}
    busy = dict(rates("sda", none, one, 4.9))[series(semconv.DISK_UTILIZATION, system_device="sda")]
    assert busy == 1.0


def test_what_is_written_here_is_seen_on_the_disk(on_disk: Path) -> None:
    source = DiskSource(lambda: [on_disk])
    source.open()
    time.sleep(0.15)
    with (on_disk / "data").open("wb") as file:
        file.write(os.urandom(20 * MB))
        file.flush()
        os.fsync(file.fileno())
    found = dict(source.read())
    disks = {dict(each.attributes).get("system.device") for each in found} - {None}
    assert disks
    written = [found[series(semconv.DISK_IO, system_device=each, disk_io_direction="write")] for each in disks]
    assert max(written) >= 20 * MB
    waits = [found[series(semconv.DISK_WAIT, system_device=each, disk_io_direction="write")] for each in disks]
    assert all(0 <= wait < 10 for wait in waits)
    assert found[series(semconv.DISK_UTILIZATION, system_device=disks.pop())] > 0  # type: ignore[arg-type]


def test_paths_that_come_later_are_looked_up_once(machine: Callable[[str], Machine]) -> None:
    recorded = machine("hybrid")
    paths: list[Path] = []
    source = DiskSource(lambda: paths, recorded.proc, "/nowhere")
    source.open()
    assert list(source.read()) == []
    paths += [Path("/dev/shm/a"), Path("/dev/shm/b")]
    kept = series(semconv.PATH_COUNT, system_filesystem_type="tmpfs", kind="memory")
    assert dict(source.read()) == {kept: 2}
    (Path(recorded.proc) / "self" / "mountinfo").unlink()
    assert dict(source.read()) == {kept: 2}


def test_without_the_kernels_tables_there_is_a_reason(machine: Callable[[str], Machine]) -> None:
    with pytest.raises(Unavailable, match="diskstats cannot be read"):
        DiskSource(list, machine("none").proc).open()


def test_a_masked_table_has_no_disks(machine: Callable[[str], Machine]) -> None:
    source = DiskSource(lambda: [Path("/data")], machine("masked").proc)
    source.open()
    assert list(source.read()) == []
