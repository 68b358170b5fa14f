"""What to ask a web server for, from what it answered so far."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any, Final
from urllib.parse import urldefrag, urlencode, urljoin, urlsplit

LINKS_PER_PAGE_MAX: Final = 200
SAMPLE: Final = "1"
FORM: Final = "application/x-www-form-urlencoded"
JSON: Final = "application/json"
METHODS: Final = ("get", "head", "options", "post", "put", "patch", "delete")

# What nobody has; it shows the error page.
NOWHERE: Final = "/vexxy-no-such-page"
# What servers commonly have.
COMMON_PATHS: Final = (
    "/", "/index.html", "/health", "/healthz", "/ready", "/status", "/metrics", "/info",
    "/version", "/api", "/api/v1", "/login", "/admin", "/search?q=1", "/docs",
    "/openapi.json", "/swagger.json", "/v3/api-docs", "/graphql", "/robots.txt",
    "/favicon.ico", "/static/", NOWHERE,
)  # fmt: skip
_PATH_IN_TEXT: Final = re.compile(r"""["'`](/[A-Za-z0-9_\-./?=&%]{1,200})["'`]""")


@dataclass(frozen=True, slots=True)
class Target:
    """One request that can be sent any number of times.

    Attributes:
        path: With query, starting with a slash.
        content_type: Of the body, empty without one.
    """

    method: str
    path: str
    body: str = ""
    content_type: str = ""

    @property
    def name(self) -> str:
        """As reported: `GET /path`."""
        return f"{self.method} {self.path}"


def first_targets(seed_paths: tuple[str, ...]) -> Iterator[Target]:
    """Yield what is asked for before anything is known."""
    for path in (*seed_paths, *COMMON_PATHS):
        yield Target("GET", path if path.startswith("/") else f"/{path}")
    yield Target("HEAD", "/")
    yield Target("OPTIONS", "/")
    yield Target("POST", "/", body='{"id": 1, "name": "test"}', content_type=JSON)
    yield Target("POST", "/", body="id=1&name=test", content_type=FORM)


def found_in(path: str, content_type: str, text: str) -> list[Target]:
    """Return the requests that an answer leads to, at most 200.

    Args:
        path: What was asked for, for links relative to it.
        content_type: Of the answer.
        text: Its body.
    """
    kind = content_type.partition(";")[0].strip().lower()
    if "html" in kind:
        page = _Page(path)
        page.feed(text)
        found = page.found
    elif "json" in kind:
        found = list(_from_json(path, text))
    elif "javascript" in kind:
        found = [Target("GET", link) for link in _PATH_IN_TEXT.findall(text)]
    else:
        found = []
    return list(dict.fromkeys(found))[:LINKS_PER_PAGE_MAX]


def local(page: str, link: str) -> str | None:
    """Return the path of a link that stays on this server, else None."""
    try:
        parts = urlsplit(urldefrag(urljoin(f"http://localhost{page}", link.strip())).url)
        host = parts.hostname
    except ValueError:
        return None
    if parts.scheme not in {"http", "https"} or host not in {"localhost", "127.0.0.1"}:
        return None
    return (parts.path or "/") + (f"?{parts.query}" if parts.query else "")


@dataclass
class _Form:
    method: str
    action: str
    fields: dict[str, str] = field(default_factory=dict)

    def target(self) -> Target:
        encoded = urlencode(self.fields)
        if self.method == "POST":
            return Target("POST", self.action, body=encoded, content_type=FORM)
        return Target("GET", f"{self.action.partition('?')[0]}?{encoded}")


class _Page(HTMLParser):
    """Links and forms of one page."""

    def __init__(self, path: str) -> None:
        super().__init__()
        self._path = path
        self._form: _Form | None = None
        self.found: list[Target] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        for name in ("href", "src"):
            link = local(self._path, given[name]) if name in given else None
            if link:
                self.found.append(Target("GET", link))
        if tag == "form":
            action = local(self._path, given.get("action", "") or self._path)
            self._form = _Form(given.get("method", "get").upper(), action or self._path)
        elif tag in {"input", "textarea", "select"} and self._form and given.get("name"):
            value = given.get("value") or SAMPLE
            self._form.fields[given["name"]] = value

    def handle_endtag(self, tag: str) -> None:
        if tag == "form" and self._form:
            self.found.append(self._form.target())
            self._form = None


def _from_json(path: str, text: str) -> Iterator[Target]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return
    if isinstance(found, dict) and isinstance(found.get("paths"), dict):
        yield from operations(found)
        return
    for link in _PATH_IN_TEXT.findall(text):
        inside = local(path, link)
        if inside:
            yield Target("GET", inside)


def operations(document: Mapping[str, Any]) -> Iterator[Target]:
    """Yield one request for each operation of an OpenAPI 2 or 3 document.

    What removes things comes last, so that the others find them.
    """
    prefix = _server_path(document)
    last = []
    for template, item in document["paths"].items():
        if not isinstance(item, dict):
            continue
        for method in METHODS:
            operation = item.get(method)
            if not isinstance(operation, dict):
                continue
            asked = [*item.get("parameters", ()), *operation.get("parameters", ())]
            target = _operation(method, prefix + template, (document, operation, asked))
            if method == "delete":
                last.append(target)
            else:
                yield target
    yield from last


def _operation(
    method: str,
    template: str,
    parts: tuple[Mapping[str, Any], Mapping[str, Any], list[Any]],
) -> Target:
    document, operation, parameters = parts
    query = {}
    body: Any = None
    for entry in parameters:
        parameter = _resolved(document, entry)
        name, where = parameter.get("name", ""), parameter.get("in")
        if where == "query":
            schema = parameter.get("schema") or parameter
            query[name] = _text(example(document, schema))
        elif where == "body":
            body = example(document, parameter.get("schema") or {})
    content = _resolved(document, operation.get("requestBody") or {}).get("content") or {}
    for kind, media in content.items():
        sample = media.get("example") or example(document, media.get("schema") or {})
        if "json" in kind or not isinstance(sample, dict):
            body = sample
            break
        path = re.sub(r"\{[^}]*\}", SAMPLE, template)
        return Target(method.upper(), path, body=urlencode(sample), content_type=FORM)
    path = re.sub(r"\{[^}]*\}", SAMPLE, template)
    if query:
        path = f"{path}?{urlencode(query)}"
    if body is None:
        return Target(method.upper(), path)
    return Target(method.upper(), path, body=json.dumps(body), content_type=JSON)


PROPERTIES_MAX: Final = 24


def example(document: Mapping[str, Any], schema: Any, depth: int = 0) -> Any:  # noqa: ANN401  JSON
    """Return a value that fits a JSON schema; nested no deeper than five levels."""
    schema = _resolved(document, schema)
    for name in ("example", "default"):
        if name in schema:
            return schema[name]
    for name in ("allOf", "anyOf", "oneOf"):
        if schema.get(name) and depth < 5:  # noqa: PLR2004  said above
            return example(document, schema[name][0], depth + 1)
    if schema.get("enum"):
        return schema["enum"][0]
    kind = schema.get("type")
    if (kind == "object" or "properties" in schema) and depth < 5:  # noqa: PLR2004  same
        properties = schema.get("properties") or {}
        # Fewer the deeper: a schema that contains itself many times must end soon.
        names = list(properties)[: max(1, PROPERTIES_MAX >> 2 * depth)]
        return {name: example(document, properties[name], depth + 1) for name in names}
    if kind == "array":
        return [example(document, schema.get("items") or {}, depth + 1)]
    return {"integer": 1, "number": 1.5, "boolean": True}.get(str(kind), "test")


def _resolved(document: Mapping[str, Any], schema: Any) -> Mapping[str, Any]:  # noqa: ANN401  JSON
    for _ in range(8):
        if not isinstance(schema, dict):
            return {}
        reference = schema.get("$ref")
        if not isinstance(reference, str) or not reference.startswith("#/"):
            return schema
        place: Any = document
        for step in reference[2:].split("/"):
            place = place.get(step, {}) if isinstance(place, dict) else {}
        schema = place
    return {}


def _server_path(document: Mapping[str, Any]) -> str:
    servers = document.get("servers")
    if isinstance(servers, list) and servers and isinstance(servers[0], dict):
        return urlsplit(str(servers[0].get("url", ""))).path.rstrip("/")
    return str(document.get("basePath") or "").rstrip("/")


def _text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)
