//! What servers answered, in a bundle.

use serde_json::{Value, json};

use super::decode::{Decoded, bytes, field, list, number, text};
use crate::cache::hex;
use crate::http::{HttpAnswer, HttpFailure, HttpResponse};

/// The answers of each `send` of a call.
pub(super) fn encode(sends: &[Vec<HttpAnswer>]) -> Value {
    sends.iter().map(|answers| answers.iter().map(answer).collect::<Value>()).collect()
}

fn answer(answer: &HttpAnswer) -> Value {
    let failed = |word: &str, words: &str| json!({ "failed": word, "words": words });
    match answer {
        Ok(HttpResponse { status, headers, body }) => {
            let header = |(name, value): &(String, Vec<u8>)| json!({ "name": name, "value": hex(value) });
            json!({ "status": status, "headers": headers.iter().map(header).collect::<Value>(), "body": hex(body) })
        }
        Err(HttpFailure::Denied(words)) => failed("denied", words),
        Err(HttpFailure::Invalid(words)) => failed("invalid", words),
        Err(HttpFailure::TimedOut) => failed("timed-out", ""),
        Err(HttpFailure::Failed(words)) => failed("failed", words),
        Err(HttpFailure::LimitExceeded(words)) => failed("limit-exceeded", words),
    }
}

/// What [`encode`] wrote, out of the field `http`.
pub(super) fn decode(call: &Value) -> Decoded<Vec<Vec<HttpAnswer>>> {
    list(call, "http", |answers| {
        answers.as_array().ok_or("`http` is no list of lists")?.iter().map(decode_answer).collect()
    })
}

fn decode_answer(answer: &Value) -> Decoded<HttpAnswer> {
    if answer.get("failed").is_none() {
        let header = |header: &Value| Ok((text(header, "name")?.to_owned(), bytes(header, "value")?));
        let headers = list(answer, "headers", header)?;
        return Ok(Ok(HttpResponse { status: number(answer, "status")?, headers, body: bytes(answer, "body")? }));
    }
    let words = || text(answer, "words").map(str::to_owned);
    let word = field(answer, "failed")?.as_str().unwrap_or_default();
    Ok(Err(match word {
        "denied" => HttpFailure::Denied(words()?),
        "invalid" => HttpFailure::Invalid(words()?),
        "timed-out" => HttpFailure::TimedOut,
        "failed" => HttpFailure::Failed(words()?),
        "limit-exceeded" => HttpFailure::LimitExceeded(words()?),
        other => return Err(format!("no request fails with `{other}`")),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_again() {
        let response =
            HttpResponse { status: 404, headers: vec![("a".to_owned(), vec![0xff, 0])], body: b"no \" such".to_vec() };
        let sends = vec![
            vec![Ok(response), Err(HttpFailure::TimedOut), Err(HttpFailure::Denied("`x`".to_owned()))],
            Vec::new(),
            vec![
                Err(HttpFailure::Invalid("i".to_owned())),
                Err(HttpFailure::Failed("f".to_owned())),
                Err(HttpFailure::LimitExceeded("l".to_owned())),
            ],
        ];
        let call = json!({ "http": encode(&sends) });
        assert_eq!(decode(&call), Ok(sends));
        for (bad, words) in [
            (json!({}), "no `http`"),
            (json!({ "http": [1] }), "no list of lists"),
            (json!({ "http": [[{ "failed": "x" }]] }), "`x`"),
            (json!({ "http": [[{ "status": 70_000, "headers": [], "body": "" }]] }), "`status`"),
        ] {
            let error = decode(&bad).expect_err(words);
            assert!(error.contains(words), "{error}");
        }
    }
}
