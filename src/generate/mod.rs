//! `rarog generate`: events out of a seed, as JSON lines on stdout or into a file.

mod pcg;
mod sets;

use crate::args::GenerateArgs;
use crate::exit;
use rarog_connectors::generator::{Generator, GeneratorConfig};
use sets::Lines;
pub use sets::Set;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::process::ExitCode;

/// Lines of a set, unless told otherwise.
const DEFAULT_COUNT: u64 = 1000;
/// Bytes gathered before they are written.
const BUFFER_BYTES: usize = 1 << 20;

/// Writes the events.
pub fn main(args: &GenerateArgs) -> ExitCode {
    if args.set != Set::Readings && (args.rate.is_some() || args.keys.is_some()) {
        say_line!(
            "rarog generate: --rate and --keys belong to the set readings; the others are fixed by --count and --seed"
        );
        return ExitCode::from(exit::USAGE);
    }
    match write(args) {
        Ok(()) => ExitCode::SUCCESS,
        // Whoever read it has enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(error) => {
            let file = args.output.as_ref().map_or("standard output".into(), |path| path.display().to_string());
            say_line!("rarog generate: cannot write {file}: {error}");
            ExitCode::from(exit::USAGE)
        }
    }
}

fn write(args: &GenerateArgs) -> io::Result<()> {
    let out: Box<dyn Write> = match &args.output {
        Some(path) => Box::new(File::create(path)?),
        None => Box::new(io::stdout()),
    };
    let mut out = BufWriter::with_capacity(BUFFER_BYTES, out);
    let count = usize::try_from(args.count.unwrap_or(DEFAULT_COUNT)).unwrap_or(usize::MAX);
    match Lines::draw(args.set, count, args.seed) {
        Some(mut lines) => lines.write(&mut out)?,
        None => readings(args, &mut out)?,
    }
    out.flush()
}

fn readings(args: &GenerateArgs, out: &mut impl Write) -> io::Result<()> {
    let rate = args.rate.unwrap_or(0.0);
    // At a rate it goes on until it is stopped, unless there is a count.
    let count = args.count.or((rate <= 0.0).then_some(DEFAULT_COUNT));
    let config = GeneratorConfig {
        rate,
        count,
        keys: args.keys.unwrap_or(GeneratorConfig::default().keys),
        seed: args.seed.unwrap_or(0),
        interval: None,
    };
    let mut generator = Generator::starting_at(config, 0);
    while let Some(readings) = generator.next_chunk() {
        out.write_all(&readings.bytes)?;
        if rate > 0.0 {
            out.flush()?;
        }
    }
    Ok(())
}
