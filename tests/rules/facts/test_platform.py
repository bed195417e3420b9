"""Which platforms a node runs, as containerd decides it, but for 32-bit arm on 64-bit arm."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.model.platform import accepts, parse_platform


@pytest.mark.parametrize(
    ("text", "normal"),
    [
        ("linux/amd64", "linux/amd64"),
        ("linux/x86_64", "linux/amd64"),
        ("linux/amd64/v1", "linux/amd64"),
        ("linux/amd64/v3", "linux/amd64/v3"),
        ("linux/aarch64", "linux/arm64"),
        ("linux/arm64/v8", "linux/arm64"),
        ("linux/arm64/v9", "linux/arm64/v9"),
        ("linux/arm", "linux/arm/v7"),
        ("linux/arm/7", "linux/arm/v7"),
        ("linux/armhf", "linux/arm/v7"),
        ("linux/armel", "linux/arm/v6"),
        ("arm64", "linux/arm64"),
        ("wasi/wasm", "wasi/wasm"),
        ("Linux/AMD64", "linux/amd64"),
    ],
)
def test_a_platform_is_written_in_one_way(text: str, normal: str) -> None:
    assert str(parse_platform(text)) == normal


@pytest.mark.parametrize(
    ("node", "image", "runs"),
    [
        ("linux/arm64", "linux/arm64", True),
        ("linux/arm64", "linux/arm64/v8", True),
        ("linux/arm64", "linux/arm/v7", False),
        ("linux/arm/v7", "linux/arm64", False),
        ("linux/arm/v7", "linux/arm/v6", True),
        ("linux/arm/v7", "linux/arm/v5", True),
        ("linux/arm/v6", "linux/arm/v7", False),
        ("linux/arm/v6", "linux/arm", False),
        ("linux/arm64", "linux/arm64/v9", False),
        ("linux/arm64/v9", "linux/arm64/v8.5", True),
        ("linux/arm64/v9", "linux/arm64/v8.6", False),
        ("linux/amd64", "linux/386", True),
        ("linux/amd64", "linux/amd64/v2", False),
        ("linux/amd64/v3", "linux/amd64/v2", True),
        ("linux/amd64", "windows/amd64", False),
        ("linux/riscv64", "linux/riscv64", True),
        ("linux/ppc64le", "linux/s390x", False),
    ],
)
def test_a_node_runs_its_own_architecture_in_its_variant_or_an_older_one(
    node: str, image: str, runs: bool
) -> None:
    assert accepts(parse_platform(node), parse_platform(image)) is runs


@given(
    st.sampled_from(["linux", "windows"]),
    st.sampled_from(["amd64", "arm64", "arm", "386", "riscv64", "mips64le"]),
    st.sampled_from(["", "v1", "v2", "v5", "v6", "v7", "v8", "v8.2", "v9", "v9.1", "odd"]),
)
def test_every_platform_runs_itself_and_is_stable_when_read_again(os: str, arch: str, variant: str) -> None:
    platform = parse_platform("/".join(part for part in (os, arch, variant) if part))

    assert accepts(platform, platform)
    assert parse_platform(str(platform)) == platform
