"""Students of a Janus room with a real browser, on a small page that uses Janus' websocket API."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from aiohttp import web
from playwright.async_api import Page

from tests.e2e.chromium import chromium

_PAGE = "<!doctype html><meta charset=utf-8><title>student</title><script src=student.js></script>"

_SCRIPT = """
"use strict";
let socket, session, handle, connection, sender, camera;
const pending = new Map();

function send(message) {
  const transaction = Math.random().toString(36).slice(2);
  socket.send(JSON.stringify({transaction, session_id: session, ...message}));
  return new Promise((resolve, reject) => pending.set(transaction, {resolve, reject}));
}

function requestPlugin(body, jsep) {
  return send({janus: "message", handle_id: handle, body, ...(jsep && {jsep})});
}

async function join({url, room, display, codec, scales, width, height}) {
  socket = new WebSocket(url, "janus-protocol");
  await new Promise((resolve, reject) => { socket.onopen = resolve; socket.onerror = reject; });
  socket.onmessage = (event) => {
    const message = JSON.parse(event.data);
    const request = pending.get(message.transaction);
    if (!request || message.janus === "ack") return;
    pending.delete(message.transaction);
    const error = message.error?.reason ?? message.plugindata?.data.error;
    if (error) request.reject(new Error(error)); else request.resolve(message);
  };
  session = (await send({janus: "create"})).data.id;
  handle = (await send({janus: "attach", plugin: "janus.plugin.videoroom"})).data.id;
  await requestPlugin({request: "join", ptype: "publisher", room, display});

  const stream = await navigator.mediaDevices.getUserMedia({video: {width, height}});
  camera = stream.getVideoTracks()[0];
  connection = new RTCPeerConnection();
  const encodings = scales.map((scale, n) => ({rid: ["h", "m", "l"][n], scaleResolutionDownBy: scale}));
  const transceiver = connection.addTransceiver(camera, {
    direction: "sendonly", streams: [stream], ...(scales.length && {sendEncodings: encodings}),
  });
  sender = transceiver.sender;
  const codecs = RTCRtpSender.getCapabilities("video").codecs;
  transceiver.setCodecPreferences(codecs.filter((entry) => entry.mimeType === `video/${codec}`));
  await connection.setLocalDescription();
  if (connection.iceGatheringState !== "complete") {
    await new Promise((resolve) => {
      connection.onicegatheringstatechange = () => connection.iceGatheringState === "complete" && resolve();
    });
  }
  const offer = {type: "offer", sdp: connection.localDescription.sdp};
  await connection.setRemoteDescription((await requestPlugin({request: "publish"}, offer)).jsep);
}

async function sentLayers() {
  const report = [...(await connection.getStats()).values()].filter((entry) => entry.type === "outbound-rtp");
  return report.map(({rid, frameHeight, framesSent, scalabilityMode}) =>
    ({rid, frameHeight, framesSent, scalabilityMode}));
}
"""


class BrowserStudent:
    """A student in a Janus room with a real browser."""

    def __init__(self, page: Page) -> None:
        self.page = page

    async def join(
        self,
        url: str,
        room: int,
        display: str,
        *,
        codec: str = "VP8",
        scales: tuple[int, ...] = (),
        size: tuple[int, int] = (640, 360),
    ) -> None:
        """Join and publish the camera; ``scales`` divide the size for each simulcast layer."""
        options = {"url": url, "room": room, "display": display, "codec": codec, "scales": scales}
        await self.page.evaluate("options => join(options)", {**options, "width": size[0], "height": size[1]})

    async def enable(self, on: bool) -> None:
        """Disable the track, so that it sends black frames, or enable it again."""
        await self.page.evaluate("on => { camera.enabled = on; }", on)

    async def attach(self, on: bool) -> None:
        """Remove the camera from the connection, so that it sends no packets, or put it back."""
        await self.page.evaluate("on => sender.replaceTrack(on ? camera : null)", on)

    async def sent_layers(self) -> list[dict[str, Any]]:
        """Return the browser's statistics of each layer that it sends."""
        layers: list[dict[str, Any]] = await self.page.evaluate("sentLayers()")
        return layers

    async def close(self) -> None:
        """Close the tab."""
        await self.page.close()


@asynccontextmanager
async def browser_students(camera: Path, count: int = 1) -> AsyncIterator[list[BrowserStudent]]:
    """Open the page in tabs of one browser whose camera plays a file."""

    async def page(request: web.Request) -> web.Response:
        return web.Response(text=_PAGE, content_type="text/html")

    async def script(request: web.Request) -> web.Response:
        return web.Response(text=_SCRIPT, content_type="text/javascript")

    app = web.Application()
    app.router.add_get("/", page)
    app.router.add_get("/student.js", script)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        async with chromium(camera) as browser:
            students = []
            for _ in range(count):
                tab = await browser.new_page()
                await tab.goto(f"http://127.0.0.1:{runner.addresses[0][1]}/")
                students.append(BrowserStudent(tab))
            yield students
    finally:
        await runner.cleanup()
