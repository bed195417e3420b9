"""A fleet's repository, read with git through GitPython.

A bare clone of one branch is kept in the agent's state folder. It is a cache: what is wrong with it is
mended by cloning again aside and swapping, never by guessing. The first fetch is shallow; later ones are
not, so ancestry can be told, and more history is fetched only where telling it needs more.

Every git process runs in the process group of its caller, so that ending the group ends them all.
"""

from __future__ import annotations

import datetime
import re
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, cast

import git
from git.exc import GitCommandError, GitCommandNotFound

from reconciler.adapters.git_access import CONFIG, ENVIRONMENT, GitAccess, complaint, redact
from reconciler.adapters.git_needs import MOST_LEVELS, first_level, next_level
from reconciler.adapters.git_signature import Signers
from reconciler.errors import SourceError
from reconciler.ports.source import Revision

if TYPE_CHECKING:
    from reconciler.adapters.git_tree import GitTree

__all__ = ["GitSource", "redact"]

_HEAD = "refs/wayside/head"
#: What the remote is called, and what makes the clone one that may lack files which nobody asked for.
_REMOTE = "wayside-remote"
_PARTIAL = (
    ("core.repositoryFormatVersion", "1"),
    ("extensions.partialClone", _REMOTE),
    (f"remote.{_REMOTE}.promisor", "true"),
    (f"remote.{_REMOTE}.partialCloneFilter", "blob:none"),
)
_COMMIT = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?\Z")


class GitSource:
    """One branch, tag or commit of a repository.

    Args:
        url: A path, or a URL of scheme file, https, http or ssh.
        reference: The name of a branch or else of a tag, a full reference such as `refs/tags/v1`, or the full
            id of a commit.
        clone: Where the bare clone is kept; nobody else uses it meanwhile.
        timeout: Seconds for one git command.
        environment: More variables for git, for example GIT_SSH_COMMAND.
        credentials: A folder with `username` and `password`, or `identity` (an SSH key), or None. Files are
            read anew for each command, so that they may be rotated.
        trust: A folder with `known_hosts` and `ca.crt`, or None.

    Raises:
        SourceError: The reference's name is not one.
    """

    def __init__(
        self,
        url: str,
        *,
        reference: str,
        clone: Path,
        timeout: float = 120.0,
        environment: dict[str, str] | None = None,
        credentials: Path | None = None,
        trust: Path | None = None,
    ) -> None:
        if (
            not reference
            or reference.startswith("-")
            or re.search(r"[\s~^:?*\[\\\x00-\x1f]|\.\.|@\{", reference)
        ):
            raise SourceError(
                f"expected the name of a branch or tag, found {reference!r}", code="bad-reference"
            )
        if not url or url.startswith("-"):
            raise SourceError(f"expected the URL or path of a repository, found {url!r}", code="bad-url")
        self._url = url
        self._reference = reference
        self._wanted = ""
        self._clone = clone
        self._timeout = timeout
        self._environment = {**ENVIRONMENT, **(environment or {})}
        self._access = GitAccess(credentials, trust)

    def remote_commit(self) -> str:
        """Ask the remote for the commit that the reference names; costs one short exchange.

        Raises:
            SourceError: There is no answer, or no such reference.
        """
        if _COMMIT.match(self._reference):
            # It names one commit for ever; whether it can be had is seen when it is fetched.
            self._wanted = self._reference
            return self._reference
        places = (
            [self._reference]
            if self._reference.startswith("refs/")
            else [f"refs/heads/{self._reference}", f"refs/tags/{self._reference}"]
        )
        asked = [name for place in places for name in (place, f"{place}^{{}}")]
        output = self._git("ls-remote", "--", self._url, *asked)
        commits = dict(line.split("\t", 1)[::-1] for line in output.splitlines() if "\t" in line)
        for place in places:
            # A signed or annotated tag is listed with the commit that it tags.
            commit = commits.get(f"{place}^{{}}") or commits.get(place, "")
            if _COMMIT.match(commit):
                self._wanted = place
                return commit
        raise SourceError(
            f"the repository {redact(self._url)} has no {' and no '.join(places)}",
            code="reference-missing",
            hint="give the commit's full id"
            if re.fullmatch(r"[0-9a-f]{7,64}", self._reference)
            else "push the branch, or name another one with --branch",
        )

    def fetch(self) -> Revision:
        """Bring the newest revision here and return it.

        Raises:
            SourceError: It cannot be had. The clone still has what it had.
        """
        if not self._wanted:
            # Asking first costs little and tells a dead remote from a broken clone.
            self.remote_commit()
        if self._is_clone():
            self._clear_locks()
            if self._wanted == self._reference and self._has(self._wanted):
                # A commit that is here needs no remote.
                return self.revision(self._wanted)
            try:
                self._fetch_into(self._clone)
                return self.revision(self._head())
            except SourceError as err:
                if err.code in {"git-missing", "git-timeout"}:
                    raise
                # Where the remote answers, and has the reference, the clone is suspect.
                self.remote_commit()
        self.clone_again()
        return self.revision(self._head())

    def clone_again(self) -> None:
        """Make the clone anew, aside, and put it in the place of the old one.

        Raises:
            SourceError: It cannot be made; the old one stays.
        """
        self._clone.parent.mkdir(parents=True, exist_ok=True)
        for leftover in self._clone.parent.glob(f"{self._clone.name}.new-*"):
            shutil.rmtree(leftover, ignore_errors=True)
        aside = Path(tempfile.mkdtemp(prefix=f"{self._clone.name}.new-", dir=self._clone.parent))
        try:
            self._git("init", "--quiet", "--bare", "--", str(aside))
            for name, value in _PARTIAL:
                self._git("config", name, value, directory=aside)
            self._fetch_into(aside, "--depth=1")
            shutil.rmtree(self._clone, ignore_errors=True)
            aside.rename(self._clone)
        except OSError as err:
            raise SourceError(
                f"the clone {self._clone} cannot be written: {err.strerror}", code="clone-unwritable"
            ) from err
        finally:
            shutil.rmtree(aside, ignore_errors=True)

    def revision(self, commit: str) -> Revision:
        """Return a fetched commit's facts.

        Raises:
            SourceError: The commit is not here, or damaged.
        """
        text = self._local("log", "-1", "--no-show-signature", "--format=%H%x00%cI%x00%s", commit, "--")
        try:
            found, moment, subject = text.split("\0", 2)
            committed_at = datetime.datetime.fromisoformat(moment)
        except ValueError as err:
            raise SourceError(f"expected a commit, found none at {commit}", code="commit-damaged") from err
        return Revision(commit=found, committed_at=committed_at.astimezone(datetime.UTC), subject=subject)

    def signature_problem(self, commit: str) -> str:
        """Return why a fetched commit is not believed, or "" where it is or where nobody asks for signatures.

        Raises:
            SourceError: The keys cannot be used.
        """
        if self._access.trust is None:
            return ""
        signers = Signers(self._access.trust)
        if not signers.required:
            return ""

        def run(arguments: Sequence[str], settings: Sequence[str], variables: dict[str, str]) -> str:
            command, *rest = arguments
            return self._git(command, *rest, directory=self._clone, settings=settings, variables=variables)

        return signers.problem(run, commit)

    def descends(self, commit: str, ancestor: str) -> bool:
        """Tell whether a fetched commit is `ancestor` or comes after it; history is fetched as needed.

        Raises:
            SourceError: The history that decides it cannot be had.
        """
        if commit == ancestor:
            return True
        if self._is_ancestor(ancestor, commit):
            return True
        if not (self._clone / "shallow").exists():
            return False
        self._fetch_into(self._clone, "--unshallow")
        return self._is_ancestor(ancestor, commit)

    def is_intact(self, commit: str) -> bool:
        """Tell whether every object of a commit is here and is what its id says."""
        try:
            self._local("fsck", "--no-dangling", "--no-reflogs", "--no-progress", commit)
            # Of a partial clone, what was never fetched is not damaged.
            self._local(
                "rev-list", "--objects", "--quiet", "--missing=allow-promisor", f"{commit}^{{tree}}", "--"
            )
        except SourceError:
            return False
        return True

    def tree(self, commit: str, *, site: str = "") -> GitTree:
        """Return the files of a commit that was fetched; the caller closes it.

        Args:
            commit: The commit.
            site: The site that they are read for: what it needs is fetched now, in one go for each level.
                What is read besides is fetched then. "" fetches everything now.

        Raises:
            SourceError: What is missing cannot be had.
        """
        from reconciler.adapters.git_tree import GitTree

        tree = GitTree(self._clone, commit, fetch=self._fetch_blobs)
        try:
            self._fetch_needed(tree, site)
        except BaseException:
            tree.close()
            raise
        return tree

    def _fetch_needed(self, tree: GitTree, site: str) -> None:
        missing = self._missing(tree.commit)
        if not missing:
            return
        blobs = tree.blobs()
        wanted = first_level(blobs, site) if site else set(blobs)
        seen: set[str] = set()
        for _ in range(MOST_LEVELS):
            wanted -= seen
            if not wanted:
                return
            lacking = {blobs[path] for path in wanted} & missing
            self._fetch_blobs(sorted(lacking))
            missing -= lacking
            seen |= wanted
            wanted = next_level(wanted, blobs.keys(), tree.read_blob_at)

    def _missing(self, commit: str) -> set[str]:
        """Return the objects of a commit's tree that this clone does not have."""
        out = self._local("rev-list", "--objects", "--missing=print", f"{commit}^{{tree}}", "--")
        return {line[1:] for line in out.splitlines() if line.startswith("?")}

    def _fetch_blobs(self, blobs: Sequence[str]) -> None:
        """Fetch objects by their ids, all in one exchange."""
        if not blobs:
            return
        with tempfile.TemporaryFile() as wanted:
            wanted.write("".join(f"{blob}\n" for blob in blobs).encode())
            wanted.seek(0)
            self._git(
                *("fetch", "--quiet", "--no-tags", "--no-write-fetch-head", "--no-recurse-submodules"),
                *("--filter=blob:none", "--stdin", _REMOTE),
                directory=self._clone,
                settings=("fetch.negotiationAlgorithm=noop",),
                stdin=cast("BinaryIO", wanted),
            )

    def _is_ancestor(self, ancestor: str, commit: str) -> bool:
        try:
            self._local("merge-base", "--is-ancestor", ancestor, commit)
        except SourceError as err:
            if err.code == "git-timeout":
                raise
            # 1 says "no"; 128 says that the ancestor is not here, so it is not in the history that is.
            return False
        return True

    def _is_clone(self) -> bool:
        return (self._clone / "HEAD").is_file() and (self._clone / "objects").is_dir()

    def _has(self, commit: str) -> bool:
        """Tell whether a commit, which is named by its id, is here."""
        if not _COMMIT.match(commit):
            return False
        try:
            self._local("rev-parse", "--verify", "--quiet", f"{commit}^{{commit}}")
        except SourceError as err:
            if err.code != "git-failed":
                raise
            return False
        return True

    def _head(self) -> str:
        return self._local("rev-parse", "--verify", "--quiet", f"{_HEAD}^{{commit}}")

    def _clear_locks(self) -> None:
        """Remove what a git that was killed left locked. The caller is alone on this clone."""
        for lock in (*self._clone.glob("*.lock"), *self._clone.glob("refs/**/*.lock")):
            lock.unlink(missing_ok=True)
        for leftover in self._clone.glob("objects/pack/tmp_*"):
            leftover.unlink(missing_ok=True)

    def _fetch_into(self, clone: Path, *depth: str) -> None:
        self._git(
            "fetch",
            "--quiet",
            "--force",
            "--no-tags",
            "--no-write-fetch-head",
            "--no-recurse-submodules",
            "--update-shallow",
            "--filter=blob:none",
            *depth,
            "--",
            _REMOTE,
            f"+{self._wanted}:{_HEAD}",
            directory=clone,
        )

    def _local(self, *arguments: str) -> str:
        return self._git(*arguments, directory=self._clone)

    def _git(
        self,
        command: str,
        *arguments: str,
        directory: Path | None = None,
        settings: Sequence[str] = (),
        stdin: BinaryIO | None = None,
        variables: dict[str, str] | None = None,
    ) -> str:
        """Run one git command and return what it printed."""
        words: list[str] = ["git"]
        # The URL is never written to the clone's configuration: it may hold a password.
        remote = f"remote.{_REMOTE}.url={self._url}"
        for setting in (*CONFIG, remote, *self._access.settings(), *settings):
            words += ["-c", setting]
        if directory is not None:
            words.append(f"--git-dir={directory}")
        words += [command, *arguments]
        runner = git.Git(str(directory) if directory is not None else None)
        try:
            output = runner.execute(
                words,
                istream=stdin,
                env={**self._environment, **self._access.variables(), **(variables or {})},
                kill_after_timeout=self._timeout,
                stdout_as_string=True,
            )
        except GitCommandNotFound as err:
            raise SourceError(
                "git is not installed", code="git-missing", hint="install git 2.30 or later"
            ) from err
        except GitCommandError as err:
            raise self._failure(command, arguments, err) from err
        return str(output)

    def _failure(self, command: str, arguments: Sequence[str], err: GitCommandError) -> SourceError:
        remote = self._url in arguments or _REMOTE in arguments
        where = f" of {redact(self._url)}" if remote else ""
        text = redact(complaint(str(err.stderr or "")))
        if "Timeout: the command" in str(err.stderr):
            return SourceError(
                f"git {command}{where} took longer than {self._timeout:g} s", code="git-timeout"
            )
        if text:
            return SourceError(f"git {command}{where} failed: {text}", code="git-failed")
        return SourceError(f"git {command}{where} failed with status {err.status}", code="git-failed")
