//! A map that asks a server about each value of a column, and appends what it answers.
//!
//! Each value of a batch is asked for once, and all of them together, since a call waits for its slowest request.

use std::collections::BTreeMap;

use serde::Deserialize;
use volley_sdk::build::{Builder as _, StringBuilder};
use volley_sdk::http::{self, HttpError, Request, Response};
use volley_sdk::{Batch, Binding, DataType, Failure, Field, MapOperator, Mapped, OpenError, Reject, Rejects, Schema};

/// What the server says of a value that it does not know.
const NOT_FOUND: u16 = 404;

/// The `config:` of the pipeline file.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The text column whose values are asked for.
    pub column: String,
    /// What stands before the value: `https://api.example.com/carriers/`.
    pub url: String,
}

/// The operator.
pub struct LookUp {
    url: String,
}

impl MapOperator for LookUp {
    type Config = Config;

    fn open(config: Config, input: &Schema) -> Result<(Self, Binding), OpenError> {
        let column = input.require(&config.column)?;
        if column.data_type != DataType::Utf8 {
            let (name, found) = (&column.name, &column.data_type);
            return Err(OpenError::InvalidInput(format!("column `{name}` is {found}, wanted Utf8")));
        }
        if !config.url.starts_with("https://") && !config.url.starts_with("http://") {
            return Err(OpenError::InvalidConfig(format!("url: `{}` is not absolute", config.url)));
        }
        let binding = Binding::reads([config.column]).append(Schema::new([Field::new("answer", DataType::Utf8)]));
        Ok((Self { url: config.url }, binding))
    }

    fn map(&mut self, batch: &Batch<'_>) -> Result<Mapped, Failure> {
        let texts = batch.at(0).as_str()?;
        let mut answers: BTreeMap<&str, Result<Option<String>, Reject>> = BTreeMap::new();
        answers.extend(texts.iter().flatten().map(|text| (text, Ok(None))));
        let requests = answers.keys().map(|text| Request::get(format!("{}{}", self.url, escaped(text)))).collect();
        for (answer, came) in answers.values_mut().zip(http::send(requests)) {
            *answer = understood(came);
        }
        let (mut column, mut rejects) = (StringBuilder::new(), Rejects::new());
        for (row, text) in texts.iter().enumerate() {
            match text.and_then(|text| answers.get(text)) {
                Some(Ok(Some(answer))) => column.push(answer),
                Some(Err(reject)) => {
                    column.push_null();
                    rejects.push(row, reject.clone());
                }
                Some(Ok(None)) | None => column.push_null(),
            }
        }
        Ok(Mapped::with_rejects(vec![column.finish()], rejects))
    }
}

fn understood(answer: Result<Response, HttpError>) -> Result<Option<String>, Reject> {
    let response = answer.map_err(|error| Reject::new("no-answer", error.to_string()))?;
    if response.status == NOT_FOUND {
        return Ok(None);
    }
    if !response.is_success() {
        return Err(Reject::new("no-answer", format!("the server answered {}", response.status)));
    }
    match response.text() {
        Some(text) => Ok(Some(text.trim_end().to_owned())),
        None => Err(Reject::new("no-text", "the server answered with what is no text")),
    }
}

/// As a part of a path.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => out.push(char::from(byte)),
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

volley_sdk::export_map!(LookUp);

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::rc::Rc;

    use volley_sdk::batch;
    use volley_sdk::testing::{self, json};

    use super::*;

    #[test]
    fn each_value_is_asked_for_once_and_failures_refuse_their_rows() {
        let asked: Rc<RefCell<Vec<String>>> = Rc::default();
        let heard = Rc::clone(&asked);
        http::set_responder(move |request| {
            heard.borrow_mut().push(request.url.clone());
            let page = |status, body: &str| Ok(Response { status, body: body.into(), ..Response::default() });
            match request.url.as_str() {
                "https://a.example/UA" => page(200, "United\n"),
                "https://a.example/%C3%A4%20b" => page(404, "what?"),
                "https://a.example/DL" => page(500, ""),
                _ => Err(HttpError::TimedOut),
            }
        });
        let input = batch! { "carrier" => [Some("UA"), Some("ä b"), None, Some("DL"), Some("UA"), Some("AA")] };
        let config = json!({ "column": "carrier", "url": "https://a.example/" });
        let outcome = testing::map::<LookUp>(config, &input).unwrap();
        let wanted = batch! {
            "carrier" => [Some("UA"), Some("ä b"), None, Some("UA")],
            "answer" => [Some("United"), None, None, Some("United")],
        };
        assert_eq!(outcome.output, wanted);
        let rows: Vec<(u32, &str)> = outcome.rejects.iter().map(|(row, why)| (*row, why.message.as_str())).collect();
        assert_eq!(rows, [(3, "the server answered 500"), (5, "timed out")]);
        assert_eq!(asked.borrow().len(), 4);
    }

    #[test]
    fn what_cannot_work_is_refused_by_name() {
        let input = batch! { "carrier" => ["UA"], "n" => [1_i64] };
        for (config, wanted) in [
            (json!({ "column": "n", "url": "https://a.example/" }), "column `n` is Int64"),
            (json!({ "column": "carrier", "url": "a.example" }), "not absolute"),
        ] {
            let error = testing::map::<LookUp>(config, &input).unwrap_err().to_string();
            assert!(error.contains(wanted), "{error}");
        }
    }
}
