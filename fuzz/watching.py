"""Notes what an input makes the interpreter do: files, processes, sockets, code, imports."""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

# Nothing that comes in may make any of these happen.
_FORBIDDEN = (
    "os.exec",
    "os.fork",
    "os.forkpty",
    "os.kill",
    "os.posix_spawn",
    "os.putenv",
    "os.spawn",
    "os.startfile",
    "os.system",
    "pty.spawn",
    "subprocess.Popen",
    "socket.bind",
    "socket.connect",
    "socket.getaddrinfo",
    "socket.sendto",
    "urllib.Request",
    "ctypes.",
    "code.__new__",
    "marshal.loads",
    "pickle.find_class",
    "webbrowser.open",
)
# What names files: the places of paths among the event's arguments.
_PATHS = {
    "open": (0,),
    "os.chmod": (0,),
    "os.link": (0, 1),
    "os.listdir": (0,),
    "os.mkdir": (0,),
    "os.remove": (0,),
    "os.rename": (0, 1),
    "os.rmdir": (0,),
    "os.scandir": (0,),
    "os.symlink": (0, 1),
    "os.truncate": (0,),
    "shutil.rmtree": (0,),
    "sqlite3.connect": (0,),
    "tempfile.mkstemp": (0,),
    "tempfile.mkdtemp": (0,),
}

Allowed = Callable[[str, tuple[Any, ...]], bool]


class Watch:
    """An audit hook; it stays for the life of the process, and notes while it is asked to."""

    def __init__(self) -> None:
        self._allowed: Allowed | None = None
        self.seen: list[str] = []
        sys.addaudithook(self._note)

    def _note(self, event: str, args: tuple[Any, ...]) -> None:
        allowed = self._allowed
        if allowed is None:
            return
        self._allowed = None  # what is done in here is no deed of the input
        try:
            if not allowed(event, args):
                self.seen.append(f"{event} {args!r}"[:300])
        finally:
            self._allowed = allowed

    @contextmanager
    def allowing(self, allowed: Allowed) -> Iterator[None]:
        """Note, in a with block, every event that is not allowed."""
        self.seen.clear()
        self._allowed = allowed
        try:
            yield
        finally:
            self._allowed = None


def is_harmless(event: str, args: tuple[Any, ...], *, imports: tuple[str, ...] = ()) -> bool:
    """Tell whether reading bytes may do this: no file, process or socket, no code of its own."""
    if event == "import":
        return str(args[0]).startswith(imports)
    if event in {"exec", "compile"}:
        return False
    return event not in _PATHS and not event.startswith(_FORBIDDEN)


def stays_within(folder: str, event: str, args: tuple[Any, ...]) -> bool:
    """Tell whether every path that an event names lies in a folder."""
    paths = [args[place] for place in _PATHS.get(event, ()) if place < len(args)]
    named = [os.fsdecode(path) for path in paths if isinstance(path, str | bytes | os.PathLike)]
    return all(_is_within(folder, path) for path in named) and not event.startswith(_FORBIDDEN)


def _is_within(folder: str, path: str) -> bool:
    found = os.path.realpath(path)
    return found == folder or found.startswith(folder + os.sep)
