//! HTTP sink and source over sockets: servers that are slow, refuse, die and come back; clients that send what they should not.
//!
//! The other side is written by hand, on plain sockets.

use bytes::Bytes;
use rarog_connectors::http::{
    BODY_LIMIT_BYTES, HttpSink, HttpSinkConfig, HttpSource, HttpSourceConfig, HttpTarget, MESSAGE_LIMIT_BYTES,
    TroubleReport, Url,
};
use rarog_connectors::mqtt::{Message, Outcome, Output, Qos};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(20);

/// A request or an answer: first line, headers in lower case, body.
#[derive(Debug)]
struct Parcel {
    first: String,
    headers: String,
    body: String,
}

/// Reads one from a connection; `None` at its end.
fn read(stream: &mut BufReader<TcpStream>) -> Option<Parcel> {
    let (mut first, mut headers) = (String::new(), String::new());
    if stream.read_line(&mut first).ok()? == 0 {
        return None;
    }
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).ok()?;
        if line.trim().is_empty() {
            break;
        }
        let (name, value) = line.split_once(':').expect("a header");
        headers.push_str(&format!("{}:{}\n", name.to_ascii_lowercase(), value.trim()));
    }
    let length =
        headers.lines().find_map(|line| line.strip_prefix("content-length:")).map_or(0, |l| l.parse().unwrap_or(0));
    let mut body = vec![0; length];
    stream.read_exact(&mut body).ok()?;
    Some(Parcel { first: first.trim().into(), headers, body: String::from_utf8_lossy(&body).into_owned() })
}

/// A server that answers the requests that it gets, over all connections, by `answer` of their number and body.
fn serve(
    listener: TcpListener,
    answer: impl Fn(usize, &str) -> String + Send + Sync + Clone + 'static,
) -> Receiver<Parcel> {
    let (sender, requests) = channel();
    thread::spawn(move || {
        let numbers = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
        while let Ok((stream, _)) = listener.accept() {
            let (sender, answer, numbers) = (sender.clone(), answer.clone(), numbers.clone());
            thread::spawn(move || answer_all(stream, &sender, &answer, &numbers));
        }
    });
    requests
}

fn answer_all(
    stream: TcpStream,
    sender: &Sender<Parcel>,
    answer: &impl Fn(usize, &str) -> String,
    numbers: &std::sync::atomic::AtomicUsize,
) {
    let mut stream = BufReader::new(stream);
    while let Some(request) = read(&mut stream) {
        let number = numbers.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        let body = request.body.clone();
        // The test may be over, the client gone.
        _ = sender.send(request);
        let text = answer(number, &body);
        if text.is_empty() || stream.get_mut().write_all(text.as_bytes()).is_err() {
            return;
        }
    }
}

fn status(line: &str) -> String {
    format!("HTTP/1.1 {line}\r\ncontent-length: 2\r\n\r\nno")
}

fn listen() -> (TcpListener, u16) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has free ports");
    let port = listener.local_addr().expect("it is bound").port();
    (listener, port)
}

fn target(port: u16) -> HttpTarget {
    let url = Url::parse(&format!("http://127.0.0.1:{port}/base?k=v")).expect("a URL").join("events").expect("a path");
    HttpTarget { timeout: Duration::from_millis(500), ..HttpTarget::new(url) }
}

fn sink(config: HttpSinkConfig) -> (HttpSink, Receiver<Outcome>, Receiver<String>) {
    let ((sender, outcomes), (trouble, said)) = (channel(), channel());
    let report = move |list: &[Outcome]| list.iter().for_each(|outcome| _ = sender.send(outcome.clone()));
    let say = move |report: TroubleReport<'_>| _ = trouble.send(format!("{report:?}"));
    (HttpSink::start(config, report, Box::new(say)).expect("it starts"), outcomes, said)
}

fn output(tag: u64) -> Output {
    let payload = Bytes::from(format!("{{\"n\":{tag}}}"));
    let rarog_id = format!("id-{tag}").into();
    Output { topic: "".into(), payload, rarog_id, qos: Qos::AtLeastOnce, retain: false, tag }
}

fn tag(outcomes: &Receiver<Outcome>) -> u64 {
    match outcomes.recv_timeout(PATIENCE) {
        Ok(Outcome::Confirmed { tag, .. }) => tag,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_request_carries_what_it_has_to() {
    let (listener, port) = listen();
    let requests = serve(listener, |_, _| status("204 No Content").replace("2\r\n\r\nno", "0\r\n\r\n"));
    let mut target = target(port);
    target.set_method("put").expect("it has a body");
    target.set_token("secret").expect("it can be sent");
    target.add_header("X-Team", "red").expect("it can be sent");
    let (sink, outcomes, _) = sink(HttpSinkConfig::new(target));
    sink.send_over(&[output(1)]);
    assert_eq!(tag(&outcomes), 1);
    let request = requests.recv_timeout(PATIENCE).expect("it came");
    assert_eq!((request.first.as_str(), request.body.as_str()), ("PUT /base/events?k=v HTTP/1.1", "{\"n\":1}"));
    let host = format!("host:127.0.0.1:{port}");
    for header in
        [&*host, "content-type:application/json", "authorization:Bearer secret", "x-team:red", "rarog-id:id-1"]
    {
        assert!(request.headers.lines().any(|line| line == header), "{header} in {}", request.headers);
    }
    assert!(sink.flush(PATIENCE) && sink.close(PATIENCE) == 0);
}

#[test]
fn a_server_that_is_busy_slow_or_hangs_up_gets_it_again_and_a_refusal_is_final() {
    let (listener, port) = listen();
    let requests = serve(listener, |number, body| match (body, number) {
        ("{\"n\":2}", _) => status("422 Unprocessable Entity"),
        (_, 0) => status("503 Service Unavailable"),
        (_, 1) => status("429 Too Many Requests").replace("\r\n\r\n", "\r\nretry-after: 1\r\n\r\n"),
        (_, 2) => String::new(), // hangs up
        (_, 3) => {
            thread::sleep(Duration::from_secs(2)); // longer than the timeout
            status("200 OK")
        }
        _ => status("201 Created"),
    });
    let (sink, outcomes, said) = sink(HttpSinkConfig::new(target(port)));
    let began = Instant::now();
    sink.send_over(&[output(1)]);
    assert_eq!(tag(&outcomes), 1);
    assert!(began.elapsed() >= Duration::from_millis(1500), "a second that was asked for, half a one for the timeout");
    // Who hangs up on a connection that was used before gets the request again at once: it may have been closing.
    assert_eq!((requests.try_iter().count(), sink.counters().repeated), (5, 3));
    sink.send_over(&[output(2)]);
    let Ok(Outcome::Failed(failure)) = outcomes.recv_timeout(PATIENCE) else { panic!("it fails") };
    assert_eq!((failure.output.tag, &*failure.reason), (2, "the server answered 422: no"));
    assert_eq!(requests.try_iter().count(), 1, "no second attempt");
    let said: Vec<String> = said.try_iter().collect();
    assert!(said.len() == 2 && said[0].contains("503") && said[1] == "Over", "few words: {said:?}");
}

#[test]
fn a_server_that_never_takes_it_is_given_up_after_some_attempts() {
    let (listener, port) = listen();
    let requests = serve(listener, |_, _| status("500 Internal Server Error"));
    let (sink, outcomes, _) = sink(HttpSinkConfig { attempts: 3, ..HttpSinkConfig::new(target(port)) });
    sink.send_over(&[output(1)]);
    let Ok(Outcome::Failed(failure)) = outcomes.recv_timeout(PATIENCE) else { panic!("it fails") };
    assert_eq!(failure.reason, "the server answered 500: no, after 3 attempts");
    assert_eq!(requests.try_iter().count(), 3);
}

#[test]
fn a_server_that_dies_is_waited_for_and_holds_the_pipeline_back() {
    let (listener, port) = listen();
    drop(listener);
    let config = HttpSinkConfig { unconfirmed_limit: 10, attempts: 1, ..HttpSinkConfig::new(target(port)) };
    let (sink, outcomes, said) = sink(config);
    assert!(sink.has_room());
    sink.send_over(&(0..50).map(output).collect::<Vec<_>>());
    assert!(!sink.has_room());
    assert!(said.recv_timeout(PATIENCE).expect("it is said").contains("refused"));
    // More attempts than an answer of 5xx would get, and nothing is given up.
    let deadline = Instant::now() + PATIENCE;
    while sink.counters().repeated < 100 {
        assert!(Instant::now() < deadline, "the requests are not repeated");
        thread::sleep(Duration::from_millis(10));
    }
    let listener = TcpListener::bind(("127.0.0.1", port)).expect("the port is still free");
    let _requests = serve(listener, |_, _| status("200 OK"));
    let mut tags: Vec<u64> = (0..50).map(|_| tag(&outcomes)).collect();
    tags.sort_unstable();
    assert!(tags.into_iter().eq(0..50) && sink.flush(PATIENCE) && sink.has_room());
}

#[test]
fn what_has_no_server_to_wait_for_fails_and_what_is_under_way_at_the_end_is_counted() {
    let (listener, port) = listen();
    drop(listener);
    let hasty = HttpSinkConfig { wait_for_server: false, attempts: 2, ..HttpSinkConfig::new(target(port)) };
    let (sink, outcomes, _) = sink(hasty);
    sink.send_over(&[output(1)]);
    let Ok(Outcome::Failed(failure)) = outcomes.recv_timeout(PATIENCE) else { panic!("it fails") };
    assert!(failure.reason.contains("refused") && failure.reason.ends_with("after 2 attempts"), "{}", failure.reason);
    let (waiting, outcomes, _) = self::sink(HttpSinkConfig::new(target(port)));
    waiting.send_over(&[output(1), output(2)]);
    assert!(!waiting.flush(Duration::from_millis(20)));
    assert_eq!(waiting.close(Duration::ZERO), 2);
    assert!(outcomes.try_iter().next().is_none());
}

fn source(config: HttpSourceConfig) -> HttpSource {
    HttpSource::start(config, || {}).expect("loopback has free ports")
}

fn at(paths: &[&str]) -> HttpSourceConfig {
    HttpSourceConfig::new("127.0.0.1", 0, paths.iter().map(|path| (*path).to_owned()))
}

/// Sends a request; what answers it can be read from the connection.
fn send(source: &HttpSource, head: &str, body: &str) -> BufReader<TcpStream> {
    let mut stream = TcpStream::connect(source.address()).expect("it listens");
    let length =
        if head.contains("content-length") { String::new() } else { format!("content-length: {}\r\n", body.len()) };
    // A server that has refused a body need not read it.
    _ = stream.write_all(format!("{head}\r\nhost: h\r\n{length}\r\n{body}").as_bytes());
    BufReader::new(stream)
}

fn answer(source: &HttpSource, head: &str, body: &str) -> String {
    let answer = read(&mut send(source, head, body)).expect("it is answered");
    format!("{} {}", answer.first, answer.body.trim())
}

fn receive(source: &HttpSource, count: usize) -> Vec<Message> {
    let (mut messages, deadline) = (Vec::new(), Instant::now() + PATIENCE);
    while messages.len() < count {
        assert!(Instant::now() < deadline, "{} of {count} objects came", messages.len());
        messages.extend(source.receive(count - messages.len()));
        thread::sleep(Duration::from_millis(1));
    }
    messages
}

const POST: &str = "POST /in HTTP/1.1";

#[test]
fn a_request_is_answered_when_all_its_effects_are_safe() {
    let source = source(at(&["/in"]));
    let mut one = send(&source, POST, "[{\"a\":1},{\"a\":2}]");
    let messages = receive(&source, 2);
    assert_eq!((&messages[1].payload[..], &*messages[1].topic), (b"{\"a\":2}".as_slice(), "/in"));
    let mut two = send(&source, POST, "{\"a\":3}\n{\"a\":4}\n");
    let others = receive(&source, 2);
    source.acknowledge([messages[1].receipt]);
    one.get_ref().set_read_timeout(Some(Duration::from_millis(100))).expect("not zero");
    assert!(one.fill_buf().is_err(), "one object is still under way");
    one.get_ref().set_read_timeout(Some(PATIENCE)).expect("not zero");
    source.acknowledge([others[0].receipt, messages[0].receipt, others[1].receipt]);
    for stream in [&mut one, &mut two] {
        let answer = read(stream).expect("it is answered");
        assert_eq!((&*answer.first, answer.body.trim()), ("HTTP/1.1 200 OK", "{\"accepted\":2}"));
    }
    assert_eq!((source.counters().received, source.counters().answered), (4, 2));
}

#[test]
fn what_cannot_be_taken_is_refused_with_the_reason_and_leaves_nothing_behind() {
    let config = HttpSourceConfig { token: Some("secret".into()), ..at(&["/in", "/other"]) };
    let source = source(config);
    let with_token = format!("{POST}\r\nauthorization: Bearer secret");
    let large = format!("{{\"a\":\"{}\"}}", "x".repeat(MESSAGE_LIMIT_BYTES));
    let too_long = format!("{with_token}\r\ncontent-length: {}", BODY_LIMIT_BYTES + 1);
    let chunked = format!("{with_token}\r\ntransfer-encoding: chunked\r\ncontent-length-of-chunks: any");
    let one_chunk = format!("{:x}\r\n{}\r\n0\r\n\r\n", BODY_LIMIT_BYTES + 1, " ".repeat(BODY_LIMIT_BYTES + 1));
    for (head, body, expected) in [
        ("POST /else HTTP/1.1", "{}", ["404", "try /in, /other"]),
        ("GET /in HTTP/1.1", "", ["405", "with POST"]),
        (POST, "{}", ["401", "Bearer"]),
        ("POST /in HTTP/1.1\r\nauthorization: Bearer secreT", "{}", ["401", "Bearer"]),
        (&with_token, "{\"a\":", ["400", "not JSON"]),
        (&with_token, "[1]", ["400", "item 1 is not an object"]),
        (&with_token, "", ["400", "no object"]),
        (&with_token, &large, ["413", "1048576 bytes"]),
        (&too_long, "", ["413", "16777216 bytes"]),
        (&chunked, &one_chunk, ["413", "16777216 bytes"]),
    ] {
        let answer = answer(&source, head, body);
        assert!(expected.iter().all(|part| answer.contains(part)), "{head}: {answer}");
    }
    assert!(source.receive(1).is_empty());
    assert_eq!((source.counters().refused, source.counters().received), (10, 0));
}

#[test]
fn a_source_that_is_full_or_stops_says_so_and_loses_nothing_that_it_has_accepted() {
    let source = source(HttpSourceConfig { inbox_limit_bytes: 200, ..at(&["/in"]) });
    let mut first = send(&source, POST, "{\"a\":1}");
    let taken = receive(&source, 1);
    let mut waiting = send(&source, POST, "{\"a\":2}");
    let deadline = Instant::now() + PATIENCE;
    while source.counters().received < 2 {
        assert!(Instant::now() < deadline);
        thread::sleep(Duration::from_millis(1));
    }
    assert!(answer(&source, POST, "{\"a\":3}").contains("503 Service Unavailable"), "there is no room");
    source.stop_intake();
    let turned_away = read(&mut waiting).expect("it is answered");
    assert!(turned_away.first.contains("503") && turned_away.headers.contains("retry-after:1"), "{turned_away:?}");
    assert!(answer(&source, POST, "{\"a\":4}").contains("stopping"));
    let acknowledging = thread::spawn(move || {
        source.acknowledge([taken[0].receipt]);
        source.close(PATIENCE);
        source.receive(1).len()
    });
    assert!(read(&mut first).expect("it is answered").first.contains("200"));
    assert_eq!(acknowledging.join().expect("it ends"), 0);
}

#[test]
fn a_port_that_is_taken_is_named() {
    let (_listener, port) = listen();
    let error = HttpSource::start(HttpSourceConfig::new("127.0.0.1", port, ["/".to_owned()]), || {});
    let error = error.err().expect("the port is taken");
    assert!(error.contains(&format!("cannot listen on 127.0.0.1:{port}")), "{error}");
}
