"""Who asks: the address of a client, behind proxies and without."""

import pytest

from app.serving.clients import client_of


def asked(peer="10.1.2.3", *told):
    return {"client": (peer, 5) if peer else None, "headers": [(b"X-Forwarded-For", t.encode()) for t in told]}


@pytest.mark.parametrize(
    ("scope", "client"),
    [
        (asked("127.0.0.1"), None),  # a visitor at this machine
        (asked("::1"), None),
        (asked("192.168.0.9"), "192.168.0.9"),  # the same network
        (asked("8.8.8.8"), "8.8.8.8"),
        (asked("8.8.8.8", "9.9.9.9"), "8.8.8.8"),  # no proxy has a public address, so the header is made up
        (asked("10.1.2.3", "9.9.9.9"), "9.9.9.9"),  # a Space
        (asked("127.0.0.1", "9.9.9.9"), "9.9.9.9"),  # a proxy on this machine
        (asked("10.1.2.3", "1.1.1.1, 9.9.9.9, 10.0.0.7"), "9.9.9.9"),  # what stands before may be made up
        (asked("10.1.2.3", "1.1.1.1", "9.9.9.9"), "9.9.9.9"),  # two headers are one list
        (asked("10.1.2.3", "192.168.0.5"), "192.168.0.5"),  # no public address at all
        (asked("10.1.2.3", "nonsense, <b>, , 9.9.9.9:443"), "9.9.9.9"),
        (asked("10.1.2.3", "[2a00:1450:4001:80b::200e]:443"), "2a00:1450:4001:80b::/64"),  # a network is one client
        (asked("::ffff:8.8.8.8"), "8.8.8.8"),
        (asked(None), "unknown"),
    ],
)
def test_a_client_has_the_address_that_the_last_proxy_saw(scope, client):
    assert client_of(scope, "auto") == client


@pytest.mark.parametrize(
    ("proxies", "client"), [("0", "10.1.2.3"), ("1", "9.9.9.9"), ("2", "8.8.8.8"), ("3", "1.1.1.1"), ("4", "10.1.2.3")]
)
def test_a_known_number_of_proxies_says_which_entry_counts(proxies, client):
    assert client_of(asked("10.1.2.3", "1.1.1.1, 8.8.8.8, 9.9.9.9"), proxies) == client


def test_the_number_of_proxies_comes_from_the_environment(monkeypatch):
    monkeypatch.setenv("PTP_LAB_PROXIES", "2")
    assert client_of(asked("10.1.2.3", "8.8.8.8, 9.9.9.9")) == "8.8.8.8"
