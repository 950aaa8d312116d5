//! Inputs of golden cases, as far as they are plain.

use crate::events::Event;
use crate::json::Json;
use crate::value::{MILLI, SECOND, V};

/// Lines `@offset Type { name: value, … }` with values that are JSON.
pub fn evt(lines: &str) -> Option<Vec<Event>> {
    let lines = lines.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with(['#', '/']));
    lines.map(evt_line).collect()
}

fn evt_line(line: &str) -> Option<Event> {
    let (time, rest) = match line.strip_prefix('@') {
        Some(line) => {
            let (offset, rest) = line.split_once(' ')?;
            (offset_of(offset)?, rest.trim())
        }
        None => (0, line),
    };
    let (of, fields) = rest.split_once('{')?;
    if !of.trim().chars().all(char::is_alphanumeric) || of.trim().is_empty() {
        return None;
    }
    let body = fields.trim_end_matches(';').trim().strip_suffix('}')?;
    let fields = split(body).into_iter().map(|field| {
        let (name, value) = field.split_once(':')?;
        Some((name.trim().trim_matches('"').to_string(), value_of(&Json::parse(value.trim()).ok()?)?))
    });
    Some(Event { of: of.trim().into(), time, fields: fields.collect::<Option<_>>()? })
}

fn offset_of(text: &str) -> Option<i64> {
    let (digits, unit) = match text.find(|c: char| !c.is_ascii_digit()) {
        Some(at) => text.split_at(at),
        None => (text, "ms"),
    };
    let unit = match unit {
        "ms" => MILLI,
        "s" => SECOND,
        "m" => 60 * SECOND,
        _ => return None,
    };
    Some(digits.parse::<i64>().ok()? * unit)
}

/// Parts between commas that stand outside of brackets and quotes.
fn split(body: &str) -> Vec<String> {
    let (mut parts, mut depth, mut quoted) = (vec![String::new()], 0, false);
    for c in body.chars() {
        match c {
            '"' => quoted = !quoted,
            '[' | '{' if !quoted => depth += 1,
            ']' | '}' if !quoted => depth -= 1,
            ',' if !quoted && depth == 0 => {
                parts.push(String::new());
                continue;
            }
            _ => {}
        }
        parts.last_mut().expect("there is always one").push(c);
    }
    parts.retain(|part| !part.trim().is_empty());
    parts
}

/// Lines `{"type": …, "ts": "1970-01-01T…Z", …}`; `event_type` and `type` name the type.
pub fn jsonl(lines: &str) -> Option<Vec<Event>> {
    lines.lines().filter(|line| !line.trim().is_empty()).map(json_line).collect()
}

fn json_line(line: &str) -> Option<Event> {
    let json = Json::parse(line).ok()?;
    let Json::Object(members) = &json else { return None };
    if members.contains_key("data") || members.contains_key("@timestamp") {
        return None;
    }
    let key = ["event_type", "type"].into_iter().find(|key| members.contains_key(*key))?;
    let time = match json.get("ts")? {
        Json::Str(text) => seconds_of_day(text)? * SECOND,
        Json::Int(ms) => i64::try_from(*ms).ok()? * MILLI,
        _ => return None,
    };
    let fields = members.iter().filter(|(name, _)| name.as_str() != key && name.as_str() != "ts");
    let fields = fields.map(|(name, value)| Some((name.clone(), value_of(value)?))).collect::<Option<_>>()?;
    Some(Event { of: json.text(key)?.into(), time, fields })
}

/// Of a time on the first day of the epoch.
fn seconds_of_day(text: &str) -> Option<i64> {
    let time = text.strip_prefix("1970-01-01T")?.strip_suffix('Z')?;
    let parts: Vec<i64> = time.split(':').map(|part| part.parse().ok()).collect::<Option<_>>()?;
    match parts[..] {
        [hours, minutes, seconds] => Some(hours * 3600 + minutes * 60 + seconds),
        _ => None,
    }
}

fn value_of(json: &Json) -> Option<V> {
    Some(match json {
        Json::Null => V::Null,
        Json::Bool(value) => V::Bool(*value),
        Json::Int(int) => V::Int(i64::try_from(*int).ok()?),
        Json::Float(float) => V::Float(*float),
        Json::Str(text) => V::Str(text.clone()),
        Json::Array(items) => V::Array(items.iter().map(value_of).collect::<Option<_>>()?),
        Json::Object(_) => return None,
    })
}

/// The number of late records among the dead letters; `None`: there are others.
pub fn late(dead: &str) -> Option<usize> {
    let mut late = 0;
    for line in dead.lines().filter(|line| !line.trim().is_empty()) {
        let letter = Json::parse(line).ok()?;
        if letter.text("reason")? != "late" {
            return None;
        }
        late += usize::try_from(letter.int("count")?).ok()?;
    }
    Some(late)
}
