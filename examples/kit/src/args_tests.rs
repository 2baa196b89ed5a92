use super::*;
use crate::design::Safeguard;
use clap::{CommandFactory, Parser};

#[derive(Parser)]
struct Cli {
    #[command(flatten)]
    shared: Args,
    #[arg(long, default_value_t = 10)]
    top: usize,
}

const DESIGN: Design = Design {
    system: "demo",
    number: 99,
    title: "Demo",
    about: "",
    safeguards: &[
        Safeguard { name: "fence", what: "compares tokens", breaks: "one writer" },
        Safeguard { name: "dedupe", what: "drops repeats", breaks: "once" },
    ],
    source: &[],
    backends: &[
        Backend { scheme: "redis", feature: "redis", built: false },
        Backend { scheme: "mem", feature: "mem", built: true },
    ],
    serve: Some(Backend { scheme: "http", feature: "serve", built: false }),
    next: &[],
};

fn check(words: &[&str]) -> Result<Args, String> {
    let line: Vec<String> = words.iter().map(|&w| w.to_owned()).collect();
    let cli = Cli::try_parse_from(std::iter::once("demo".to_owned()).chain(line.clone()))
        .map_err(|e| e.to_string())?;
    cli.shared.check(&DESIGN, &line)?;
    Ok(cli.shared)
}

#[test]
fn the_flags_are_a_valid_clap_command_and_a_design_adds_its_own() {
    Cli::command().debug_assert();
    let cli = Cli::parse_from(["demo", "--top", "3"]);
    assert_eq!((cli.top, cli.shared.seed, cli.shared.scale), (3, 1, Scale::Demo));
}

#[test]
fn every_shared_flag_is_read() {
    let args = check(&[
        "--seed",
        "18446744073709551615",
        "--scale",
        "full",
        "--json",
        "--svg",
        "out",
        "--without",
        "fence,dedupe",
        "--data",
        "-",
        "--backend",
        "mem://x",
    ])
    .unwrap();
    assert_eq!(args.seed, u64::MAX);
    assert_eq!(args.scale, Scale::Full);
    assert!(args.json);
    assert_eq!(args.svg, Some(PathBuf::from("out")));
    assert_eq!(args.without, ["fence", "dedupe"]);
    assert_eq!(args.data, Some(Input::Stdin));
    assert_eq!(args.backend, ["mem://x"]);
}

#[test]
fn an_unknown_safeguard_is_answered_with_the_list() {
    let error = check(&["--without", "fnce"]).unwrap_err();
    assert!(error.contains("\"fnce\""), "{error}");
    assert!(error.contains("fence   compares tokens"), "{error}");
    assert!(error.contains("dedupe  drops repeats"), "{error}");
}

#[test]
fn a_backend_that_is_not_built_is_answered_with_the_exact_command() {
    let error = check(&["--backend", "redis://host:1/0?x=1&y=2", "--seed", "3"]).unwrap_err();
    let command = "cargo run --release -p demo --features redis -- \
                   --backend 'redis://host:1/0?x=1&y=2' --seed 3";
    assert!(error.contains(command), "{error}");
}

#[test]
fn a_backend_without_a_scheme_or_with_an_unknown_one_is_refused() {
    assert!(check(&["--backend", "host:6379"]).unwrap_err().contains("no scheme"));
    let error = check(&["--backend", "kafka://x"]).unwrap_err();
    assert!(error.contains("knows redis, mem"), "{error}");
}

#[test]
fn serve_takes_short_addresses_and_names_its_feature() {
    for text in ["8080", ":8080", "localhost:8080", "127.0.0.1:8080"] {
        assert_eq!(parse_addr(text), Ok("127.0.0.1:8080".parse().unwrap()), "{text}");
    }
    for text in ["", "host", ":", "70000", "example.org:80", "-1"] {
        assert!(parse_addr(text).is_err(), "{text}");
    }
    assert!(check(&["--serve", ":1"]).unwrap_err().contains("--features serve -- --serve :1"));
}

#[test]
fn a_missing_file_or_a_folder_is_an_error_that_names_it() {
    let missing: Input = "no/such/file".parse().unwrap();
    assert!(missing.open().err().unwrap().to_string().starts_with("no/such/file: "));
    let folder: Input = ".".parse().unwrap();
    assert!(folder.open().is_err());
    assert!("".parse::<Input>().is_err());
}

#[test]
fn quoting_survives_a_quote() {
    assert_eq!(quoted("it's"), r"'it'\''s'");
    assert_eq!(quoted(""), "''");
}
