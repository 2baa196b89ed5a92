//! The program as a person runs it.

use kit::program::{Program, summary, text};

const PROGRAM: Program = Program(env!("CARGO_BIN_EXE_payment-gateway"));

#[test]
fn wrong_flags_and_inputs_are_answered_with_status_2_and_what_is_wrong() {
    let cases: &[(&[&str], &str)] = &[
        (&["--data", "-"], "no order in 1 lines"),
        (&["--backend", "postgres://x"], "no backends"),
        (&["--serve", "nowhere"], "expected IP:PORT"),
    ];
    PROGRAM.refuses(cases, "hello world\n");
}

#[test]
fn the_summary_is_one_screen_and_json_is_one_object() {
    let report = PROGRAM.reports("payment-gateway", 8);
    let shown = summary(&report);
    for words in ["card", "wallet", "upi", "Killed at", "event lost"] {
        assert!(shown.contains(words), "{words} is not on the first screen:\n{shown}");
    }
}

#[test]
fn a_removed_safeguard_ends_with_status_1_and_prints_the_history() {
    PROGRAM.breaks("query-before-retry", "no order is charged twice");
    PROGRAM.breaks("outbox", "every change is in the log");
}

#[test]
fn ones_own_orders_are_paid_and_a_key_with_another_amount_is_refused() {
    let orders = "# SECONDS MERCHANT KEY METHOD CURRENCY AMOUNT ACCOUNT\n\
                  0.0 acme a1 card USD 12.34 4111111111111111\n\
                  0.1 acme a1 card USD 12.34 4111111111111111\n\
                  9.0 acme a1 card USD 12.35 4111111111111111\n\
                  1.0 books b1 wallet USD 5.00 491511111111\n\
                  2.0 books b2 upi INR 100.00 ann@bank\n\
                  3.0 books b3 card USD 1.00 4111111111111112\n\
                  nonsense\n";
    let out = PROGRAM.run(&["--data", "-", "--scale", "quick", "--json"], orders);
    assert_eq!(out.status.code(), Some(0), "{}", text(&out.stderr));
    let said = text(&out.stderr);
    assert!(said.contains("line 7 is no order, skipped: no card number"), "{said}");
    assert!(!said.contains("4111111111111112"), "an error repeats a card number");
    let json: serde_json::Value = serde_json::from_slice(&out.stdout).expect("one object");
    let edges = json["flow"].as_array().expect("edges");
    let count = |name: &str| {
        edges.iter().find(|edge| edge["name"] == name).and_then(|edge| edge["count"].as_u64())
    };
    assert_eq!(
        count("422s"),
        Some(1),
        "the third line is another request under the first one's key"
    );
    assert!(count("asks") >= Some(5));
}
