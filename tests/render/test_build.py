"""A first look at builds; the corpus holds the details."""

from __future__ import annotations

from reconciler.documents.tree import MemoryTree
from reconciler.render import build
from reconciler.render.emitter import scalar_text, to_yaml


def test_a_base_and_an_overlay_become_the_resources_that_kustomize_prints() -> None:
    tree = MemoryTree(
        {
            "base/kustomization.yaml": (
                b"resources: [app.yaml]\nconfigMapGenerator:\n- name: c\n  literals: [a=b]\n"
            ),
            "base/app.yaml": (
                b"apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: app}\n"
                b"spec: {template: {spec: {containers: [{name: app, image: nginx}],"
                b" volumes: [{name: c, configMap: {name: c}}]}}}\n"
            ),
            "overlay/kustomization.yaml": (
                b"resources: [../base]\nnamespace: shop\nnamePrefix: eu-\n"
                b"images: [{name: nginx, newTag: '1.2'}]\n"
            ),
        }
    )

    result = build("overlay", tree)

    assert [resource.id.name for resource in result] == ["eu-c-4h2mbtbbt6", "eu-app"]
    assert "configMap:\n          name: eu-c-4h2mbtbbt6\n" in result.to_yaml()
    assert "image: nginx:1.2\n" in result.to_yaml()
    assert result.inputs == {"base/kustomization.yaml", "base/app.yaml", "overlay/kustomization.yaml"}


def test_a_text_of_several_lines_is_a_block_also_after_its_quotes_were_looked_at() -> None:
    text = "two\nlines\n"
    scalar_text(text)

    assert to_yaml([{"x": text}]) == "x: |\n  two\n  lines\n"
