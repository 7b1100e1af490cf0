//! Code with its numbers written as short as they can be.
//!
//! The linker writes the number of every function that is called and every address of data in five bytes, so that it
//! can put in what it knows last; most need one or two. That is a tenth of a small component. No instruction changes, but
//! all of them move: what was in the place of one is found by counting instructions.

use std::ops::Range;

use wasmparser::{BinaryReader, BinaryReaderError, CodeSectionReader, FunctionBody, Operator};

/// The contents of a code section with all its numbers short. Code that this tool does not know stays as it is.
pub(crate) fn compact(code: &[u8]) -> Vec<u8> {
    shorten_all(code).unwrap_or_else(|_| code.to_vec())
}

/// The address in `full` of the instruction that stands at an address in `shipped`, which is the same code with other
/// widths of numbers; an address inside of an instruction counts as that of the instruction. `None` when it is none.
pub(crate) fn address_in(full: &[u8], shipped: &[u8], address: u64) -> Option<u64> {
    if full == shipped {
        return Some(address);
    }
    let bodies =
        |code| -> Option<Vec<FunctionBody<'_>>> { bodies(code).ok()?.into_iter().collect::<Result<_, _>>().ok() };
    let (full, shipped) = (bodies(full)?, bodies(shipped)?);
    let (full, shipped) = full.iter().zip(&shipped).find(|(_, shipped)| shipped.range().contains(&address))?;
    let (starts, others) = (starts(shipped).ok()?, self::starts(full).ok()?);
    match starts.partition_point(|start| *start <= address) {
        // Before the first instruction are the types of the variables: that is the function itself.
        0 => Some(full.range().start),
        after => others.get(after - 1).copied(),
    }
}

fn bodies(code: &[u8]) -> Result<CodeSectionReader<'_>, BinaryReaderError> {
    CodeSectionReader::new(BinaryReader::new(code, 0))
}

/// Where each instruction of a function begins.
fn starts(body: &FunctionBody<'_>) -> Result<Vec<u64>, BinaryReaderError> {
    let mut operators = body.get_operators_reader()?;
    let mut starts = Vec::new();
    while !operators.eof() {
        starts.push(operators.original_position());
        operators.read()?;
    }
    Ok(starts)
}

fn shorten_all(code: &[u8]) -> Result<Vec<u8>, BinaryReaderError> {
    let bodies = bodies(code)?;
    let mut out = Vec::with_capacity(code.len());
    write_number(bodies.count() as usize, &mut out);
    for body in bodies {
        let short = shorten(code, &body?)?;
        write_number(short.len(), &mut out);
        out.extend_from_slice(&short);
    }
    Ok(out)
}

fn shorten(code: &[u8], body: &FunctionBody<'_>) -> Result<Vec<u8>, BinaryReaderError> {
    let mut operators = body.get_operators_reader()?;
    let bytes = |range: Range<u64>| &code[range.start as usize..range.end as usize];
    let mut out = bytes(body.range().start..operators.original_position()).to_vec();
    while !operators.eof() {
        let start = operators.original_position();
        let operator = operators.read()?;
        shorten_operator(&operator, bytes(start..operators.original_position()), &mut out);
    }
    Ok(out)
}

/// Behind the code of an instruction stand numbers alone, but for constants of floats and vectors.
fn shorten_operator(operator: &Operator<'_>, bytes: &[u8], out: &mut Vec<u8>) {
    let signed = match operator {
        Operator::F32Const { .. } | Operator::F64Const { .. } | Operator::V128Const { .. } => {
            out.extend_from_slice(bytes);
            return;
        }
        Operator::I32Const { .. }
        | Operator::I64Const { .. }
        | Operator::Block { .. }
        | Operator::Loop { .. }
        | Operator::If { .. } => true,
        _ => false,
    };
    let Some((code, numbers)) = bytes.split_first() else { return };
    out.push(*code);
    for number in numbers.split_inclusive(|byte| byte & 0x80 == 0) {
        let begin = out.len();
        out.extend_from_slice(number);
        trim(out, begin, signed);
    }
}

/// Takes bytes from the end of a number that say nothing.
fn trim(out: &mut Vec<u8>, begin: usize, signed: bool) {
    while let [.., before, last] = out[begin..] {
        let sign = before & 0x40 != 0;
        let says_nothing = if signed && sign { last == 0x7f } else { last == 0 && !(signed && sign) };
        if !says_nothing {
            return;
        }
        out.pop();
        if let Some(last) = out.last_mut() {
            *last = before & 0x7f;
        }
    }
}

/// A number, as short as it can be.
pub(crate) fn write_number(number: usize, out: &mut Vec<u8>) {
    let mut rest = number;
    while rest >= 0x80 {
        out.push(rest as u8 | 0x80);
        rest >>= 7;
    }
    out.push(rest as u8);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(bytes: &[u8], signed: bool) -> Vec<u8> {
        let mut out = bytes.to_vec();
        trim(&mut out, 0, signed);
        out
    }

    #[test]
    fn numbers_keep_their_value() {
        assert_eq!(number(&[0x85, 0x80, 0x80, 0x80, 0x00], false), [0x05]);
        assert_eq!(number(&[0x80, 0x80, 0x80, 0x80, 0x00], false), [0x00]);
        assert_eq!(number(&[0xff, 0x81, 0x80, 0x80, 0x00], false), [0xff, 0x01]);
        // 64 has the sign's bit in its first byte, -64 too: one keeps its second byte.
        assert_eq!(number(&[0xc0, 0x80, 0x80, 0x80, 0x00], true), [0xc0, 0x00]);
        assert_eq!(number(&[0xc0, 0xff, 0xff, 0xff, 0x7f], true), [0x40]);
        assert_eq!(number(&[0xc0, 0x80, 0x80, 0x80, 0x00], false), [0x40]);
        assert_eq!(number(&[0xbf, 0xff, 0xff, 0xff, 0x7f], true), [0xbf, 0x7f]);
    }

    /// A section of two functions whose numbers take as many bytes as the linker gives them; with calls, constants, a
    /// table of branches and floats that look like long numbers.
    fn wide() -> Vec<u8> {
        let first = [
            &[0x00][..],                                                         // no variables
            &[0x10, 0x81, 0x80, 0x80, 0x80, 0x00],                               // call 1
            &[0x41, 0xc0, 0xff, 0xff, 0xff, 0x7f, 0x1a],                         // i32.const -64, drop
            &[0x44, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x00, 0x1a, 0x0b], // f64.const, drop, end
        ]
        .concat();
        let second = [
            &[0x00][..],
            &[0x02, 0x40, 0x41, 0x00, 0x0e, 0x81, 0x00, 0x80, 0x00, 0x00, 0x0b], // block, br_table
            &[0x00, 0x0b],                                                       // unreachable, end
        ]
        .concat();
        let mut code = vec![2];
        for body in [first, second] {
            code.extend([body.len() as u8 | 0x80, 0x80, 0x80, 0x80, 0x00]);
            code.extend(body);
        }
        code
    }

    #[test]
    fn instructions_stay_the_same_and_are_found_again() {
        let (full, short) = (wide(), compact(&wide()));
        assert!(short.len() < full.len() - 15, "{} of {}", short.len(), full.len());
        assert_eq!(compact(&short), short);
        let operators = |code: &[u8]| -> Vec<String> {
            bodies(code)
                .unwrap()
                .into_iter()
                .flat_map(|body| body.unwrap().get_operators_reader().unwrap())
                .map(|operator| format!("{:?}", operator.unwrap()))
                .collect()
        };
        assert_eq!(operators(&full), operators(&short));
        for (full_body, short_body) in bodies(&full).unwrap().into_iter().zip(bodies(&short).unwrap()) {
            let (full_body, short_body) = (full_body.unwrap(), short_body.unwrap());
            assert_eq!(address_in(&full, &short, short_body.range().start), Some(full_body.range().start));
            for (there, here) in starts(&full_body).unwrap().into_iter().zip(starts(&short_body).unwrap()) {
                assert_eq!(address_in(&full, &short, here), Some(there));
                assert_eq!(address_in(&short, &full, there), Some(here));
            }
        }
        assert_eq!(address_in(&full, &short, 1000), None);
        assert_eq!(address_in(&full, &full, 7), Some(7));
    }

    #[test]
    fn what_is_no_code_stays_as_it_is() {
        let full = wide();
        for length in 0..full.len() {
            let cut = &full[..length];
            assert_eq!(compact(cut), cut);
            let _ = address_in(cut, &full, 12);
        }
    }
}
