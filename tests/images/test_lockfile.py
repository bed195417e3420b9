"""What is written is read again as it was meant, and comments stay where they stood."""

import string
from dataclasses import replace

from hypothesis import example, given, settings
from hypothesis import strategies as st

from reconciler.documents.tree import MemoryTree
from reconciler.fleet.lock import load_lock
from reconciler.images.lockfile import format_lock, lock_order, same_entry
from reconciler.model.lock import LockedImage, LockedPlatform

_DIGESTS = st.text("0123456789abcdef", min_size=64, max_size=64).map(lambda text: f"sha256:{text}")
_NAMES = st.sampled_from(
    ["nginx", "ghcr.io/acme/pos", "127.0.0.1:5000/a", "123", "no", "1e3", "localhost:1/x"]
)
_TAGS = st.sampled_from(["", "1", "1.10", "latest", "null", "0x1f", "2026-01-01", "yes"])
_PLATFORMS = st.lists(
    st.builds(
        LockedPlatform,
        platform=st.sampled_from(["linux/amd64", "linux/arm64", "linux/arm/v7", "wasi/wasm"]),
        digest=_DIGESTS,
        size=st.integers(0, 2**53),
    ),
    max_size=3,
    unique_by=lambda each: each.platform,
).map(tuple)
_IMAGES = st.lists(
    st.builds(
        LockedImage,
        name=_NAMES,
        tag=_TAGS,
        digest=_DIGESTS,
        platforms=_PLATFORMS,
        signatures=st.lists(_DIGESTS, max_size=2, unique=True).map(tuple),
        resolved_at=st.sampled_from(["", "2026-01-15T08:00:00Z"]),
    ),
    max_size=5,
    unique_by=lambda each: (each.name, each.tag or each.digest),
)


def read(text: bytes) -> list[LockedImage]:
    lock, findings = load_lock(MemoryTree({"images.lock": text}))
    assert findings == ()
    assert lock is not None
    return list(lock.images.values())


@settings(deadline=None)
@given(_IMAGES)
def test_what_is_written_is_read_again_in_order(images: list[LockedImage]) -> None:
    found = read(format_lock(images))
    assert len(found) == len(images)
    assert all(same_entry(*pair) for pair in zip(found, sorted(images, key=lock_order), strict=True))


@settings(deadline=None)
@given(_IMAGES, _IMAGES)
def test_a_new_lock_in_place_of_an_old_one_says_what_is_new(
    old: list[LockedImage], new: list[LockedImage]
) -> None:
    before = format_lock(old)
    after = format_lock(new, before=before, known=read(before))
    assert all(same_entry(*pair) for pair in zip(read(after), sorted(new, key=lock_order), strict=True))
    assert format_lock(read(after), before=after, known=read(after)) == after


@settings(deadline=None)
@given(_IMAGES, st.data())
def test_every_comment_of_an_entry_that_stays_is_kept(images: list[LockedImage], data: st.DataObject) -> None:
    lines = format_lock(images).decode().splitlines()
    comments = []
    for number in range(len(lines) - 1, 1, -1):
        word = data.draw(st.text(string.ascii_letters + " '\"#:-", max_size=8))
        comment = f"# {number} {word}".rstrip()
        match data.draw(st.sampled_from(["none", "beside", "above"])):
            case "beside":
                lines[number] += f"  {comment}"
                comments.append(comment)
            case "above":
                lines.insert(number, f"    {comment}")
                comments.append(comment)
            case _:
                pass
    before = ("\n".join(lines) + "\n").encode()
    known = read(before)
    assert format_lock(known, before=before, known=known) == before
    later = [replace(image, resolved_at="2027-01-01T00:00:00Z") for image in known]
    after = format_lock(later, before=before, known=known).decode()
    assert all(comment in after for comment in comments)


@settings(deadline=None)
@given(st.text(max_size=60))
@example("#\x1b[31m red")
@example("# \x7f\ufffe")
def test_any_text_before_gives_a_lock_that_can_be_read(text: str) -> None:
    image = LockedImage("ghcr.io/acme/pos", "1", "sha256:" + "0" * 64, ())
    assert len(read(format_lock([image], before=text.encode("utf-8", "replace"), known=()))) == 1
