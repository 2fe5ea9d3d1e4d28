"""What HTTP costs at least with Flask: one constant answer.

gunicorn --worker-class gthread --threads 80 --keep-alive 65 --bind 127.0.0.1:PORT flask_at_once:app
"""

from flask import Flask, jsonify, request

app = Flask(__name__)


@app.get("/ping")
def ping():
    """Say that the server is up."""
    return ""


@app.post("/invocations")
def invocations():
    """Answer for one text."""
    assert isinstance(request.get_json(), str)
    return jsonify([{"label": "fruit", "score": 0.5}])
