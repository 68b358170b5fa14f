"""Letters over SMTP, to a server of this machine that speaks it."""

import socketserver
import threading
from collections.abc import Iterator
from email import message_from_string

import pytest

from vexxy.identity.types import Letter
from vexxy.integrations.mail.smtp import NotSent, SmtpMail
from vexxy.kit.errors import InvalidInput

LETTER = Letter("ada@example.com", "Set a new password", "https://x.example/#token=abc\n")


class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    letters: list[str]
    refuses = False


class Session(socketserver.StreamRequestHandler):
    server: Server

    def handle(self) -> None:
        self.say("220 ready")
        for line in self.rfile:
            word = line.split()[0].upper() if line.split() else b""
            if word in {b"EHLO", b"HELO"}:
                self.say("250 here")
            elif word == b"RCPT" and self.server.refuses:
                self.say("550 nobody here")
            elif word == b"DATA":
                self.say("354 go on")
                self.server.letters.append(self.read())
                self.say("250 taken")
            elif word == b"QUIT":
                self.say("221 bye")
                return
            else:
                self.say("250 ok")

    def read(self) -> str:
        lines: list[str] = []
        while (line := self.rfile.readline().decode()) not in {".\r\n", ""}:
            lines.append(line)
        return "".join(lines)

    def say(self, text: str) -> None:
        self.wfile.write(f"{text}\r\n".encode())


@pytest.fixture
def server() -> Iterator[Server]:
    made = Server(("127.0.0.1", 0), Session)
    made.letters = []
    thread = threading.Thread(target=made.serve_forever)
    thread.start()
    yield made
    made.shutdown()
    thread.join()
    made.server_close()


def mail(server: Server, user: str = "") -> SmtpMail:
    port = server.server_address[1]
    return SmtpMail(f"smtp://{user}127.0.0.1:{port}", sender="vexxy@example.com")


def test_a_letter_arrives_whole(server: Server) -> None:
    mail(server).send(LETTER)
    message = message_from_string(server.letters[0])
    assert (message["From"], message["To"]) == ("vexxy@example.com", "ada@example.com")
    assert message["Subject"] == "Set a new password"
    assert "https://x.example/#token=abc" in str(message.get_payload())


def test_a_letter_that_is_refused_is_told_without_its_text(server: Server) -> None:
    server.refuses = True
    with pytest.raises(NotSent) as caught:
        mail(server).send(LETTER)
    assert "token=abc" not in str(caught.value)


def test_a_password_is_not_sent_in_the_clear(server: Server) -> None:
    """The server offers no TLS: better no letter than a password for everybody."""
    with pytest.raises(NotSent):
        mail(server, "vexxy:hunter2@").send(LETTER)
    assert server.letters == []


def test_no_server_is_told() -> None:
    with pytest.raises(NotSent):
        SmtpMail("smtp://127.0.0.1:9", sender="vexxy@example.com").send(LETTER)


@pytest.mark.parametrize(
    "url", ["", "mail.example.com", "http://mail.example.com", "smtp://"]
)
def test_what_is_no_mail_server_is_refused(url: str) -> None:
    with pytest.raises(InvalidInput):
        SmtpMail(url, sender="vexxy@example.com")


def test_a_header_cannot_be_smuggled_in(server: Server) -> None:
    evil = Letter("ada@example.com\r\nBcc: eve@example.com", "x", "y")
    with pytest.raises(ValueError, match=r"CR or LF|linefeed|newline|header"):
        mail(server).send(evil)
