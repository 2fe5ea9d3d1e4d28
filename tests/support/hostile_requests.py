"""A grammar of hostile HTTP requests, as bytes: nearly right ones, wrong ones, and right ones with damaged bytes."""

import random

from support.hostile_bodies import BODIES, CANARY

_METHODS = ("POST",) * 40 + (
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
_PATHS = ("/invocations",) * 40 + (
    "/ping", "/metrics", "/execution-parameters", "/", f"/{CANARY}", f"/invocations?{CANARY}={CANARY}",
    f"/../{CANARY}", f"/%00{CANARY}", f"http://{CANARY}/invocations", "*", "//", f"/models/{CANARY}",
    "/invocations/",
    f"/{CANARY}" * 800, f"/%ff%fe{CANARY}", "//ping", "//a//b", "/models//a", "http://a", "/ping?", "/ping#a",
    "/invocations;a",
)  # fmt: skip
_VERSIONS = ("HTTP/1.1",) * 60 + ("HTTP/1.0", "HTTP/2.0", "HTTP/9.9", "HTTP/1", "", f"HTTP/1.1 {CANARY}")
_TYPES = (
    "application/jsonl", "application/x-jsonlines", "application/x-ndjson",
    "application/json; charset=utf-16",
    "text/csv; charset=UTF-8", "text/csv; header=present", "text/csv; header=absent",
    'text/csv; header="present"',
    f"text/csv; header={CANARY}", "text/csv; header*0=pre; header*1=sent", "text/csv; charset*=utf-8''%ff%fe",
    "text/csv; delimiter=;", "TEXT/CSV;HEADER=PRESENT", "application/json; charset=us-ascii",
    "application/x-npy; a=b",
    "application/x-npz", "application/x-parquet", "application/gzip", "application/x-www-form-urlencoded",
    f"text/{CANARY}", "multipart/form-data; boundary=x", "", ";;;=", "a" * 4000, "text/csv;" + "a=b;" * 900,
    "\xe9/\xe9",
    'text/csv; header="pres', "application/json, text/csv", "*/*", "application/vnd.api+json",
    "text/plain; charset=",
)  # fmt: skip
_ACCEPTS = (
    CANARY, "text/csv;q=0.1, */*;q=nan", "a/b," * 500, "*", "*; q=.2",
    "text/html, image/gif, image/jpeg, *; q=.2, */*; q=.2",
    "text/csv; header=present", "text/csv; top_k=all; header=present", "text/csv; top_k=-1",
    "text/csv; top_k=1e9",
    f"text/csv; top_k={CANARY}", 'application/jsonlines; output="predicted_label,probabilities"',
    "application/x-npy",
    'application/json; output="labels', f'text/csv; output="{CANARY}"',
    "application/x-npy; top_k=2; header=present",
    "application/json;q=0", "*/*;q=0", "text/csv;q=1e400", "text/csv;q=-inf", "text/*", "*/csv",
    "text/csv;q=0.5;top_k=2",
    "application/json; top_k=" + "9" * 5000, "text/csv; return_all_scores=true", ";;;,,,",
    "text/csv; output*=utf-8''%ff",
    "text/csv, application/json; top_k=all", "application/x-npy, text/csv", "\xe9",
    "text/csv;" + "header=present;" * 400,
    f"text/csv; {CANARY}=1", "application/json; top_k=null", "text/csv;header", "application/octet-stream",
    '"', "text/csv; =",
)  # fmt: skip
_HEADERS = (
    f"Content-Encoding: {CANARY}", "Content-Encoding: gzip", "Content-Encoding: identity, identity",
    f"X-Amzn-SageMaker-Custom-Attributes: {CANARY}", "X-Amzn-SageMaker-Custom-Attributes: " + "a" * 2000,
    f"X-Amzn-SageMaker-Custom-Attributes: {CANARY}\x00\x7f\u00e9",
    f"X-Amzn-SageMaker-Inference-Id: {CANARY}\u00e9",
    "X-Amzn-SageMaker-Inference-Id: " + "a" * 2000, f"X-Amzn-RequestId: {CANARY} {CANARY}",
    "X-Amzn-Trace-Id: \xff",
    f"X-Amzn-SageMaker-Target-Model: {CANARY}", "X-Amzn-SageMaker-Target-Variant: \xff",
    "Expect: 100-continue", "Expect: 100-continue", f"Expect: {CANARY}", "Expect:",
    "Expect: 100-continue, 100-continue",
    "Connection: close", "Connection: keep-alive, upgrade", "Upgrade: h2c",
    "Connection: Upgrade\r\nUpgrade: websocket",
    f"Host: {CANARY}", "Host: a\r\nHost: b", "Host: [", "Host: a:b", "Origin: http://elsewhere",
    "Range: bytes=0-1",
    "Transfer-Encoding: chunked", "Transfer-Encoding: identity", f"Transfer-Encoding: {CANARY}",
    "TE: trailers",
    "Transfer-Encoding: gzip, chunked", "Transfer-Encoding: chunked, chunked", "Trailer: Host",
    "Content-Length: 3",
    "Content-Length: -1", "Content-Length: +2", "Content-Length: 1,1", "Content-Length: 99999999999999999999",
    "Content-Length: \xb2", "Content-Length: 0x5", "Content-Length:", f" {CANARY}: folded",
    f"{CANARY} : space",
    f"{CANARY}", ": empty", f"X: {CANARY * 900}", f"X-Forwarded-For: {CANARY}", f"Script-Name: /{CANARY}",
    f"SCRIPT_NAME: /{CANARY}", "X-Forwarded-Proto: https\r\nX-Forwarded-Ssl: off",
    f"X-HTTP-Method-Override: {CANARY}",
    "\r\nX: after the end", f"X_{CANARY}: underscore", f"Cookie: {CANARY}=%ff", "Authorization: Basic \xff",
    "If-None-Match: *", "If-Modified-Since: Thu, 99 Foo", "Date: \x7f",
)  # fmt: skip


def hostile_request(random_: random.Random) -> bytes:
    """Return the bytes of one request; in half of them only the body and Accept are hostile."""
    kind = random_.choice(tuple(BODIES))
    made = BODIES[kind](random_)
    body = made if isinstance(made, bytes) else made.encode("utf-8", "surrogatepass")
    accepted = random_.choice((*BODIES, *_ACCEPTS))
    if random_.random() < 0.5:
        headers = [f"Content-Type: {kind}", "Host: a", f"Content-Length: {len(body)}"]
        headers += [f"Accept: {accepted}"] if random_.random() < 0.3 else []
        return _assembled("POST /invocations HTTP/1.1", headers, body)
    headers = [
        f"Content-Type: {random_.choice((kind, *BODIES, *_TYPES))}",
        f"Accept: {accepted}",
        *random_.choices(_HEADERS, k=random_.choice((0, 0, 1, 1, 2, 4))),
    ]
    if random_.random() < 0.95:
        headers.append("Host: a")
    framing = random_.random()
    if framing < 0.8:
        length = len(body) if framing < 0.75 else random_.randrange(2 * len(body) + 2)
        headers.append(f"Content-Length: {length}")
    elif framing < 0.97:
        headers.append("Transfer-Encoding: chunked")
        body = _chunked(body, random_)
    random_.shuffle(headers)
    line = f"{random_.choice(_METHODS)} {random_.choice(_PATHS)} {random_.choice(_VERSIONS)}"
    request = _assembled(line, headers, body)
    return _damaged(request, random_) if random_.random() < 0.25 else request


def _assembled(line: str, headers: list[str], body: bytes) -> bytes:
    return "\r\n".join([line, *headers, "", ""]).encode("latin-1", "replace") + body


def _chunked(body: bytes, random_: random.Random) -> bytes:
    """Return the body in chunks: in half of the cases properly."""
    if random_.random() < 0.5:
        step = random_.choice((1, 7, 1000)) if len(body) < 2000 else 50_000
        parts = [body[at : at + step] for at in range(0, len(body), step)]
        extension = random_.choice((b"", b"", f";{CANARY}=1".encode(), b' ; a = "b"'))
        chunks = b"".join(b"%x" % len(part) + extension + b"\r\n" + part + b"\r\n" for part in parts)
        return chunks + b"0\r\n" + random_.choice((b"", b"", b"X: a\r\n", b"Host: b\r\n", b"X\r\n")) + b"\r\n"
    right = f"{len(body):x}"
    size = random_.choice(
        (right, f"{len(body) + 1:x}", "zz", "-1", "f" * 20, f"{right};{CANARY}", "0" * 9000, "+1", "0x1")
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
