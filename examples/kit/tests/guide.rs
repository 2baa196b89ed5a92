//! The guide in the README shows a program that exists, and here are the tests that every design
//! has, on that program.

mod example {
    // The program's own private parts, as a design's unit tests would see them.
    include!("../examples/seats.rs");

    #[test]
    fn every_seed_holds_every_invariant() {
        for seed in 1..=20 {
            let report = report(&Run::test(&DESIGN, seed), 500).unwrap();
            assert!(report.all_held(), "seed {seed}: {:?}", report.invariants);
        }
    }

    #[test]
    fn every_safeguard_removed_breaks_the_invariant_it_names() {
        let quick = |seed, on: &Safeguards| sell(seed, on, 50, 500).unwrap().1.into_records();
        for (found, safeguard) in kit::ablate(&DESIGN, 1..=20, quick).iter().zip(DESIGN.safeguards)
        {
            assert_eq!(found.broke.as_deref(), Some(safeguard.breaks), "{}", safeguard.name);
        }
    }

    #[test]
    fn every_row_of_the_source_is_answered() {
        let report = report(&Run::test(&DESIGN, 1), 500).unwrap();
        assert_eq!(report.claims.check_complete(), Ok(()));
    }

    #[test]
    fn one_seed_gives_one_report() {
        let json = |seed| report(&Run::test(&DESIGN, seed), 500).unwrap().to_json_masked();
        assert_eq!(json(1), json(1));
        assert_ne!(json(1), json(2));
    }

    #[test]
    fn the_readme_shows_this_program_and_what_it_prints() {
        let readme = include_str!("../README.md");
        let program = include_str!("../examples/seats.rs");
        assert!(readme.contains(program), "copy examples/seats.rs into README.md");
        assert!(program.lines().count() <= 70, "it should fit a screen and a bit");
        let broken = report(&Run::test(&DESIGN, 1).without("check"), 500).unwrap();
        let printed = broken.to_text(&kit::Terminal::plain());
        let shown = readme.split("```text\n").nth(1).unwrap().split("```").next().unwrap();
        assert!(printed.contains(shown), "the README shows\n{shown}\nand it prints\n{printed}");
        let wrong_seats = report(&Run::test(&DESIGN, 1), 0).unwrap_err();
        assert_eq!(wrong_seats.to_string(), "--seats: at least one");
    }

    #[test]
    fn the_program_parses() {
        use clap::CommandFactory;
        Cli::command().debug_assert();
        let _: fn() -> std::process::ExitCode = main;
    }
}
