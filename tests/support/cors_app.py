"""A backend that speaks CORS by FastAPI's own middleware: one origin (CORS_ORIGIN), with credentials."""
import os

from fastapi import FastAPI, Request, Response
from fastapi.middleware.cors import CORSMiddleware

app = FastAPI()
app.add_middleware(CORSMiddleware, allow_origins=[os.environ["CORS_ORIGIN"]], allow_credentials=True, allow_methods=["GET", "POST"],
                   allow_headers=["Content-Type"], expose_headers=["X-Theirs"])


@app.get("/health")
async def health():
    return {}


@app.get("/login")
async def login(response: Response):
    response.set_cookie("who", "alice")
    return "logged in"


@app.get("/me")
async def me(request: Request, response: Response):
    response.headers["X-Theirs"] = "theirs"
    return request.cookies.get("who")


@app.get("/stored")
async def stored(response: Response):
    response.headers["Cache-Control"] = "public, max-age=60"
    return "stored"


@app.post("/json")
async def post(request: Request):
    return {"said": await request.json(), "who": request.cookies.get("who")}
