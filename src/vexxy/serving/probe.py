"""Whether the API answers, asked as a client would."""

import http.client
from typing import Final
from urllib.parse import urlsplit

ANSWER_SECONDS_MAX: Final = 2.0
ALIVE_PATH: Final = "/health/live"


def answers(address: str) -> bool:
    """Tell whether some process answers at the address."""
    parts = urlsplit(address)
    connection = http.client.HTTPConnection(
        parts.hostname or "", parts.port, timeout=ANSWER_SECONDS_MAX
    )
    try:
        connection.request("GET", ALIVE_PATH)
        return connection.getresponse().status == http.HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
