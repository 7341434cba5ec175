"""One file: arrays in safetensors, all else as JSON, written as a whole or not at all.

The header's metadata have one entry, ``"skcausalpima"``, so that equal estimators are equal files;
it is JSON, an object with

- ``version``: the number of the format;
- ``class`` of the estimator, and ``library``: the version that saved it;
- ``parameters``, the ``fit`` (the fields of :class:`FittedState`; in a checkpoint it is ``begun``,
  with those of :class:`BegunFit`) and how its ``input`` came, in the plain form of :mod:`plain`, in
  which ``{"$": "array", "name": name}`` stands for a tensor of the file;
- ``sha256`` of all of this and of the tensors. It finds damage, and is no signature.

skops is not the container, since it imports what a file names if that is on its list of trusted
types, and lets pass some flipped bytes, what is appended, and attributes that are missing or of
another type. Its files of equal estimators differ (times, addresses), and it cannot store modules.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import secrets
import socket
import stat
import time
from collections.abc import Mapping
from pathlib import Path
from typing import NoReturn

import numpy as np
import safetensors.numpy
from safetensors import safe_open

from .._base.scalar_checks import check_path
from .._base.types import Values

FORMAT = "skcausalpima"
VERSION = 26
UNDAMAGED = "an undamaged file from CausalPIMA.save"
PARTS = {"version", "class", "library", "parameters", "input", "sha256"}
#: What else is in a file, and what is said where it is in one that is to have another.
KINDS = {
    "fit": "it holds a fitted estimator, which load reads",
    "begun": "it is a checkpoint of a fit, with which resume goes on",
}

#: The file in a folder.
FILE_NAME = "model.safetensors"
#: How old a scratch file must be, in seconds, to be from a crash on whatever machine.
ABANDONED = 24 * 60 * 60
#: The least part of a file that must have been written, where the system knows what has not.
LEAST_WRITTEN = 0.01
#: Process ids can be asked for here (on Windows that would end the process).
KNOWS_PROCESSES = os.name == "posix"


def write(file: Path, document: Values, arrays: dict[str, np.ndarray]) -> None:
    """Write a file of this version with its checksum."""
    document = {"version": VERSION} | document
    text = json.dumps(document | {"sha256": _digest(document, arrays)}, allow_nan=False)
    replace_file(file, safetensors.numpy.save(arrays, {FORMAT: text}))


def read(file: Path, name: str, kind: str) -> tuple[Values, dict[str, np.ndarray]]:
    """Return the JSON and the tensors of a file of this kind for an estimator of this name.

    Raises
    ------
    ValueError, SafetensorError
        If it is damaged, or another file.
    """
    with safe_open(str(file), framework="numpy") as content:
        metadata = content.metadata() or {}
        if set(metadata) != {FORMAT}:
            raise ValueError(f"its header has {sorted(metadata)!s:.100}, not [{FORMAT!r}]")
        document = json.loads(metadata[FORMAT], parse_constant=_no_constant)
        _check_version(document)
        for other, message in KINDS.items():
            if other != kind and set(document) == {*PARTS, other}:
                raise ValueError(message)
        if set(document) != {*PARTS, kind}:
            raise ValueError(f"its JSON is not an object of {sorted({*PARTS, kind})}")
        if document["class"] != name:
            raise ValueError(
                f"it holds an estimator of the class {str(document['class'])!r:.100}, not {name}; "
                "load it with the class that saved it"
            )
        arrays = {key: np.array(content.get_tensor(key)) for key in content.keys()}  # noqa: SIM118
    whole = json.dumps(document) == metadata[FORMAT]
    if not whole or document["sha256"] != _digest(document, arrays):
        raise ValueError("it is damaged: its checksum does not match its content")
    return document, arrays


def _check_version(document: Values) -> None:
    """Raise where the JSON is of another number of the format, or of none."""
    version = document.get("version") if type(document) is dict else None
    if type(version) is not int or version != VERSION:
        raise ValueError(
            f"its format has the number {version!r:.50}, and this version of skcausalpima reads "
            f"{VERSION} alone: load it with the version that saved it, or fit again"
        )


def _no_constant(word: str) -> NoReturn:
    raise ValueError(f"its JSON holds {word}")


def _digest(document: Values, arrays: Mapping[str, np.ndarray]) -> str:
    """Return the SHA-256 of a file's content."""
    about = [[name, a.dtype.str, list(a.shape)] for name, a in sorted(arrays.items())]
    content = {part: value for part, value in document.items() if part != "sha256"}
    digest = hashlib.sha256(json.dumps([content, about]).encode())
    for name in sorted(arrays):
        digest.update(arrays[name].tobytes())
    return digest.hexdigest()


def file_to_read(path: str | os.PathLike, expected: str = UNDAMAGED) -> Path:
    """Return the file that a path means, which is expected to be something.

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
            raise ValueError(f"The folder {file} holds no {FILE_NAME}. Expected {expected}.")
        return file / FILE_NAME
    if not file.exists():
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(file))
    if not file.is_file():
        raise ValueError(f"{file} cannot be loaded: it is no regular file. Expected {expected}.")
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
    name = check_path(path)
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
    """Return whether a process of this machine still runs."""
    try:
        os.kill(process, 0)  # sends nothing
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        return True
    return True
