"""The files of a user while strangers' code runs: a worker may write nowhere but in its own folder and in caches.

On Linux the kernel itself refuses (Landlock, since 5.13), for the worker and for all that it starts. Where there is no
Landlock, `Kept` puts back the file of the target, should it be gone.
"""

import ctypes
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446  # one number on every architecture
_NO_NEW_PRIVILEGES = 38
_VERSION, _PATH_BENEATH = 1, 1
# Rights by the version that knows them: write, remove, make; then to move between folders; then to truncate.
_RIGHTS = {1: sum(1 << bit for bit in (1, *range(4, 13))), 2: 1 << 13, 3: 1 << 14}
_OF_FILES = 1 << 1 | 1 << 14  # the rights that a single file can have
CACHES = (".cache", ".keras", ".triton", ".nv")


class _Ruleset(ctypes.Structure):
    _fields_ = (("handled_access_fs", ctypes.c_uint64),)


class _Beneath(ctypes.Structure):
    _pack_ = 1
    _layout_ = "ms"
    _fields_ = (("allowed_access", ctypes.c_uint64), ("parent_fd", ctypes.c_int32))


def fence(writable: Sequence[str]) -> bool:
    """From now on this process changes files only below these folders; False where the system cannot see to it."""
    if sys.platform != "linux":
        return False
    libc = ctypes.CDLL(None, use_errno=True)
    version = libc.syscall(_CREATE_RULESET, None, ctypes.c_size_t(0), _VERSION)
    if version < 1:
        return False
    rights = sum(bits for since, bits in _RIGHTS.items() if since <= version)
    asked = _Ruleset(rights)
    ruleset = libc.syscall(_CREATE_RULESET, ctypes.byref(asked), ctypes.c_size_t(ctypes.sizeof(asked)), 0)
    if ruleset < 0:
        return False
    try:
        for path in writable:
            _allow(libc, ruleset, path, rights)
        return not libc.prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0) and not libc.syscall(_RESTRICT_SELF, ruleset, 0)
    finally:
        os.close(ruleset)


def _allow(libc: ctypes.CDLL, ruleset: int, path: str, rights: int) -> None:
    with suppress(OSError):  # a cache that is not there needs no right
        folder = os.open(path, os.O_PATH | os.O_CLOEXEC)
        try:
            beneath = _Beneath(rights if os.path.isdir(path) else rights & _OF_FILES, folder)
            libc.syscall(_ADD_RULE, ruleset, _PATH_BENEATH, ctypes.byref(beneath), 0)
        finally:
            os.close(folder)


def writable_places(own: str) -> list[str]:
    """A worker's own folder, the devices, and where frameworks keep what they download and compile."""
    home = Path.home()
    named = [os.environ[name] for name in ("XDG_CACHE_HOME", "TORCH_HOME", "KERAS_HOME") if os.environ.get(name)]
    return [own, "/dev", *(str(home / name) for name in CACHES), *named]


@dataclass(frozen=True)
class Kept:
    """The file of a target as it was before a stranger's code ran."""

    path: Path
    content: bytes
    mode: int

    @classmethod
    def of(cls, path: str) -> "Kept | None":
        try:
            return cls(Path(path).resolve(), Path(path).read_bytes(), Path(path).stat().st_mode)
        except OSError:  # no file of its own: an installed module
            return None

    def restore(self) -> bool:
        """Put the file back if it is gone, and its mode. A changed one is left: the user may be at work on it."""
        if self.path.exists():
            if self.path.stat().st_mode != self.mode:  # the kernel's fence does not cover modes
                self.path.chmod(self.mode)
            return False
        if not self.path.parent.is_dir():
            return False
        self.path.write_bytes(self.content)
        self.path.chmod(self.mode)
        return True
