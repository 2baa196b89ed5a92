//! What the READMEs show is what the packages say.

use std::path::Path;

use tour::readme::{FILES, chart, chart_file, render, snippet};
use tour::workspace::{SEVEN, Workspace};

#[test]
fn the_generated_parts_of_the_readmes_are_up_to_date() {
    let workspace = Workspace::here();
    for file in FILES {
        let text = workspace.text(file);
        assert!(text.contains("<!-- tour: "), "{file} has no generated part");
        let new = render(&text, &workspace).unwrap_or_else(|why| panic!("{file}: {why}"));
        assert!(new == text, "{file} has drifted: cargo run -q -p tour writes it anew");
    }
}

#[test]
fn every_crate_that_is_built_shows_a_tested_snippet() {
    let workspace = Workspace::here();
    for library in SEVEN.iter().filter_map(|(short, _)| workspace.library(short)) {
        snippet(library, &workspace).unwrap_or_else(|why| panic!("{why}"));
    }
}

#[test]
fn the_charts_show_what_compare_measured() {
    let workspace = Workspace::here();
    for (short, _) in SEVEN {
        let drawn = workspace.text(chart_file(short));
        let new = chart(short, &workspace).unwrap_or_default();
        assert!(new == drawn, "{} has drifted: cargo run -q -p tour draws it", chart_file(short));
    }
}

#[test]
fn every_design_is_a_system_of_the_source_with_its_number_and_title() {
    let workspace = Workspace::here();
    assert_eq!(workspace.systems.len(), 45);
    for package in workspace.packages.iter().filter(|p| p.folder.starts_with("examples")) {
        if package.name == "kit" {
            continue;
        }
        let design = package.design.as_ref();
        let design =
            design.unwrap_or_else(|| panic!("{} lacks [package.metadata.design]", package.name));
        let system = workspace.systems.iter().find(|s| s.number == design.number);
        let system =
            system.unwrap_or_else(|| panic!("{} has number {}", package.name, design.number));
        assert_eq!((&package.name, &design.title), (&system.package, &system.title));
        assert_eq!(package.folder, Path::new("examples").join(&package.name));
        assert!(
            !design.status.is_empty(),
            "{}: status is `works` or says what lacks",
            package.name
        );
    }
}

#[test]
fn a_marker_that_names_nothing_or_does_not_end_is_an_error() {
    let workspace = Workspace::here();
    assert!(render("<!-- tour: nonsense --><!-- /tour -->", &workspace).is_err());
    assert!(render("<!-- tour: designs -->", &workspace).is_err());
    assert_eq!(render("nothing generated", &workspace).as_deref(), Ok("nothing generated"));
}

#[test]
fn links_inside_the_repository_lead_somewhere() {
    let workspace = Workspace::here();
    for file in FILES {
        let folder = workspace.root.join(file).parent().expect("a folder").to_path_buf();
        for link in workspace.text(file).split("](").skip(1).filter_map(|l| l.split(')').next()) {
            let path = link.split('#').next().unwrap_or_default();
            let outside = link.starts_with("http") || path.is_empty();
            assert!(outside || folder.join(path).exists(), "{file}: {link} is not there");
        }
    }
}
