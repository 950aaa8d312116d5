//! Keys as small numbers, so that state can be a vector.

use hashbrown::HashMap;

/// Texts of up to so many bytes are compared and hashed as one number.
const SHORT_BYTES: usize = 8;

/// A short text as a number. Those of the sets have no zero byte, so that none is another one with zeros behind it.
pub fn pack(text: &str) -> Result<u64, String> {
    if text.len() > SHORT_BYTES {
        return Err(format!("the key {text} is longer than {SHORT_BYTES} bytes, which the sets do not have"));
    }
    let mut bytes = [0; SHORT_BYTES];
    bytes[..text.len()].copy_from_slice(text.as_bytes());
    Ok(u64::from_le_bytes(bytes))
}

/// Numbers for keys in the order in which they come, and a state for each.
pub struct Keyed<S> {
    numbers: HashMap<u64, u32, foldhash::fast::RandomState>,
    /// By number: the key and its state.
    pub all: Vec<(Box<str>, S)>,
}

impl<S> Default for Keyed<S> {
    fn default() -> Keyed<S> {
        Keyed { numbers: HashMap::default(), all: Vec::new() }
    }
}

impl<S: Default> Keyed<S> {
    /// The number of a key.
    pub fn number(&mut self, key: &str) -> Result<usize, String> {
        let packed = pack(key)?;
        if let Some(number) = self.numbers.get(&packed) {
            return Ok(*number as usize);
        }
        let number = self.all.len();
        self.numbers.insert(packed, number as u32);
        self.all.push((key.into(), S::default()));
        Ok(number)
    }

    /// A key and its state.
    pub fn entry(&mut self, key: &str) -> Result<(&str, &mut S), String> {
        let number = self.number(key)?;
        let (name, state) = &mut self.all[number];
        Ok((name, state))
    }
}
