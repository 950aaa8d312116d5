//! A place in a file, and whether a file is still the one in which it is.

use super::manifest::FilePosition;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;

/// Bytes that are looked at, at the beginning and before the place.
const LOOKED_AT: u64 = 4096;

impl FilePosition {
    /// With what the file looks like.
    pub fn sealed(self) -> io::Result<FilePosition> {
        let looks = looks(Path::new(&self.path), self.offset)?;
        Ok(FilePosition { looks, ..self })
    }

    /// Is this the file that the place is in? It may have grown.
    pub fn check(&self, input: &Path) -> Result<(), String> {
        let shown = input.display();
        let way_out = "give that file, or begin anew with --forget";
        let looks = looks(input, self.offset).map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof => {
                format!("{shown} is shorter than the {} bytes of {} that were read; {way_out}", self.offset, self.path)
            }
            _ => crate::files::cannot_read(input, &error),
        })?;
        match looks == self.looks {
            true => Ok(()),
            false => Err(format!("{shown} is not the file that the checkpoint was made of ({}); {way_out}", self.path)),
        }
    }
}

/// Checksums of the beginning of a file and of what is before a place.
fn looks(path: &Path, offset: u64) -> io::Result<(u32, u32)> {
    let mut file = File::open(path)?;
    let mut part = |from: u64| -> io::Result<u32> {
        let mut bytes = vec![0; LOOKED_AT.min(offset - from) as usize];
        file.seek(SeekFrom::Start(from))?;
        file.read_exact(&mut bytes)?;
        Ok(crc32fast::hash(&bytes))
    };
    Ok((part(0)?, part(offset.saturating_sub(LOOKED_AT))?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_may_grow_and_not_change() {
        let path = std::env::temp_dir().join(format!("rarog-position-{}", std::process::id()));
        let write = |text: &[u8]| std::fs::write(&path, text).unwrap();
        let text: Vec<u8> = (0..20_000_u32).map(|index| (index / 7) as u8).collect();
        write(&text);
        for offset in [0, 10, 5000, 20_000] {
            write(&text);
            let name = path.to_string_lossy().into_owned();
            let at = FilePosition { path: name, offset, ..FilePosition::default() }.sealed().unwrap();
            assert_eq!(at.check(&path), Ok(()));
            write(&[&text[..], b"more"].concat());
            assert_eq!(at.check(&path), Ok(()));
            for change in [0, offset / 2, offset.saturating_sub(1)].map(|at| at as usize) {
                let mut other = text.clone();
                other[change] ^= 1;
                write(&other);
                let seen = change < offset as usize && (change < 4096 || offset as usize - change <= 4096);
                assert_eq!(at.check(&path).is_err(), seen, "{offset} {change}");
            }
            write(&text[..(offset as usize).saturating_sub(1)]);
            assert_eq!(at.check(&path).is_err(), offset > 0);
        }
        std::fs::remove_file(path).unwrap();
    }
}
