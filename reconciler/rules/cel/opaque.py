"""Opaque values as protobuf messages, which is how the native engine can carry and type-check them.

Every opaque type is a message whose descriptor is made here. Its first field is a canonical text, so that
equal values are equal messages; the second holds the text that the value is read from where that differs.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

from reconciler.rules.cel.forms import form_of
from reconciler.rules.cel.library import network, quantity, semver, url
from reconciler.rules.cel.library.catalog import OPAQUE, Format

__all__ = ["decode", "encode", "pool"]

_PREFIX = "wayside.cel"


@lru_cache(maxsize=1)
def pool() -> descriptor_pool.DescriptorPool:
    """Return protobuf's own pool with the opaque types added.

    It is the one that generated modules register with, so plain CEL knows the messages of whoever embeds it.
    """
    from google.protobuf import (  # noqa: F401 - importing them registers the well-known types
        any_pb2,
        duration_pb2,
        empty_pb2,
        field_mask_pb2,
        struct_pb2,
        timestamp_pb2,
        wrappers_pb2,
    )

    made = descriptor_pool.Default()
    for full_name in OPAQUE:
        package, _, name = full_name.rpartition(".")
        file = descriptor_pb2.FileDescriptorProto(
            name=f"{_PREFIX}/{full_name}.proto", package=package, syntax="proto3"
        )
        message = file.message_type.add(name=name)
        for number, field in enumerate(("text", "source"), 1):
            message.field.add(
                name=field,
                number=number,
                label=descriptor_pb2.FieldDescriptorProto.LABEL_OPTIONAL,
                type=descriptor_pb2.FieldDescriptorProto.TYPE_STRING,
            )
        made.AddSerializedFile(file.SerializeToString())
    return made


@lru_cache(maxsize=32)
def _message_class(name: str) -> Any:
    return message_factory.GetMessageClass(pool().FindMessageTypeByName(name))


def encode(value: object) -> Any:
    """Return the message for an opaque value; any other value as it is."""
    form = form_of(value)
    if form is None:
        return value
    name, text, source = form
    return _message_class(name)(text=text, source=source)


@lru_cache(maxsize=4096)
def _quantity(form: str) -> quantity.Quantity:
    unscaled, _, scale = form.rstrip("d").partition("e")
    return quantity.Quantity(int(unscaled), int(scale), not form.endswith("d"))


_READERS: dict[str, Callable[[Any], Any]] = {
    "kubernetes.Quantity": lambda message: _quantity(message.source or message.text),
    "kubernetes.URL": lambda message: url.parse(message.text),
    "kubernetes.Semver": lambda message: semver.parse(message.text),
    "kubernetes.NamedFormat": lambda message: Format(message.text),
    "net.IP": lambda message: network.parse_ip(message.text),
    "net.CIDR": lambda message: network.parse_cidr(message.text),
}


def decode(value: Any) -> Any:
    """Return the opaque value of a message; any other value as it is."""
    descriptor = getattr(value, "DESCRIPTOR", None)
    if descriptor is None:
        return value
    reader = _READERS.get(descriptor.full_name)
    return value if reader is None else reader(value)


def no_format() -> Any:
    """Return the empty message that stands for no format."""
    return _message_class("kubernetes.NamedFormat")()
