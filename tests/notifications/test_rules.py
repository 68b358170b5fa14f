import base64
import ipaddress
import textwrap
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vexxy.notifications import rules
from vexxy.notifications.errors import EndpointInvalid

SECRET = "whsec_" + base64.b64encode(b"k" * 32).decode()


def test_the_signature_is_the_one_of_the_specification() -> None:
    """The example of the Standard Webhooks specification's reference libraries."""
    header = rules.signature(
        ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"],
        message_id="msg_p5jXN8AQM9LWM0D4loKWxJek",
        timestamp=1614265330,
        body=b'{"test": 2432232314}',
    )
    assert header == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_every_secret_in_force_signs() -> None:
    other = "whsec_" + base64.b64encode(b"o" * 32).decode()
    header = rules.signature([SECRET, other], message_id="m", timestamp=1, body=b"")
    assert len(set(header.split())) == 2


@pytest.mark.parametrize("secret", ["whsec_", "whsec_!!!!", "whsec_c2hvcnQ=", "plain text"])
def test_a_secret_that_protects_nothing_is_refused(secret: str) -> None:
    with pytest.raises(EndpointInvalid):
        rules.key_of(secret)


@pytest.mark.parametrize(
    "url",
    [
        "http://example.com/hook",
        "https://user:word@example.com/",
        "https://user@example.com/",
        "https:///path",
        "https://example.com/#part",
        "https://example.com:0/",
        "https://example.com:99999/",
        "https://[::1/",
        "https://exa mple.com/",
        "https://example.com/\r\nx: y",
        "file:///etc/passwd",
        "gopher://example.com",
        "https://ex\u00e4mple.com/",
        "https://example.com/" + "a" * 2000,
        "",
    ],
)
def test_an_address_that_could_mislead_is_refused(url: str) -> None:
    with pytest.raises(EndpointInvalid):
        rules.check_url(url, plain_allowed=False)


def test_a_plain_address_is_kept_as_it_is() -> None:
    url = "https://example.com:8443/hook?x=1"
    assert rules.check_url(url, plain_allowed=False) == url


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "0.0.0.1", "10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254",
        "100.64.0.1", "224.0.0.1", "255.255.255.255", "192.0.2.1", "::1", "::", "fe80::1",
        "fd00::1", "ff02::1", "::ffff:127.0.0.1", "::ffff:169.254.169.254", "2002:7f00:1::",
        "2001:0:4136:e378:8000:63bf:3fff:fdd2", "64:ff9b::7f00:1",
        "64:ff9b:1::7f00:1", "::ffff:0:7f00:1", "fec0::1",
    ],
)  # fmt: skip
def test_an_inner_address_is_never_called(address: str) -> None:
    assert not rules.is_callable(address)


@pytest.mark.parametrize("address", ["8.8.8.8", "2606:4700:4700::1111"])
def test_a_public_address_is_called(address: str) -> None:
    assert rules.is_callable(address)


def test_a_network_that_is_set_is_called_and_no_other() -> None:
    allowed = [ipaddress.ip_network("10.1.0.0/16")]
    assert rules.is_callable("10.1.2.3", allowed)
    assert not rules.is_callable("10.2.2.3", allowed)


@given(st.integers(1, 40))
def test_waits_double_up_to_an_hour(attempt: int) -> None:
    assert rules.retry_seconds(attempt) == min(2 ** (attempt - 1), 3600)


def test_what_the_documentation_shows_verifies_what_is_sent() -> None:
    page = (Path(__file__).parents[2] / "docs" / "notifications.md").read_text()
    source = page[
        page.index("    import base64") : page.index("`POST …/endpoints/{id}/rotate`")
    ]
    shown: dict[str, Any] = {}
    exec(textwrap.dedent(source), shown)  # noqa: S102  the page's own example
    body = b'{"id": "1"}'
    headers = {
        "webhook-id": "msg_1",
        "webhook-timestamp": "7",
        "webhook-signature": rules.signature(
            [SECRET], message_id="msg_1", timestamp=7, body=body
        ),
    }

    assert shown["verify"](SECRET, headers, body)
    assert not shown["verify"](SECRET, headers, body + b" ")
