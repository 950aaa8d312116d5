//! Time per row of kernels, and of the interpreter for the same expressions: `cargo bench -p rarog-dataflow --bench kernel`.

use rarog_dataflow::batch::{EventTypes, Rows};
use rarog_dataflow::column::{Column, Prim, StrColumn, from_values};
use rarog_dataflow::kernel::Kernel;
use rarog_lang::eval::interpreter::{Evaluator, Record};
use rarog_lang::plan::{BinOp, Builtin, Expr, Function, Layout};
use rarog_lang::value::{Type, Value};
use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

const ROWS: usize = 4096;
/// A batch of a slow source.
const FEW: usize = 3;
const ROUND: Duration = Duration::from_millis(200);

struct Row<'r>(&'r Rows, usize);

impl Record for Row<'_> {
    fn column(&self, column: u32) -> Value {
        self.0.columns[column as usize].get(self.1)
    }
}

/// Columns: 0 temperature 0..100, 1 humidity 0..100 (floats), 2 count (ints), 3 sensor (texts), 4 temperature with nulls,
/// 5 ints and floats mixed.
fn batch(rows: usize) -> Rows {
    let mut state = 1u64;
    let mut next = |end: u64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % end
    };
    let prim = |values: Vec<f64>| Prim { values: Arc::new(values), valid: None };
    let temperature = prim((0..rows).map(|_| next(1000) as f64 / 10.0).collect());
    let humidity = prim((0..rows).map(|_| next(1000) as f64 / 10.0).collect());
    let counts = (0..rows).map(|_| next(1000) as i64).collect();
    let names: Vec<String> = (0..rows).map(|_| format!("sensor-{}", next(100))).collect();
    let valid = (0..rows).map(|_| next(10) > 0).collect();
    let mixed = (0..rows).map(|row| if row % 2 == 0 { Value::Int(next(100) as i64) } else { Value::Float(50.5) });
    let columns = vec![
        Column::Float(temperature.clone()),
        Column::Float(humidity),
        Column::Int(Prim { values: Arc::new(counts), valid: None }),
        StrColumn::from_texts(names.iter().map(|name| Some(&**name))),
        Column::Float(Prim { values: temperature.values, valid: Some(Arc::new(valid)) }),
        from_values(mixed.collect()),
    ];
    Rows {
        pos: Arc::new((0..rows as u64).collect()),
        time: Arc::new(vec![0; rows]),
        event: EventTypes::One("A".into()),
        columns,
        whole: None,
        rank: None,
        released: None,
    }
}

fn column(column: u32) -> Expr {
    Expr::Column(column)
}

fn float(float: f64) -> Expr {
    Expr::Const(Value::Float(float))
}

fn text(text: &str) -> Expr {
    Expr::Const(Value::Str(text.into()))
}

fn binary(op: BinOp, a: Expr, b: Expr) -> Expr {
    Expr::Binary(op, Box::new(a), Box::new(b))
}

fn and(a: Expr, b: Expr) -> Expr {
    Expr::And(Box::new(a), Box::new(b))
}

fn fahrenheit(of: Expr) -> Expr {
    binary(BinOp::Add, binary(BinOp::Mul, of, float(1.8)), float(32.0))
}

/// Least time per row in ns over some rounds.
fn measure(rows: usize, mut work: impl FnMut()) -> f64 {
    let mut best = f64::INFINITY;
    for _ in 0..5 {
        let (start, mut turns) = (Instant::now(), 0);
        while start.elapsed() < ROUND / 5 {
            work();
            turns += 1;
        }
        best = best.min(start.elapsed().as_nanos() as f64 / (turns * rows) as f64);
    }
    best
}

fn filters() -> Vec<(&'static str, Expr)> {
    let hot = |of| binary(BinOp::Gt, column(of), float(50.0));
    let texts = ["sensor-1", "sensor-2", "sensor-50"].map(|name| Value::Str(name.into()));
    vec![
        ("t > 50.0", hot(0)),
        ("t > 50.0, a tenth null", hot(4)),
        ("t > 50.0, ints and floats mixed", hot(5)),
        (
            "t * 1.8 + 32.0 > 122.0 and h < 45.0",
            and(binary(BinOp::Gt, fahrenheit(column(0)), float(122.0)), binary(BinOp::Lt, column(1), float(45.0))),
        ),
        (
            "n > 500 and t < 20.0",
            and(binary(BinOp::Gt, column(2), Expr::Const(Value::Int(500))), binary(BinOp::Lt, column(0), float(20.0))),
        ),
        ("s == \"sensor-42\"", binary(BinOp::Eq, column(3), text("sensor-42"))),
        (
            "s in [3 texts]",
            Expr::In(Box::new(column(3)), Box::new(Expr::Const(Value::Array(Arc::new(texts.to_vec()))))),
        ),
        ("starts_with(s, \"sensor-4\")", Expr::Call(Builtin::StartsWith, vec![column(3), text("sensor-4")])),
    ]
}

fn items() -> Vec<(&'static str, Expr)> {
    let hot = || binary(BinOp::Gt, column(0), float(50.0));
    vec![
        ("t", column(0)),
        ("t * 1.8 + 32.0", fahrenheit(column(0))),
        ("fahrenheit(t)", Expr::CallFn(0, vec![column(0)])),
        (
            "n * 2 + 1",
            binary(BinOp::Add, binary(BinOp::Mul, column(2), Expr::Const(Value::Int(2))), Expr::Const(Value::Int(1))),
        ),
        ("n / 7", binary(BinOp::Div, column(2), Expr::Const(Value::Int(7)))),
        ("n * 0.5", binary(BinOp::Mul, column(2), float(0.5))),
        ("mixed * 2.0", binary(BinOp::Mul, column(5), float(2.0))),
        ("round(t, 1)", Expr::Call(Builtin::Round, vec![column(0), Expr::Const(Value::Int(1))])),
        ("t ?? 0.0", Expr::Coalesce(Box::new(column(4)), Box::new(float(0.0)))),
        (
            "if t > 50.0 then \"hot\" else \"cold\"",
            Expr::If(Box::new(hot()), Box::new(text("hot")), Box::new(text("cold"))),
        ),
        ("concat(s, \"/\", n)", Expr::Call(Builtin::Concat, vec![column(3), text("/"), column(2)])),
        ("lower(s)", Expr::Call(Builtin::Lower, vec![column(3)])),
    ]
}

fn main() {
    let (rows, few) = (batch(ROWS), batch(FEW));
    let scale = Function {
        name: "fahrenheit".into(),
        params: vec![("c".into(), Type::Float)],
        ret: Type::Float,
        slots: 1,
        body: vec![rarog_lang::plan::Stmt::Expr(fahrenheit(Expr::Local(0)))],
    };
    let functions: Arc<[Function]> = vec![scale].into();
    let layout = Layout::default();
    println!("{:44} {:>14} {:>14} {:>18}", "expression", "kernel, ns/row", "interpreter", "kernel, ns/3 rows");
    for (select, exprs) in [(true, filters()), (false, items())] {
        for (name, expr) in exprs {
            let mut kernel = Kernel::compile(&expr, &layout, functions.clone());
            let mut fast = |rows: &Rows| {
                measure(rows.len(), || match select {
                    true => drop(black_box(kernel.select(black_box(rows)))),
                    false => drop(black_box(kernel.eval(black_box(rows)))),
                })
            };
            let (many, few) = (fast(&rows), fast(&few) * FEW as f64);
            let mut evaluator = Evaluator::new(functions.clone());
            let slow = measure(ROWS, || {
                let values = (0..rows.len()).map(|row| evaluator.eval(&expr, &Row(&rows, row)));
                black_box(values.collect::<Vec<Value>>());
            });
            println!("{name:44} {many:14.2} {slow:14.1} {few:18.0}");
        }
    }
    let hot = binary(BinOp::Gt, column(0), float(50.0));
    let mut kernel = Kernel::compile(&hot, &layout, functions);
    let filter = measure(ROWS, || {
        let picked = kernel.select(black_box(&rows));
        drop(black_box(rows.clone().select(&picked)));
    });
    println!("{:44} {filter:14.2}", "t > 50.0, rows of 6 columns taken");
}
