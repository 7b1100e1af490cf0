// keep-above in JavaScript: ../README.md says what it does.

const COLUMN = "x";
let limit = 0n;

// A lookup in the flatbuffer table at an offset: the position of a field, or 0 where it has its default.
function table(view, at) {
  const vtable = at - view.getInt32(at, true);
  const size = view.getUint16(vtable, true);
  return (number) => {
    const entry = 4 + 2 * number;
    const offset = entry < size ? view.getUint16(vtable + entry, true) : 0;
    return offset ? at + offset : 0;
  };
}

// Where the offset that is stored at a position leads.
const follow = (view, at) => at + view.getUint32(at, true);
const int = (view, at) => Number(view.getBigInt64(at, true));

// The one Int64 column of a batch message: its validity bitmap (empty when nothing is null) and its values.
function readColumn(message) {
  const view = new DataView(message.buffer, message.byteOffset, message.byteLength);
  // An encapsulated message: a marker, the length of the metadata, the metadata, the body.
  const body = 8 + view.getUint32(4, true);
  const batch = table(view, follow(view, table(view, follow(view, 8))(2)));
  const rows = int(view, batch(0));
  const buffers = follow(view, batch(2)) + 4;
  const [validity, validityBytes, values] = [0, 8, 16].map((at) => int(view, buffers + at));
  const bitmap = message.subarray(body + validity, body + validity + validityBytes);
  return { rows, bitmap, value: (row) => view.getBigInt64(body + values + 8 * row, true) };
}

export const lifecycle = {
  describe: () => ({ name: "keep-above", version: "0.1.0", determinism: "deterministic", states: [] }),
  open: (config) => {
    const wanted = JSON.parse(config).limit;
    if (!Number.isInteger(wanted)) {
      throw { tag: "invalid-config", val: "`limit`: expects a whole number" };
    }
    limit = BigInt(wanted);
    return { reads: [COLUMN], outputs: [] };
  },
  close: () => {},
};

export const filter = {
  filter: (batch) => {
    const { rows, bitmap, value } = readColumn(batch);
    const keep = new Uint8Array((rows + 7) >> 3);
    const rejects = [];
    for (let row = 0; row < rows; row++) {
      const bit = 1 << (row & 7);
      if (bitmap.length > 0 && !(bitmap[row >> 3] & bit)) continue;
      const x = value(row);
      if (x < 0n) {
        rejects.push({ row, code: "negative", message: `x is ${x}` });
      } else if (x > limit) {
        keep[row >> 3] |= bit;
      }
    }
    return { keep, rejects };
  },
};
