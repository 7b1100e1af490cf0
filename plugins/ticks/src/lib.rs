//! A binary format: ticks of a market, each behind its length.

use volley_sdk::{Columns, Record, Reject};

/// The bytes of a record before its symbol: time and price.
const HEAD_BYTES: usize = 16;

/// The longest record, without its length.
const RECORD_BYTES_MAX: usize = 4096;

/// One change of a price.
#[derive(Columns)]
pub struct Tick {
    /// Milliseconds since 1970.
    ts: i64,
    /// What is traded.
    symbol: String,
    /// What was paid.
    price: f64,
}

#[volley_sdk::codec]
impl Ticks {
    /// The record at the front of `bytes`.
    fn decode(bytes: &[u8]) -> Record<Tick> {
        let Some((length, rest)) = bytes.split_first_chunk() else { return Record::Incomplete };
        let length = u32::from_le_bytes(*length) as usize;
        if length > RECORD_BYTES_MAX {
            // Where the next record begins, nobody knows any more.
            let message = format!("a record of {length} bytes; the longest has {RECORD_BYTES_MAX}");
            return Record::Bad(bytes.len(), Reject::new("bad-length", message));
        }
        let Some(record) = rest.get(..length) else { return Record::Incomplete };
        let used = 4 + length;
        let Some((head, symbol)) = record.split_at_checked(HEAD_BYTES) else {
            let message = format!("a record of {length} bytes; the shortest has {HEAD_BYTES}");
            return Record::Bad(used, Reject::new("bad-length", message));
        };
        let Ok(symbol) = str::from_utf8(symbol) else {
            return Record::Bad(used, Reject::new("bad-symbol", "the symbol is not UTF-8"));
        };
        let (mut ts, mut price) = ([0; 8], [0; 8]);
        ts.copy_from_slice(&head[..8]);
        price.copy_from_slice(&head[8..]);
        let tick = Tick { ts: i64::from_le_bytes(ts), symbol: symbol.to_owned(), price: f64::from_le_bytes(price) };
        Record::Row(tick, used)
    }

    /// Writes one record.
    fn encode(ts: i64, symbol: &str, price: f64, out: &mut Vec<u8>) -> Result<(), Reject> {
        let length = HEAD_BYTES + symbol.len();
        if length > RECORD_BYTES_MAX {
            let message =
                format!("a symbol of {} bytes; the longest has {}", symbol.len(), RECORD_BYTES_MAX - HEAD_BYTES);
            return Err(Reject::new("long-symbol", message));
        }
        out.extend((length as u32).to_le_bytes());
        out.extend(ts.to_le_bytes());
        out.extend(price.to_le_bytes());
        out.extend(symbol.as_bytes());
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use volley_sdk::testing::{self, json};
    use volley_sdk::{Framing, batch};

    use super::Ticks;

    #[test]
    fn what_is_written_is_read() {
        let rows = batch! { "ts" => [1_i64, -2], "symbol" => ["ABC", ""], "price" => [1.5, f64::MAX] };
        let (frames, rejects) = testing::encode::<Ticks>(json!({}), &rows).unwrap();
        assert!(rejects.is_empty());
        let stream: Vec<u8> = frames.into_iter().flat_map(|(_, frame)| frame).collect();
        let read = testing::decode::<Ticks>(json!({}), Framing::Stream, &[&stream[..stream.len() - 1]], false).unwrap();
        assert_eq!((read.rows.len(), read.rest_bytes), (1, 19));
        let read = testing::decode::<Ticks>(json!({}), Framing::Stream, &[&stream], true).unwrap();
        assert_eq!(read.rows, rows);
    }

    #[test]
    fn records_that_are_none_are_refused() {
        let mut stream = vec![2, 0, 0, 0, 9, 9];
        stream.extend([17, 0, 0, 0]);
        stream.extend([0; 16]);
        stream.push(0xff);
        stream.extend([0xff; 6]);
        let read = testing::decode::<Ticks>(json!({}), Framing::Stream, &[&stream], true).unwrap();
        let codes: Vec<&str> = read.rejects.iter().map(|(_, why)| why.code.as_str()).collect();
        assert_eq!(codes, ["bad-length", "bad-symbol", "bad-length"]);
        assert_eq!(read.rows.len(), 0);
    }
}
