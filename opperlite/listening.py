"""Taking the address and port to listen on, and telling who has it when it is taken."""

import errno
import ipaddress
import os
import socket
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from opperlite.config import ConfigError, Settings

BACKLOG = 2048
_LISTEN_STATE = "0A"  # include/net/tcp_states.h: TCP_LISTEN


class CannotListen(Exception):
    """The address cannot be listened on; the message says why and what to do."""


def resolve(host: str, port: int) -> list[tuple[socket.AddressFamily, str]]:
    """The family and address of each IP address that `host` stands for. Raises CannotListen."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (socket.gaierror, UnicodeError) as error:
        raise CannotListen(f"--host {host}: no such name or address ({error}).") from error
    return list(dict.fromkeys((family, str(address[0])) for family, _, _, _, address in found))


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches `host`. Raises CannotListen for an unknown name."""
    addresses = (address.partition("%")[0] for _, address in resolve(host, 0))
    return all(ipaddress.ip_address(address).is_loopback for address in addresses)


def reachable(host: str) -> str:
    """The address by which this machine reaches a server that listens on `host`."""
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 -- shown, not listened on


def url_of(settings: Settings, port: int) -> str:
    """Where clients find the server: its public URL, or its address on this machine."""
    host = reachable(settings.host)
    return settings.public_url or f"http://{f'[{host}]' if ':' in host else host}:{port}"


def check_exposure(settings: Settings) -> None:
    """Refuse to give every machine of the network a server that takes any key. Raises ConfigError, CannotListen."""
    if settings.auth == "keys" or settings.open_to_network or is_loopback(settings.host):
        return
    raise ConfigError(
        f"--host {settings.host} can be reached from other machines, and with auth open anybody there may use it.\n"
        f"Let only your keys in:           opperlite serve --host {settings.host} --auth keys\n"
        f"Or, on a network that you trust: opperlite serve --host {settings.host} --open-to-network"
    )


def listen(host: str, port: int) -> list[socket.socket]:
    """Listening sockets on every address of `host`, all on one port; port 0 takes any free one.

    Raises CannotListen.
    """
    sockets: list[socket.socket] = []
    try:
        for family, address in resolve(host, port):
            sockets.append(_listen(family, address, port))
            port = sockets[0].getsockname()[1]
    except OSError as error:
        for opened in sockets:
            opened.close()
        raise CannotListen(_reason(error, host, port)) from error
    return sockets


def _listen(family: socket.AddressFamily, address: str, port: int) -> socket.socket:
    opened = socket.socket(family, socket.SOCK_STREAM)
    try:
        if sys.platform == "win32":  # there SO_REUSEADDR would share the port with whoever has it
            opened.setsockopt(socket.SOL_SOCKET, socket.SO_EXCLUSIVEADDRUSE, 1)
        else:
            opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:  # systems differ in whether `::` also takes IPv4; here it does
            opened.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        opened.bind((address, port))
        opened.listen(BACKLOG)
    except OSError:
        opened.close()
        raise
    return opened


def _reason(error: OSError, host: str, port: int) -> str:
    if error.errno == errno.EADDRINUSE:
        return (
            f"Port {port} on {host} is taken. {_holder(port)}\n"
            f"Port {free_port(host, port)} is free: opperlite serve --port {free_port(host, port)}"
        )
    if error.errno in (errno.EACCES, errno.EPERM):
        return f"This user may not listen on port {port}. Take one from 1024 up: opperlite serve --port 8080"
    if error.errno == errno.EADDRNOTAVAIL:
        return f"--host {host} is not an address of this machine."
    return f"{host} port {port} cannot be listened on: {error.strerror}."


def free_port(host: str, taken: int) -> int:
    """A port that is free at this moment, the next ones after `taken` first."""
    for port in (*range(taken + 1, min(taken + 100, 65536)), 0):
        try:
            sockets = [_listen(family, address, port) for family, address in resolve(host, port)[:1]]
        except OSError:
            continue
        found: int = sockets[0].getsockname()[1]
        sockets[0].close()
        return found
    return 0


# ------------------------------------------------------------------------------------ who has the port


def _holder(port: int) -> str:
    if sys.platform == "linux":
        listeners = list(_listeners(port))
        for process, command in _processes({inode for inode, _ in listeners}):
            return f"Process {process} has it: {command}"
        for _, user in listeners:
            return f"A process of user {user} has it (sudo ss -ltnp 'sport = :{port}' tells which)."
    command = f"netstat -ano | findstr :{port}" if sys.platform == "win32" else f"lsof -nP -iTCP:{port} -sTCP:LISTEN"
    return f"To see which program has it: {command}"


def _listeners(port: int) -> Iterator[tuple[str, str]]:
    """Inode and user of each socket that listens on `port`, from the kernel's table (proc(5), /proc/net/tcp)."""
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        for row in _lines(Path(table)):
            columns = row.split()
            if len(columns) > 9 and columns[3] == _LISTEN_STATE and columns[1].endswith(f":{port:04X}"):
                yield columns[9], _user_name(int(columns[7]))


def _processes(inodes: Iterable[str]) -> Iterator[tuple[int, str]]:
    """Id and command line of each process, as far as this user may see, that holds one of these sockets."""
    sockets = {f"socket:[{inode}]" for inode in inodes}
    for folder in Path("/proc").glob("[0-9]*") if sockets else ():
        try:
            held = any(os.readlink(entry) in sockets for entry in (folder / "fd").iterdir())
        except OSError:  # another user's process, or one that has just ended
            continue
        if held:
            command = " ".join(_lines(folder / "cmdline")).replace("\0", " ").strip()
            yield int(folder.name), command if len(command) <= 100 else command[:97] + "..."


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text("utf-8", "replace").splitlines()
    except OSError:
        return []


def _user_name(number: int) -> str:
    import pwd

    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return str(number)
