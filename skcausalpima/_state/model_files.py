"""Where a model's file is, and how it is replaced as a whole."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import secrets
import socket
import stat
import time
from pathlib import Path

#: The file in a folder.
FILE_NAME = "model.safetensors"
#: How old a scratch file must be, in seconds, to be from a crash on whatever machine.
ABANDONED = 24 * 60 * 60
#: The least part of a file that must have been written, where the system knows what has not.
LEAST_WRITTEN = 0.01
#: Process ids can be asked for here (on Windows that would end the process).
KNOWS_PROCESSES = os.name == "posix"


def file_to_read(path: str | os.PathLike) -> Path:
    """Return the file that a path means.

    Raises
    ------
    FileNotFoundError
        If there is none, or a link leads nowhere.
    ValueError
        If it is a folder without a model, or no regular file: a pipe would be waited for. If it is
        a small file that claims to be a large one, and would take as much memory.
    """
    file = Path(_named(path))
    if file.is_dir():
        if not (file / FILE_NAME).is_file():
            raise ValueError(
                f"The folder {file} holds no {FILE_NAME}, so no estimator was saved there."
            )
        return file / FILE_NAME
    if not file.exists():
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(file))
    if not file.is_file():
        raise ValueError(
            f"{file} cannot be loaded: it is no regular file. Expected an undamaged file from "
            "CausalPIMA.save."
        )
    _check_written(file)
    return file


def _check_written(file: Path) -> None:
    """Raise where nearly all of a file are holes, which take no place on the disk."""
    size, written, end = file.stat().st_size, 0, 0
    if not hasattr(os, "SEEK_DATA"):
        return
    try:
        with open(file, "rb") as stream:
            while end < size and written < LEAST_WRITTEN * size:
                start = os.lseek(stream.fileno(), end, os.SEEK_DATA)
                end = os.lseek(stream.fileno(), start, os.SEEK_HOLE)
                written += end - start
    except OSError as error:
        if error.errno != errno.ENXIO:  # there are no more data
            return  # which the file system does not tell, or no right to read, told by who reads
    if written < LEAST_WRITTEN * size:
        raise ValueError(
            f"{file} cannot be loaded: it claims to have {size} bytes, but {written} of them were "
            "written. Expected an undamaged file from CausalPIMA.save."
        )


def file_to_write(path: str | os.PathLike) -> Path:
    """Return the file to write, with links followed; a folder that is asked for is made.

    Raises
    ------
    FileNotFoundError
        If its folder does not exist.
    OSError
        If links lead in a circle.
    ValueError
        If the path is empty, or there is something else than a regular file.
    """
    name = _named(path)
    file = Path(name)
    if name.endswith((os.sep, "/")):
        file.mkdir(exist_ok=True)
    file = Path(os.path.realpath(file / FILE_NAME if file.is_dir() else file))
    if file.is_symlink():
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), name)
    if not file.parent.is_dir():
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(file.parent))
    if file.exists() and not file.is_file():
        raise ValueError(
            f"{file} is no regular file, and cannot be replaced by one: expected the name of a "
            "new file, of a file to be replaced, or of a folder."
        )
    return file


def _named(path: str | os.PathLike) -> str:
    """Return a path as text."""
    name = os.fsdecode(path)
    if not name:
        raise ValueError('path is "": expected the name of a file or of a folder.')
    return name


def replace_file(file: Path, data: bytes) -> None:
    """Write a file so that others see the old one or the new one, and never a part.

    It keeps the permissions of the one that it replaces. What saves to the same file have left
    behind in crashes is removed.
    """
    _remove_abandoned(file)
    mode = stat.S_IMODE(file.stat().st_mode) if file.exists() else None
    scratch = file.with_name(
        f"{_scratch_prefixes(file)[1]}{os.getpid()}-{secrets.token_hex(4)}.tmp"
    )
    # Nobody else may read it before it has the permissions that it is to have.
    created = os.open(
        scratch,
        os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0),
        0o666 if mode is None else 0o600,
    )
    try:
        with open(created, "wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        if mode is not None:
            os.chmod(scratch, mode)
        os.replace(scratch, file)
    finally:
        scratch.unlink(missing_ok=True)
    _sync_folder(file.parent)


def _sync_folder(folder: Path) -> None:
    """Have the new name written to the disk, where the system can do that for a folder."""
    with contextlib.suppress(OSError):
        opened = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(opened)
        finally:
            os.close(opened)


def _scratch_prefixes(file: Path) -> tuple[str, str]:
    """Return how names of scratch files of one file begin: on any machine, and on this one."""
    parts = (os.fsencode(file.name), socket.gethostname().encode())
    of_file, here = (hashlib.sha256(part).hexdigest()[:12] for part in parts)  # short, whatever
    return f".skcausalpima-{of_file}-", f".skcausalpima-{of_file}-{here}-"


def _remove_abandoned(file: Path) -> None:
    """Remove scratch files of this file whose process, on this machine, is gone, or old ones.

    Should one be in use after all, the save that uses it fails, and nothing is lost.
    """
    of_file, here = _scratch_prefixes(file)
    for scratch in file.parent.glob(f"{of_file}*.tmp"):
        with contextlib.suppress(OSError):  # another save removes it, or it is not ours to remove
            process = scratch.name.removeprefix(here).partition("-")[0]
            gone = KNOWS_PROCESSES and process.isdecimal() and not _is_alive(int(process))
            if gone or time.time() - scratch.stat().st_mtime > ABANDONED:
                scratch.unlink()


def _is_alive(process: int) -> bool:
    """Say whether a process of this machine still runs."""
    try:
        os.kill(process, 0)  # sends nothing
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        return True
    return True
