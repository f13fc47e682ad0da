"""Bytes arrive in pieces; what strangers pack leads nowhere."""

import errno
import hashlib
import os
import zipfile

import pytest

from tenfold.errors import Conflict, DataError, NotFound, SpecError, Unavailable
from tenfold.factory import telling, uploads
from tenfold.factory.telling import Teller
from tenfold.factory.uploads import Uploads


@pytest.fixture
def kept(tmp_path):
    return Uploads.of(tmp_path / "home")


def sent(kept, data, *, name="a.zip", sha256=""):
    upload = kept.create(name=name, size=len(data), sha256=sha256)
    with kept.appending(upload.id, 0) as (told, file):
        kept.append(file, data, room=told.size)
    return upload.id


def zipped(path, **files):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return path.read_bytes()


def test_pieces_add_up(kept):
    upload = kept.create(name="good/1.png", size=6)
    for offset, piece in ((0, b"abc"), (3, b"def")):
        with kept.appending(upload.id, offset) as (told, file):
            kept.append(file, piece, room=told.size - told.offset)
    assert kept.get(upload.id).is_complete
    folder = kept.unpacked([upload.id])
    assert (folder / "good" / "1.png").read_bytes() == b"abcdef"
    assert kept.unpacked([upload.id]) == folder


def test_a_piece_goes_to_the_end_and_nowhere_else(kept):
    upload = kept.create(name="1.png", size=6)
    with pytest.raises(Conflict, match="ends at 0"), kept.appending(upload.id, 3):
        pass
    with (
        kept.appending(upload.id, 0),
        pytest.raises(Conflict, match="another request"),
        kept.appending(upload.id, 0),
    ):
        pass
    with kept.appending(upload.id, 0) as (told, file), pytest.raises(DataError, match="more bytes"):
        kept.append(file, b"1234567", room=told.size)
    with pytest.raises(Conflict, match="0 of 6"):
        kept.unpacked([upload.id])


def test_other_bytes_than_told_are_sent_again(kept):
    name = sent(kept, b"abc", sha256=hashlib.sha256(b"abd").hexdigest())
    with pytest.raises(DataError, match="sha256"):
        kept.check(name)
    assert kept.get(name).offset == 0


class Full:
    """A disk that takes three bytes more."""

    def __init__(self, file):
        self._file, self._room = file, 3

    def write(self, view):
        if not self._room:
            raise OSError(errno.ENOSPC, "No space left on device")
        taken = self._file.write(view[: self._room])
        self._room -= taken
        return taken


def test_a_full_disk_keeps_what_it_took(kept):
    upload = kept.create(name="1.png", size=6)
    with (
        pytest.raises(Unavailable, match="disk is full"),
        kept.appending(upload.id, 0) as (told, file),
    ):
        kept.append(Full(file), b"abcdef", room=told.size)
    assert kept.get(upload.id).offset == 3


@pytest.mark.parametrize(
    "name", ["../1.png", "/etc/1.png", "a/../../1.png", "..\\1.png", "", "a\n"]
)
def test_a_name_leads_nowhere(kept, name, tmp_path):
    with pytest.raises(SpecError, match="no path"):
        kept.create(name=name, size=1)
    if name:
        upload = sent(kept, zipped(tmp_path / "a.zip", **{name: b"x"}))
        with pytest.raises(DataError, match="no path"):
            kept.unpacked([upload])


@pytest.mark.parametrize("name", ["../x", "", "0" * 32, "/"])
def test_an_id_leads_nowhere(kept, name):
    with pytest.raises(NotFound):
        kept.get(name)


@pytest.mark.parametrize("name", ["..", ".", "/", "../..", "no"])
def test_a_folder_is_below_uploads(kept, name):
    kept.root.mkdir(parents=True)
    with pytest.raises(NotFound):
        kept.folder_of(name)


def test_links_bombs_twins_and_broken_zips_are_refused(kept, tmp_path, monkeypatch):
    link = zipfile.ZipInfo("link")
    link.external_attr = 0o120777 << 16
    with zipfile.ZipFile(tmp_path / "l.zip", "w") as archive:
        archive.writestr(link, "/etc/passwd")
    with pytest.raises(DataError, match="is a link"):
        kept.unpacked([sent(kept, (tmp_path / "l.zip").read_bytes())])
    whole = zipped(tmp_path / "b.zip", **{"zeros.bmp": bytes(3_000_000)})
    monkeypatch.setattr(uploads, "SMALL_BYTES", 1_000_000)
    with pytest.raises(DataError, match="no pictures"):
        kept.unpacked([sent(kept, whole)])
    with pytest.raises(DataError, match="two files"):
        kept.unpacked([sent(kept, b"1", name="a.png"), sent(kept, b"2", name="a.png")])
    broken = bytearray(zipped(tmp_path / "c.zip", **{"a.png": bytes(range(200)) * 9}))
    broken[60] ^= 255
    with pytest.raises(DataError, match="cannot be read"):
        kept.unpacked([sent(kept, bytes(broken))])
    with pytest.raises(DataError, match="ends too early"):
        kept.unpacked([sent(kept, whole[:-30], name="d.zip")])


def test_what_is_old_is_removed_and_what_others_put_there_stays(kept):
    old, new = sent(kept, b"old"), sent(kept, b"new")
    (kept.root / ("ab" * 16)).mkdir()  # begun, and the disk was full
    (kept.root / "by-hand").mkdir()
    for name in (old, "ab" * 16, "by-hand"):
        for path in (*(kept.root / name).iterdir(), kept.root / name):
            os.utime(path, (1000, 1000))
    assert kept.remove_old(before=2000) == 2
    assert sorted(path.name for path in kept.root.iterdir()) == sorted([new, "by-hand"])
    Teller(kept.root, "a").tell("begins")
    telling.cancel(kept.root, "b")
    os.utime(telling.place(kept.root, "a"), (1000, 1000))
    assert telling.remove_old(kept.root, before=2000) == 1
    assert telling.is_cancelled(kept.root, "b")


def test_a_line_that_is_torn_was_not_told(tmp_path):
    teller = Teller(tmp_path, "make:1")
    teller.tell("begins")
    (first,) = telling.events(tmp_path, "make:1")
    with telling.place(tmp_path, "make:1").open("ab") as file:
        file.write(b'{"event": "prog')
    assert telling.events(tmp_path, "make:1") == [first]
    teller.tell("done", result=1)
    assert [e.kind for e in telling.events(tmp_path, "make:1")] == ["begins", "done"]
    (last,) = telling.events(tmp_path, "make:1", after=first.after)
    assert last.kind == "done"
    assert teller.outcome() == last
