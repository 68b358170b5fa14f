"""A small note-taking service, as many are: old dependencies, some of them unused."""

import io

import jwt
import requests
import yaml
from flask import Flask, Response, abort, jsonify, render_template, request
from PIL import Image

SECRET = "change-me"
NOTES: list[str] = ["Welcome! See https://example.org for help."]

app = Flask(__name__)


@app.route("/health")
def health():
    return jsonify(status="ok", notes=len(NOTES))


@app.route("/")
def index():
    return render_template("index.html", notes=NOTES)


@app.route("/notes", methods=["POST"])
def add_note():
    """Cleans the note; bleach is imported by the first one."""
    import bleach

    NOTES.append(bleach.clean(request.form["text"]))
    del NOTES[:-100]
    return jsonify(notes=len(NOTES)), 201


@app.route("/import", methods=["POST"])
def import_notes():
    """Reads YAML with a loader that runs what it reads (CVE-2020-14343)."""
    document = yaml.load(request.get_data(as_text=True), Loader=yaml.FullLoader)
    NOTES.extend(str(item) for item in document["notes"])
    return jsonify(notes=len(NOTES))


@app.route("/thumbnail", methods=["POST"])
def thumbnail():
    image = Image.open(request.files["image"].stream)
    image.thumbnail((32, 32))
    out = io.BytesIO()
    image.save(out, "PNG")
    return Response(out.getvalue(), mimetype="image/png")


@app.route("/token")
def token():
    signed = jwt.encode({"user": request.args.get("user", "me")}, SECRET, algorithm="HS256")
    return jsonify(jwt.decode(signed, SECRET, algorithms=["HS256"]))


@app.route("/preview")
def preview():
    """Fetches a page for the user; the address is not checked."""
    return requests.get(request.args["url"], timeout=5).text[:1000]


@app.route("/code", methods=["POST"])
def code():
    """Colors source code. No test calls this, a stranger may: pygments is loadable."""
    from pygments import highlight
    from pygments.formatters import HtmlFormatter
    from pygments.lexers import guess_lexer

    text = request.get_data(as_text=True)
    return highlight(text, guess_lexer(text), HtmlFormatter())


@app.route("/letter")
def letter():
    """Renders a user's own template. No test calls this either."""
    if "template" not in request.args:
        abort(400)
    from mako.template import Template

    return Template(request.args["template"]).render(notes=NOTES)  # noqa: S702
