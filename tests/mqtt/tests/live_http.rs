//! `rarog run` between HTTP and MQTT: what is posted is answered when it is safe, what cannot be delivered is not forgotten.

use rarog_mqtt_tests::broker::{free_port, fresh_directory};
use rarog_mqtt_tests::web::{Web, post, read, trusted};
use rarog_mqtt_tests::{Broker, Process, Publisher, program};
use std::collections::BTreeSet;
use std::io::BufRead;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Nothing takes so long, except on a machine that is busy with other things.
const PATIENCE: Duration = Duration::from_secs(240);
const CONNECTED: &str = "(in): connected";

struct Directory(PathBuf);

impl Drop for Directory {
    fn drop(&mut self) {
        drop(std::fs::remove_dir_all(&self.0));
    }
}

fn start(directory: &Path, name: &str, text: &str, options: &[&str], ready: &str) -> Process {
    let path = program::write(directory, "program", text);
    let path = path.to_str().expect("temporary paths are text");
    let mut process = Process::rarog(directory, name, &[&["run", path], options].concat());
    process.wait_for_stderr(ready, PATIENCE);
    process
}

fn stop(mut process: Process) -> String {
    process.signal("TERM");
    let status = process.wait(PATIENCE);
    assert_eq!(status.code(), Some(0), "{}", process.stderr());
    process.stderr()
}

/// Readings come in over HTTP or MQTT, hot ones go out over HTTP.
fn program(source: &str, out: u16, last: &str) -> String {
    format!(
        "{source}\nconnector web = http(url: \"http://127.0.0.1:{out}/api\", token: \"secret\", timeout: 2s)\n\
         event R:\n    n: int\n    t: float\nstream Hot = R\n    .from(source, topic: \"in\", path: \"/in\")\n    .where(t > 50.0)\n    {last}\n"
    )
}

fn http_in(port: u16) -> String {
    format!("connector source = http(port: {port})")
}

fn mqtt_in(broker: &Broker) -> String {
    format!("connector source = mqtt(host: \"127.0.0.1\", port: {})", broker.port())
}

fn reading(n: u64, t: u64) -> String {
    format!("{{\"event_type\":\"R\",\"n\":{n},\"t\":{t}}}")
}

fn publish(broker: &Broker, readings: impl Iterator<Item = String>) {
    let mut publisher = Publisher::connect(&broker.uri(), "load");
    readings.for_each(|reading| publisher.publish("in", 1, reading));
    publisher.finish();
}

#[test]
fn what_is_posted_is_answered_when_its_outputs_are() {
    let (directory, port) = (Directory(fresh_directory()), free_port());
    // The first request finds the server busy.
    let web = Web::start(0, |number| if number == 0 { "503 Busy" } else { "200 OK" });
    let text = program(&http_in(port), web.port, ".to(web, path: \"hot\", method: \"put\")");
    let process = start(&directory.0, "run", &text, &[], "/in (in): listening on 127.0.0.1:");
    let began = Instant::now();
    let body = format!("[{},{},{}]", reading(1, 60), reading(2, 40), reading(3, 70));
    let answer = read(&mut post(port, "/in", &body)).expect("it is answered");
    assert_eq!((&*answer.first, answer.body.trim()), ("HTTP/1.1 200 OK", "{\"accepted\":3}"));
    println!("answered after {:?}", began.elapsed());
    let requests = web.requests();
    let taken: BTreeSet<i64> = requests.iter().map(|r| r.json()["n"].as_i64().expect("a number")).collect();
    assert_eq!((requests.len(), taken), (3, BTreeSet::from([1, 3])), "both outputs were taken before the answer");
    for request in &requests {
        assert_eq!(request.first, "PUT /api/hot HTTP/1.1");
        assert!(request.headers.contains("authorization:Bearer secret") && request.headers.contains("rarog-id:"));
    }
    // A record that cannot be used is one effect more: its dead letter.
    let answer = read(&mut post(port, "/in", "{\"event_type\":\"R\",\"n\":\"many\"}")).expect("it is answered");
    assert!(answer.first.contains("200"), "{answer:?}");
    let answer = read(&mut post(port, "/in", "{\"event_type\":")).expect("it is answered");
    assert!(answer.first.contains("400") && answer.body.contains("not JSON"), "{answer:?}");
    let said = stop(process);
    assert!(said.contains("in 4, out 2, late 0, dead 1") && said.contains("dead letter bad_field from /in"), "{said}");
    assert!(said.contains("trying again: the server answered 503") && said.contains("requests pass again"), "{said}");
}

#[test]
fn a_request_waits_for_a_server_that_is_away_and_is_turned_away_at_a_stop() {
    let (directory, port, out) = (Directory(fresh_directory()), free_port(), free_port());
    let text = program(&http_in(port), out, ".to(web)");
    let mut process = start(&directory.0, "run", &text, &[], "(in): listening");
    let mut waiting = post(port, "/in", &reading(1, 60));
    process.wait_for_stderr("(out): trying again", PATIENCE);
    waiting.get_ref().set_read_timeout(Some(Duration::from_millis(200))).expect("not zero");
    assert!(waiting.fill_buf().is_err(), "nothing is safe so far");
    waiting.get_ref().set_read_timeout(Some(PATIENCE)).expect("not zero");
    let began = Instant::now();
    let said = stop(process);
    assert!(began.elapsed() < Duration::from_secs(30) && said.contains("1 outputs are not confirmed"), "{said}");
    let answer = read(&mut waiting).expect("it is answered");
    assert!(answer.first.contains("503") && answer.headers.contains("retry-after:1"), "{answer:?}");
}

#[test]
fn messages_are_acknowledged_when_a_server_has_taken_their_outputs() {
    const COUNT: u64 = 2000;
    let (broker, out) = (Broker::start(), free_port());
    let text = program(&mqtt_in(&broker), out, ".to(web)");
    let mut process = start(broker.directory(), "killed", &text, &[], CONNECTED);
    publish(&broker, (0..COUNT).map(|n| reading(n, 60)));
    process.wait_for_stderr("(out): trying again", PATIENCE);
    process.kill();
    let process = start(broker.directory(), "run", &text, &[], CONNECTED);
    let web = Web::start(out, |number| if number % 100 == 7 { "500 Oops" } else { "202 Accepted" });
    let numbers = |requests: &[rarog_mqtt_tests::web::Parcel]| -> BTreeSet<i64> {
        requests.iter().map(|request| request.json()["n"].as_i64().expect("a number")).collect()
    };
    web.wait_until(PATIENCE, |requests| requests.len() as u64 >= COUNT && numbers(requests).len() as u64 == COUNT);
    let said = stop(process);
    assert!(said.contains(&format!("in {COUNT}, out {COUNT}")) && !said.contains("not confirmed"), "{said}");
    let rest = stop(start(broker.directory(), "rest", &text, &[], CONNECTED));
    assert!(rest.contains("in 0, "), "{rest}");
}

#[test]
fn outputs_that_a_server_refuses_become_dead_letters() {
    let (broker, web) = (Broker::start(), Web::start(0, |_| "422 Unprocessable Entity"));
    let dead = broker.directory().join("dead.jsonl");
    let options = ["--dead-letters", dead.to_str().expect("text")];
    let text = program(&mqtt_in(&broker), web.port, ".to(web)");
    let process = start(broker.directory(), "run", &text, &options, CONNECTED);
    publish(&broker, (0..10).map(|n| reading(n, 60)));
    let deadline = Instant::now() + PATIENCE;
    let letters = || std::fs::read_to_string(&dead).unwrap_or_default();
    while letters().lines().count() < 10 {
        assert!(Instant::now() < deadline, "{}", process.stderr());
        std::thread::sleep(Duration::from_millis(10));
    }
    let text_of = letters();
    let url = format!("to http://127.0.0.1:{}/api: the server answered 422", web.port);
    assert!(text_of.lines().all(|line| line.contains("undeliverable") && line.contains(&url)), "{text_of}");
    stop(process);
    let rest = stop(start(broker.directory(), "rest", &text, &[], CONNECTED));
    assert!(rest.contains("in 0, "), "what caused them is acknowledged: {rest}");
}

#[test]
fn alerts_are_posted_again_until_they_are_taken_and_hold_their_message() {
    let (broker, out) = (Broker::start(), free_port());
    let alert = |port: u16| {
        let last = format!(
            ".alert(webhook: \"http://127.0.0.1:{port}/hook\", message: \"reading {{n}} of {{t}}\\\"\")\n    .emit(n)"
        );
        program(&mqtt_in(&broker), port, &last)
    };
    // The webhook is away for longer than the run is there.
    let mut process = start(broker.directory(), "killed", &alert(out), &[], CONNECTED);
    publish(&broker, [reading(1, 60), reading(2, 40), reading(3, 70)].into_iter());
    process.wait_for_stderr("/hook (out): trying again", PATIENCE);
    process.kill();
    let web = Web::start(out, |number| if number < 2 { "503 Busy" } else { "204 No Content" });
    let process = start(broker.directory(), "run", &alert(out), &["--output", "jsonl"], CONNECTED);
    web.wait_until(PATIENCE, |requests| requests.len() == 4);
    let said = stop(process);
    assert!(said.contains("Hot: 2 alerts\n") && said.contains("in 3, out 2, late 0, dead 0"), "{said}");
    let bodies: BTreeSet<String> = web.requests().into_iter().map(|request| request.body).collect();
    let body = |text: &str| format!(r#"{{"text":"{text}\"","event_type":"alert","stream":"Hot"}}"#);
    assert_eq!(bodies, BTreeSet::from([body("reading 1 of 60.0"), body("reading 3 of 70.0")]));
    assert!(web.requests().iter().all(|request| request.first == "POST /hook HTTP/1.1"));
    let rest = stop(start(broker.directory(), "rest", &alert(out), &[], CONNECTED));
    assert!(rest.contains("in 0, "), "{rest}");
}

#[test]
fn an_alert_that_nobody_takes_becomes_a_dead_letter() {
    let (broker, out) = (Broker::start(), free_port());
    let last = format!(".alert(webhook: \"http://127.0.0.1:{out}/\", message: \"{{n}}\")\n    .emit(n)");
    let text = program(&mqtt_in(&broker), out, &last);
    let mut process = start(broker.directory(), "run", &text, &[], CONNECTED);
    publish(&broker, std::iter::once(reading(1, 60)));
    process.wait_for_stderr("dead letter undeliverable: to http://127.0.0.1", PATIENCE);
    let said = stop(process);
    assert!(said.contains("after 8 attempts") && said.contains("Hot: 1 alerts"), "{said}");
}

#[test]
fn requests_go_over_tls_to_servers_that_can_be_proven() {
    let (broker, web) = (Broker::start(), Web::start_secure(0, |_| "200 OK"));
    let url = format!("https://localhost:{}/hook", web.port);
    let text = format!(
        "{}\nconnector web = http(url: \"{url}\")\nevent R:\n    n: int\nstream All = R\n    .from(source, topic: \"in\")\n    \
         .alert(webhook: \"{url}\", message: \"{{n}}\")\n    .to(web)\n",
        mqtt_in(&broker)
    );
    let path = program::write(broker.directory(), "program", &text);
    let arguments = ["run", path.to_str().expect("temporary paths are text")];
    let run = |name: &str, trust: &Path| {
        let mut process = Process::rarog_with(broker.directory(), name, &arguments, &[("SSL_CERT_FILE", trust)]);
        process.wait_for_stderr(CONNECTED, PATIENCE);
        process
    };
    let mut process = run("doubting", &trusted().with_file_name("stranger.pem"));
    publish(&broker, std::iter::once(reading(1, 60)));
    process.wait_for_stderr("trying again: invalid peer certificate: UnknownIssuer", PATIENCE);
    process.kill();
    assert!(web.requests().is_empty(), "nothing is said to somebody who cannot be proven");
    let process = run("trusting", &trusted());
    web.wait_until(PATIENCE, |requests| requests.len() == 2);
    let said = stop(process);
    assert!(said.contains("in 1, out 1, late 0, dead 0") && said.contains("All: 1 alerts"), "{said}");
}
