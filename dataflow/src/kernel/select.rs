//! From flags to row indices, without a branch per row.

/// Places of the bits that are set in a byte, lowest first, and how many those are.
struct Places {
    places: [u8; 8],
    count: u8,
}

const TABLE: [Places; 256] = table();

const fn table() -> [Places; 256] {
    let mut table = [const { Places { places: [0; 8], count: 0 } }; 256];
    let mut bits = 0;
    while bits < 256 {
        let mut place = 0;
        while place < 8 {
            if bits >> place & 1 == 1 {
                let count = table[bits].count;
                table[bits].places[count as usize] = place as u8;
                table[bits].count = count + 1;
            }
            place += 1;
        }
        bits += 1;
    }
    table
}

/// Indices of the flags that are set. Eight flags at a time become a byte, whose places are written at once; those
/// beyond its count are overwritten by the next eight.
pub fn indices(mask: &[bool]) -> Vec<u32> {
    let mut out = vec![0u32; mask.len() + 8];
    let mut count = 0;
    let (eights, rest) = mask.as_chunks::<8>();
    let mut first = 0;
    for eight in eights {
        let bytes = u64::from_le_bytes(eight.map(u8::from));
        // Gathers the lowest bit of each byte in the top byte.
        let entry = &TABLE[(bytes.wrapping_mul(0x0102_0408_1020_4080) >> 56) as usize];
        for (slot, place) in out[count..count + 8].iter_mut().zip(entry.places) {
            *slot = first + u32::from(place);
        }
        count += entry.count as usize;
        first += 8;
    }
    for (place, &flag) in rest.iter().enumerate() {
        out[count] = first + place as u32;
        count += usize::from(flag);
    }
    out.truncate(count);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn indices_are_where_flags_are() {
        let mut state = 1u64;
        for len in (0..40).chain([1000, 4096]) {
            for density in [0, 1, 4, 7, 8] {
                let mask: Vec<bool> = (0..len)
                    .map(|_| {
                        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                        state >> 61 < density
                    })
                    .collect();
                let expected: Vec<u32> = (0..len as u32).filter(|&row| mask[row as usize]).collect();
                assert_eq!(indices(&mask), expected);
            }
        }
    }
}
