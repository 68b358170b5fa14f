"""Letters over SMTP (RFC 5321), from Python's own library."""

import smtplib
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from email.message import EmailMessage
from typing import Final
from urllib.parse import unquote, urlsplit

from vexxy.identity.types import Letter
from vexxy.kit.errors import ExternalFailure, InvalidInput

SECONDS_MAX: Final = 20
_PORTS: Final = {"smtp": 587, "smtps": 465}


class NotSent(ExternalFailure):
    """No mail server took a letter."""


class SmtpMail:
    """A mail server.

    Args:
        url: `smtps://user:password@host:465` (TLS at once) or `smtp://host:587`
            (STARTTLS where the server offers it, and always before a password).
        sender: The address that letters come from.
    """

    def __init__(self, url: str, *, sender: str) -> None:
        parts = urlsplit(url)
        if parts.scheme not in _PORTS or not parts.hostname:
            raise InvalidInput(
                "MAIL_URL is no mail server", hint="smtps://user:password@host:465"
            )
        self._tls = parts.scheme == "smtps"
        self._host = parts.hostname
        self._port = parts.port or _PORTS[parts.scheme]
        self._user = unquote(parts.username or "")
        self._password = unquote(parts.password or "")
        self._sender = sender

    def send(self, letter: Letter) -> None:
        """Hand the letter over; the text never reaches a log or an error."""
        message = EmailMessage()
        message["From"] = self._sender
        message["To"] = letter.to
        message["Subject"] = letter.subject
        message["Auto-Submitted"] = "auto-generated"
        message.set_content(letter.text)
        try:
            with self._connected() as server:
                server.send_message(message)
        except (OSError, smtplib.SMTPException) as error:
            raise NotSent(f"the mail server failed: {type(error).__name__}") from error

    @contextmanager
    def _connected(self) -> Iterator[smtplib.SMTP]:
        context = ssl.create_default_context()
        address, seconds = (self._host, self._port), SECONDS_MAX
        with (
            smtplib.SMTP_SSL(*address, timeout=seconds, context=context)
            if self._tls
            else smtplib.SMTP(*address, timeout=seconds)
        ) as server:
            server.ehlo()
            if not self._tls and (self._user or server.has_extn("starttls")):
                server.starttls(context=context)
            if self._user:
                server.login(self._user, self._password)
            yield server
