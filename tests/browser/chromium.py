"""A real Chromium without a window, driven by the DevTools protocol over a pipe: no port, no driver."""

from __future__ import annotations

import base64
import json
import os
import queue
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from tests.cluster.errors import PartFailed, PartMissing
from tests.cluster.process import bound_to_this_process

__all__ = ["Chromium", "Page"]

_NAMES: Final = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome")
_PATIENCE: Final = 60.0
# Chromium reads commands at descriptor 3 and answers at 4.
_LAUNCH: Final = """
import os, sys
asks, answers = int(sys.argv[1]), int(sys.argv[2])
asks, answers = os.dup(asks), os.dup(answers)
while asks in (3, 4): asks = os.dup(asks)
while answers in (3, 4): answers = os.dup(answers)
os.dup2(asks, 3); os.dup2(answers, 4)
os.execv(sys.argv[3], sys.argv[3:])
"""
_ARGUMENTS: Final = (
    "--headless=new",
    "--remote-debugging-pipe",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-quic",
    "--disable-extensions",
    "--no-first-run",
    "--no-default-browser-check",
    "--hide-scrollbars",
    "--force-color-profile=srgb",
    "--font-render-hinting=none",
    "--lang=en-GB",
)
_KEYS: Final = {
    "Tab": 9,
    "Enter": 13,
    "Escape": 27,
    "End": 35,
    "Home": 36,
    "ArrowLeft": 37,
    "ArrowUp": 38,
    "ArrowRight": 39,
    "ArrowDown": 40,
}


class Chromium:
    """One browser process; each page has cookies of its own.

    Args:
        folder: An empty folder for its profile and its log.

    Raises:
        PartMissing: There is no Chromium on this machine.
    """

    def __init__(self, folder: Path) -> None:
        program = next((found for name in _NAMES if (found := shutil.which(name))), None)
        if program is None:
            raise PartMissing("there is no Chromium: sudo apt-get install chromium")
        asks_in, asks_out = os.pipe()
        answers_in, answers_out = os.pipe()
        # Its own sandbox wants privileges that root in a container has not; the pages are our own.
        sandbox = ["--no-sandbox"] if os.geteuid() == 0 else []
        command = [program, *_ARGUMENTS, *sandbox, f"--user-data-dir={folder / 'profile'}", "about:blank"]
        self._log = folder / "chromium.log"
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                bound_to_this_process(
                    [sys.executable, "-I", "-S", "-c", _LAUNCH, str(asks_in), str(answers_out), *command]
                ),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                pass_fds=(asks_in, answers_out),
                env={**os.environ, "HOME": str(folder), "TZ": "UTC", "LANGUAGE": "en_GB"},
                start_new_session=True,
            )
        os.close(asks_in)
        os.close(answers_out)
        self._asks = os.fdopen(asks_out, "wb", buffering=0)
        self._answers = os.fdopen(answers_in, "rb", buffering=0)
        self._waiting: dict[int, queue.SimpleQueue[dict[str, Any]]] = {}
        self._events: dict[str, list[dict[str, Any]]] = {}
        self._number = 0
        self._lock = threading.Lock()
        self._reader = threading.Thread(target=self._read, name="chromium", daemon=True)
        self._reader.start()

    def page(self, *, width: int = 1280, height: int = 800, scale: float = 1.0, dark: bool = False) -> Page:
        """Open an empty page with cookies of its own."""
        context = self.ask("Target.createBrowserContext")["browserContextId"]
        target = self.ask("Target.createTarget", {"url": "about:blank", "browserContextId": context})
        session = self.ask("Target.attachToTarget", {"targetId": target["targetId"], "flatten": True})
        return Page(
            self, session["sessionId"], context=context, width=width, height=height, scale=scale, dark=dark
        )

    def ask(
        self, method: str, parameters: Mapping[str, Any] | None = None, *, session: str = ""
    ) -> dict[str, Any]:
        """Send a command and return its result.

        Raises:
            PartFailed: It failed, or nothing came.
        """
        answer: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
        with self._lock:
            self._number += 1
            number = self._number
            self._waiting[number] = answer
            message = {"id": number, "method": method, "params": dict(parameters or {})}
            if session:
                message["sessionId"] = session
            self._asks.write(json.dumps(message).encode() + b"\0")
        try:
            found = answer.get(timeout=_PATIENCE)
        except queue.Empty:
            raise PartFailed(f"Chromium did not answer {method} within {_PATIENCE:.0f} s") from None
        if "error" in found:
            raise PartFailed(f"Chromium refused {method}: {found['error']['message']}")
        result: dict[str, Any] = found["result"]
        return result

    def events(self, session: str, method: str) -> list[dict[str, Any]]:
        """Return what was told of a page under a name, from the beginning."""
        with self._lock:
            return [item["params"] for item in self._events.get(session, ()) if item.get("method") == method]

    def stop(self) -> None:
        """End it."""
        self._asks.close()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._reader.join(10)
        self._answers.close()

    def _read(self) -> None:
        rest = b""
        while chunk := self._answers.read(1 << 20):
            *whole, rest = (rest + chunk).split(b"\0")
            for text in whole:
                message = json.loads(text)
                with self._lock:
                    if "id" in message:
                        waiting = self._waiting.pop(message["id"], None)
                    else:
                        waiting = None
                        self._events.setdefault(message.get("sessionId", ""), []).append(message)
                if waiting is not None:
                    waiting.put(message)
        gone = {"error": {"message": "it ended; its log is " + str(self._log)}}
        with self._lock:
            for waiting in self._waiting.values():
                waiting.put(gone)


class Page:
    """One page, used as a person does: by keys, and by what is to be seen."""

    def __init__(
        self,
        browser: Chromium,
        session: str,
        *,
        context: str,
        width: int,
        height: int,
        scale: float,
        dark: bool,
    ) -> None:
        self._browser = browser
        self._session = session
        self._context = context
        for domain in ("Page", "Runtime", "Log", "Network"):
            self._ask(f"{domain}.enable")
        self._ask(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=scale,
            mobile=width < 600,
        )
        self._ask("Emulation.setLocaleOverride", locale="en-GB")
        self._ask("Emulation.setTimezoneOverride", timezoneId="Europe/Berlin")
        self._ask(
            "Emulation.setEmulatedMedia",
            features=[
                {"name": "prefers-color-scheme", "value": "dark" if dark else "light"},
                {"name": "prefers-reduced-motion", "value": "reduce"},
            ],
        )

    def cookie(self, url: str, name: str, value: str) -> None:
        """Set a cookie as the hub's sign-in does."""
        self._ask("Network.setCookie", url=url, name=name, value=value, httpOnly=True, sameSite="Strict")

    def script_at_start(self, text: str) -> None:
        """Have a script run before anything of each page."""
        self._ask("Page.addScriptToEvaluateOnNewDocument", source=text)

    def go(self, url: str) -> None:
        """Open an address."""
        found = self._ask("Page.navigate", url=url)
        if found.get("errorText"):
            raise PartFailed(f"{url} cannot be opened: {found['errorText']}")

    def run(self, text: str) -> Any:
        """Evaluate an expression of JavaScript, waiting for promises, and return its value."""
        found = self._ask("Runtime.evaluate", expression=text, awaitPromise=True, returnByValue=True)
        if "exceptionDetails" in found:
            details = found["exceptionDetails"]
            words = details.get("exception", {}).get("description", details["text"])
            raise PartFailed(f"the page raised: {words}")
        return found["result"].get("value")

    def until(self, text: str, *, timeout: float = 30.0) -> None:
        """Evaluate an expression until it is true.

        Raises:
            AssertionError: It does not become true; says what the page shows instead.
        """
        deadline = time.monotonic() + timeout
        while True:
            # A page that is just being replaced has no document, which is not yet a failure.
            try:
                found = self.run(f"Boolean({text})")
            except PartFailed:
                if time.monotonic() > deadline:
                    raise
                found = None
            if found:
                return
            if time.monotonic() > deadline:
                shown = self.run("document.body?.innerText")
                raise AssertionError(f"expected {text}; the page shows:\n{shown}\n{self.complaints()}")
            time.sleep(0.03)

    def text(self, selector: str = "main") -> str:
        """Return the text that a part of the page shows."""
        return str(self.run(f"document.querySelector({json.dumps(selector)})?.innerText ?? ''"))

    def press(self, *keys: str) -> None:
        """Press keys, one after another."""
        for key in keys:
            code = _KEYS.get(key, ord(key.upper()[0]))
            told: dict[str, Any] = {"key": key, "code": key, "windowsVirtualKeyCode": code}
            if key == "Enter":
                told["text"] = "\r"
            elif len(key) == 1:
                told["text"] = key
            self._ask("Input.dispatchKeyEvent", type="keyDown", **told)
            told.pop("text", None)
            self._ask("Input.dispatchKeyEvent", type="keyUp", **told)

    def write(self, text: str) -> None:
        """Write text where the focus is."""
        self._ask("Input.insertText", text=text)

    def picture(self, file: Path, *, whole: bool = False) -> None:
        """Take a picture of what is seen, or of the whole page, as PNG."""
        found = self._ask("Page.captureScreenshot", format="png", captureBeyondViewport=whole)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(base64.b64decode(found["data"]))

    def told(self, method: str) -> list[dict[str, Any]]:
        """Return what the browser told of this page under a name of the protocol."""
        return self._browser.events(self._session, method)

    def complaints(self) -> list[str]:
        """Return what the page or the browser found wrong: errors, exceptions, breaches of the policy."""
        found = [
            item["exceptionDetails"].get("exception", {}).get("description", item["exceptionDetails"]["text"])
            for item in self.told("Runtime.exceptionThrown")
        ]
        found += [
            f"{item['entry']['source']}: {item['entry']['text']}"
            for item in self.told("Log.entryAdded")
            if item["entry"]["level"] in {"error", "warning"}
        ]
        found += [
            " ".join(str(part.get("value")) for part in item["args"])
            for item in self.told("Runtime.consoleAPICalled")
            if item["type"] in {"error", "assert"}
        ]
        return found

    def hosts(self) -> set[str]:
        """Return the origins that this page asked for anything."""
        urls: Sequence[str] = [item["request"]["url"] for item in self.told("Network.requestWillBeSent")]
        return {"/".join(url.split("/")[:3]) for url in urls if not url.startswith(("data:", "about:"))}

    def heap(self) -> int:
        """Return the bytes that the page's JavaScript holds after a collection."""
        self._ask("HeapProfiler.collectGarbage")
        return int(self._ask("Runtime.getHeapUsage")["usedSize"])

    def close(self) -> None:
        """Close it, with its cookies."""
        self._browser.ask("Target.disposeBrowserContext", {"browserContextId": self._context})

    def _ask(self, method: str, **parameters: Any) -> dict[str, Any]:
        return self._browser.ask(method, parameters, session=self._session)
