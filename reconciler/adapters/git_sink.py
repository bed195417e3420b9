"""A sink that is a branch of a git repository: `status/<site>`, one commit without history.

Made for fleets that have a repository and no hub. The branch has two files: `status.json`, how the site is,
and `events.ndjson`, its latest events, one CloudEvent a line. Each push replaces the commit, and only where
the branch still is what was read; it never touches a branch that this sink did not make.
"""

from __future__ import annotations

import dataclasses
import datetime
import json
import os
import re
import signal
import subprocess
import zlib
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reconciler.adapters.git_access import CONFIG, ENVIRONMENT, GitAccess, complaint, redact
from reconciler.errors import UsageError
from reconciler.model.event import Event, Receipt
from reconciler.model.link_use import LinkUse
from reconciler.model.site_record import SiteRecord, fold
from reconciler.ports.sink import SinkError

__all__ = ["PREFIX", "GitSink", "check_branch"]

#: Only branches below this are ever written.
PREFIX = "status/"
_KIND = {"apiVersion": "wayside.dev/v1alpha1", "kind": "SiteStatus"}
_FILES = ("status.json", "events.ndjson")
_OURS = "refs/wayside/status"
_NAME = re.compile(r"[a-z0-9]([a-z0-9._/-]*[a-z0-9])?")
_MOST_EVENTS, _MOST_BYTES = 1000, 1024 * 1024
_IDENTITY = {
    f"GIT_{who}_{what}": value
    for who in ("AUTHOR", "COMMITTER")
    for what, value in (("NAME", "wayside"), ("EMAIL", "wayside@localhost"))
}


def check_branch(branch: str, *, reads: str) -> None:
    """Refuse a branch that is not one for status.

    Args:
        branch: The branch that would be written.
        reads: The branch or reference that the site reads from.

    Raises:
        UsageError: It is the fleet's own, or no name of a branch.
    """
    if branch == reads.removeprefix("refs/heads/"):
        raise UsageError(
            f"expected a branch for status, found {branch!r}, which the site reads from",
            code="bad-sink",
            hint=f"leave it out: {PREFIX}<site> is used",
        )
    if (
        not branch.startswith(PREFIX)
        or not _NAME.fullmatch(branch)
        or re.search(r"\.\.|//|/\.|\./|\.lock(/|$)", branch)
    ):
        raise UsageError(
            f"expected a branch below {PREFIX}, found {branch!r}",
            code="bad-sink",
            hint="branches of the fleet's repository itself are never written",
        )


@dataclass(frozen=True, slots=True)
class _Content:
    """What the branch says.

    Attributes:
        record: How the site is.
        lines: Its latest events, as JSON lines.
        dropped: How many older ones were let go.
    """

    record: SiteRecord
    lines: Sequence[str] = ()
    dropped: int = 0


class GitSink:
    """Keeps a site's status in a branch.

    Args:
        url: A path, or a URL of scheme file, https, http or ssh.
        branch: The branch; see `check_branch`.
        site: The site's name.
        folder: Where a small bare repository is kept; nobody else uses it.
        reads: The branch or reference that the site reads from.
        now: Returns the time, aware.
        credentials: As for `GitSource`; they must allow to push this branch, and should allow no other.
        trust: As for `GitSource`.
        timeout: Seconds for one git command.

    Raises:
        UsageError: The branch is not one for status.
    """

    def __init__(
        self,
        url: str,
        *,
        branch: str,
        site: str,
        folder: Path,
        reads: str,
        now: Callable[[], datetime.datetime],
        credentials: Path | None = None,
        trust: Path | None = None,
        timeout: float = 120.0,
    ) -> None:
        check_branch(branch, reads=reads)
        if not url or url.startswith("-"):
            raise UsageError(f"expected the URL or path of a repository, found {url!r}", code="bad-sink")
        self._url = url
        self._branch = branch
        self._reference = f"refs/heads/{branch}"
        self._site = site
        self._folder = folder
        self._now = now
        self._access = GitAccess(credentials, trust)
        self._timeout = timeout
        self.use = LinkUse()

    def deliver(self, batch: Sequence[Event]) -> Receipt:
        """Add what the branch does not have yet, and push it.

        Raises:
            SinkError: It could not be pushed, or the branch is not ours.
        """
        tip = self._remote_tip()
        content = self._read(tip)
        epoch = batch[0].epoch
        last = self._last(content, batch)
        new = [event for event in batch if event.sequence > last]
        if new:
            self._push(tip, self._with(content, new))
        return Receipt(epoch, max(last, batch[-1].sequence))

    def beat(self, site: str) -> None:
        """Push the time of this sign of life.

        Raises:
            SinkError: It could not be pushed.
        """
        del site
        tip = self._remote_tip()
        self._push(tip, self._read(tip))

    def _remote_tip(self) -> str:
        """Return the commit that the branch is at, or "" where it is not there."""
        output = self._git("ls-remote", "--symref", "--", self._url, "HEAD", self._reference)
        tip = ""
        for line in output.splitlines():
            what, _, name = line.partition("\t")
            if what == f"ref: {self._reference}":
                raise SinkError(
                    f"the branch {self._branch} is the default branch of {redact(self._url)}",
                    code="sink-not-ours",
                    hint="name another branch for status, or make another branch the default",
                    unsent=True,
                )
            if name == self._reference:
                tip = what
        return tip

    def _read(self, tip: str) -> _Content:
        """Return what the branch says at a commit, fetched where it is not here."""
        if not (self._folder / "HEAD").is_file():
            self._git("init", "--quiet", "--bare", "--", str(self._folder))
        if not tip:
            return _Content(SiteRecord(self._site))
        if self._local("rev-parse", "--verify", "--quiet", _OURS, check=False).strip() != tip:
            self._local(
                *("fetch", "--quiet", "--force", "--depth=1", "--no-tags", "--no-write-fetch-head", "--"),
                *(self._url, f"+{self._reference}:{_OURS}"),
            )
        content = self._content(tip)
        if content is None:
            raise SinkError(
                f"the branch {self._branch} of {redact(self._url)} was not made by this site's agent",
                code="sink-not-ours",
                hint="name another branch, or delete this one",
                unsent=True,
            )
        return content

    def _content(self, tip: str) -> _Content | None:
        """Return what a commit that is here says, or None where this sink has not made it."""
        if "\nparent " in self._local("cat-file", "commit", tip).partition("\n\n")[0]:
            return None
        texts = [self._local("cat-file", "blob", f"{tip}:{name}", check=False) for name in _FILES]
        try:
            document = json.loads(texts[0])
            if {name: document[name] for name in _KIND} != _KIND or document["site"] != self._site:
                return None
            lines = [line for line in texts[1].split("\n") if line]
            return _Content(_record(self._site, document["record"]), lines, int(document["dropped"]))
        except (ValueError, LookupError, TypeError, AttributeError):
            return None

    def _last(self, content: _Content, batch: Sequence[Event]) -> int:
        """Return the number of the epoch's last event in the branch."""
        known = {}
        for line in content.lines:
            event = json.loads(line)
            if event["epoch"] == batch[0].epoch:
                known[int(event["sequence"])] = event
        for event in batch:
            before = known.get(event.sequence)
            if before is not None and before != json.loads(_line(event)):
                raise SinkError(
                    f"the branch {self._branch} has other events under the same numbers",
                    code="sequence-conflict",
                )
        if content.record.epoch == batch[0].epoch:
            return max(content.record.acknowledged, *known, 0)
        return max(known, default=0)

    def _with(self, content: _Content, new: Sequence[Event]) -> _Content:
        record = content.record
        for event in new:
            record = fold(record, event)
        record = dataclasses.replace(
            record,
            epoch=new[-1].epoch,
            acknowledged=new[-1].sequence,
            events=record.events + len(new),
            newest=max(record.newest, *(event.time for event in new)),
        )
        lines = [*content.lines, *map(_line, new)]
        size, keep = 0, 0
        for line in reversed(lines[-_MOST_EVENTS:]):
            size += len(line.encode()) + 1
            if size > _MOST_BYTES and keep:
                break
            keep += 1
        return _Content(record, lines[-keep:], content.dropped + len(lines) - keep)

    def _push(self, tip: str, content: _Content) -> None:
        """Put one commit without history in the place of the branch, if it is still what was read."""
        now = self._now().astimezone(datetime.UTC)
        status = {
            **_KIND,
            "site": self._site,
            "asOf": now.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "dropped": content.dropped,
            "record": _fields(content.record),
        }
        texts = (
            json.dumps(status, indent=2, ensure_ascii=False) + "\n",
            "".join(f"{line}\n" for line in content.lines),
        )
        files = dict(sorted(zip(_FILES, texts, strict=True)))
        blobs = {name: self._local("hash-object", "-w", "--stdin", text=text) for name, text in files.items()}
        rows = "".join(f"100644 blob {blob.strip()}\t{name}\n" for name, blob in blobs.items())
        tree = self._local("mktree", text=rows).strip()
        moment = {f"GIT_{who}_DATE": now.isoformat() for who in ("AUTHOR", "COMMITTER")}
        commit = self._local(
            *("commit-tree", tree, "-m", f"{self._site}: {content.record.state}"),
            variables={**_IDENTITY, **moment},
        ).strip()
        self._local(
            *("push", "--quiet", f"--force-with-lease={self._reference}:{tip}", "--"),
            *(self._url, f"{commit}:{self._reference}"),
        )
        self._local("update-ref", _OURS, commit)
        self._local("prune", "--expire=now", check=False)
        sent = sum(len(zlib.compress(text.encode())) for text in files.values())
        self.use.requests += 1
        self.use.payload += sent
        self.use.sent += sent

    def _local(
        self, *arguments: str, text: str = "", variables: Mapping[str, str] | None = None, check: bool = True
    ) -> str:
        """Run git in the small repository."""
        return self._git(f"--git-dir={self._folder}", *arguments, text=text, variables=variables, check=check)

    def _git(
        self, *arguments: str, text: str = "", variables: Mapping[str, str] | None = None, check: bool = True
    ) -> str:
        """Run one git command, in a group of its own that is ended with it, and return what it printed."""
        words = ["git"]
        for setting in (*CONFIG, *self._access.settings()):
            words += ["-c", setting]
        try:
            process = subprocess.Popen(  # noqa: S603 - a list; what is not an option follows --
                [*words, *arguments],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env={**os.environ, **ENVIRONMENT, **(variables or {})},
                start_new_session=True,
            )
        except OSError as err:
            raise SinkError(
                f"git cannot be started: {err.strerror}",
                code="git-missing",
                hint="install git 2.30 or later",
                unsent=True,
            ) from err
        command = next(word for word in arguments if not word.startswith("-"))
        with process:
            try:
                output, errors = process.communicate(text.encode(), timeout=self._timeout)
            except subprocess.TimeoutExpired as err:
                raise SinkError(
                    f"git {command} of {redact(self._url)} took longer than {self._timeout:g} s",
                    code="git-timeout",
                ) from err
            finally:
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
        if check and process.returncode != 0:
            why = redact(complaint(errors.decode(errors="replace"))) or f"status {process.returncode}"
            raise SinkError(f"git {command} of {redact(self._url)} failed: {why}", code="git-failed")
        return output.decode(errors="replace")


def _line(event: Event) -> str:
    return json.dumps(event.to_cloudevent(), separators=(",", ":"), ensure_ascii=False, sort_keys=True)


def _fields(record: SiteRecord) -> dict[str, Any]:
    """Return what is known of a site, without what only a hub can know."""
    empty = SiteRecord(record.name)
    return {
        field.name: getattr(record, field.name)
        for field in dataclasses.fields(record)
        if field.name != "name"
        and (getattr(record, field.name) != getattr(empty, field.name) or field.name in _ALWAYS)
    }


#: What readers look for, also where nothing is known of it.
_ALWAYS = ("state", "reason", "message", "applied")


def _record(site: str, document: Mapping[str, Any]) -> SiteRecord:
    known = {field.name for field in dataclasses.fields(SiteRecord)} - {"name"}
    values = {name: value for name, value in document.items() if name in known}
    for name in ("findings", "drift", "faults", "twinned"):
        values[name] = tuple(values.get(name, ()))
    return SiteRecord(site, **values)
