"""A sink that is a hub: batches over HTTPS, in the batch format of CloudEvents 1.0, compressed."""

from __future__ import annotations

import email.utils
import gzip
import json
import re
from collections.abc import Sequence
from pathlib import Path

import urllib3
from urllib3.exceptions import ConnectTimeoutError, HTTPError, NewConnectionError, SSLError

from reconciler.model.event import Event, Receipt
from reconciler.ports.sink import SinkError

__all__ = ["HubSink"]

_LARGEST_ANSWER = 64 * 1024


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

    def deliver(self, batch: Sequence[Event]) -> Receipt:
        """Post a batch.

        Raises:
            SinkError: There is no answer, or it is not an acknowledgement.
        """
        text = json.dumps(
            [event.to_cloudevent() for event in batch], separators=(",", ":"), ensure_ascii=False
        )
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
                f"{self._url}/v1/sites/{batch[0].site}/events",
                body=gzip.compress(text.encode(), mtime=0),
                headers=headers,
                timeout=self._timeout,
                redirect=False,
                preload_content=False,
            )
            try:
                body = answer.read(_LARGEST_ANSWER)
            finally:
                answer.release_conn()
        except HTTPError as err:
            raise SinkError(
                f"the hub {self._host()} gave no answer: {_words(err)}",
                unsent=isinstance(err, NewConnectionError | ConnectTimeoutError | SSLError),
            ) from err
        if answer.status == 409:
            raise SinkError(
                f"the hub {self._host()} has other events under the same numbers", code="sequence-conflict"
            )
        if answer.status != 200:
            raise SinkError(
                f"the hub {self._host()} answered {answer.status}",
                code="sink-refused",
                retry_after=_seconds(answer.headers.get("Retry-After", "")),
            )
        try:
            document = json.loads(body)
            return Receipt(str(document["epoch"]), int(document["acknowledged"]))
        except (ValueError, LookupError, TypeError) as err:
            raise SinkError(
                f"expected an acknowledgement from {self._host()}, found something else", code="sink-answer"
            ) from err

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


def _seconds(text: str) -> float | None:
    return float(text) if re.fullmatch(r"\d{1,6}", text) else None


def _words(err: HTTPError) -> str:
    """Return what went wrong without the URL, which urllib3 puts into its messages."""
    reason = getattr(err, "reason", None) or err
    return type(reason).__name__
