"""`/analysis/{job_id}/events`: progress as server-sent events.

Source: HTML Living Standard, section 9.2 (event streams, `Last-Event-ID`, 204).
"""

from collections.abc import AsyncIterator
from http import HTTPStatus
from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import Depends, Header, Request, Response
from fastapi.responses import StreamingResponse

from vexxy.analysis.submission import service
from vexxy.analysis.submission.types import TERMINAL, Progress
from vexxy.api.v1.analysis import ProgressView, Reader, progress_view
from vexxy.http.deps import Adapters, Transaction
from vexxy.http.routing import Router
from vexxy.http.watching import Stream, Watch

router: Final = Router(prefix="/analysis", tags=["analysis"])
HEADERS: Final = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
# A browser that was cut off comes back after this long.
RETRY: Final = b"retry: 2000\n\n"
HEARTBEAT: Final = b": nothing new\n\n"
STREAM: Final[dict[int | str, dict[str, Any]]] = {
    200: {
        "description": "An event for each change: `id` counts changes, `data` is the "
        "same object as of `/status`. The stream ends after a terminal state.",
        "content": {
            "text/event-stream": {
                "schema": {
                    "type": "object",
                    "properties": {"id": {"type": "string"}, "data": {"type": "string"}},
                    "required": ["id", "data"],
                }
            }
        },
    },
    204: {
        "description": "The analysis is over, and its end is what `Last-Event-ID` names; "
        "a browser does not come back"
    },
}


def watch(request: Request, adapters: Adapters) -> Watch[Progress]:
    """Return what watches analyses for every stream of this process."""
    state = request.app.state
    if not hasattr(state, "watch"):
        state.watch = Watch(
            adapters.request,
            service.list_progress,
            limit=adapters.settings.event_streams_per_organization,
        )
    found: Watch[Progress] = state.watch
    return found


def now(job_id: UUID, session: Transaction) -> Progress:
    """Return how far the analysis is when the stream begins."""
    return service.get_progress(session, job_id)


@router.get("/{job_id}/events", response_class=Response, responses=STREAM)
async def stream_events(
    *,
    who: Reader,
    progress: Annotated[Progress, Depends(now)],
    watched: Annotated[Watch[Progress], Depends(watch)],
    last_event_id: Annotated[str | None, Header(max_length=100)] = None,
) -> Response:
    """Follow an analysis live, from now on or from the event last seen."""
    seen = last_event_id == str(progress.revision)
    if progress.status in TERMINAL and seen:
        return Response(status_code=HTTPStatus.NO_CONTENT)
    stream = watched.open(who.organization_id, progress.job_id)
    return StreamingResponse(
        _events(stream, None if seen else progress, last=progress.revision),
        media_type="text/event-stream",
        headers=HEADERS,
    )


async def _events(
    stream: Stream[Progress], first: Progress | None, *, last: int
) -> AsyncIterator[bytes]:
    async with stream:
        yield RETRY
        if first is not None:
            yield event(first)
            if first.status in TERMINAL:
                return
        async for progress in stream:
            if progress is None:
                yield HEARTBEAT
            elif progress.revision != last:
                last = progress.revision
                yield event(progress)
                if progress.status in TERMINAL:
                    return


def event(progress: Progress) -> bytes:
    """Return progress as one event; JSON has no line break of its own."""
    view: ProgressView = progress_view(progress)
    return f"id: {progress.revision}\ndata: {view.model_dump_json()}\n\n".encode()
