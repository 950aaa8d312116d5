//! Source and sink against a broker of bytes: what real brokers do rarely, done on purpose.
//!
//! The "broker" reads and writes MQTT 5 packets on a socket and does nothing by itself.

use bytes::Bytes;
use rarog_connectors::mqtt::{
    Address, Asked, Evidence, LinkState, Message, MqttConfig, MqttError, MqttSink, MqttSource, Outcome, Output,
    Permission, Permit, Qos, SinkConfig, SourceConfig, WAITING_FOR_OWNER,
};
use std::collections::VecDeque;
use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(10);

const CONNECT: u8 = 1;
const PUBLISH: u8 = 3;
const PUBACK: u8 = 4;
const SUBSCRIBE: u8 = 8;
const PINGREQ: u8 = 12;
const PINGRESP: u8 = 13;
const DISCONNECT: u8 = 14;

const NO_MATCHING_SUBSCRIBERS: u8 = 0x10;
const NOT_AUTHORIZED: u8 = 0x87;
const SESSION_TAKEN_OVER: u8 = 0x8E;

/// A control packet.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Packet {
    kind: u8,
    flags: u8,
    body: Vec<u8>,
}

impl Packet {
    /// Packet id of a PUBACK.
    fn acknowledged(&self) -> u16 {
        assert_eq!(self.kind, PUBACK, "{self:?}");
        u16::from_be_bytes([self.body[0], self.body[1]])
    }

    /// Packet id and payload of a QoS 1 PUBLISH, whose properties (shorter than 128 bytes) hold its id.
    fn published(&self) -> (u16, String) {
        assert_eq!((self.kind, self.flags & 0b0110), (PUBLISH, 0b0010), "{self:?}");
        let topic = usize::from(u16::from_be_bytes([self.body[0], self.body[1]]));
        let rest = &self.body[2 + topic..];
        let properties = usize::from(rest[2]);
        let payload = String::from_utf8(rest[3 + properties..].to_vec()).expect("test text");
        let id = [b"\x26\0\x08rarog-id\0".as_slice(), &[payload.len() as u8], payload.as_bytes()].concat();
        assert_eq!(&rest[3..3 + properties], id, "the user property rarog-id");
        (u16::from_be_bytes([rest[0], rest[1]]), payload)
    }
}

/// The broker's end of one connection.
struct Wire(TcpStream);

impl Wire {
    /// Accepts a connection and answers CONNECT, and SUBSCRIBE if it is a source's.
    fn accept(listener: &TcpListener, session_present: bool, receive_maximum: u16, source: bool) -> Wire {
        let (stream, _) = listener.accept().expect("somebody connects");
        stream.set_nodelay(true).expect("it is a TCP socket");
        let mut wire = Wire(stream);
        assert_eq!(wire.read().kind, CONNECT);
        let [high, low] = receive_maximum.to_be_bytes();
        wire.write(2, 0, &[u8::from(session_present), 0, 3, 0x21, high, low]);
        if source {
            let subscribe = wire.read();
            assert_eq!(subscribe.kind, SUBSCRIBE);
            wire.write(9, 0, &[subscribe.body[0], subscribe.body[1], 0, 1]);
        }
        wire
    }

    fn read(&mut self) -> Packet {
        self.read_within(PATIENCE).expect("a packet comes")
    }

    /// The next packet, unless none begins in time.
    fn read_within(&mut self, time: Duration) -> Option<Packet> {
        let mut byte = [0];
        self.0.set_read_timeout(Some(time)).expect("the time is not zero");
        match self.0.read_exact(&mut byte) {
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => return None,
            read => read.expect("the connection stands"),
        }
        let first = byte[0];
        self.0.set_read_timeout(Some(PATIENCE)).expect("the time is not zero");
        let (mut length, mut shift) = (0_usize, 0);
        loop {
            self.0.read_exact(&mut byte).expect("the packet goes on");
            length |= usize::from(byte[0] & 0x7F) << shift;
            shift += 7;
            if byte[0] & 0x80 == 0 {
                break;
            }
        }
        let mut body = vec![0; length];
        self.0.read_exact(&mut body).expect("the packet goes on");
        Some(Packet { kind: first >> 4, flags: first & 15, body })
    }

    fn write(&mut self, kind: u8, flags: u8, body: &[u8]) {
        assert!(body.len() < 128);
        let packet = [&[kind << 4 | flags, body.len() as u8], body].concat();
        self.0.write_all(&packet).expect("the connection stands");
    }

    /// A QoS 1 PUBLISH on the topic `t`.
    fn publish(&mut self, packet_id: u16, dup: bool, payload: &str) {
        let body = [b"\0\x01t", packet_id.to_be_bytes().as_slice(), &[0], payload.as_bytes()].concat();
        self.write(PUBLISH, 0b0010 | u8::from(dup) << 3, &body);
    }

    fn acknowledge(&mut self, packet_id: u16, reason: u8) {
        let [high, low] = packet_id.to_be_bytes();
        self.write(PUBACK, 0, &[high, low, reason, 0]);
    }

    fn assert_quiet(&mut self) {
        let more = self.read_within(Duration::from_millis(100));
        assert_eq!(more, None);
    }
}

fn listen() -> (TcpListener, MqttConfig) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has free ports");
    let port = listener.local_addr().expect("it is bound").port();
    (listener, MqttConfig::new(Address::new("127.0.0.1", port), "client"))
}

fn source(config: MqttConfig) -> MqttSource {
    MqttSource::start(SourceConfig::new(config, vec!["t".into()]), || {}, None).expect("the configuration is valid")
}

fn receive(source: &MqttSource, count: usize) -> Vec<Message> {
    let (mut messages, deadline) = (Vec::new(), Instant::now() + PATIENCE);
    while messages.len() < count {
        assert!(Instant::now() < deadline, "{} of {count} messages came", messages.len());
        messages.extend(source.receive(count, Duration::from_millis(50)).expect("the source runs"));
    }
    messages
}

fn sink(config: MqttConfig) -> (MqttSink, Receiver<Outcome>) {
    let (sender, outcomes) = channel();
    let report = move |list: &[Outcome]| list.iter().for_each(|outcome| _ = sender.send(outcome.clone()));
    let sink = MqttSink::start(SinkConfig::new(config), report, None).expect("the configuration is valid");
    (sink, outcomes)
}

fn send(sink: &MqttSink, texts: &[&str]) {
    for (tag, text) in texts.iter().enumerate() {
        let payload = Bytes::copy_from_slice(text.as_bytes());
        let rarog_id = (*text).into();
        let output =
            Output { topic: "o".into(), payload, rarog_id, qos: Qos::AtLeastOnce, retain: false, tag: tag as u64 };
        sink.send(&output).expect("there is room");
    }
}

fn read_published(wire: &mut Wire, count: usize) -> Vec<(u16, String)> {
    (0..count).map(|_| wire.read().published()).collect()
}

fn published(list: &[(u16, &str)]) -> Vec<(u16, String)> {
    list.iter().map(|(id, text)| (*id, (*text).to_owned())).collect()
}

#[test]
fn acknowledgements_go_out_in_order_of_receipt_and_at_once() {
    let (listener, config) = listen();
    let source = source(config);
    let mut wire = Wire::accept(&listener, false, 10, true);
    for id in [7, 3, 9, 4] {
        wire.publish(id, false, "x");
    }
    let receipts: Vec<_> = receive(&source, 4).iter().map(|message| message.receipt).collect();
    source.acknowledge([receipts[2], receipts[1]]);
    wire.assert_quiet();
    let began = Instant::now();
    source.acknowledge([receipts[0]]);
    let order = [wire.read(), wire.read(), wire.read()].map(|packet| packet.acknowledged());
    let taken = began.elapsed();
    assert_eq!(order, [7, 3, 9]);
    println!("an acknowledgement took {taken:?} to the wire");
    assert!(taken < Duration::from_millis(500), "{taken:?}");
    wire.assert_quiet();
    source.acknowledge(receipts);
    assert_eq!(wire.read().acknowledged(), 4);
    wire.assert_quiet();
}

#[test]
fn acknowledgements_of_a_former_connection_are_not_sent_over_the_next() {
    let (listener, config) = listen();
    let source = source(config);
    let mut wire = Wire::accept(&listener, false, 10, true);
    wire.publish(1, false, "a");
    wire.publish(2, false, "b");
    let messages = receive(&source, 2);
    drop(wire);
    let mut wire = Wire::accept(&listener, true, 10, true);
    source.acknowledge(messages.iter().map(|message| message.receipt));
    wire.assert_quiet();
    wire.publish(2, true, "b");
    wire.publish(1, false, "c"); // the id is free again
    assert_eq!(wire.read().acknowledged(), 2);
    let next = receive(&source, 1);
    assert_eq!((&next[0].payload[..], next[0].generation), (b"c".as_slice(), 2));
    source.acknowledge([next[0].receipt]);
    assert_eq!(wire.read().acknowledged(), 1);
    assert_eq!(source.counters().recognised, 1);
}

#[test]
fn what_comes_together_with_the_end_of_a_connection_is_delivered() {
    let (listener, config) = listen();
    let source = source(config);
    let mut wire = Wire::accept(&listener, false, 10, true);
    let packet = |text: u8| [PUBLISH << 4, 5, 0, 1, b't', 0, text];
    let all: Vec<u8> = (0..50).flat_map(packet).collect();
    wire.0.write_all(&[all.as_slice(), &[DISCONNECT << 4, 2, 0x8B, 0]].concat()).expect("the connection stands");
    drop(wire);
    let messages = receive(&source, 50);
    assert!(messages.iter().map(|message| message.payload[0]).eq(0..50));
}

#[test]
fn the_second_takeover_that_the_broker_tells_of_ends_a_source() {
    let (listener, config) = listen();
    let source = source(config);
    for _ in 0..2 {
        assert!(!source.state().is_final());
        let mut wire = Wire::accept(&listener, true, 10, true);
        wire.write(DISCONNECT, 0, &[SESSION_TAKEN_OVER, 0]);
    }
    let deadline = Instant::now() + PATIENCE;
    while !source.state().is_final() {
        assert!(Instant::now() < deadline);
        drop(source.receive(1, Duration::from_millis(20)));
    }
    let told = MqttError::TakenOver { client_id: "client".into(), evidence: Evidence::Told };
    assert_eq!(source.state(), LinkState::Failed(told));
}

#[test]
fn a_refused_publish_is_tried_again_and_no_subscriber_is_no_refusal() {
    let (listener, config) = listen();
    let (sink, outcomes) = sink(config);
    let mut wire = Wire::accept(&listener, false, 10, false);
    send(&sink, &["a", "b"]);
    let [(first, _), (second, _)]: [_; 2] = read_published(&mut wire, 2).try_into().expect("two were read");
    wire.acknowledge(first, NOT_AUTHORIZED);
    wire.acknowledge(second, NO_MATCHING_SUBSCRIBERS);
    assert!(matches!(outcomes.recv_timeout(PATIENCE), Ok(Outcome::Confirmed { tag: 1, .. })));
    for _ in 0..2 {
        let (id, text) = wire.read().published();
        assert_eq!(text, "a");
        wire.acknowledge(id, NOT_AUTHORIZED);
    }
    let Ok(Outcome::Failed(failure)) = outcomes.recv_timeout(PATIENCE) else { panic!("it has failed") };
    assert!(failure.reason.contains("NotAuthorized"), "{}", failure.reason);
    assert_eq!((failure.output.tag, &failure.output.payload[..]), (0, b"a".as_slice()));
    assert!(sink.flush(PATIENCE));
}

#[test]
fn unconfirmed_outputs_come_again_in_order_over_the_next_connection() {
    let (listener, config) = listen();
    let (sink, outcomes) = sink(config);
    let mut wire = Wire::accept(&listener, false, 4, false);
    send(&sink, &["a", "b", "c", "d", "e"]);
    assert_eq!(read_published(&mut wire, 4), published(&[(1, "a"), (2, "b"), (3, "c"), (4, "d")]));
    wire.assert_quiet(); // the Receive Maximum
    wire.acknowledge(2, 0);
    assert!(matches!(outcomes.recv_timeout(PATIENCE), Ok(Outcome::Confirmed { tag: 1, .. })));
    drop(wire);
    let mut wire = Wire::accept(&listener, false, 4, false);
    let again = read_published(&mut wire, 4);
    assert_eq!(again, published(&[(1, "a"), (2, "c"), (3, "d"), (4, "e")]));
    for (id, _) in again {
        wire.acknowledge(id, 0);
    }
    assert!(sink.flush(PATIENCE));
    let tags: Vec<u64> = outcomes
        .try_iter()
        .map(|outcome| match outcome {
            Outcome::Confirmed { tag, .. } => tag,
            Outcome::Failed(failure) => panic!("{failure:?}"),
        })
        .collect();
    assert_eq!(tags, [0, 2, 3, 4]);
}

#[test]
fn a_refusal_under_a_packet_id_that_is_waited_for_stalls_nothing() {
    let (listener, config) = listen();
    let (sink, _outcomes) = sink(config);
    let mut wire = Wire::accept(&listener, false, 2, false);
    send(&sink, &["a", "b", "c"]);
    read_published(&mut wire, 2);
    wire.acknowledge(2, 0); // out of order: "c" gets id 1 and has to wait for it
    wire.assert_quiet();
    wire.acknowledge(1, NOT_AUTHORIZED);
    let mut wire = Wire::accept(&listener, false, 2, false);
    let again = read_published(&mut wire, 2);
    assert_eq!(again, published(&[(1, "a"), (2, "c")]));
    wire.acknowledge(1, 0);
    wire.acknowledge(2, 0);
    assert!(sink.flush(PATIENCE));
    assert_eq!(sink.counters().failed, 0);
}

/// A source whose inbox takes a few messages, and its broker's end; pings are due every 5 s.
fn small_source(session_present: bool) -> (TcpListener, MqttSource, Wire) {
    let (listener, config) = listen();
    let mqtt = MqttConfig { keep_alive: Duration::from_secs(5), ..config };
    let config = SourceConfig { inbox_limit_bytes: 1000, ..SourceConfig::new(mqtt, vec!["t".into()]) };
    let source = MqttSource::start(config, || {}, None).expect("the configuration is valid");
    let wire = Wire::accept(&listener, session_present, 10, true);
    (listener, source, wire)
}

/// Text number `number`, of about 100 bytes.
fn text(number: u16) -> String {
    format!("{number:100}")
}

#[test]
fn a_full_inbox_does_not_keep_pings_from_the_broker_and_what_it_passes_over_is_fetched() {
    const COUNT: u16 = 200;
    let (listener, source, mut wire) = small_source(false);
    (1..=COUNT).for_each(|id| wire.publish(id, false, &text(id)));
    // Nobody empties the inbox, over more than two keep-alives.
    for _ in 0..2 {
        assert_eq!(wire.read().kind, PINGREQ);
        wire.write(PINGRESP, 0, &[]);
    }
    let counters = source.counters();
    assert!(counters.waiting < 12 && counters.passed_over > 0, "{counters:?}");
    let mut messages = receive(&source, counters.waiting as usize);
    assert_eq!(wire.read().kind, DISCONNECT);
    drop(wire);
    // All of them are sent again, because none was acknowledged; those that are here are not delivered twice.
    let mut wire = Wire::accept(&listener, true, 10, true);
    (1..=COUNT).for_each(|id| wire.publish(id, true, &text(id)));
    let rest = usize::from(COUNT) - messages.len();
    messages.extend(receive(&source, rest));
    let payloads: Vec<String> = messages.iter().map(|m| String::from_utf8_lossy(&m.payload).into_owned()).collect();
    assert!(payloads.into_iter().eq((1..=COUNT).map(text)), "once each, in order");
    source.acknowledge(messages.iter().map(|message| message.receipt));
    assert!((1..=COUNT).all(|id| wire.read().acknowledged() == id));
    assert!(matches!(source.state(), LinkState::Connected { .. }) && source.counters().lost == 0);
}

#[test]
fn messages_of_qos_0_that_find_no_room_are_counted_and_said() {
    const COUNT: u16 = 200;
    let (_listener, source, mut wire) = small_source(false);
    let (sender, losses) = channel();
    source.on_loss(move |lost| _ = sender.send(lost));
    for id in 1..=COUNT {
        let body = [b"\0\x01t\0", text(id).as_bytes()].concat();
        wire.write(PUBLISH, 0, &body);
    }
    assert_eq!(wire.read().kind, PINGREQ);
    assert_eq!(losses.recv_timeout(PATIENCE), Ok(1));
    // The ping was written: what is still unread waits for room and is not lost.
    let (mut received, deadline) = (0, Instant::now() + PATIENCE);
    while received + source.counters().lost < u64::from(COUNT) {
        assert!(Instant::now() < deadline, "{received} received, {:?}", source.counters());
        received += source.receive(10, Duration::from_millis(20)).expect("the source runs").len() as u64;
    }
    let counters = source.counters();
    assert!((1..u64::from(COUNT) / 2).contains(&counters.lost) && counters.passed_over == 0, "{counters:?}");
}

/// A permit that gives these answers, one for each question, and then the last one for ever; it tells of every question.
struct Scripted {
    answers: Mutex<VecDeque<Permission>>,
    asked: Mutex<Sender<()>>,
}

impl Permit for Scripted {
    fn ask(&self) -> Asked {
        let mut answers = self.answers.lock().expect("no test panics within");
        let answer = match answers.len() {
            1 => answers[0],
            _ => answers.pop_front().expect("a script has an answer"),
        };
        _ = self.asked.lock().expect("no test panics within").send(());
        Box::pin(async move { answer })
    }
}

fn permitted(config: MqttConfig, answers: &[Permission]) -> (MqttConfig, Receiver<()>) {
    let (sender, asked) = channel();
    let answers = Mutex::new(answers.iter().copied().collect());
    let permit = Scripted { answers, asked: Mutex::new(sender) };
    (MqttConfig { permit: Some(Arc::new(permit)), ..config }, asked)
}

fn wait_for(what: &str, done: impl Fn() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !done() {
        assert!(Instant::now() < deadline, "{what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

fn superseded() -> LinkState {
    LinkState::Failed(MqttError::Superseded { client_id: "client".into() })
}

/// Accepts a connection and CONNECT; the socket is the caller's.
fn accept_only(listener: &TcpListener) -> Wire {
    let (stream, _) = listener.accept().expect("somebody connects");
    let mut wire = Wire(stream);
    assert_eq!(wire.read().kind, CONNECT);
    wire
}

/// The other side has gone without a packet.
fn assert_closed(wire: &mut Wire) {
    wire.0.set_read_timeout(Some(PATIENCE)).expect("the time is not zero");
    let read = wire.0.read(&mut [0]);
    assert!(matches!(&read, Ok(0)) || read.is_err_and(|e| e.kind() == ErrorKind::ConnectionReset));
}

#[test]
fn nobody_connects_before_the_permit_is_granted_and_a_denied_one_ends_it() {
    use Permission::{Denied, Unknown};
    let (listener, config) = listen();
    listener.set_nonblocking(true).expect("it is a socket");
    let (config, asked) = permitted(config, &[Unknown, Unknown, Denied]);
    let (sink, _outcomes) = sink(config);
    asked.recv_timeout(PATIENCE).expect("it is asked");
    let waiting = LinkState::Disconnected { reason: WAITING_FOR_OWNER.into() };
    wait_for("it says that it waits", || sink.state() == waiting || sink.state().is_final());
    wait_for("it ends", || sink.state().is_final());
    assert_eq!(sink.state(), superseded());
    assert_eq!(asked.try_iter().count(), 2, "three questions, three answers");
    assert_eq!(listener.accept().expect_err("nobody has connected").kind(), ErrorKind::WouldBlock);
}

#[test]
fn after_connack_nothing_is_sent_before_the_permit_is_granted_again() {
    use Permission::{Granted, Unknown};
    for is_source in [true, false] {
        let (listener, config) = listen();
        let (config, asked) = permitted(config, &[Granted, Unknown, Granted]);
        let mut ends = (None, None);
        match is_source {
            true => ends.0 = Some(source(config)),
            false => {
                let (sink, outcomes) = sink(config);
                send(&sink, &["a"]);
                ends.1 = Some((sink, outcomes));
            }
        }
        let mut wire = accept_only(&listener);
        assert_eq!(asked.try_iter().count(), 1);
        wire.write(2, 0, &[0, 0, 3, 0x21, 0, 10]);
        assert_closed(&mut wire);
        let mut wire = Wire::accept(&listener, true, 10, is_source);
        match ends {
            (Some(source), _) => {
                source.wait_connected(PATIENCE).expect("it is subscribed");
                wire.publish(1, false, "x");
                let messages = receive(&source, 1);
                source.acknowledge([messages[0].receipt]);
                assert_eq!(wire.read().acknowledged(), 1);
            }
            (None, Some((sink, _outcomes))) => {
                assert_eq!(wire.read().published(), (1, "a".into()));
                wire.acknowledge(1, 0);
                assert!(sink.flush(PATIENCE));
            }
            (None, None) => unreachable!("one of them was started"),
        }
    }
}

#[test]
fn an_answer_that_does_not_come_holds_the_connection_only_for_a_while() {
    struct Silent;
    impl Permit for Silent {
        fn ask(&self) -> Asked {
            Box::pin(std::future::pending())
        }
    }
    let (listener, config) = listen();
    let (sink, _outcomes) = sink(MqttConfig { permit: Some(Arc::new(Silent)), ..config });
    let waiting = LinkState::Disconnected { reason: WAITING_FOR_OWNER.into() };
    wait_for("silence counts as not knowing", || sink.state() == waiting);
    drop(listener);
}

#[test]
fn takeovers_are_the_permits_to_judge() {
    use Permission::{Denied, Granted};
    let (listener, config) = listen();
    // Two questions for each of three connections that are taken over, and the end.
    let (config, asked) = permitted(config, &[[Granted; 6].as_slice(), &[Denied]].concat());
    let source = source(config);
    for _ in 0..3 {
        let mut wire = Wire::accept(&listener, true, 10, true);
        wire.write(DISCONNECT, 0, &[SESSION_TAKEN_OVER, 0]);
    }
    wait_for("it ends", || source.state().is_final());
    assert_eq!(source.state(), superseded());
    assert_eq!(asked.try_iter().count(), 7);
}
