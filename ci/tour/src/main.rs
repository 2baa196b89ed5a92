//! `tour` writes the generated parts of the READMEs and their charts; `tour picture TITLE` reads a terminal's output
//! and writes SVG.

use std::io::Read;
use std::process::ExitCode;

use tour::{
    picture, readme,
    workspace::{SEVEN, Workspace},
};

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let done = match args.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => write(),
        ["picture", title] => draw(title),
        _ => Err("usage: tour | tour picture TITLE < OUTPUT > FILE.svg".to_owned()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("tour: {why}");
            ExitCode::from(2)
        }
    }
}

fn write() -> Result<(), String> {
    let workspace = Workspace::here();
    for (short, _) in SEVEN {
        if let Some(chart) = readme::chart(short, &workspace) {
            std::fs::write(workspace.root.join(readme::chart_file(short)), chart)
                .map_err(|e| e.to_string())?;
        }
    }
    for file in readme::FILES {
        let old = workspace.text(file);
        let new = readme::render(&old, &workspace)?;
        if new != old {
            std::fs::write(workspace.root.join(file), new).map_err(|e| format!("{file}: {e}"))?;
            eprintln!("{file} written");
        }
    }
    Ok(())
}

fn draw(title: &str) -> Result<(), String> {
    let mut text = String::new();
    std::io::stdin().read_to_string(&mut text).map_err(|e| e.to_string())?;
    print!("{}", picture::svg(title, &text));
    Ok(())
}
