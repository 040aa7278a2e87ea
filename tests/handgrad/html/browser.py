"""A headless Chromium, spoken to over two pipes in its own DevTools protocol: no driver is needed to open a page."""

import base64
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome-headless-shell")
START = (
    "import os, sys; os.dup2(int(sys.argv[1]), 3); os.dup2(int(sys.argv[2]), 4); os.execv(sys.argv[3], sys.argv[3:])"
)
SECONDS = 60.0  # for an answer, on a busy machine


def find_browser() -> str | None:
    """The browser of this machine, if it has one."""
    return next((path for name in NAMES if (path := shutil.which(name))), None)


class Browser:
    """One page after the other, and what happened on each: what was loaded, and what the browser complained of."""

    def __init__(self, path: str, folder: Path) -> None:
        down, self.to = os.pipe()
        self.source, up = os.pipe()
        options = [
            "--headless", "--no-sandbox", "--disable-gpu", "--remote-debugging-pipe", f"--user-data-dir={folder}",
            "--disable-background-networking", "--no-first-run", "--hide-scrollbars",
        ]  # fmt: skip
        start = [sys.executable, "-S", "-c", START, str(down), str(up), path, *options]
        quiet = subprocess.DEVNULL
        self.process = subprocess.Popen(start, pass_fds=(down, up), stdin=quiet, stdout=quiet, stderr=quiet)
        os.close(down)
        os.close(up)
        self.number, self.buffer, self.session = 0, b"", ""
        self.events: list[dict[str, Any]] = []
        target = self.send("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.send("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.send(f"{domain}.enable")

    def send(self, method: str, **params: Any) -> Any:
        """A command, and its answer; what happens meanwhile is kept."""
        self.number += 1
        message = {"id": self.number, "method": method, "params": params}
        message |= {"sessionId": self.session} if self.session else {}
        os.write(self.to, json.dumps(message).encode() + b"\0")
        while True:
            answer = self.read()
            if answer.get("id") == self.number:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']['message']}")
                return answer["result"]
            self.events.append(answer)

    def read(self) -> dict[str, Any]:
        """The next message."""
        deadline = time.monotonic() + SECONDS
        while b"\0" not in self.buffer:
            part = os.read(self.source, 1 << 16)
            if not part or time.monotonic() > deadline:
                raise RuntimeError("the browser does not answer")
            self.buffer += part
        message, self.buffer = self.buffer.split(b"\0", 1)
        found: dict[str, Any] = json.loads(message)
        return found

    def open(self, file: Path, *, width: int = 1200, height: int = 900, dark: bool = False, media: str = "") -> None:
        """A page from disk, in a window of this size."""
        self.resize(width, height)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.send("Emulation.setEmulatedMedia", media=media, features=[scheme])
        self.events.clear()
        self.send("Page.navigate", url=file.resolve().as_uri())
        while not any(e.get("method") == "Page.loadEventFired" for e in self.events):
            self.events.append(self.read())

    def resize(self, width: int, height: int) -> None:
        metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600}
        self.send("Emulation.setDeviceMetricsOverride", **metrics)

    def evaluate(self, code: str) -> Any:
        """What an expression of JavaScript gives on the page."""
        found = self.send("Runtime.evaluate", expression=code, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in found:
            raise RuntimeError(found["exceptionDetails"]["exception"]["description"])
        return found["result"].get("value")

    def press(self, key: str, text: str = "") -> None:
        """A key."""
        code = {"Tab": 9, "Enter": 13}.get(key, 0)
        for kind in ("keyDown", "keyUp"):
            down = {"text": text} if text and kind == "keyDown" else {}
            self.send("Input.dispatchKeyEvent", type=kind, key=key, windowsVirtualKeyCode=code, **down)

    def complaints(self) -> list[str]:
        """What the console shows: errors, warnings, exceptions."""
        self.evaluate("0")
        logged = [e["params"]["entry"]["text"] for e in self.events if e.get("method") == "Log.entryAdded"]
        thrown = [str(e["params"]) for e in self.events if e.get("method") == "Runtime.exceptionThrown"]
        return logged + thrown

    def loaded(self) -> list[str]:
        """The addresses that were asked for, besides pictures that the page holds itself."""
        asked = [e for e in self.events if e.get("method") == "Network.requestWillBeSent"]
        addresses = [str(e["params"]["request"]["url"]) for e in asked]
        return [address for address in addresses if not address.startswith("data:")]

    def screenshot(self, file: Path) -> None:
        """The whole page as a picture."""
        found = self.send("Page.captureScreenshot", captureBeyondViewport=True)
        file.write_bytes(base64.b64decode(found["data"]))

    def close(self) -> None:
        """End the browser."""
        self.session = ""
        self.send("Browser.close")
        self.process.wait(SECONDS)
        os.close(self.to)
        os.close(self.source)
