"""What the demonstration shows, in plain words."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from reconciler.cli.demo.stage import Stage
from reconciler.cli.style import Style
from reconciler.errors import StateError, UsageError

__all__ = ["Story"]

_KIOSK = "bremen-kiosk"
_SHOP = "berlin-mitte"


@dataclass(slots=True)
class Story:
    """Plays the demonstration on a stage.

    Attributes:
        stage: Where it plays.
        style: Colours of the terminal.
        pause: Seconds to wait after each scene, for people who read along.
    """

    stage: Stage
    style: Style
    pause: float = 0.0

    def play(self) -> None:
        """Play every scene.

        Raises:
            UsageError: Something did not go as it should; says what, and where the logs are.
        """
        self._scene("A fleet is a git repository: one kustomize overlay and one site.yaml for each site.")
        self._tell_sites()
        self._scene("Before anything is merged, `wayside check` asks: will it run there?")
        self._check(expected=0)
        self._scene(
            "Three agents start, one at each site. Each fetches, checks by the same rules, and applies."
        )
        self._sync_all()
        self._scene("Somebody wants the till on the kiosk too: a one-line change that looks harmless.")
        self._bad_change()
        self._scene("A good change: the receipts get a friendly last line. It is merged.")
        self._good_change()
        self._scene(
            f"The link of {self._shop} goes down. The site works on; nobody pretends to know how it is."
        )
        self._cut_off()
        self._close()

    @property
    def _kiosk(self) -> str:
        return self.stage.site(_KIOSK)

    @property
    def _shop(self) -> str:
        return self.stage.site(_SHOP)

    def _tell_sites(self) -> None:
        self._say(f"  {self.stage.fleet}")
        for site in self.stage.sites:
            self._say(f"    sites/{site}/{{site.yaml,kustomization.yaml}}")
        if self.stage.kubeconfig:
            self._say("  Its images are made up, so on your cluster its workloads are scaled to zero,")
            self._say("  and no node takes its DaemonSet, as the check will note.")
            self._say("  Each site gets a namespace of its name; delete them when you are done.")

    def _sync_all(self) -> None:
        commit = self.stage.git("rev-parse", "HEAD").strip()
        self.stage.start_agents()
        started = time.monotonic()
        self._await_commit(commit, self.stage.sites)
        self._say(f"  all three are at {commit[:10]} after {time.monotonic() - started:.1f} s")
        for site in self.stage.sites:
            self._say(f"  {site:<14} {self._count(site)}")

    def _bad_change(self) -> None:
        overlay = self.stage.overlay(self._kiosk) / "kustomization.yaml"
        text = overlay.read_text(encoding="utf-8")
        changed = text.replace("  - ../../bases/kiosk\n", "  - ../../bases/kiosk\n  - ../../bases/pos\n", 1)
        if changed == text:
            raise UsageError(f"expected ../../bases/kiosk in {overlay}, found no such line", code="demo")
        overlay.write_text(changed, encoding="utf-8")
        self._say(self.style.good("  + ../../bases/pos") + f"   in {overlay.relative_to(self.stage.fleet)}")
        self._check(expected=1)
        self._say("")
        self._say("  The pull request is red, and says why, on the line that set the value.")
        self._say("  It is merged all the same. The agents judge by the same rules, so at the site:")
        commit = self.stage.commit("Put the till on the kiosk")
        self.stage.await_status("the refusal at the kiosk", lambda: self._denial(commit) is not None)
        self._say(f"  {self.style.error('refused')} by the agent of {self._kiosk}: {self._denial(commit)}")
        self._say("  What ran there before still runs; nothing was half-applied.")
        self.stage.git("revert", "--no-edit", "HEAD")
        self.stage.git("push", "--quiet", "origin", "main")
        self._await_commit(self.stage.git("rev-parse", "HEAD").strip(), self.stage.sites)
        self._say("  The change is reverted, and every site is at the newest commit again.")

    def _good_change(self) -> None:
        commit = self._change_receipt("Thank you")
        started = time.monotonic()
        self._await_commit(commit, self.stage.sites)
        self._say(f"  commit {commit[:10]} is at every site after {time.monotonic() - started:.1f} s")

    def _cut_off(self) -> None:
        before = len(self.stage.deliveries(self._shop))
        self.stage.cut(self._shop)
        others = tuple(site for site in self.stage.sites if site != self._shop)
        for words in ("See you", "See you soon", "Come again"):
            commit = self._change_receipt(words)
        self._await_commit(commit, others)
        self._say("  Three commits are merged meanwhile; the other two sites have them.")
        self._repair_by_itself()
        self.stage.await_status("the reports to queue up", lambda: self._state(self._shop)[1] > 0)
        _, waiting = self._state(self._shop)
        self._say(f"  Its reports wait on its own disk: {waiting} so far. The server has got none of them.")
        if len(self.stage.deliveries(self._shop)) != before:
            raise UsageError("something was delivered over a link that was cut", code="demo")
        self._say("  The link comes back ...")
        self.stage.connect(self._shop)
        self._await_commit(commit, (self._shop,))
        self.stage.await_status("the batch", lambda: len(self.stage.deliveries(self._shop)) > before)
        batch = self.stage.deliveries(self._shop)[before]
        self._say(f"  One batch arrives, with {len(batch.events)} events, oldest first, none lost:")
        for event in batch.events:
            self._say(f"    #{event['sequence']:<3} {event['time']}  {_short(event)}")
        self._say(f"  and {self._shop} is at {commit[:10]}, like the others.")

    def _repair_by_itself(self) -> None:
        """Change something by hand at the site that is cut off, and wait until it is repaired."""
        if self.stage.kubeconfig:
            return
        file = next(self.stage.manifests(self._shop).rglob("*-service-in-*.yaml"))
        content = file.read_bytes()
        file.write_text("# somebody's hand slipped\n", encoding="utf-8")
        self._say(f"  At the site somebody empties {file.name} by hand ...")
        self.stage.await_status("the repair of a changed file", lambda: file.read_bytes() == content)
        self._say("  ... and the agent puts it right, offline, from what it keeps.")

    def _close(self) -> None:
        self.stage.stop()
        self._scene("That was all of it. What to try next:")
        self._say(f"  cd {self.stage.fleet}")
        self._say("  wayside check                     # break something and see")
        self._say(f"  wayside render {self._shop:<18} # what the site gets, with digests")
        self._say("  wayside explain image-platforms   # why a rule is there")
        self._say("  wayside init ~/my-fleet           # a fleet of your own")

    def _change_receipt(self, words: str) -> str:
        file = self.stage.fleet / "bases" / "pos" / "kustomization.yaml"
        text = re.sub(r"(?m)^ +- RECEIPT=.*\n", "", file.read_text(encoding="utf-8"))
        changed = re.sub(r"(?m)^( +)- CURRENCY=.*\n", rf"\g<0>\g<1>- RECEIPT={words}\n", text)
        if changed == text:
            raise UsageError(f"expected a setting CURRENCY in {file}, found none", code="demo")
        file.write_text(changed, encoding="utf-8")
        return self.stage.commit(f"Say {words!r} on receipts")

    def _check(self, *, expected: int) -> None:
        self._say(self.style.faint("  $ wayside check"))
        done = subprocess.run(  # noqa: S603 - our own program
            [sys.executable, "-P", "-m", "reconciler", "check", str(self.stage.fleet)],
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
            env=self.stage.environment(colour=self.style.colour),
        )
        for line in (done.stdout + done.stderr).rstrip().splitlines():
            self._say(f"  {line}".rstrip())
        if done.returncode != expected:
            raise UsageError(
                f"expected exit code {expected} of wayside check, found {done.returncode}", code="demo"
            )

    def _await_commit(self, commit: str, sites: tuple[str, ...]) -> None:
        def arrived() -> bool:
            return all(self._is_at(commit, site) for site in sites)

        self.stage.await_status(f"the sync to {commit[:10]}", arrived)

    def _is_at(self, commit: str, site: str) -> bool:
        """Tell whether a site has applied a commit and told so; the kiosk, whose link costs, tells later."""
        applied, waiting = self._state(site)
        return applied == commit and (not waiting or site == self._kiosk)

    def _denial(self, commit: str) -> str | None:
        """Return the first reason of the kiosk's refusal, as its report has it, or None so far."""
        for delivery in self.stage.deliveries(self._kiosk):
            for event in delivery.events:
                if _short(event) == "sync.denied" and event["data"]["commit"] == commit:
                    reason = event["data"]["reasons"][0]
                    return f"{reason['rule']} at {reason['location']}"
        return None

    def _state(self, site: str) -> tuple[str, int]:
        """Return the commit that a site has applied, and how many reports wait there."""
        from reconciler.agent.status import read_status

        try:
            status = read_status(self.stage.state(site))
        except StateError:
            return "", 0  # the agent has not begun yet
        return status.applied, status.pending

    def _count(self, site: str) -> str:
        for delivery in self.stage.deliveries(site):
            for event in delivery.events:
                if _short(event) == "sync.applied":
                    return f"{event['data']['resources']} objects applied"
        return "applied; every byte of its link costs, so it tells later, and much at once"

    def _say(self, text: str) -> None:
        print(text, flush=True)

    def _scene(self, text: str) -> None:
        time.sleep(self.pause)
        self._say("")
        self._say(self.style.strong(text))


def _short(event: Mapping[str, Any]) -> str:
    """Return what an event is about, as `sync.applied`."""
    return str(event["type"]).removeprefix("dev.wayside.").rpartition(".")[0]
