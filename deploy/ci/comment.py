"""Keep one comment of a pull request up to date: `comment.py check.md [diff.md]`.

Standard library only, so that it runs with `python -I` and nothing of the checked-out tree is on its path.
From a fork the token may only read: then nothing is written, and the job's summary has the report.
"""

from __future__ import annotations

import json
import os
import sys
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

MARK = "<!-- wayside -->"
LIMIT = 65_000  # GitHub takes 65,536 characters
PAGES = 30


def call(method: str, path: str, body: dict[str, str] | None = None) -> Any:
    """Ask GitHub's API, and return its answer."""
    address = os.environ.get("GITHUB_API_URL", "https://api.github.com")
    request = urllib.request.Request(  # noqa: S310 - the address is the runner's
        f"{address}/repos/{os.environ['GITHUB_REPOSITORY']}{path}",
        method=method,
        data=None if body is None else json.dumps(body).encode(),
        headers={
            "Authorization": f"Bearer {os.environ['GITHUB_TOKEN']}",
            "Accept": "application/vnd.github+json",
            "Content-Type": "application/json",
        },
    )
    with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310 - see above
        return json.load(answer)


def known_comment(number: str) -> int | None:
    """Return the id of the comment that an earlier run wrote."""
    for page in range(1, PAGES + 1):
        comments = call("GET", f"/issues/{number}/comments?per_page=100&page={page}")
        for comment in comments:
            # Anybody can write the mark; only a bot's comment is ours to change.
            by_bot = (comment.get("user") or {}).get("type") == "Bot"
            if by_bot and (comment.get("body") or "").startswith(MARK):
                return int(comment["id"])
        if len(comments) < 100:
            break
    return None


def text_of(paths: list[str]) -> str:
    """Return the comment: as many of the reports as fit, the first one always."""
    first, *rest = [Path(path).read_text(encoding="utf-8") for path in paths if Path(path).is_file()] or [""]
    for part in rest:
        if len(first) + len(part) < LIMIT:
            first += f"\n{part}"
        else:
            first += "\nWhat changes at the sites is too long to be shown here: the job's summary has it.\n"
    return first


def main(paths: list[str]) -> int:
    """Write the comment, or say why not; the check itself decides whether the job fails."""
    text = text_of(paths)
    if not text.startswith(MARK):
        print("there is no report, so there is no comment")
        return 0
    number = os.environ["PULL_REQUEST"]
    try:
        known = known_comment(number)
        if known is None:
            call("POST", f"/issues/{number}/comments", {"body": text})
        else:
            call("PATCH", f"/issues/comments/{known}", {"body": text})
    except urllib.error.HTTPError as err:
        if err.code in (401, 403, 404):
            print(
                "this token may not write comments (as in a pull request from a fork): see the job's summary"
            )
            return 0
        print(f"::warning title=Wayside::the comment could not be written: HTTP {err.code}")
    except OSError as err:
        print(f"::warning title=Wayside::the comment could not be written: {err}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
