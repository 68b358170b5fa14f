"""A program that owns a running sandbox; the tests of crashes end it in every way."""

import os
import signal
import sys

from vexxy.integrations.container_engine.connection import open_engine
from vexxy.sandbox import service
from vexxy.sandbox.types import Attachments, SandboxRequest


def say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def main() -> None:
    # Whoever runs the tests in the background has told their children to ignore it.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    engine = open_engine(os.environ.get("VEXXY_TEST_ENGINE"))
    try:
        with service.open_image(engine, sys.argv[1]) as opened:
            request = SandboxRequest(
                image=opened.image,
                command=("/bin/sh", "-c", "sleep 1000"),
                attachments=Attachments({"hello": b"from outside"}),
            )
            with service.open_sandbox(engine, opened, request) as sandbox:
                sandbox.start()
                prepared = sandbox.prepared
                container_id, name = prepared.container_id, prepared.sandbox_id
                say(f"{container_id} {sandbox.process_id} {name}")
                sys.stdin.read()
    except KeyboardInterrupt:
        say("interrupted")
    finally:
        engine.close()


if __name__ == "__main__":
    main()
