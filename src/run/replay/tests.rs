//! Whole replays: however the input is cut, the records are the same.

use super::*;
use rarog_dataflow::batch::phase;
use rarog_lang::plan::{ColumnDef, Input, Layout, Node, Op};
use rarog_lang::span::Span;
use rarog_lang::value::{Type, Value};
use std::io::Write;
use std::sync::mpsc;
use std::time::Duration;

fn plan() -> Arc<Plan> {
    let column = ColumnDef { name: "i".into(), ty: Type::Any, keep_null: false, hidden: false };
    let (event, subscriptions) = ("A".into(), vec![]);
    let input = Input { event, declared: None, time_field: None, layout: 0, whole: false, subscriptions };
    let node = Node { op: Op::Input(0), inputs: vec![], layout: 0, stream: 0, span: Span::default() };
    let layouts = vec![Layout { columns: vec![column], open: true }];
    Arc::new(Plan { inputs: vec![input], layouts, nodes: vec![node], ..Plan::default() })
}

/// Value of `i`, event time and clock of every record, and the reasons of dead letters.
type Seen = (Vec<(Value, i64, i64)>, Vec<&'static str>);

fn see(replay: &Replay) -> Seen {
    let (mut records, mut dead) = (Vec::new(), Vec::new());
    let mut clock = i64::MIN;
    let mut seq = 0;
    loop {
        let decoded = match replay.pull() {
            Pulled::Chunk(decode) => decode(),
            Pulled::Pending => panic!("a file is never pending"),
            Pulled::End => return (records, dead),
        };
        assert_eq!(decoded.chunk.seq, seq);
        seq += 1;
        dead.extend(decoded.dead.iter().map(|dead| dead.reason));
        let Some(rows) = &decoded.inputs[0] else { continue };
        for row in 0..rows.len() {
            let index = (rows.pos[row] >> phase::BITS) as usize;
            records.push((rows.columns[0].get(row), rows.time[row], clock.max(decoded.chunk.clocks[index])));
        }
        clock = clock.max(decoded.chunk.clocks.last().copied().unwrap_or(i64::MIN));
    }
}

fn file(name: &str, content: &str) -> std::path::PathBuf {
    let path = std::env::temp_dir().join(format!("rarog-replay-{}-{name}", std::process::id()));
    std::fs::write(&path, content).expect("the temporary folder takes files");
    path
}

#[test]
fn the_records_are_the_same_for_every_cut() {
    let mut jsonl = String::new();
    let mut evt = String::new();
    for i in 0..9000_u64 {
        match i % 11 {
            0 => jsonl.push_str(&format!("{{\"type\":\"A\",\"i\":{i},\"ts\":{}}}\n", i * 7919 % 10_007)),
            1 => jsonl.push_str("nonsense\n"),
            _ => jsonl.push_str(&format!("{{\"type\":\"A\",\"i\":{i},\"pad\":\"{}\"}}\n", "p".repeat(40))),
        }
        match i % 13 {
            0 => evt.push_str(&format!("BATCH {}\n", i * 7919 % 10_007)),
            1 => evt.push_str(&format!("@{i} A {{ i: {i} }}\n")),
            2 => evt.push_str("nonsense\n"),
            _ => evt.push_str(&format!("A {{ i: {i}, pad: {} }}\n", "p".repeat(40))),
        }
    }
    for (name, content, format) in [("a.jsonl", jsonl, InputFormat::Jsonl), ("a.evt", evt, InputFormat::Evt)] {
        let path = file(name, &content);
        let open = |rows| Replay::open(&path, format, plan(), rows, From::default()).unwrap();
        let replay = open(None);
        let by_size = see(&replay);
        assert_eq!(replay.progress(), (content.len() as u64, Some(content.len() as u64)));
        assert!(by_size.0.len() > 6000 && by_size.1.len() > 600);
        for rows in [1, 7, 4096] {
            assert!(see(&open(Some(rows))) == by_size, "{name} by {rows} rows");
        }
        std::fs::remove_file(path).unwrap();
    }
}

#[test]
fn chunks_decoded_out_of_order_by_threads_give_the_same() {
    let content: String = (0..200)
        .map(|i| {
            if i % 50 == 3 {
                format!("{{\"type\":\"A\",\"i\":{i},\"ts\":{i}}}\n")
            } else {
                format!("{{\"type\":\"A\",\"i\":{i}}}\n")
            }
        })
        .collect();
    let path = file("threads.jsonl", &content);
    let open = || Replay::open(&path, InputFormat::Jsonl, plan(), Some(3), From::default()).unwrap();
    let expected: Vec<i64> = see(&open()).0.iter().map(|(_, time, _)| *time).collect();
    let replay = open();
    let decodes: Vec<_> = std::iter::from_fn(|| match replay.pull() {
        Pulled::Chunk(decode) => Some(decode),
        _ => None,
    })
    .collect();
    let threads: Vec<_> = decodes.into_iter().rev().map(std::thread::spawn).collect();
    let mut chunks: Vec<Decoded> = threads.into_iter().map(|thread| thread.join().unwrap()).collect();
    chunks.sort_by_key(|decoded| decoded.chunk.seq);
    let times: Vec<i64> =
        chunks.iter().flat_map(|decoded| decoded.inputs[0].iter().flat_map(|rows| rows.time.to_vec())).collect();
    assert_eq!(times, expected);
    std::fs::remove_file(path).unwrap();
}

#[test]
fn a_pipe_wakes_its_reader_and_ends() {
    let (reader, mut writer) = std::io::pipe().unwrap();
    let pipe = Pipe::new(reader).unwrap();
    let (woken, wakes) = mpsc::channel();
    let woken = Mutex::new(woken);
    pipe.on_data(Box::new(move || _ = lock(&woken).send(())));
    assert!(matches!(pipe.take(), Given::Nothing));
    writer.write_all(b"hello\n").unwrap();
    wakes.recv_timeout(Duration::from_secs(60)).expect("the pipe has data");
    assert!(matches!(pipe.take(), Given::Bytes(bytes) if bytes == b"hello\n"));
    drop(writer);
    wakes.recv_timeout(Duration::from_secs(60)).expect("the pipe has ended");
    assert!(matches!(pipe.take(), Given::End));
}

#[test]
fn what_cannot_be_read_is_said() {
    assert!(Replay::open(Path::new("/no/such/file"), InputFormat::Jsonl, plan(), None, From::default()).is_err());
    assert!(Replay::open(Path::new("/"), InputFormat::Jsonl, plan(), None, From::default()).is_err());
}
