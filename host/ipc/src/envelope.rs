//! The outermost layer of a message: marker, length, verified metadata, body.

use arrow::ipc::{Message, MetadataVersion, root_as_message_with_opts};
use flatbuffers::VerifierOptions;

use crate::{Error, Result};

/// Marker and length of the metadata.
const PREFIX_BYTES: usize = 8;

/// No flatbuffer of a message is smaller: root offset, vtable and table come to more. Arrow's own parser indexes
/// without asking.
const METADATA_BYTES_MIN: usize = 8;

const CONTINUATION_MARKER: [u8; 4] = [0xff; 4];

/// What the metadata may cost to verify. Tables and text may be pointed at from many places, so the cost has no bound in
/// the bytes of the metadata alone.
pub(crate) struct MetadataLimits {
    /// Tables, each counted as often as it is pointed at.
    pub(crate) tables_max: usize,
    /// Tables within tables.
    pub(crate) depth_max: usize,
    /// Bytes that are looked at, each counted as often as that happens.
    pub(crate) apparent_bytes_max: usize,
}

/// A message whose metadata is verified and whose body is known to be where the metadata says.
pub(crate) struct Envelope<'a> {
    pub(crate) message: Message<'a>,
    /// Bytes of the metadata, padding included; the body begins behind it.
    pub(crate) metadata_bytes: usize,
    /// Where the body begins in the bytes of the message.
    pub(crate) body_offset: usize,
    /// Bytes of the body; it ends where the message ends.
    pub(crate) body_bytes: usize,
}

/// Opens a message of at most `bytes_max` bytes.
pub(crate) fn open<'a>(bytes: &'a [u8], bytes_max: usize, limits: &MetadataLimits) -> Result<Envelope<'a>> {
    if bytes.len() > bytes_max {
        return Err(Error::TooManyBytes { bytes: bytes.len(), limit: bytes_max });
    }
    let metadata = metadata(bytes)?;
    let options = VerifierOptions {
        max_depth: limits.depth_max,
        max_tables: limits.tables_max,
        max_apparent_size: limits.apparent_bytes_max,
        ignore_missing_null_terminator: false,
    };
    let message =
        root_as_message_with_opts(&options, metadata).map_err(|error| Error::Flatbuffer(error.to_string()))?;
    if message.version() != MetadataVersion::V5 {
        return Err(Error::Unsupported(format!("metadata version {:?}: only V5 is accepted", message.version())));
    }
    let body_offset = PREFIX_BYTES + metadata.len();
    let body_bytes = bytes.len() - body_offset;
    if usize::try_from(message.bodyLength()) != Ok(body_bytes) {
        let claimed = message.bodyLength();
        return Err(Error::Envelope(format!("its metadata speaks of a body of {claimed} bytes; {body_bytes} follow")));
    }
    Ok(Envelope { message, metadata_bytes: metadata.len(), body_offset, body_bytes })
}

fn metadata(bytes: &[u8]) -> Result<&[u8]> {
    let Some((prefix, rest)) = bytes.split_first_chunk::<PREFIX_BYTES>() else {
        return Err(Error::Envelope(format!("{} bytes are too few for one", bytes.len())));
    };
    let [marker @ .., a, b, c, d] = *prefix;
    if marker != CONTINUATION_MARKER {
        return Err(Error::Envelope(format!("it begins with {marker:02x?} instead of the marker ff ff ff ff")));
    }
    let claimed = i32::from_le_bytes([a, b, c, d]);
    let length = usize::try_from(claimed).unwrap_or(usize::MAX);
    if length < METADATA_BYTES_MIN || !length.is_multiple_of(8) {
        return Err(Error::Envelope(format!("{claimed} is not a length of metadata")));
    }
    rest.get(..length)
        .ok_or_else(|| Error::Envelope(format!("its metadata should have {length} bytes; {} follow", rest.len())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::datatypes::{DataType, Field, Schema};

    const LIMITS: MetadataLimits = MetadataLimits { tables_max: 8, depth_max: 4, apparent_bytes_max: 1 << 10 };

    fn message() -> Vec<u8> {
        crate::encode_schema(&Schema::new(vec![Field::new("a", DataType::Int64, true)])).expect("plain schema")
    }

    #[test]
    fn a_good_message_opens() {
        let bytes = message();
        let envelope = open(&bytes, bytes.len(), &LIMITS).expect("good");
        assert_eq!((envelope.body_offset, envelope.body_bytes), (bytes.len(), 0));
    }

    #[test]
    fn every_truncation_is_refused() {
        let bytes = message();
        for end in 0..bytes.len() {
            assert!(open(&bytes[..end], usize::MAX, &LIMITS).is_err(), "{end} bytes");
        }
    }

    #[test]
    fn metadata_beyond_its_limits_is_refused() {
        let bytes = message();
        for limits in [
            MetadataLimits { tables_max: 3, ..LIMITS },
            MetadataLimits { depth_max: 3, ..LIMITS },
            MetadataLimits { apparent_bytes_max: 100, ..LIMITS },
        ] {
            assert!(matches!(open(&bytes, usize::MAX, &limits), Err(Error::Flatbuffer(_))));
        }
    }

    #[test]
    fn lying_prefixes_are_refused() {
        let good = message();
        for (at, value) in [(0, 0x00), (7, 0xff), (7, 0x7f), (4, 0x03), (6, 0x10)] {
            let mut bytes = good.clone();
            bytes[at] = value;
            assert!(open(&bytes, usize::MAX, &LIMITS).is_err(), "byte {at} = {value}");
        }
        assert!(matches!(open(&good, 10, &LIMITS), Err(Error::TooManyBytes { limit: 10, .. })));
        let mut longer = good;
        longer.extend([0; 8]);
        assert!(open(&longer, usize::MAX, &LIMITS).is_err(), "bytes after the end");
    }
}
