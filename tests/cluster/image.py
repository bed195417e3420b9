"""Images of next to nothing, made without a container engine."""

import io
import subprocess
import tarfile
import tempfile
from collections.abc import Sequence
from pathlib import Path

from tests.cluster.process import loopback_environment


def push_index(
    crane: Path, reference: str, platforms: Sequence[str], *, content: bytes = b"wayside test image"
) -> str:
    """Push one small image a platform and an index of them; return the digest of the index.

    Args:
        crane: The program.
        reference: The index's tag; each image gets one too, such as `app:1-linux-arm64`.
        platforms: OCI platforms, such as `linux/arm/v7`.
        content: Of the only file, so that two images of one platform can differ.

    Raises:
        subprocess.CalledProcessError: The registry refused; `stderr` says why.
    """
    with tempfile.TemporaryDirectory() as home:
        layer = Path(home) / "layer.tar"
        with tarfile.open(layer, "w") as tar:
            file = tarfile.TarInfo("content")
            file.size = len(content)
            tar.addfile(file, io.BytesIO(content))

        def run(*args: str | Path) -> str:
            done = subprocess.run(
                [crane, *args],
                capture_output=True,
                text=True,
                check=True,
                timeout=60,
                env=loopback_environment(home=Path(home)),
            )
            return done.stdout.strip()

        images: list[str] = []
        for platform in platforms:
            image = f"{reference}-{platform.replace('/', '-')}"
            run("append", "--new_layer", layer, "--new_tag", image, "--oci-empty-base")
            run("mutate", image, "--set-platform", platform, "--tag", image)  # `append` knows of none
            images += ["--manifest", image]
        run("index", "append", *images, "--tag", reference)
        return run("digest", reference)
