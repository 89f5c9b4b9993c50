"""A small backend to stand behind the gateway: reports in memory, a slow route, a streaming one, an echo.

    /usr/bin/python3 -m uvicorn --app-dir examples/backend --port 8000 app:app

Runs with the FastAPI of Debian 12 and of Debian 13. It keeps its reports in one process: run only one worker."""
import asyncio
import hashlib
import itertools
import json

from fastapi import FastAPI, HTTPException, Request, Response
from fastapi.responses import JSONResponse, StreamingResponse

app = FastAPI(title="Example backend")
reports = {}
numbers = itertools.count(1)


def add(title, body=""):
    report = {"id": next(numbers), "title": title, "body": body}
    reports[report["id"]] = report
    return report


for first_title in ("Water levels", "Road works", "Budget"):
    add(first_title, "Nothing to report.")


def etag_of(thing):
    """A strong tag: two are equal exactly if the bytes are equal (RFC 9110 §8.8.3)."""
    return '"%s"' % hashlib.sha256(json.dumps(thing, sort_keys=True).encode()).hexdigest()[:16]


def matches(field, etag):
    """If-None-Match compares weakly (RFC 9110 §13.1.2)."""
    return any(tag.strip() in ("*", etag, "W/" + etag) for tag in field.split(","))


def found(number):
    if number not in reports:
        raise HTTPException(status_code=404, detail="There is no report %d." % number)
    return reports[number]


async def report_in(request):
    try:
        wanted = json.loads(await request.body())
    except ValueError:
        raise HTTPException(status_code=400, detail="The body is not JSON.")
    if not isinstance(wanted, dict) or not isinstance(wanted.get("title"), str):
        raise HTTPException(status_code=422, detail='Expected an object with "title".')
    return wanted["title"], str(wanted.get("body", ""))


@app.get("/health")
async def health():
    return JSONResponse({"status": "ok"}, headers={"Cache-Control": "no-store"})


@app.get("/reports")
async def list_reports():
    """Says nothing about freshness: a cache in front applies its own time to live."""
    return [{"id": report["id"], "title": report["title"]} for report in reports.values()]


@app.get("/reports/{number}")
async def read_report(number: int, request: Request):
    report = found(number)
    fields = {"ETag": etag_of(report), "Cache-Control": "max-age=60"}
    if matches(request.headers.get("if-none-match", ""), fields["ETag"]):
        return Response(status_code=304, headers=fields)
    return JSONResponse(report, headers=fields)


@app.get("/items/")
async def list_items(request: Request):
    """Without the slash FastAPI redirects here. Redirect and links are absolute: they name the Host and the scheme that came with the
    request."""
    return [{"id": number, "url": str(request.url_for("read_report", number=number))} for number in sorted(reports)[:3]]


@app.post("/reports")
async def create_report(request: Request):
    report = add(*await report_in(request))
    return JSONResponse(report, status_code=201, headers={"Location": "/reports/%d" % report["id"]})


@app.put("/reports/{number}")
async def replace_report(number: int, request: Request):
    report = found(number)
    report["title"], report["body"] = await report_in(request)
    return JSONResponse(report)


@app.delete("/reports/{number}")
async def delete_report(number: int):
    found(number)
    del reports[number]
    return Response(status_code=204)


# The fields that /say can be told to send.
SAID = ("age", "cache-control", "cache-tag", "cdn-cache-control", "etag", "expires", "last-modified", "set-cookie", "surrogate-key", "vary")
times_said = {}


@app.get("/say")
async def say(request: Request, status: int = 200, fail_after: int = 0):
    """Answers with the fields that the query names (cache-control=max-age%3D60&etag="1"), 304 where If-None-Match has the etag, and 503
    once it has answered fail_after times: to see what a cache in front makes of it."""
    key = str(request.url)
    if len(times_said) > 1000:
        times_said.clear()
    times_said[key] = times_said.get(key, 0) + 1
    if fail_after and times_said[key] > fail_after:
        raise HTTPException(status_code=503, detail="As asked: no more than %d answers." % fail_after)
    fields = {name: value for name, value in request.query_params.items() if name.lower() in SAID}
    etag = request.query_params.get("etag")
    if etag and matches(request.headers.get("if-none-match", ""), etag):
        return Response(status_code=304, headers=fields)
    return JSONResponse({"answer": times_said[key]}, status_code=min(max(status, 200), 599), headers=fields)


@app.get("/slow")
async def slow(seconds: float = 0.5):
    seconds = min(max(seconds, 0.0), 60.0)
    await asyncio.sleep(seconds)
    return {"slept": seconds}


@app.get("/stream")
async def stream(pieces: int = 5, seconds: float = 0.2):
    """Chunked: `pieces` lines, `seconds` between two."""
    async def lines():
        for number in range(min(pieces, 1000)):
            if number:
                await asyncio.sleep(min(max(seconds, 0.0), 10.0))
            yield "piece %d\n" % (number + 1)

    return StreamingResponse(lines(), media_type="text/plain", headers={"Cache-Control": "no-store"})


@app.api_route("/echo", methods=["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
async def echo(request: Request):
    """What arrived here, as the backend sees it: reads the body piece by piece and keeps none of it."""
    length, digest = 0, hashlib.sha256()
    async for piece in request.stream():
        length += len(piece)
        digest.update(piece)
    seen = {
        "method": request.method,
        "path": request.url.path,
        "query": request.url.query,
        "headers": [[name.decode("latin-1"), value.decode("latin-1")] for name, value in request.headers.raw],
        "body_length": length,
        "body_sha256": digest.hexdigest(),
        "client": request.client.host if request.client else None,
    }
    return JSONResponse(seen, headers={"Cache-Control": "no-store"})
