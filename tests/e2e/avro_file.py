"""Avro object container files of flat records, from the specification: small, slow and nobody else's code."""

import json
import struct
import zlib

MAGIC = b"Obj\x01"


class Cursor:
    def __init__(self, data):
        self.data, self.at = data, 0

    def take(self, count):
        piece = self.data[self.at : self.at + count]
        assert len(piece) == count, "the file ends too early"
        self.at += count
        return piece

    def long(self):
        value = shift = 0
        while True:
            byte = self.take(1)[0]
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return (value >> 1) ^ -(value & 1)
            shift += 7

    def bytes(self):
        return self.take(self.long())

    def value(self, kind):
        if isinstance(kind, list):
            return self.value(kind[self.long()])
        if isinstance(kind, dict):
            return self.value(kind["type"])
        if kind == "null":
            return None
        if kind in ("int", "long"):
            return self.long()
        if kind == "double":
            return struct.unpack("<d", self.take(8))[0]
        assert kind == "string", f"not expected here: {kind}"
        return self.bytes().decode()


def header(cursor):
    assert cursor.take(4) == MAGIC, "not an Avro file"
    meta = {}
    while count := cursor.long():
        assert count > 0, "sized blocks of metadata are not expected"
        for _ in range(count):
            key = cursor.bytes().decode()
            meta[key] = cursor.bytes()
    return json.loads(meta["avro.schema"]), meta.get("avro.codec", b"null").decode(), cursor.take(16)


def read(path):
    """The schema, and one dictionary for each record."""
    with open(path, "rb") as file:
        cursor = Cursor(file.read())
    schema, codec, sync = header(cursor)
    records = []
    while cursor.at < len(cursor.data):
        count, block = cursor.long(), cursor.bytes()
        assert codec in ("null", "deflate"), codec
        body = Cursor(zlib.decompress(block, -15) if codec == "deflate" else block)
        for _ in range(count):
            records.append({field["name"]: body.value(field["type"]) for field in schema["fields"]})
        assert body.at == len(body.data), "a block is longer than its records"
        assert cursor.take(16) == sync, "a block does not end in the file's marker"
    return schema, records
