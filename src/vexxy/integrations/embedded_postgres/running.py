"""Finding the server that another process of ours keeps running."""

from pathlib import Path
from urllib.parse import quote

from vexxy.integrations.embedded_postgres import cluster, leftovers
from vexxy.integrations.embedded_postgres.programs import account
from vexxy.integrations.embedded_postgres.server import NAME


def find_url(directory: Path) -> str | None:
    """Return SQLAlchemy's URL of the server that is ready on a directory, or None."""
    found = leftovers.state(directory)
    if found is None or found[1] != "ready":
        return None
    socket = cluster.socket_directory(directory, account(directory))
    return f"postgresql+psycopg://{NAME}@/{NAME}?host={quote(str(socket))}"
