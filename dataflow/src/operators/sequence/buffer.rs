//! Captured records. They are written once and never changed; runs that continue in copies share what they captured before.
//!
//! ```text
//! slot b:   b1 ◄── b2 ◄── b3      run 1 ends in b3, its copy in b4: both go on over b2
//!                   ▲
//!                   └──── b4
//! ```
//! A node counts who refers to it: runs that end in it, and nodes behind it. One that nobody refers to is free.

use crate::column::Column;
use rarog_lang::eval::sum::Sum;
use rarog_lang::value::Value;

/// No node.
pub const NONE: u32 = u32::MAX;

static NULL: Value = Value::Null;

/// A captured record.
#[derive(Clone, Copy, Debug)]
struct Node {
    previous: u32,
    first: u32,
    /// Records up to this one.
    count: u32,
    references: u32,
    /// Number of the record among all that the operator took.
    event: u64,
    time: i64,
}

/// The nodes of one slot.
#[derive(Debug, Default)]
struct Pool {
    nodes: Vec<Node>,
    free: Vec<u32>,
    columns: usize,
    /// `columns` per node.
    cells: Vec<Value>,
    whole: bool,
    /// The record as a map, per node.
    wholes: Vec<Value>,
    /// Columns whose sum over the chain is kept per node.
    summed: Vec<u32>,
    sums: Vec<Sum>,
}

/// All captured records.
#[derive(Debug)]
pub struct Buffer {
    pools: Vec<Pool>,
}

/// What is kept of one slot.
pub struct SlotShape {
    /// Number of columns.
    pub columns: usize,
    /// Is the record kept as a map?
    pub whole: bool,
    /// Columns whose sums are asked for.
    pub summed: Vec<u32>,
}

/// A record as it is captured.
pub struct Captured {
    /// Its number.
    pub event: u64,
    /// Its time.
    pub time: i64,
    /// As a map, if the slot keeps that.
    pub whole: Value,
}

impl Buffer {
    /// Empty slots.
    pub fn new(slots: &[SlotShape]) -> Buffer {
        let pool = |shape: &SlotShape| Pool {
            columns: shape.columns,
            whole: shape.whole,
            summed: shape.summed.clone(),
            ..Pool::default()
        };
        Buffer { pools: slots.iter().map(pool).collect() }
    }

    /// Number of slots.
    pub fn slots(&self) -> usize {
        self.pools.len()
    }

    /// Number of columns of a slot.
    pub fn columns(&self, slot: usize) -> usize {
        self.pools[slot].columns
    }

    /// Is the record kept as a map?
    pub fn keeps_whole(&self, slot: usize) -> bool {
        self.pools[slot].whole
    }

    /// Appends a record to a chain that ends in `previous`; the reference to that passes over to the new node.
    pub fn push(&mut self, slot: usize, previous: u32, captured: Captured, value: impl Fn(usize) -> Value) -> u32 {
        let pool = &mut self.pools[slot];
        let id = pool.free.pop().unwrap_or(pool.nodes.len() as u32);
        let (first, count) = match previous {
            NONE => (id, 1),
            previous => (pool.nodes[previous as usize].first, pool.nodes[previous as usize].count + 1),
        };
        let node = Node { previous, first, count, references: 1, event: captured.event, time: captured.time };
        if id as usize == pool.nodes.len() {
            pool.nodes.push(node);
            pool.cells.extend((0..pool.columns).map(&value));
            if pool.whole {
                pool.wholes.push(captured.whole);
            }
            pool.sums.resize(pool.nodes.len() * pool.summed.len(), Sum::default());
        } else {
            pool.nodes[id as usize] = node;
            let from = id as usize * pool.columns;
            pool.cells[from..from + pool.columns].iter_mut().enumerate().for_each(|(index, cell)| *cell = value(index));
            if pool.whole {
                pool.wholes[id as usize] = captured.whole;
            }
        }
        pool.add_up(id as usize, previous);
        id
    }

    /// Another run ends in this node.
    pub fn share(&mut self, slot: usize, node: u32) {
        if node != NONE {
            self.pools[slot].nodes[node as usize].references += 1;
        }
    }

    /// A run no longer ends in this node.
    pub fn release(&mut self, slot: usize, mut node: u32) {
        let pool = &mut self.pools[slot];
        while node != NONE {
            let at = &mut pool.nodes[node as usize];
            at.references -= 1;
            if at.references > 0 {
                return;
            }
            let previous = at.previous;
            let from = node as usize * pool.columns;
            pool.cells[from..from + pool.columns].fill(Value::Null);
            if pool.whole {
                pool.wholes[node as usize] = Value::Null;
            }
            pool.free.push(node);
            node = previous;
        }
    }

    fn node(&self, slot: usize, node: u32) -> Option<&Node> {
        self.pools[slot].nodes.get(node as usize)
    }

    /// A column of a record; null if there is none.
    #[inline]
    pub fn value(&self, slot: usize, node: u32, column: usize) -> &Value {
        let pool = &self.pools[slot];
        if node == NONE { &NULL } else { &pool.cells[node as usize * pool.columns + column] }
    }

    /// The record as a map; null if there is none.
    pub fn whole(&self, slot: usize, node: u32) -> Value {
        self.pools[slot].wholes.get(node as usize).cloned().unwrap_or_default()
    }

    /// The first record of the chain that ends in `node`.
    pub fn first(&self, slot: usize, node: u32) -> u32 {
        self.node(slot, node).map_or(NONE, |node| node.first)
    }

    /// The record before.
    pub fn previous(&self, slot: usize, node: u32) -> u32 {
        self.node(slot, node).map_or(NONE, |node| node.previous)
    }

    /// Number of records.
    pub fn count(&self, slot: usize, node: u32) -> u32 {
        self.node(slot, node).map_or(0, |node| node.count)
    }

    /// Time of a record.
    pub fn time(&self, slot: usize, node: u32) -> Option<i64> {
        self.node(slot, node).map(|node| node.time)
    }

    /// Number of a record.
    pub fn event(&self, slot: usize, node: u32) -> Option<u64> {
        self.node(slot, node).map(|node| node.event)
    }

    /// All records of a chain in order.
    pub fn chain(&self, slot: usize, last: u32) -> Vec<u32> {
        let mut chain = Vec::with_capacity(self.count(slot, last) as usize);
        let mut node = last;
        while node != NONE {
            chain.push(node);
            node = self.previous(slot, node);
        }
        chain.reverse();
        chain
    }

    /// The sum of a column over a chain, if it is kept.
    pub fn sum(&self, slot: usize, node: u32, column: u32) -> Option<Sum> {
        let pool = &self.pools[slot];
        let index = pool.summed.iter().position(|summed| *summed == column)?;
        Some(if node == NONE { Sum::default() } else { pool.sums[node as usize * pool.summed.len() + index] })
    }
}

impl Pool {
    fn add_up(&mut self, node: usize, previous: u32) {
        let width = self.summed.len();
        for index in 0..width {
            let before = if previous == NONE { Sum::default() } else { self.sums[previous as usize * width + index] };
            let sum = &mut self.sums[node * width + index];
            *sum = before;
            match &self.cells[node * self.columns + self.summed[index] as usize] {
                Value::Int(int) => sum.add_int(*int),
                Value::Float(float) => sum.add_float(*float),
                _ => {}
            }
        }
    }
}

/// Value of a slot's column in a record: `column` is the input's, if it has it.
pub fn cell(columns: &[Column], column: Option<u32>, row: usize) -> Value {
    column.map_or(Value::Null, |column| columns[column as usize].get(row))
}
