"""keep-above in Python: `../README.md` says what it does."""

import json
import struct

from componentize_py_types import Err
from wit_world import exports
from wit_world.exports.filter import Filtered
from wit_world.exports.lifecycle import Binding, Description, Determinism, OpenError_InvalidConfig
from wit_world.imports.types import Reject

COLUMN = "x"
limit = 0


def table(message, at):
    """A lookup in the flatbuffer table at an offset: the position of a field, or None where it has its default."""
    vtable = at - struct.unpack_from("<i", message, at)[0]
    size = struct.unpack_from("<H", message, vtable)[0]

    def field(number):
        entry = 4 + 2 * number
        offset = struct.unpack_from("<H", message, vtable + entry)[0] if entry < size else 0
        return at + offset if offset else None

    return field


def follow(message, at):
    """Where the offset that is stored at a position leads."""
    return at + struct.unpack_from("<I", message, at)[0]


def read_column(message):
    """The one Int64 column of a batch message: its validity bitmap (empty when nothing is null) and its values."""
    # An encapsulated message: a marker, the length of the metadata, the metadata, the body.
    body = 8 + struct.unpack_from("<I", message, 4)[0]
    batch = table(message, follow(message, table(message, follow(message, 8))(2)))
    rows = struct.unpack_from("<q", message, batch(0))[0]
    buffers = follow(message, batch(2)) + 4
    validity, validity_bytes, values, _ = struct.unpack_from("<4q", message, buffers)
    start = body + values
    bitmap = message[body + validity : body + validity + validity_bytes]
    return bitmap, memoryview(message)[start : start + 8 * rows].cast("q")


class Lifecycle(exports.Lifecycle):
    """Who the operator is, and what it binds to."""

    def describe(self):
        """Says who the operator is."""
        return Description(name="keep-above", version="0.1.0", determinism=Determinism.DETERMINISTIC, states=[])

    def open(self, config, input):
        """Takes the limit; the schema of the input is the host's to check."""
        global limit
        settings = json.loads(config)
        if not isinstance(settings.get("limit"), int):
            raise Err(OpenError_InvalidConfig("`limit`: expects a whole number"))
        limit = settings["limit"]
        return Binding(reads=[COLUMN], outputs=[], particulars=None)

    def close(self):
        """Nothing is left to do."""


class Filter(exports.Filter):
    """The function of the kind."""

    def filter(self, batch):
        """One bit per row, and the rows that are refused."""
        bitmap, values = read_column(batch)
        keep = bytearray((len(values) + 7) // 8)
        rejects = []
        for row, value in enumerate(values):
            if bitmap and not bitmap[row >> 3] >> (row & 7) & 1:
                continue
            if value < 0:
                rejects.append(Reject(row=row, code="negative", message=f"x is {value}"))
            elif value > limit:
                keep[row >> 3] |= 1 << (row & 7)
        return Filtered(keep=bytes(keep), rejects=rejects)
