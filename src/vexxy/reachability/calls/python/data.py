"""What an application does by which data, and no code, says what is called."""

from vexxy.reachability.wire import pydata, pystarts, pyvalues


def doubt(path: str, text: str, *, program: bool, full_loader: bool = True) -> str | None:
    """Return why a file of the application may call any function; None if it may not.

    Whether the function around it can be called is not asked: a file that was loaded is
    the application's, and what calls into it is seldom all in the image. `full_loader`
    says whether PyYAML's loader of that name makes objects of any name.
    """
    run = pyvalues.executed(text) or pydata.runs_text(text, imported=not program)
    if run is not None:
        return f"{path} runs text that is made while it runs ({run})"
    if pyvalues.unpickles(text):
        return f"{path} makes objects of any class that data names"
    named = pydata.imports(text, full_loader=full_loader)
    if named is not None:
        return f"{path} makes or imports what data names ({named})"
    started = pystarts.by_value(text)
    if started is not None:
        return f"{path} starts another Python with a value ({started})"
    return None
