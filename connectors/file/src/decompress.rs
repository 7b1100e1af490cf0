//! Streaming decompression of whole files.

use std::io::{self, Read};

use flate2::read::MultiGzDecoder;

use crate::Compression;

/// What `input` holds, decompressed as it is read.
pub(crate) fn decompress(input: Box<dyn Read + Send>, compression: Compression) -> io::Result<Box<dyn Read + Send>> {
    Ok(match compression {
        Compression::None | Compression::Auto => input,
        // Files are often made by joining compressed pieces: all members and frames are read.
        Compression::Gzip => Box::new(MultiGzDecoder::new(input)),
        Compression::Zstd => Box::new(zstd::stream::read::Decoder::new(input)?),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn gzip(text: &str) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(text.as_bytes()).expect("memory");
        encoder.finish().expect("memory")
    }

    fn read(bytes: Vec<u8>, compression: Compression) -> io::Result<String> {
        let mut text = String::new();
        decompress(Box::new(io::Cursor::new(bytes)), compression)?.read_to_string(&mut text)?;
        Ok(text)
    }

    #[test]
    fn several_members_and_frames_are_one_stream() {
        let joined = [gzip("a\n"), gzip("b\n")].concat();
        assert_eq!(read(joined, Compression::Gzip).expect("two members"), "a\nb\n");
        let frame = |text: &str| zstd::encode_all(text.as_bytes(), 1).expect("memory");
        let joined = [frame("a\n"), frame("b\n")].concat();
        assert_eq!(read(joined, Compression::Zstd).expect("two frames"), "a\nb\n");
    }

    #[test]
    fn truncated_streams_are_errors() {
        let long = "abc\n".repeat(1000);
        let whole = gzip(&long);
        assert!(read(whole[..whole.len() - 9].to_vec(), Compression::Gzip).is_err());
        let whole = zstd::encode_all(long.as_bytes(), 1).expect("memory");
        assert!(read(whole[..whole.len() - 3].to_vec(), Compression::Zstd).is_err());
    }
}
