"""The sockets: taken before anything else starts, and a plain word when they cannot be had."""

import os
import re
import socket
import sys
from collections.abc import Iterator

import pytest

from opperlite.config import ConfigError, Settings
from opperlite.listening import CannotListen, check_exposure, free_port, is_loopback, listen


def have_ipv6() -> bool:
    try:
        with socket.create_server(("::1", 0), family=socket.AF_INET6):
            return True
    except OSError:
        return False


@pytest.fixture
def taken() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as holder:
        yield holder.getsockname()[1]


def test_port_0_takes_a_free_one_and_connections_wait() -> None:
    (opened,) = listen("127.0.0.1", 0)
    with opened, socket.create_connection(opened.getsockname(), timeout=5) as client:
        assert opened.getsockname()[1] > 0
        assert client.getpeername() == opened.getsockname()


def test_a_port_can_be_taken_again_at_once() -> None:
    (first,) = listen("127.0.0.1", 0)
    address = first.getsockname()
    with first, socket.create_connection(address, timeout=5):
        accepted, _ = first.accept()
        accepted.close()  # leaves the address in TIME_WAIT on this side
    (again,) = listen("127.0.0.1", address[1])
    again.close()


def test_a_taken_port_is_told_with_its_holder_and_a_free_one(taken: int) -> None:
    with pytest.raises(CannotListen) as caught:
        listen("127.0.0.1", taken)
    message = str(caught.value)
    assert message.startswith(f"Port {taken} on 127.0.0.1 is taken.")
    if sys.platform == "linux":
        assert re.search(rf"Process {os.getpid()} has it: \S*python", message)
    free = re.search(r"Port (\d+) is free: opperlite serve --port \1$", message)
    assert free is not None
    (opened,) = listen("127.0.0.1", int(free[1]))
    opened.close()


def test_free_port_is_near_and_never_the_taken_one(taken: int) -> None:
    assert free_port("127.0.0.1", taken) not in (0, taken)
    assert free_port("127.0.0.1", 65535) not in (0, 65535)


@pytest.mark.skipif(not have_ipv6(), reason="this machine has no IPv6")
def test_every_address_of_a_name_listens_on_one_port() -> None:
    sockets = listen("localhost", 0)
    assert len({opened.getsockname()[1] for opened in sockets}) == 1
    for opened in sockets:
        opened.close()


@pytest.mark.skipif(not have_ipv6(), reason="this machine has no IPv6")
def test_the_ipv6_wildcard_takes_ipv4_too() -> None:
    (opened,) = listen("::", 0)
    with opened, socket.create_connection(("127.0.0.1", opened.getsockname()[1]), timeout=5):
        pass


def test_an_address_of_another_machine_is_told() -> None:
    with pytest.raises(CannotListen, match=r"--host 192\.0\.2\.1 is not an address of this machine"):
        listen("192.0.2.1", 0)


def test_an_unknown_name_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    with pytest.raises(CannotListen, match="--host nowhere: no such name"):
        listen("nowhere", 0)


def test_what_only_this_machine_reaches() -> None:
    assert is_loopback("127.0.0.1")
    assert is_loopback("127.8.8.8")
    assert is_loopback("localhost")
    assert not is_loopback("0.0.0.0")
    assert not is_loopback("192.0.2.1")


def test_open_auth_stays_on_this_machine() -> None:
    with pytest.raises(ConfigError) as caught:
        check_exposure(Settings(host="0.0.0.0"))
    assert "--auth keys" in str(caught.value)
    assert "--open-to-network" in str(caught.value)
    check_exposure(Settings(host="0.0.0.0", auth="keys"))
    check_exposure(Settings(host="0.0.0.0", open_to_network=True))
    check_exposure(Settings(host="127.0.0.1"))
