//! What `#[scalar]` and `#[codec]` generate calls of.

use crate::build::Builder;
use crate::codec::{Decoded, Frames, Framing};
use crate::row::{Argument, Output};
use crate::{Array, DataType, Failure, OpenError, Reject, Schema};

/// Checks that a function is called with as many arguments as it takes.
///
/// # Errors
/// [`OpenError::InvalidInput`] that names them.
pub fn check_arity(arguments: &Schema, names: &[&str]) -> Result<(), OpenError> {
    if arguments.len() == names.len() {
        return Ok(());
    }
    let (found, wanted) = (arguments.len(), names.len());
    Err(OpenError::InvalidInput(format!(
        "called with {found} arguments, the function takes {wanted}: ({})",
        names.join(", ")
    )))
}

/// Checks that an argument has a type that the function takes.
///
/// # Errors
/// [`OpenError::InvalidInput`] naming argument, type found and type wanted.
pub fn check_type<'a, T: Argument<'a>>(arguments: &Schema, index: usize, name: &str) -> Result<(), OpenError> {
    check(arguments, index, name, T::accepts, T::WANTED)
}

#[inline(never)]
fn check(
    arguments: &Schema,
    index: usize,
    name: &str,
    accepts: fn(&DataType) -> bool,
    wanted: &str,
) -> Result<(), OpenError> {
    let found = &arguments.fields()[index].data_type;
    if accepts(found.value_type()) {
        return Ok(());
    }
    Err(OpenError::InvalidInput(format!("argument `{name}` is {found}, the function wants {wanted}")))
}

/// The type of a function's results.
#[must_use]
pub fn result_type<T: Output>() -> DataType {
    super::output::output_type::<T>()
}

/// The results for `rows` rows; `None` is a null.
pub fn results<T: Output>(rows: usize, value: impl FnMut(usize) -> Option<T>) -> Array {
    T::column(rows, value)
}

/// The same, of a function that can refuse a row: then all of these have no values together.
///
/// # Errors
/// [`Failure::RejectBatch`] with what the function says.
pub fn results_or<T: Output>(
    rows: usize,
    mut value: impl FnMut(usize) -> Option<Result<T, Reject>>,
) -> Result<Array, Failure> {
    let mut builder = T::builder();
    for row in 0..rows {
        match value(row) {
            Some(Ok(value)) => value.write(&mut builder),
            Some(Err(reject)) => return Err(refused(&reject)),
            None => builder.push_null(),
        }
    }
    Ok(builder.finish())
}

#[cold]
fn refused(reject: &Reject) -> Failure {
    if reject.code == Reject::DEFAULT_CODE {
        return Failure::RejectBatch(reject.message.clone());
    }
    Failure::RejectBatch(format!("{}: {}", reject.code, reject.message))
}

/// What stands at the front of some bytes, as a codec's function says.
#[derive(Debug, Clone, PartialEq)]
pub enum Record<T> {
    /// A row, and how many bytes it takes up: 1 or more.
    Row(T, usize),
    /// The beginning of a record. More bytes are needed to read it.
    Incomplete,
    /// So many bytes, 1 or more, that are no record.
    Bad(usize, Reject),
}

/// Goes through the frames of a call, record by record.
#[derive(Debug)]
pub struct Reading<'a> {
    frames: Frames<'a>,
    /// The pieces of a stream, where there is more than one.
    joined: Option<Vec<u8>>,
    frame: usize,
    at: usize,
    of_rows: Vec<u32>,
    rejects: Vec<(u32, Reject)>,
    rest_bytes: usize,
}

impl<'a> Reading<'a> {
    /// At the front of the first frame.
    #[must_use]
    pub fn new(frames: &Frames<'a>) -> Self {
        let is_cut = frames.framing() == Framing::Stream && frames.len() > 1;
        let joined = is_cut.then(|| (0..frames.len()).flat_map(|index| frames.get(index)).copied().collect());
        let (of_rows, rejects) = (Vec::new(), Vec::new());
        Self { frames: *frames, joined, frame: 0, at: 0, of_rows, rejects, rest_bytes: 0 }
    }

    fn whole(&self) -> &[u8] {
        match &self.joined {
            Some(joined) => joined,
            None => self.frames.get(self.frame),
        }
    }

    fn ends(&self) -> usize {
        if self.joined.is_some() { 1 } else { self.frames.len() }
    }

    /// The bytes that are still to be read of a frame; `None` when all are.
    pub fn left(&mut self) -> Option<&[u8]> {
        while self.frame < self.ends() && self.at == self.whole().len() {
            (self.frame, self.at) = (self.frame + 1, 0);
        }
        if self.frame == self.ends() { None } else { Some(&self.whole()[self.at..]) }
    }

    /// The frame that the next byte is in.
    fn index(&self) -> u32 {
        if self.joined.is_none() {
            return self.frame as u32;
        }
        let mut begin = 0;
        for index in 0..self.frames.len() {
            begin += self.frames.get(index).len();
            if self.at < begin {
                return index as u32;
            }
        }
        self.frames.len().saturating_sub(1) as u32
    }

    fn advance(&mut self, used: usize) {
        let left = self.whole().len() - self.at;
        assert!(used > 0 && used <= left, "a record of {used} bytes, where {left} are left");
        self.at += used;
    }

    /// So many bytes were a row.
    pub fn row(&mut self, used: usize) {
        let index = self.index();
        self.advance(used);
        self.of_rows.push(index);
    }

    /// So many bytes are no record.
    pub fn bad(&mut self, used: usize, reject: impl Into<Reject>) {
        let index = self.index();
        self.advance(used);
        self.rejects.push((index, reject.into()));
    }

    /// What is left of the frame is the beginning of a record.
    pub fn incomplete(&mut self) {
        let left = self.whole().len() - self.at;
        if self.frames.may_go_on() {
            self.rest_bytes = left;
        } else {
            let message = format!("{left} bytes at the end are the beginning of a record");
            self.rejects.push((self.index(), Reject::new("unfinished-frame", message)));
        }
        self.at += left;
    }

    /// What the call gives back, with the columns of the rows.
    #[must_use]
    pub fn finish(self, columns: Vec<Array>) -> Decoded {
        Decoded { columns, frames: self.of_rows, rejects: self.rejects, rest_bytes: self.rest_bytes }
    }
}
