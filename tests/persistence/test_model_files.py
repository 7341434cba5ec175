"""Where models are saved: permissions, links, what crashes leave, and what is no file at all."""

import errno
import os
import socket
import stat
import subprocess
import sys
import time

import pytest
from numpy.testing import assert_array_equal

from skcausalpima import CausalPIMA
from skcausalpima._state.file import ABANDONED, FILE_NAME, _scratch_prefixes

pytestmark = pytest.mark.posix


def mode_of(path):
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture
def umask():
    """Set the umask for one test."""
    before = os.umask(0o022)
    yield os.umask
    os.umask(before)


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o666])
def test_a_file_that_is_replaced_keeps_its_permissions(fitted, tmp_path, umask, mode):
    path = tmp_path / "model"
    path.write_text("old")
    path.chmod(mode)
    fitted.save(path)
    assert mode_of(path) == mode
    CausalPIMA.load(path)


@pytest.mark.parametrize(("mask", "mode"), [(0o022, 0o644), (0o077, 0o600), (0o002, 0o664)])
def test_a_new_file_follows_the_umask(fitted, tmp_path, umask, mask, mode):
    umask(mask)
    fitted.save(tmp_path / "model")
    assert mode_of(tmp_path / "model") == mode


def test_nobody_else_may_read_a_private_file_while_it_is_written(
    fitted, tmp_path, umask, monkeypatch
):
    path, seen = tmp_path / "model", []
    path.write_text("old")
    path.chmod(0o600)
    monkeypatch.setattr(
        os, "fsync", lambda opened: seen.append(stat.S_IMODE(os.fstat(opened).st_mode))
    )
    fitted.save(path)
    assert seen[0] == 0o600


@pytest.mark.parametrize("link", ["absolute", "relative", "of a link", "to a folder"])
def test_a_link_is_followed(fitted, pair, tmp_path, link):
    folder = tmp_path / "folder"
    folder.mkdir()
    target, name = folder / FILE_NAME, tmp_path / "link"
    target.write_text("old")
    places = {"relative": "folder/" + FILE_NAME, "to a folder": folder, "of a link": "second"}
    name.symlink_to(places.get(link, target))
    (tmp_path / "second").symlink_to(target)
    fitted.save(name)
    assert name.is_symlink()
    assert not target.is_symlink()
    assert os.listdir(folder) == [FILE_NAME]
    for place in (name, target):
        assert_array_equal(CausalPIMA.load(place).transform(pair), fitted.transform(pair))


def test_a_link_to_nothing_gets_its_target(fitted, tmp_path):
    (tmp_path / "link").symlink_to(tmp_path / "target")
    with pytest.raises(FileNotFoundError, match="link"):
        CausalPIMA.load(tmp_path / "link")
    fitted.save(tmp_path / "link")
    assert (tmp_path / "link").is_symlink()
    CausalPIMA.load(tmp_path / "target")
    (tmp_path / "lost").symlink_to(tmp_path / "absent" / "target")
    with pytest.raises(FileNotFoundError, match="absent"):
        fitted.save(tmp_path / "lost")


def test_links_in_a_circle(fitted, tmp_path):
    (tmp_path / "one").symlink_to("other")
    (tmp_path / "other").symlink_to("one")
    with pytest.raises(OSError, match="one") as caught:
        fitted.save(tmp_path / "one")
    assert caught.value.errno == errno.ELOOP
    with pytest.raises(FileNotFoundError, match="one"):
        CausalPIMA.load(tmp_path / "one")
    assert sorted(os.listdir(tmp_path)) == ["one", "other"]


@pytest.mark.parametrize("fails", [False, True])
def test_the_folder_is_synced_after_the_file_has_its_name(fitted, tmp_path, monkeypatch, fails):
    synced, fsync = [], os.fsync

    def note(opened):
        is_folder = stat.S_ISDIR(os.fstat(opened).st_mode)
        synced.append((is_folder, (tmp_path / "model").exists()))
        if is_folder and fails:
            raise OSError(errno.EINVAL, "not for folders")
        fsync(opened)

    monkeypatch.setattr(os, "fsync", note)
    fitted.save(tmp_path / "model")
    assert synced == [(False, False), (True, True)]
    CausalPIMA.load(tmp_path / "model")


def test_an_empty_path_is_refused(fitted, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for use in (fitted.save, CausalPIMA.load):
        with pytest.raises(ValueError, match='path is "": expected the name of a file'):
            use("")
    assert os.listdir(tmp_path) == []


def test_what_is_no_regular_file_is_not_loaded(tmp_path):
    pipe, in_folder, bound = tmp_path / "pipe", tmp_path / "folder", tmp_path / "socket"
    in_folder.mkdir()
    os.mkfifo(pipe)  # opened for reading, it would be waited for
    os.mkfifo(in_folder / FILE_NAME)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(bound))
        for path in (pipe, bound, os.devnull):
            with pytest.raises(ValueError, match=f"^{path} cannot be loaded: it is no regular"):
                CausalPIMA.load(path)
    with pytest.raises(ValueError, match=r"holds no model.safetensors"):
        CausalPIMA.load(in_folder)


def test_what_is_no_regular_file_is_not_replaced(fitted, tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    (tmp_path / "link").symlink_to(pipe)
    for path in (pipe, tmp_path / "link"):
        with pytest.raises(ValueError, match=r"pipe is no regular file, and cannot be replaced"):
            fitted.save(path)
    assert stat.S_ISFIFO(pipe.stat().st_mode)


KILLED = """
import os, pickle, signal, sys
os.replace = lambda *names: os.kill(os.getpid(), signal.SIGKILL)
from skcausalpima import CausalPIMA
CausalPIMA.load(sys.argv[1]).save(sys.argv[2])
"""


@pytest.mark.long
def test_what_a_killed_save_left_is_removed_by_the_next(fitted, tmp_path):
    fitted.save(tmp_path / "model")
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", KILLED, str(tmp_path / "model"), str(tmp_path / "model")]
    killed = subprocess.run(command, env=environment, check=False)
    assert killed.returncode == -9
    assert len(os.listdir(tmp_path)) == 2
    fitted.save(tmp_path / "other")  # what belongs to another file stays
    assert len(os.listdir(tmp_path)) == 3
    fitted.save(tmp_path / "model")
    assert sorted(os.listdir(tmp_path)) == ["model", "other"]


def test_scratch_files_that_may_be_in_use_stay(fitted, tmp_path):
    path = tmp_path / "model"
    of_file, here = _scratch_prefixes(path)
    elsewhere = f"{of_file}{'0' * 12}-"
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    kept = [f"{here}{os.getpid()}-a.tmp", f"{here}1-a.tmp", f"{elsewhere}{ended.pid}-a.tmp"]
    kept += [f"{here}x-a.tmp", ".mine.tmp"]
    removed = [f"{here}{ended.pid}-a.tmp", f"{elsewhere}1-b.tmp", f"{here}{os.getpid()}-b.tmp"]
    for name in kept + removed:
        (tmp_path / name).write_text("")
    for name in removed[1:]:
        old = time.time() - ABANDONED - 60
        os.utime(tmp_path / name, (old, old))
    fitted.save(path)
    assert sorted(os.listdir(tmp_path)) == sorted(["model", *kept])


def test_a_name_may_be_as_long_as_the_system_allows(fitted, tmp_path):
    fitted.save(tmp_path / ("m" * 255))
    assert os.listdir(tmp_path) == ["m" * 255]


def test_a_small_file_that_claims_to_be_large_takes_no_memory(fitted, tmp_path, monkeypatch):
    """Of 20 GB all but the first block is a hole."""
    path = tmp_path / "model"
    fitted.save(path)
    opened = []
    monkeypatch.setattr("skcausalpima._state.file.safe_open", opened.append)
    os.truncate(path, 20 * 2**30)
    with pytest.raises(ValueError, match=r"claims to have 21474836480 bytes, but \d{4,6} of them"):
        CausalPIMA.load(path)
    assert not opened


def test_a_file_with_few_holes_is_read(fitted, tmp_path):
    """As some file systems make them of zeros: its content is what counts."""
    path = tmp_path / "model"
    fitted.save(path)
    data = path.read_bytes()
    os.truncate(path, len(data) + 2**20)  # a hole of about nine tenths
    with pytest.raises(ValueError, match=r"cannot be loaded: (?!it claims)"):
        CausalPIMA.load(path)


def test_a_system_that_knows_no_holes_reads_files(fitted, tmp_path, monkeypatch):
    fitted.save(tmp_path / "model")

    def refuse(*where):
        raise OSError(errno.EINVAL, "not of such files")

    monkeypatch.setattr(os, "lseek", refuse)
    CausalPIMA.load(tmp_path / "model")
    monkeypatch.delattr(os, "SEEK_DATA")
    CausalPIMA.load(tmp_path / "model")
