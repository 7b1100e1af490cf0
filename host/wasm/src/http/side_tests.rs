//! The side of `http` against a transport that remembers what it was given.

use std::sync::Mutex;

use super::super::HttpMethod;
use super::*;

/// Answers each request with its path, in as many bytes as its query says.
#[derive(Debug, Default)]
struct Canned(Mutex<Vec<String>>);

impl HttpTransport for Canned {
    fn send(&self, requests: Vec<HttpRequest>, _: &HttpAllowance) -> Vec<HttpAnswer> {
        let mut sent = self.0.lock().expect("no panic");
        let answer = |request: &HttpRequest| {
            let bytes = request.url.query().and_then(|query| query.parse().ok()).unwrap_or(0);
            Ok(HttpResponse { status: 200, headers: Vec::new(), body: vec![b'x'; bytes] })
        };
        sent.extend(requests.iter().map(|request| request.url.to_string()));
        requests.iter().map(answer).collect()
    }
}

fn side(limits: &PluginLimits) -> (HttpSide, Arc<Canned>) {
    let transport = Arc::new(Canned::default());
    let origins = Arc::new(HashSet::from([Origin::parse("https://a.example:443").expect("an origin")]));
    let grant = Grant { origins, transport: Arc::clone(&transport) as Arc<dyn HttpTransport> };
    (HttpSide::new(limits, Some(grant)), transport)
}

fn get(url: &str) -> Asked {
    Asked { method: HttpMethod::Get, url: url.to_owned(), headers: Vec::new(), body: Vec::new() }
}

fn sent(transport: &Canned) -> Vec<String> {
    transport.0.lock().expect("no panic").clone()
}

#[test]
fn what_is_granted_is_sent_and_the_rest_is_answered_in_its_place() {
    let (mut side, transport) = side(&PluginLimits::default());
    let answers = side.send(vec![
        get("https://a.example/1#part"),
        get("https://b.example/2"),
        get("http://a.example:443/3"),
        get("https://a.example:8443/4"),
        get("nonsense"),
        get("https://u@a.example/5"),
        get("https://a.example/6"),
    ]);
    assert_eq!(sent(&transport), ["https://a.example/1", "https://a.example/6"]);
    assert!(answers[0].is_ok() && answers[6].is_ok());
    for place in [1, 2, 3] {
        assert!(matches!(&answers[place], Err(HttpFailure::Denied(words)) if words.contains("grants.http")));
    }
    for place in [4, 5] {
        assert!(matches!(&answers[place], Err(HttpFailure::Invalid(_))), "{:?}", answers[place]);
    }
}

#[test]
fn without_a_grant_nothing_is_sent() {
    let mut side = HttpSide::new(&PluginLimits::default(), None);
    assert!(matches!(side.send(vec![get("https://a.example/")])[..], [Err(HttpFailure::Denied(_))]));
}

#[test]
fn headers_that_say_how_a_request_is_carried_are_the_hosts() {
    let (mut side, transport) = side(&PluginLimits::default());
    for (name, value) in
        [("Host", "b.example"), ("transfer-encoding", "chunked"), ("a b", ""), ("", ""), ("x", "a\r\nb: c")]
    {
        let headers = vec![(name.to_owned(), value.as_bytes().to_vec())];
        let answers = side.send(vec![Asked { headers, ..get("https://a.example/") }]);
        assert!(matches!(answers[..], [Err(HttpFailure::Invalid(_))]), "{name}: {answers:?}");
    }
    assert!(sent(&transport).is_empty());
}

#[test]
fn requests_bytes_and_time_are_counted_over_the_whole_call() {
    let limits = PluginLimits { http_requests_max: 3, http_bytes_max: 1_000, ..PluginLimits::default() };
    let (mut side, _) = side(&limits);
    assert!(side.send(vec![get("https://a.example/"), get("https://a.example/")]).iter().all(Result::is_ok));
    let answers = side.send(vec![get("https://a.example/"), get("https://a.example/")]);
    assert!(answers[0].is_ok());
    assert!(
        matches!(&answers[1], Err(HttpFailure::LimitExceeded(words)) if words.contains("`limits.http_requests` is 3"))
    );
    side.begin();
    let answers = side.send(vec![get("https://a.example/?2000"), get("https://a.example/")]);
    assert!(
        matches!(&answers[0], Err(HttpFailure::LimitExceeded(words)) if words.contains("`limits.http_bytes` is 1000"))
    );
    side.begin();
    let long = Asked { body: vec![0; 2_000], ..get("https://a.example/") };
    assert!(matches!(side.send(vec![long])[..], [Err(HttpFailure::LimitExceeded(_))]));
    let none = PluginLimits { http_call_timeout: Duration::ZERO, ..PluginLimits::default() };
    let (mut side, transport) = self::side(&none);
    assert_eq!(side.send(vec![get("https://a.example/")]), [Err(HttpFailure::TimedOut)]);
    assert!(sent(&transport).is_empty());
}

#[test]
fn a_call_made_again_is_answered_as_before_and_sends_nothing() {
    let (mut side, transport) = side(&PluginLimits::default());
    side.record(true);
    side.begin();
    let first = [side.send(vec![get("https://a.example/?3")]), side.send(vec![get("https://b.example/")])];
    let tape = side.take_tape();
    let (mut other, untouched) = self::side(&PluginLimits::default());
    other.replay(tape);
    other.begin();
    let again = [other.send(vec![get("https://a.example/?3")]), other.send(vec![get("https://b.example/")])];
    assert_eq!(first, again);
    assert!(
        matches!(other.send(vec![get("https://a.example/")])[..], [Err(HttpFailure::Failed(_))]),
        "one more than before"
    );
    assert_eq!((sent(&transport).len(), sent(&untouched).len()), (1, 0));
}
