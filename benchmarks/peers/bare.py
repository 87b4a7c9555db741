"""The ceiling: aiohttp with nothing but the reading of a body and a constant answer. `python -m benchmarks.peers.bare PORT`.

One application, one route for each kind of body, no middleware, uvloop, msgspec; the answers are as long as authz's.
"""

from __future__ import annotations

import sys

import msgspec
import uvloop
from aiohttp import web

from deploy.local.ports import HOST
from staffgate.contracts.decisions import Decision, Decisions, Evaluation, Evaluations

_one = msgspec.json.Decoder(Evaluation)
_many = msgspec.json.Decoder(Evaluations)
_encoder = msgspec.json.Encoder()
_ANSWER = Decision(decision=True)


async def evaluation(request: web.Request) -> web.Response:
    _one.decode(await request.read())
    return web.Response(body=_encoder.encode(_ANSWER), content_type="application/json")


async def evaluations(request: web.Request) -> web.Response:
    asked = _many.decode(await request.read())
    answers = Decisions(evaluations=[_ANSWER for _ in asked.evaluations])
    return web.Response(body=_encoder.encode(answers), content_type="application/json")


async def main(port: int) -> None:
    app = web.Application()
    app.router.add_post("/access/v1/evaluation", evaluation)
    app.router.add_post("/access/v1/evaluations", evaluations)
    await web._run_app(app, host=HOST, port=port, print=None, access_log=None)


if __name__ == "__main__":
    uvloop.run(main(int(sys.argv[1])))
