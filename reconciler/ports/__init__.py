"""The seams to the world outside, as protocols. Adapters implement them; tests may fake them."""

from reconciler.ports.clock import Clock
from reconciler.ports.outbox import Outbox
from reconciler.ports.sink import Sink, SinkError
from reconciler.ports.source import Revision, SourceReader
from reconciler.ports.target import Observed, Target

__all__ = ["Clock", "Observed", "Outbox", "Revision", "Sink", "SinkError", "SourceReader", "Target"]
