//! Policies on a trace of yours: `simulate [options] TRACE`, see `USAGE`.

use archstone_cache::sim::{self, Kind, Trace};
use std::error::Error;
use std::io::Read;
use std::process::ExitCode;

const USAGE: &str = "usage: simulate [options] TRACE
  TRACE          a file, `-` is standard input; `.zst` is unpacked
  --format F     u64 (little-endian keys, the default), lines (a key a line), sized (key and size)
  --policy A,B   of adaptive, s3-fifo, sieve, clock, lru, lfu, fifo, 2q, arc, lirs, w-tinylfu; default all
  --percent A,B  capacities in percent of all distinct keys; default 1,2,5,10,20
  --capacity A,B capacities in entries or units instead
  --svg FILE     the miss-ratio curves as a picture too";

struct Options {
    trace: String,
    format: String,
    kinds: Vec<Kind>,
    percent: Vec<f64>,
    capacities: Vec<u64>,
    svg: Option<String>,
}

fn list<T: std::str::FromStr>(text: &str) -> Result<Vec<T>, String> {
    let item = |item: &str| item.parse().map_err(|_| format!("{item}: not a number"));
    text.split(',').map(item).collect()
}

fn options() -> Result<Options, String> {
    let mut options = Options {
        trace: String::new(),
        format: "u64".into(),
        kinds: Kind::ALL.to_vec(),
        percent: vec![1.0, 2.0, 5.0, 10.0, 20.0],
        capacities: Vec::new(),
        svg: None,
    };
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        let mut value = || words.next().ok_or(format!("{word} needs a value"));
        match word.as_str() {
            "--format" => options.format = value()?,
            "--policy" => {
                let kind = |name: &str| Kind::from_name(name).ok_or(format!("{name}: no policy"));
                options.kinds = value()?.split(',').map(kind).collect::<Result<_, _>>()?;
            }
            "--percent" => options.percent = list(&value()?)?,
            "--capacity" => options.capacities = list(&value()?)?,
            "--svg" => options.svg = Some(value()?),
            flag if flag.starts_with("--") => return Err(format!("{flag}: no such option")),
            _ => options.trace = word,
        }
    }
    if options.trace.is_empty() { Err("no trace".into()) } else { Ok(options) }
}

fn read(options: &Options) -> Result<Trace, Box<dyn Error>> {
    let mut bytes = Vec::new();
    if options.trace == "-" {
        std::io::stdin().read_to_end(&mut bytes)?;
    } else {
        bytes = std::fs::read(&options.trace)?;
    }
    if options.trace.ends_with(".zst") {
        let mut unpacked = Vec::new();
        ruzstd::decoding::StreamingDecoder::new(&bytes[..])?.read_to_end(&mut unpacked)?;
        bytes = unpacked;
    }
    Ok(match options.format.as_str() {
        "u64" => Trace::from_le_bytes(&bytes)?,
        "lines" => Trace::from_lines(&bytes)?,
        "sized" => Trace::from_sized_lines(&bytes)?,
        other => return Err(format!("{other}: no format").into()),
    })
}

fn work(options: &Options) -> Result<(), Box<dyn Error>> {
    let trace = read(options)?;
    let capacities = match &options.capacities[..] {
        [] => sim::percent_of(&trace, &options.percent),
        given => given.to_vec(),
    };
    let name = options.trace.rsplit('/').next().unwrap_or_default();
    let name = name.split('.').next().unwrap_or_default();
    let title = format!("{name}: {} requests for {} keys", trace.len(), trace.distinct());
    let chart = sim::chart(&title, &trace, &options.kinds, &capacities);
    print!("{}", sim::table(&chart));
    if let Some(file) = &options.svg {
        std::fs::write(file, sim::svg(&chart))?;
    }
    Ok(())
}

fn main() -> ExitCode {
    let options = match options() {
        Ok(options) => options,
        Err(wrong) => {
            eprintln!("simulate: {wrong}\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    match work(&options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(wrong) => {
            eprintln!("simulate: {}: {wrong}", options.trace);
            ExitCode::from(2)
        }
    }
}
