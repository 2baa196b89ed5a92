//! Numbers as a person reads them.

use std::time::Duration;

/// `1,234,567`
#[must_use]
pub fn thousands(n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// `950`, `11.5 k`, `4.08 M`: three significant digits, decimal prefixes.
#[must_use]
pub fn count(n: f64) -> String {
    scaled(n, 1000.0, &["", " k", " M", " G", " T", " P", " E"])
}

/// `512 B`, `64.0 KiB`, `1.21 GiB`: three significant digits, binary prefixes.
#[must_use]
pub fn bytes(n: u64) -> String {
    scaled(n as f64, 1024.0, &[" B", " KiB", " MiB", " GiB", " TiB", " PiB", " EiB"])
}

/// `640 ns`, `12.5 µs`, `3.40 ms`, `9.81 s`, `4 min 30 s`, `25 h`, `12 d`.
#[must_use]
pub fn duration(span: Duration) -> String {
    let secs = span.as_secs();
    match secs {
        0 => scaled(span.as_nanos() as f64, 1000.0, &[" ns", " µs", " ms"]),
        1..60 => three_digits(span.as_secs_f64()) + " s",
        60..3_600 => match secs % 60 {
            0 => format!("{} min", secs / 60),
            rest => format!("{} min {rest} s", secs / 60),
        },
        3_600..172_800 => match secs % 3_600 / 60 {
            0 => format!("{} h", secs / 3_600),
            rest => format!("{} h {rest} min", secs / 3_600),
        },
        _ => format!("{} d", secs / 86_400),
    }
}

/// `98.7 %` for `0.987`; never rounds up to `100 %` or down to `0 %` what is not.
#[must_use]
pub fn percent(share: f64) -> String {
    let value = share * 100.0;
    if share.is_nan() {
        "not known".to_owned()
    } else if value == value.trunc() {
        format!("{value} %")
    } else if value > 99.99 && value < 100.0 {
        "> 99.99 %".to_owned()
    } else if value > 0.0 && value < 0.01 {
        "< 0.01 %".to_owned()
    } else if value.abs() < 1.0 || value > 99.0 {
        format!("{value:.2} %")
    } else {
        format!("{value:.1} %")
    }
}

/// Three significant digits without a prefix: `0.0451`, `4.08`, `408`, `4,084`.
#[must_use]
pub fn number(value: f64) -> String {
    if !value.is_finite() {
        return value.to_string();
    }
    let size = value.abs();
    if size >= 1e15 || (size > 0.0 && size < 1e-4) {
        format!("{value:.2e}")
    } else if size >= 999.5 || value == value.trunc() {
        let whole = thousands(size.round() as u64);
        if value < 0.0 { format!("-{whole}") } else { whole }
    } else {
        three_digits(value)
    }
}

/// Three significant digits always, so that a column of them lines up: `48.2`, `31.0`, `1,234`.
#[must_use]
pub fn measure(value: f64) -> String {
    let whole = value != 0.0 && value.abs() < 999.5 && value == value.trunc();
    if whole { three_digits(value) } else { number(value) }
}

/// A label of an axis, as short as it is exact to six decimals: `400 M`, `0.25`.
#[must_use]
pub fn axis(value: f64) -> String {
    if value.abs() >= 1e4 || !value.is_finite() {
        return count(value);
    }
    let text = format!("{value:.6}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// `s` for any count but one: `format!("{n} row{}", plural(n))`.
#[must_use]
pub const fn plural(n: u64) -> &'static str {
    if n == 1 { "" } else { "s" }
}

fn scaled(value: f64, step: f64, names: &[&str]) -> String {
    if !value.is_finite() {
        return value.to_string();
    }
    if value.abs() >= 1e21 {
        return format!("{value:.2e}");
    }
    let mut value = value;
    let mut at = 0;
    // 999.5 prints as 1000 at three digits, so it is the next prefix already.
    while value.abs() >= step - 0.5 && at + 1 < names.len() {
        value /= step;
        at += 1;
    }
    let text =
        if at == 0 && value == value.trunc() { format!("{value}") } else { three_digits(value) };
    text + names[at]
}

fn three_digits(value: f64) -> String {
    match value.abs() {
        size if size >= 99.95 => format!("{value:.0}"),
        size if size >= 9.995 => format!("{value:.1}"),
        size if size >= 0.9995 || size == 0.0 => format!("{value:.2}"),
        size => {
            let decimals = (2.0 - size.log10().floor()).clamp(2.0, 9.0) as usize;
            format!("{value:.decimals$}")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_keep_three_digits_and_never_print_a_thousand_of_a_prefix() {
        let cases = [
            (0.0, "0"),
            (7.0, "7"),
            (999.0, "999"),
            (999.7, "1.00 k"),
            (1000.0, "1.00 k"),
            (11_532.0, "11.5 k"),
            (999_499.0, "999 k"),
            (999_600.0, "1.00 M"),
            (-2_500_000.0, "-2.50 M"),
            (0.25, "0.250"),
            (1e20, "100 E"),
            (1e30, "1.00e30"),
            (f64::NAN, "NaN"),
        ];
        for (value, text) in cases {
            assert_eq!(count(value), text, "{value}");
        }
    }

    #[test]
    fn bytes_and_durations_pick_their_unit() {
        assert_eq!(bytes(0), "0 B");
        assert_eq!(bytes(65_536), "64.0 KiB");
        assert_eq!(bytes(u64::MAX), "16.0 EiB");
        let cases = [
            (0, "0 ns"),
            (640, "640 ns"),
            (12_500, "12.5 µs"),
            (3_400_000, "3.40 ms"),
            (9_810_000_000, "9.81 s"),
            (270_000_000_000, "4 min 30 s"),
            (90_000_000_000_000, "25 h"),
        ];
        for (nanos, text) in cases {
            assert_eq!(duration(Duration::from_nanos(nanos)), text);
        }
        assert_eq!(duration(Duration::from_secs(86_400 * 12)), "12 d");
    }

    #[test]
    fn a_share_that_is_not_whole_is_not_printed_as_whole() {
        assert_eq!(percent(1.0), "100 %");
        assert_eq!(percent(0.0), "0 %");
        assert_eq!(percent(0.999_999), "> 99.99 %");
        assert_eq!(percent(0.000_001), "< 0.01 %");
        assert_eq!(percent(0.991_23), "99.12 %");
        assert_eq!(percent(0.5), "50 %");
        assert_eq!(percent(f64::NAN), "not known");
    }

    #[test]
    fn plain_numbers_keep_their_size() {
        let cases = [
            (4084.0, "4,084"),
            (0.0451, "0.0451"),
            (408.3, "408"),
            (34.7, "34.7"),
            (-1234.0, "-1,234"),
            (1e-9, "1.00e-9"),
            (17.0, "17"),
        ];
        for (value, text) in cases {
            assert_eq!(number(value), text);
        }
        assert_eq!(number(999.999_9), "1,000");
        assert_eq!(
            [measure(31.0), measure(48.2), measure(0.0), measure(1e6)],
            ["31.0", "48.2", "0", "1,000,000"]
        );
        let labels = [0.0, 0.25, 200.0, -3.0, 412e6, f64::MAX].map(axis);
        assert_eq!(labels, ["0", "0.25", "200", "-3", "412 M", "1.80e308"]);
        assert_eq!(thousands(u64::MAX), "18,446,744,073,709,551,615");
        assert_eq!(thousands(999), "999");
    }
}
