"""A sink that is a hub: batches over HTTPS, in the batch format of CloudEvents 1.0, compressed."""

from __future__ import annotations

import datetime
import email.utils
import gzip
import json
import re
import socket
import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import urllib3
from urllib3.exceptions import ConnectTimeoutError, HTTPError, NewConnectionError, SSLError

from reconciler.model.event import Event, Receipt
from reconciler.model.link_use import LinkUse
from reconciler.ports.sink import SinkError

__all__ = ["HubSink"]

_LARGEST_ANSWER = 64 * 1024
#: What a hub answers where it is the batch that it will not take.
_REFUSALS = {(400, "bad-batch"), (422, "bad-batch")}
#: `tcpi_bytes_acked` and `tcpi_bytes_received` in Linux' `struct tcp_info`.
_TCP_BYTES, _TCP_BYTES_AT = struct.Struct("=QQ"), 120


class HubSink:
    """Posts batches to `URL/v1/sites/NAME/events` and takes the acknowledged number from the answer.

    The answer is JSON: `{"epoch": "...", "acknowledged": 17}`.

    Args:
        url: The hub's base URL; HTTPS, or HTTP to this machine only.
        token_file: A file with a bearer token, read for each batch so that it may rotate; "" for none.
        ca_file: A file with the certificates that vouch for the hub; "" for the system's.
        timeout: Seconds for one exchange.
    """

    def __init__(self, url: str, *, token_file: str = "", ca_file: str = "", timeout: float = 30.0) -> None:
        self._url = url.rstrip("/")
        self._token_file = token_file
        self._timeout = urllib3.Timeout(connect=min(10.0, timeout), read=timeout)
        self._pool = urllib3.PoolManager(num_pools=1, maxsize=1, ca_certs=ca_file or None, retries=False)
        self._counted: tuple[socket.socket | None, int, int] = (None, 0, 0)
        self.use = LinkUse()

    def deliver(self, batch: Sequence[Event]) -> Receipt:
        """Post a batch.

        Raises:
            SinkError: There is no answer, or it is not an acknowledgement.
        """
        return self._post(batch[0].site, [event.to_cloudevent() for event in batch])

    def beat(self, site: str) -> Receipt:
        """Post an empty batch: nothing is new, and the site is alive. The answer says what the hub has."""
        return self._post(site, [])

    def _post(self, site: str, events: Sequence[Any]) -> Receipt:
        text = json.dumps(events, separators=(",", ":"), ensure_ascii=False)
        content = gzip.compress(text.encode(), compresslevel=9, mtime=0)
        headers = {
            "Content-Type": "application/cloudevents-batch+json; charset=UTF-8",
            "Content-Encoding": "gzip",
            "Accept": "application/json",
            # Lets the hub measure how far this clock is off.
            "Date": email.utils.formatdate(usegmt=True),
        }
        if self._token_file:
            headers["Authorization"] = f"Bearer {self._token()}"
        try:
            answer = self._pool.request(
                "POST",
                f"{self._url}/v1/sites/{site}/events",
                body=content,
                headers=headers,
                timeout=self._timeout,
                redirect=False,
                preload_content=False,
            )
            connection = getattr(answer.connection, "sock", None)
            try:
                body = answer.read(_LARGEST_ANSWER)
            finally:
                self._count(connection, len(content), int(answer.headers.get("Content-Length") or 0))
                answer.release_conn()
        except HTTPError as err:
            raise SinkError(
                f"the hub {self._host()} gave no answer: {_words(err)}",
                unsent=isinstance(err, NewConnectionError | ConnectTimeoutError | SSLError),
            ) from err
        return self._receipt(answer, body)

    def _receipt(self, answer: urllib3.BaseHTTPResponse, body: bytes) -> Receipt:
        if answer.status == 409:
            raise SinkError(
                f"the hub {self._host()} has other events under the same numbers", code="sequence-conflict"
            )
        if answer.status != 200:
            problem = _problem(body)
            refused = (answer.status, problem.get("code")) in _REFUSALS
            raise SinkError(
                f"the hub {self._host()} answered {answer.status}"
                + (f": {problem['title'][:200]}" if isinstance(problem.get("title"), str) else ""),
                code="sink-refused",
                retry_after=_seconds(answer.headers.get("Retry-After", "")),
                refused=refused or answer.status == 413,
            )
        try:
            document = json.loads(body)
            return Receipt(str(document["epoch"]), int(document["acknowledged"]))
        except (ValueError, LookupError, TypeError) as err:
            raise SinkError(
                f"expected an acknowledgement from {self._host()}, found something else", code="sink-answer"
            ) from err

    def _count(self, connection: socket.socket | None, sent: int, received: int) -> None:
        """Count what an exchange cost, with its TLS and HTTP where the system tells."""
        self.use.requests += 1
        self.use.payload += sent
        totals = _tcp_bytes(connection)
        known, before_sent, before_received = self._counted
        if totals is None:
            self._counted = (None, 0, 0)
        else:
            if known is not connection:
                before_sent = before_received = 0
            self._counted = (connection, *totals)
            sent, received = totals[0] - before_sent, totals[1] - before_received
        self.use.sent += max(0, sent)
        self.use.received += max(0, received)

    def _token(self) -> str:
        try:
            return Path(self._token_file).read_text(encoding="utf-8").strip()
        except OSError as err:
            raise SinkError(
                f"the token file {self._token_file} cannot be read: {err.strerror}", unsent=True
            ) from err

    def _host(self) -> str:
        parsed = urllib3.util.parse_url(self._url)
        return f"{parsed.host}:{parsed.port}" if parsed.port else str(parsed.host)


def _tcp_bytes(connection: socket.socket | None) -> tuple[int, int] | None:
    """Return the bytes that a connection has sent and received so far, or None where nobody knows."""
    if connection is None:
        return None
    try:
        raw = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _TCP_BYTES_AT + _TCP_BYTES.size)
        sent, received = _TCP_BYTES.unpack_from(raw, _TCP_BYTES_AT)
    except (OSError, struct.error):
        return None
    return sent, received


def _seconds(text: str) -> float | None:
    """Return the seconds that the header `Retry-After` asks for, which may name a time instead."""
    if re.fullmatch(r"\d{1,6}", text):
        return float(text)
    try:
        moment = email.utils.parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    if moment.tzinfo is None:
        return None
    return max(0.0, (moment - datetime.datetime.now(tz=datetime.UTC)).total_seconds())


def _problem(body: bytes) -> dict[str, Any]:
    """Return what a hub says of a problem, or {} where it is somebody else who answers."""
    try:
        document = json.loads(body)
    except ValueError:
        return {}
    return document if isinstance(document, dict) else {}


def _words(err: HTTPError) -> str:
    """Return what went wrong without the URL, which urllib3 puts into its messages."""
    reason = getattr(err, "reason", None) or err
    return type(reason).__name__
