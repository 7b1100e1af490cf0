//! Bytes in a few large pieces of memory, so that keys and values need no allocation of their own.

/// The bytes of the first piece; each piece is twice as long as the one before, up to the largest.
const PIECE_BYTES_MIN: usize = 512;
const PIECE_BYTES_MAX: usize = 256 << 10;

/// Where bytes begin. How many they are, is known where this is kept.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place {
    piece: u32,
    start: u32,
}

/// Bytes are added and written over, and go all at once.
#[derive(Debug, Default)]
pub(crate) struct Arena {
    pieces: Vec<Vec<u8>>,
    bytes: usize,
}

impl Arena {
    /// What it takes of memory.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Copies bytes, one part behind the other: less than 4 GiB of them.
    pub(crate) fn add(&mut self, parts: &[&[u8]]) -> Place {
        let bytes = parts.iter().map(|part| part.len()).sum::<usize>();
        if self.pieces.last().is_none_or(|piece| piece.capacity() - piece.len() < bytes) {
            let next = self.pieces.last().map_or(PIECE_BYTES_MIN, |last| (2 * last.capacity()).min(PIECE_BYTES_MAX));
            let piece = Vec::with_capacity(next.max(bytes));
            self.bytes += piece.capacity();
            self.pieces.push(piece);
        }
        let number = self.pieces.len() - 1;
        let piece = &mut self.pieces[number];
        let place = Place { piece: number as u32, start: piece.len() as u32 };
        parts.iter().for_each(|part| piece.extend_from_slice(part));
        place
    }

    pub(crate) fn get(&self, place: Place, length: u32) -> &[u8] {
        let start = place.start as usize;
        &self.pieces[place.piece as usize][start..start + length as usize]
    }

    /// Writes over bytes with as many others.
    pub(crate) fn replace(&mut self, place: Place, bytes: &[u8]) {
        let start = place.start as usize;
        self.pieces[place.piece as usize][start..start + bytes.len()].copy_from_slice(bytes);
    }
}
