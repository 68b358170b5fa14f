import pytest

from tests.http.floors import Floor
from tests.http.test_floor import assert_contract_shape, echo
from vexxy.http import addresses
from vexxy.http.addresses import Client
from vexxy.kit.errors import InvalidInput

PROXY = ("10.0.0.7", 1)
STRANGER = ("203.0.113.9", 1)
FORWARDED = {"X-Forwarded-For": "198.51.100.4", "X-Forwarded-Proto": "https"}


def test_nobody_is_believed_by_default(a_floor: Floor) -> None:
    for peer in (STRANGER, PROXY, ("127.0.0.1", 1)):
        seen = a_floor(echo, peer=peer).get("/echo", headers=FORWARDED).json()
        assert (seen["address"], seen["scheme"]) == (peer[0], "http")


def test_only_a_configured_proxy_is_believed(a_floor: Floor) -> None:
    trusting = {"trusted_proxies": "10.0.0.0/8"}
    near = a_floor(echo, peer=PROXY, **trusting).get("/echo", headers=FORWARDED).json()
    far = a_floor(echo, peer=STRANGER, **trusting).get("/echo", headers=FORWARDED).json()
    assert (near["address"], near["scheme"]) == ("198.51.100.4", "https")
    assert (far["address"], far["scheme"]) == (STRANGER[0], "http")


@pytest.mark.parametrize(
    ("forwarded", "expected"),
    [
        (["6.6.6.6", "198.51.100.4"], "198.51.100.4"),
        (["6.6.6.6", "198.51.100.4", "10.0.0.8"], "198.51.100.4"),
        (["10.0.0.9", "10.0.0.8"], "10.0.0.9"),
        (["198.51.100.4", "not an address"], "10.0.0.7"),
        (["[2001:db8::1]:443"], "2001:db8::1"),
        (["198.51.100.4:5000"], "198.51.100.4"),
        (["::ffff:198.51.100.4"], "198.51.100.4"),
        ([], "10.0.0.7"),
    ],
)
def test_of_a_chain_what_our_own_proxies_wrote_counts(
    forwarded: list[str], expected: str
) -> None:
    proxies = addresses.networks(["10.0.0.0/8"])
    peer = Client("10.0.0.7", "http")
    found = addresses.client(peer, proxies, forwarded=forwarded, proto="javascript")
    assert found == Client(expected, "http")


def test_a_very_long_chain_is_read_to_a_bound() -> None:
    proxies = addresses.networks(["10.0.0.0/8"])
    hops = ["198.51.100.4", *["10.0.0.8"] * 10_000]
    found = addresses.client(Client("10.0.0.7", "http"), proxies, forwarded=hops, proto="")
    assert found.address == "10.0.0.8"


def test_a_customer_of_ipv6_is_counted_once_for_all_addresses() -> None:
    one = addresses.bucket("2001:db8:1:2:aaaa::1")
    assert one == addresses.bucket("2001:db8:1:2:bbbb::2") == "2001:db8:1:2::/64"
    assert addresses.bucket("198.51.100.4") == "198.51.100.4"


def test_a_proxy_that_is_no_address_stops_the_start(a_floor: Floor) -> None:
    with pytest.raises(InvalidInput, match="TRUSTED_PROXIES"):
        a_floor(trusted_proxies="proxy.internal")


@pytest.mark.parametrize(
    "host", ["api.example.org", "API.example.org:8001", "a.b.vexxy.io"]
)
def test_a_configured_name_is_served(a_floor: Floor, host: str) -> None:
    client = a_floor(echo, trusted_hosts="api.example.org, *.vexxy.io")
    assert client.get("/echo", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize(
    "host", ["evil.example", "vexxy.io", "api.example.org.evil.example"]
)
def test_another_name_is_refused(a_floor: Floor, host: str) -> None:
    client = a_floor(echo, trusted_hosts="api.example.org, *.vexxy.io")
    answer = client.get(
        "/echo", headers={"Host": host, "X-Forwarded-Host": "api.example.org"}
    )
    assert answer.status_code == 400
    assert_contract_shape(answer.json(), code="VALIDATION_ERROR")


def test_other_origins_are_told_nothing_by_default(a_floor: Floor) -> None:
    answer = a_floor(echo).get("/echo", headers={"Origin": "https://evil.example"})
    assert "Access-Control-Allow-Origin" not in answer.headers


def test_a_configured_origin_may_read_but_never_with_cookies(a_floor: Floor) -> None:
    client = a_floor(echo, cors_origins="https://vexxy.example")
    asked = {"Origin": "https://vexxy.example", "Access-Control-Request-Method": "POST"}
    before = client.options("/echo", headers=asked)
    answer = client.get("/echo", headers={"Origin": "https://vexxy.example"})
    other = client.get("/echo", headers={"Origin": "https://evil.example"})
    for seen in (before, answer):
        assert seen.headers["Access-Control-Allow-Origin"] == "https://vexxy.example"
        assert "Access-Control-Allow-Credentials" not in seen.headers
    assert "Access-Control-Allow-Origin" not in other.headers


def test_every_origin_is_not_an_origin(a_floor: Floor) -> None:
    with pytest.raises(InvalidInput, match="CORS_ORIGINS"):
        a_floor(cors_origins="*")
