//! What `.alert` posts: `{"text","event_type":"alert","stream"}`, the message with the fields of the record in it.

use rarog_dataflow::batch::Rows;
use rarog_dataflow::kernel::Kernel;
use rarog_lang::eval::text::to_text;
use rarog_lang::plan::{AlertPart, Function, NodeId, Plan};
use serde_json::json;
use std::sync::{Arc, Mutex, PoisonError};

/// The message of one `.alert`.
pub struct AlertText {
    stream: Arc<str>,
    /// Evaluated by one thread at a time: the one that completes chunks.
    parts: Mutex<Vec<Part>>,
}

enum Part {
    Text(Arc<str>),
    Field(Box<Kernel>),
}

impl AlertText {
    /// Compiles the message of a node.
    pub fn new(plan: &Plan, node: NodeId, message: &[AlertPart]) -> AlertText {
        let node = &plan.nodes[node as usize];
        let layout = &plan.layouts[node.layout as usize];
        let functions: Arc<[Function]> = plan.functions.clone().into();
        let part = |part: &AlertPart| match part {
            AlertPart::Text(text) => Part::Text(text.clone()),
            AlertPart::Field(field) => Part::Field(Box::new(Kernel::compile(field, layout, functions.clone()))),
        };
        let stream = plan.streams[node.stream as usize].name.clone();
        AlertText { stream, parts: Mutex::new(message.iter().map(part).collect()) }
    }

    /// The body of a request for each row.
    pub fn bodies(&self, rows: &Rows) -> Vec<Vec<u8>> {
        let mut parts = self.parts.lock().unwrap_or_else(PoisonError::into_inner);
        let mut texts = vec![String::new(); rows.len()];
        for part in parts.iter_mut() {
            match part {
                Part::Text(text) => texts.iter_mut().for_each(|of_row| of_row.push_str(text)),
                Part::Field(field) => {
                    let column = field.eval(rows);
                    texts.iter_mut().enumerate().for_each(|(row, text)| text.push_str(&to_text(&column.get(row))));
                }
            }
        }
        let body = |text| {
            let text = json!(text);
            format!("{{\"text\":{text},\"event_type\":\"alert\",\"stream\":{}}}", json!(&*self.stream)).into_bytes()
        };
        texts.into_iter().map(body).collect()
    }
}
