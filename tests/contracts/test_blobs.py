"""Every store that blobs may be in keeps the same promises."""

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tenfold.blobs import Blobs
from tenfold.errors import IntegrityError, NotAllowed, NotFound, SpecError, Unavailable

LARGE = bytes(range(256)) * (12 << 12)
"""12 MiB: S3 gets it in parts."""


@pytest.fixture(params=["folder", "file", "memory", "s3"])
def blobs(request, tmp_path):
    if request.param == "s3":
        return Blobs.opened(request.getfixturevalue("s3") + "/some/prefix", tmp_path)
    url = {"folder": "", "file": f"file://{tmp_path}/elsewhere", "memory": "memory:///"}
    return Blobs.opened(url[request.param], tmp_path)


@pytest.mark.parametrize("durable", [False, True])
@pytest.mark.parametrize("data", [b"picture", b"", LARGE], ids=["small", "empty", "large"])
def test_bytes_come_back_by_their_digest(blobs, data, durable):
    digest = hashlib.sha256(data).hexdigest()
    assert not blobs.has(digest)
    assert blobs.put(data, durable=durable) == digest
    assert blobs.put(data, durable=durable) == blobs.put(data, durable=not durable) == digest
    assert blobs.get(digest) == data
    assert blobs.has(digest)


def test_a_part_is_read_alone(blobs):
    digest = blobs.put(b"0123456789")
    assert blobs.get_range(digest, 0, 10) == b"0123456789"
    assert blobs.get_range(digest, 3, 4) == b"3456"
    assert blobs.get_range(digest, 9, 1) == b"9"
    assert blobs.get_range(digest, 4, 0) == b""
    for offset, length in ((8, 3), (10, 1), (99, 5)):
        with pytest.raises(IntegrityError, match="ends before"):
            blobs.get_range(digest, offset, length)


def test_deleting_twice_is_deleting(blobs):
    digest = blobs.put(b"picture")
    blobs.delete(digest)
    blobs.delete(digest)
    assert not blobs.has(digest)
    for read in (lambda: blobs.get(digest), lambda: blobs.get_range(digest, 0, 3)):
        with pytest.raises(NotFound, match="Ingest") as error:
            read()
        assert error.value.where == blobs.place


def test_two_stores_on_one_prefix_see_each_other_and_another_prefix_does_not(s3, tmp_path):
    digest = Blobs.opened(f"{s3}/a", tmp_path).put(b"picture")
    assert Blobs.opened(f"{s3}/a/", tmp_path).get(digest) == b"picture"
    assert not Blobs.opened(f"{s3}/b", tmp_path).has(digest)
    assert not Blobs.opened(s3, tmp_path).has(digest)


@pytest.mark.parametrize("durable", [False, True])
def test_changed_bytes_are_refused_and_half_a_file_is_written_anew(tmp_path, durable):
    blobs = Blobs.in_folder(tmp_path)
    digest = blobs.put(b"picture")
    file = tmp_path / digest[:2] / digest
    file.write_bytes(b"pictura")
    with pytest.raises(IntegrityError, match="backup"):
        blobs.get(digest)
    file.write_bytes(b"pic")  # as a power cut may leave it
    assert blobs.put(b"picture", durable=durable) == digest
    assert blobs.get(digest) == b"picture"
    assert [path.name for path in file.parent.iterdir()] == [digest]


def test_a_store_that_is_away_is_unavailable_until_it_is_back(s3, s3_server, tmp_path):
    blobs = Blobs.opened(s3, tmp_path)
    digest = blobs.put(b"picture")
    calls = [
        lambda: blobs.put(b"other"),
        lambda: blobs.get(digest),
        lambda: blobs.get_range(digest, 0, 3),
        lambda: blobs.has(digest),
        lambda: blobs.delete(digest),
    ]
    s3_server.stop()
    try:
        for call in calls:
            with pytest.raises(Unavailable, match="run the same command again") as error:
                call()
            assert error.value.where.startswith(s3)
            assert error.value.__cause__ is not None
    finally:
        s3_server.start()
    assert blobs.get(digest) == b"picture"


def test_a_bucket_that_is_not_there_is_named(s3, tmp_path):
    blobs = Blobs.opened("s3://nobodys-bucket/prefix", tmp_path)
    for call in (lambda: blobs.put(b"picture"), lambda: blobs.get("a" * 64)):
        with pytest.raises(NotFound, match="no such bucket") as error:
            call()
        assert error.value.where == "s3://nobodys-bucket/prefix"


@pytest.mark.parametrize("url", ["ftp://ann:geheim@host/x", "s3://", "blobs", "file://blobs"])
def test_an_impossible_url_is_told_without_its_password(url, tmp_path):
    with pytest.raises(SpecError, match="expected s3://bucket/prefix") as error:
        Blobs.opened(url, tmp_path)
    assert "geheim" not in str(error.value)


def test_a_region_need_not_be_set(s3, monkeypatch, tmp_path):
    monkeypatch.delenv("AWS_REGION")
    blobs = Blobs.opened(s3, tmp_path)
    assert blobs.get(blobs.put(b"picture")) == b"picture"


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 64 KiB; only root may make one."""
    disk = tmp_path / "disk"
    disk.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(disk)]
    if os.geteuid() != 0 or subprocess.run(command, check=False, capture_output=True).returncode:
        pytest.skip("this user may not mount a small disk")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


def test_a_full_disk_is_unavailable_and_nothing_is_half_written(small_disk):
    blobs = Blobs.in_folder(small_disk / "blobs")
    for durable in (False, True):
        with pytest.raises(Unavailable, match="disk is full") as error:
            blobs.put(LARGE, durable=durable)
        assert str(small_disk) in error.value.where
    assert [path for path in small_disk.rglob("*") if path.is_file()] == []
    assert blobs.get(blobs.put(b"small")) == b"small"


def test_a_disk_that_may_only_be_read_is_not_allowed(small_disk):
    digest = Blobs.in_folder(small_disk / "blobs").put(b"picture")
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    blobs = Blobs.in_folder(small_disk / "blobs")
    for durable in (False, True):
        with pytest.raises(NotAllowed, match="Read-only"):
            blobs.put(b"other", durable=durable)
    with pytest.raises(NotAllowed, match="Read-only"):
        blobs.delete(digest)
    assert blobs.get(digest) == b"picture"


WRITER = """
import sys
from pathlib import Path
from tenfold.blobs import Blobs
blobs = Blobs.in_folder(Path(sys.argv[1]))
print("ready", flush=True)
for n in range(1000):
    blobs.put(bytes([n % 256]) * 400_000 + str(n).encode(), durable=n % 2 == 0)
"""


def test_a_writer_killed_at_any_moment_leaves_whole_blobs_only(tmp_path):
    for n in range(3):
        command = [sys.executable, "-c", WRITER, str(tmp_path)]
        writer = subprocess.Popen(command, stdout=subprocess.PIPE)
        writer.stdout.readline()
        with pytest.raises(subprocess.TimeoutExpired):
            writer.wait(0.05 + 0.07 * n)
        writer.kill()
        writer.wait()
        writer.stdout.close()
    blobs = Blobs.in_folder(tmp_path)
    digests = [path.name for path in Path(tmp_path).glob("??/*") if len(path.name) == 64]
    assert digests
    for digest in digests:
        blobs.get(digest)
