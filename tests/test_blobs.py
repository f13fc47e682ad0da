import pytest

from tenfold.blobs import Blobs
from tenfold.errors import IntegrityError, NotFound


@pytest.fixture(params=["folder", "memory"])
def blobs(request, tmp_path):
    return Blobs.in_folder(tmp_path / "blobs") if request.param == "folder" else Blobs.in_memory()


def test_bytes_come_back_by_their_digest(blobs):
    digest = blobs.put(b"picture")
    assert blobs.put(b"picture") == digest
    assert (blobs.get(digest), blobs.has(digest)) == (b"picture", True)


def test_deleting_twice_is_deleting(blobs):
    digest = blobs.put(b"picture")
    blobs.delete(digest)
    blobs.delete(digest)
    assert not blobs.has(digest)
    with pytest.raises(NotFound, match="Ingest"):
        blobs.get(digest)


def test_changed_bytes_are_refused(tmp_path):
    blobs = Blobs.in_folder(tmp_path)
    digest = blobs.put(b"picture")
    (tmp_path / digest[:2] / digest).write_bytes(b"pictures")
    with pytest.raises(IntegrityError, match="backup"):
        blobs.get(digest)
