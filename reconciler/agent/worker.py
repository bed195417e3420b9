"""The short-lived worker: fetches, renders and judges, answers, and gives all its memory back.

`python -m reconciler.agent.worker` reads JSON requests from standard input, a line each, and writes a line
with a JSON answer to standard output. It ends after the first answer but "nothing is new". Standard input
stays open for as long as the agent wants answers: when it ends, by a cancellation or by the agent's sudden
death, the worker ends itself and every git that it started. With `ready` as its argument it loads
everything that judging needs before it is asked.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from queue import SimpleQueue
from typing import TYPE_CHECKING, NoReturn, TypeAlias

from reconciler.agent.assessment import Assessment, Held, Refused, Unavailable, Unchanged, encode
from reconciler.errors import SourceError

if TYPE_CHECKING:
    from reconciler.adapters.git_source import GitSource
    from reconciler.documents.tree import FileTree
    from reconciler.ports.source import Revision

__all__ = ["READY", "Judge", "Request", "assess", "main"]

#: The argument of a worker that is started ahead of its first request.
READY = "ready"
#: A worker that answers "nothing is new" this often ends, so that nothing it leaks can grow.
_MOST_ANSWERS = 1000


@dataclass(frozen=True, slots=True)
class Request:
    """What the agent wants to know.

    Attributes:
        url: The repository.
        reference: A branch, a tag, a full reference or the full id of a commit.
        clone: Where the bare clone is kept.
        site: The site's name.
        known: The commit whose assessment the agent has already, or "".
        base: The last good commit, which a new one must come after, or "".
        allow_rewind: Whether a commit that does not come after `base` is taken.
        git_timeout: Seconds for one git command.
        credentials: A folder with credentials for git, or "".
        trust: A folder with whom git believes, or "".
        signed_images: Whether every image must be signed, whatever the fleet says.
        image_keys: Public keys in PEM, of which one must have signed every image.
    """

    url: str
    reference: str
    clone: str
    site: str
    known: str = ""
    base: str = ""
    allow_rewind: bool = False
    git_timeout: float = 120.0
    credentials: str = ""
    trust: str = ""
    signed_images: bool = False
    image_keys: Sequence[str] = ()


#: Judges one site at one revision.
Judge: TypeAlias = "Callable[[FileTree, Revision, str], Assessment]"


def assess(request: Request, judge: Judge | None = None) -> Assessment:
    """Look at the repository, and judge its newest revision unless it is known.

    Args:
        request: What is asked.
        judge: Takes the place of rendering and rules.
    """
    from reconciler.adapters.git_source import GitSource

    commit = ""
    try:
        source = GitSource(
            request.url,
            reference=request.reference,
            clone=Path(request.clone),
            timeout=request.git_timeout,
            credentials=Path(request.credentials) if request.credentials else None,
            trust=Path(request.trust) if request.trust else None,
        )
        commit = source.remote_commit()
        if commit == request.known:
            return Unchanged(commit)
        if judge is None:
            # What judging needs is loaded while git waits for the network.
            threading.Thread(target=_load_pipeline, daemon=True).start()
        revision = source.fetch()
        commit = revision.commit
        if problem := source.signature_problem(commit):
            return Held(
                commit,
                "NotSigned",
                f"{commit[:12]} is not signed by anybody whom this site trusts: {problem}",
                "sign the commit, or bring the new key to the site with its installation",
            )
        if request.base and not request.allow_rewind and not source.descends(commit, request.base):
            return Held(
                commit,
                "Rewound",
                f"{request.reference} was rewound: {commit[:12]} does not come after {request.base[:12]},"
                " which is applied here",
                "push a commit that comes after it, or start the agent with --allow-rewind",
            )
        return _judge(source, revision, request, judge)
    except SourceError as err:
        return Unavailable(err.code, err.message, err.hint, commit)


def _judge(source: GitSource, revision: Revision, request: Request, judge: Judge | None) -> Assessment:
    """Judge a revision; where that does not go well, make sure that the clone is not to blame."""
    if judge is None:
        from reconciler.agent.judge import judge_site

        judge = partial(judge_site, signed_images=request.signed_images, image_keys=tuple(request.image_keys))
    try:
        with source.tree(revision.commit, site=request.site) as tree:
            answer = judge(tree, revision, request.site)
        trouble: SourceError | None = None
        if not isinstance(answer, Refused | Held):
            return answer
    except SourceError as err:
        trouble = err
    if source.is_intact(revision.commit):
        if trouble is not None:
            raise trouble
        return answer
    source.clone_again()
    with source.tree(revision.commit, site=request.site) as tree:
        return judge(tree, revision, request.site)


def _load(pipeline: bool) -> None:
    import reconciler.adapters.git_source

    del reconciler.adapters.git_source
    if pipeline:
        _load_pipeline()


def _load_pipeline() -> None:
    from reconciler.agent import judge
    from reconciler.rules.cel import default_engine

    del judge
    default_engine()


def _listen(requests: SimpleQueue[Request]) -> None:
    """Hand on requests until the end of standard input; then end this process group."""
    rest = b""
    with suppress(OSError):
        while part := os.read(0, 65536):
            *lines, rest = (rest + part).split(b"\n")
            for line in lines:
                requests.put(Request(**json.loads(line)))
    os.killpg(os.getpgid(0), signal.SIGKILL)


def main(judge: Judge | None = None) -> NoReturn:
    """Answer requests until one of the answers is more than "nothing is new", and end the process.

    Args:
        judge: Takes the place of rendering and rules.
    """
    requests: SimpleQueue[Request] = SimpleQueue()
    threading.Thread(target=_listen, args=(requests,), daemon=True).start()
    if READY in sys.argv[1:]:
        threading.Thread(target=_load, args=(judge is None,), daemon=True).start()
    # What a library prints must not get between the agent and the answer.
    answers = os.dup(1)
    os.dup2(2, 1)
    with os.fdopen(answers, "w", encoding="utf-8") as stream:
        for _ in range(_MOST_ANSWERS):
            answer = assess(requests.get(), judge)
            text = json.dumps(encode(answer), separators=(",", ":"), ensure_ascii=False)
            stream.write(f"{text}\n")
            stream.flush()
            if not isinstance(answer, Unchanged):
                break
    sys.stderr.flush()
    # Nothing is left to be tidied up, and interpreters are slow to end.
    os._exit(0)


if __name__ == "__main__":
    main()
