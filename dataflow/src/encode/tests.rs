//! The three forms on columns and on whole records.

use super::*;
use crate::batch::EventTypes;
use crate::column::from_values;
use crate::whole::{RawRow, Whole};
use rarog_lang::plan::ColumnDef;
use rarog_lang::value::Type;

fn text(text: &str) -> Value {
    Value::Str(text.into())
}

fn rows(columns: Vec<(&str, bool, bool, Value)>) -> (Rows, Layout) {
    let defs = columns.iter().map(|(name, keep_null, hidden, _)| ColumnDef {
        name: (*name).into(),
        ty: Type::Any,
        keep_null: *keep_null,
        hidden: *hidden,
    });
    let layout = Layout { columns: defs.collect(), open: false };
    let rows = Rows {
        pos: Arc::new(vec![1]),
        time: Arc::new(vec![5_000_000_000]),
        event: EventTypes::One("S".into()),
        columns: columns.into_iter().map(|(.., value)| from_values(vec![value])).collect(),
        whole: None,
        released: None,
        rank: None,
    };
    (rows, layout)
}

fn forms(rows: &Rows, layout: &Layout) -> [String; 3] {
    forms_of(rows, layout, 0)
}

fn forms_of(rows: &Rows, layout: &Layout, row: usize) -> [String; 3] {
    let (mut line, mut flat) = (Vec::new(), Vec::new());
    encode_jsonl(&mut line, rows, layout, row);
    encode_flat(&mut flat, rows, layout, row);
    [line, flat, record_json(rows, layout, row)].map(|bytes| String::from_utf8(bytes).unwrap())
}

#[test]
fn columns_are_shown_in_order_without_nulls() {
    let (rows, layout) = rows(vec![
        ("a", false, false, Value::Float(60.0)),
        ("b", false, false, Value::Null),
        ("c", true, false, Value::Null),
        ("d", false, true, Value::Int(1)),
        ("e\"", false, false, Value::Bool(true)),
    ]);
    let [line, flat, record] = forms(&rows, &layout);
    assert_eq!(
        line,
        "{\"event_type\":\"S\",\"timestamp\":\"1970-01-01T00:00:05Z\",\"data\":{\"a\":60.0,\"c\":null,\"e\\\"\":true}}\n"
    );
    assert_eq!(flat, r#"{"event_type":"S","timestamp":"1970-01-01T00:00:05Z","a":60.0,"c":null,"e\"":true}"#);
    assert_eq!(record, r#"{"a":60.0,"c":null,"e\"":true}"#);
}

#[test]
fn an_empty_record_is_an_empty_object() {
    let (rows, layout) = rows(vec![("a", false, false, Value::Null)]);
    let [line, flat, record] = forms(&rows, &layout);
    assert_eq!(line, "{\"event_type\":\"S\",\"timestamp\":\"1970-01-01T00:00:05Z\",\"data\":{}}\n");
    assert_eq!(flat, r#"{"event_type":"S","timestamp":"1970-01-01T00:00:05Z"}"#);
    assert_eq!(record, "{}");
}

#[test]
fn fields_take_the_place_of_the_envelope() {
    let (rows, layout) = rows(vec![
        ("timestamp", false, false, Value::Int(7)),
        ("event_type", false, false, text("T")),
        ("x", false, false, Value::Int(1)),
    ]);
    let [line, flat, _] = forms(&rows, &layout);
    assert_eq!(flat, r#"{"timestamp":7,"event_type":"T","x":1}"#);
    assert!(line.starts_with(r#"{"event_type":"S","timestamp":"1970-01-01T00:00:05Z","data":{"timestamp":7"#));
    let (rows, layout) = self::rows(vec![("event_type", false, false, Value::Null)]);
    assert_eq!(forms(&rows, &layout)[1], r#"{"event_type":"S","timestamp":"1970-01-01T00:00:05Z"}"#);
}

#[test]
fn of_two_columns_with_one_name_the_last_that_shows_counts() {
    let (rows, layout) = rows(vec![("a", false, false, Value::Int(1)), ("a", false, false, Value::Int(2))]);
    assert_eq!(forms(&rows, &layout)[2], r#"{"a":2}"#);
    let (rows, layout) = self::rows(vec![("a", false, false, Value::Int(1)), ("a", false, false, Value::Null)]);
    assert_eq!(forms(&rows, &layout)[2], r#"{"a":1}"#);
}

#[test]
fn whole_records_show_all_their_fields() {
    let (mut rows, layout) = rows(vec![("a", false, false, Value::Int(1))]);
    let map = Map::from_iter([("a".into(), Value::Int(1)), ("n".into(), Value::Null), ("timestamp".into(), text("x"))]);
    rows.whole = Some(Whole::Values(Arc::new(vec![Value::Map(Arc::new(map))])));
    let [_, flat, record] = forms(&rows, &layout);
    assert_eq!(record, r#"{"a":1,"n":null,"timestamp":"x"}"#);
    assert_eq!(flat, r#"{"event_type":"S","a":1,"n":null,"timestamp":"x"}"#);
}

#[test]
fn raw_records_are_written_as_their_values_are() {
    let objects = [
        r#"{"type":"A","t":60,"z":{"k": [1.50, 1e3, "\u00e9"]},"s":"a\tb","n":null,"b":true,"i":12345678901234567890}"#,
        r#"{"t":61.5,"at":1705312859500,"d":"5000ms","type":1,"k":3.0,"more":"plain é"}"#,
        r#" { "at" : "2024-01-15T12:00:59.5+02:00" , "t" : null , "xs":[1, 2.0], "k" : -0 } "#,
        r#"{"t":1,"t":2}"#,
        r#"{"\u0074":1,"x":2}"#,
        r#"{"":1,"timestamp":5,"event_type":"x"}"#,
        "{}",
        r#"{"type":"A"}"#,
        r#"{"x":1e999,"k":5,"d":null}"#,
    ];
    let declared = [
        ("t", Type::Float),
        ("at", Type::Time),
        ("d", Type::Duration),
        ("k", Type::Int),
        ("xs", Type::Array(Type::Float.into())),
        ("s", Type::Str),
    ];
    let declared = declared.map(|(name, ty)| (Arc::from(name), ty)).to_vec();
    let layout = Layout::default();
    for type_key in [0, 2] {
        let mut start = 0;
        let rows_of = |object: &&str| {
            let row = RawRow { start, len: object.len() as u32, input: 0, type_key };
            start += row.len;
            row
        };
        let raw_rows: Vec<RawRow> = objects.iter().map(rows_of).collect();
        let count = raw_rows.len();
        let whole = Whole::Raw {
            text: objects.concat().into(),
            rows: Arc::new(raw_rows),
            declared: Arc::new(vec![Some(declared.clone())]),
        };
        let values = Whole::Values(Arc::new((0..count).map(|row| whole.get(row)).collect()));
        let (mut rows, _) = rows(vec![]);
        rows.pos = Arc::new(vec![1; count]);
        rows.time = Arc::new(vec![0; count]);
        rows.whole = Some(whole);
        let materialised = Rows { whole: Some(values), ..rows.clone() };
        for row in 0..count {
            assert_eq!(forms_of(&rows, &layout, row), forms_of(&materialised, &layout, row));
        }
    }
}
