"""Sending letters after the answer has left."""

from typing import Final

from vexxy.identity.ports import Mail
from vexxy.identity.types import Letter
from vexxy.kit import logging
from vexxy.kit.errors import ExternalFailure

log: Final = logging.logger(__name__)


def post(mail: Mail, letter: Letter) -> None:
    """Send a letter, and log where it could not be sent: nobody is left to be told.

    Neither the address nor the text is logged.
    """
    try:
        mail.send(letter)
    except ExternalFailure as error:
        log.warning("identity.letter_not_sent", reason=error.message)
