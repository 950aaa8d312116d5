//! The events of the sets, all declared fields typed.

use serde::Deserialize;

/// Set sensors.
#[derive(Deserialize)]
pub struct Reading<'a> {
    #[serde(rename = "type")]
    pub event: &'a str,
    pub ts: i64,
    pub sensor_id: &'a str,
    pub temperature: f64,
    pub seq: i64,
}

impl Reading<'_> {
    /// Other types are none of the programs' business.
    pub fn is_reading(&self) -> bool {
        self.event == "SensorReading"
    }
}

/// Set ticks.
#[derive(Deserialize)]
pub struct Tick<'a> {
    #[serde(rename = "type")]
    pub event: &'a str,
    pub ts: i64,
    pub symbol: &'a str,
    pub price: f64,
    pub volume: i64,
}

impl Tick<'_> {
    /// Other types are none of the programs' business.
    pub fn is_tick(&self) -> bool {
        self.event == "StockTick"
    }
}

/// Set clicks.
#[derive(Deserialize)]
pub struct Click<'a> {
    #[serde(rename = "type")]
    pub event: &'a str,
    pub ts: i64,
    pub user_id: &'a str,
    pub value: i64,
    // Declared, so decoded, although no row has it.
    #[expect(dead_code)]
    pub seq: i64,
}

/// Set auth: a login has `ip`, a transfer `amount`.
#[derive(Deserialize)]
pub struct Auth<'a> {
    #[serde(rename = "type")]
    pub event: &'a str,
    pub ts: i64,
    pub user_id: &'a str,
    #[expect(dead_code)]
    #[serde(borrow)]
    pub ip: Option<&'a str>,
    pub amount: Option<f64>,
    pub seq: i64,
}

/// Set orders: an order has `sku` and `price`, a payment `amount`.
#[derive(Deserialize)]
pub struct Trade<'a> {
    #[serde(rename = "type")]
    pub event: &'a str,
    pub ts: i64,
    pub order_id: &'a str,
    #[expect(dead_code)]
    #[serde(borrow)]
    pub sku: Option<&'a str>,
    #[expect(dead_code)]
    pub price: Option<f64>,
    #[expect(dead_code)]
    pub amount: Option<f64>,
}
