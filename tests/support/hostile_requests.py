"""A grammar of hostile HTTP requests, as bytes: nearly right ones, wrong ones, and right ones with damaged bytes."""

import json
import random

CANARY = "kanarienvogel"  # in every part that a log could quote
_METHODS = ("POST",) * 8 + (
    "GET",
    "HEAD",
    "PUT",
    "DELETE",
    "OPTIONS",
    "TRACE",
    "CONNECT",
    "PRI",
    CANARY.upper(),
    "post",
)
_PATHS = ("/invocations",) * 8 + (
    "/ping", "/metrics", "/execution-parameters", "/", f"/{CANARY}", f"/invocations?{CANARY}={CANARY}",
    f"/../{CANARY}", f"/%00{CANARY}", f"http://{CANARY}/invocations", "*", "//", f"/models/{CANARY}", "/invocations/",
    f"/{CANARY}" * 800, f"/%ff%fe{CANARY}",
)  # fmt: skip
_VERSIONS = ("HTTP/1.1",) * 12 + ("HTTP/1.0", "HTTP/2.0", "HTTP/9.9", "HTTP/1", "", f"HTTP/1.1 {CANARY}")
_TYPES = (
    "application/json", "application/jsonlines", "text/csv", "text/plain", "application/json; charset=utf-16",
    "text/csv; charset=UTF-8", f"text/{CANARY}", "multipart/form-data; boundary=x", "", ";;;=", "a" * 4000,
)  # fmt: skip
_HEADERS = (
    f"Accept: {CANARY}", "Accept: text/csv;q=0.1, */*;q=nan", "Accept: " + "a/b," * 500, f"Content-Encoding: {CANARY}",
    "Content-Encoding: gzip", f"X-Amzn-SageMaker-Custom-Attributes: {CANARY}",
    f"X-Amzn-SageMaker-Custom-Attributes: {CANARY}\x00\x7f\u00e9", "Expect: 100-continue", f"Expect: {CANARY}",
    "Connection: close", "Connection: keep-alive, upgrade", "Upgrade: h2c", f"Host: {CANARY}", "Host: a\r\nHost: b",
    "Transfer-Encoding: chunked", "Transfer-Encoding: identity", f"Transfer-Encoding: {CANARY}", "Content-Length: 3",
    "Content-Length: -1", "Content-Length: +2", "Content-Length: 1,1", "Content-Length: 99999999999999999999",
    f" {CANARY}: folded", f"{CANARY} : space", f"{CANARY}", ": empty", f"X: {CANARY * 900}",
    f"X-Forwarded-For: {CANARY}", f"Script-Name: /{CANARY}", "\r\nX: after the end", f"X_{CANARY}: underscore",
)  # fmt: skip
_WORDS = (
    CANARY,
    "apple",
    "",
    "\0",
    "\ufeff",
    "\u202e",
    "\u0301" * 50,
    "\U0001f600",
    '"',
    ",",
    "\\",
    "\ud800",
    "NaN",
    "é",
)
_TEXTS = (
    '{"inputs": [', "[" * 3000, '{"inputs": NaN}', "{" * 50, '"\\ud800"', '{"inputs": 1e999}', "\ufeff[]", "",
    '{"inputs":"a","parameters":{"top_k":-1}}', "'a'", "1" * 5000, '{"a":1,"a":2}', "null", "[[[]]]",
)  # fmt: skip


def hostile_request(random_: random.Random) -> bytes:
    """Return the bytes of one request."""
    body = _body(random_)
    headers = [
        f"Content-Type: {random_.choice(_TYPES)}",
        *random_.choices(_HEADERS, k=random_.choice((0, 0, 1, 1, 2, 4))),
    ]
    if random_.random() < 0.95:
        headers.append("Host: a")
    framing = random_.random()
    if framing < 0.8:
        headers.append(
            f"Content-Length: {len(body) if framing < 0.7 else random_.randrange(2 * len(body) + 2)}"
        )
    elif framing < 0.95:
        headers.append("Transfer-Encoding: chunked")
        body = _chunked(body, random_)
    random_.shuffle(headers)
    line = f"{random_.choice(_METHODS)} {random_.choice(_PATHS)} {random_.choice(_VERSIONS)}"
    request = "\r\n".join([line, *headers, "", ""]).encode("utf-8", "surrogatepass") + body
    return _damaged(request, random_) if random_.random() < 0.2 else request


def _body(random_: random.Random) -> bytes:
    kind = random_.random()
    if kind < 0.3:
        return random_.choice(_TEXTS).encode("utf-8", "surrogatepass")
    if kind < 0.4:
        return CANARY.encode() + random_.randbytes(random_.randrange(200))
    words = random_.choices(_WORDS, k=random_.randrange(12))
    if kind < 0.7:
        value = random_.choice(
            [words, {"inputs": words}, {"instances": [{"text": w} for w in words]}, " ".join(words)]
        )
        return json.dumps(value, ensure_ascii=random_.random() < 0.5).encode("utf-8", "surrogatepass")
    separator = random_.choice(["\n", "\r\n", ",", "\u2028", "\n\n"])
    return separator.join(words).encode("utf-8", "surrogatepass")


def _chunked(body: bytes, random_: random.Random) -> bytes:
    size = random_.choice(
        [f"{len(body):x}", f"{len(body) + 1:x}", "zz", "-1", "f" * 20, f"{len(body):x};{CANARY}"]
    )
    return size.encode() + b"\r\n" + body + random_.choice([b"\r\n0\r\n\r\n", b"\r\n", b"XX0\r\n\r\n"])


def _damaged(request: bytes, random_: random.Random) -> bytes:
    at = random_.randrange(len(request))
    return random_.choice(
        [
            request[:at],
            request[:at] + random_.randbytes(random_.randrange(1, 8)) + request[at:],
            request[:at] + bytes([random_.randrange(256)]) + request[at + 1 :],
            request.replace(b"\r\n", b"\n"),
            request + request,
        ]
    )
