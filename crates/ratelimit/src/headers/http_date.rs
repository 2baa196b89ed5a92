//! The three date formats of RFC 9110, 5.6.7, to Unix seconds.

/// Seconds since 1970 of an HTTP date; `None` when malformed or before 1970.
///
/// `now` (Unix seconds) decides the century of the obsolete two-digit years: a date that would lie
/// more than 50 years ahead is in the past.
pub(super) fn parse(text: &str, now: u64) -> Option<u64> {
    let text = text.trim_matches(' ');
    // "Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994"
    let (day, month, year, clock) = if let Some((_, rest)) = text.split_once(", ") {
        let rest = rest.strip_suffix(" GMT")?;
        if rest.as_bytes().get(2) == Some(&b'-') {
            let (date, clock) = rest.split_once(' ')?;
            let mut parts = date.split('-');
            let (day, month, year) = (parts.next()?, parts.next()?, parts.next()?);
            if parts.next().is_some() {
                return None;
            }
            (digits(day, 2)?, month, century(digits(year, 2)?, now), clock)
        } else {
            let mut parts = rest.split(' ');
            let (day, month, year) = (parts.next()?, parts.next()?, parts.next()?);
            let clock = parts.next()?;
            if parts.next().is_some() {
                return None;
            }
            (digits(day, 2)?, month, digits(year, 4)?, clock)
        }
    } else {
        let mut parts = text.split(' ').filter(|part| !part.is_empty());
        let (_, month, day) = (parts.next()?, parts.next()?, parts.next()?);
        let (clock, year) = (parts.next()?, parts.next()?);
        if parts.next().is_some() {
            return None;
        }
        (digits(day, day.len())?, month, digits(year, 4)?, clock)
    };
    let days = days_from_1970(year, month_number(month)?, day)?;
    Some(days * 86_400 + seconds_of_day(clock)?)
}

/// Exactly `len` digits, at most four.
fn digits(text: &str, len: usize) -> Option<u64> {
    let plain = text.len() == len && (1..=4).contains(&len);
    if plain && text.bytes().all(|b| b.is_ascii_digit()) { text.parse().ok() } else { None }
}

fn month_number(name: &str) -> Option<u64> {
    const NAMES: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    NAMES.iter().position(|&month| month == name).map(|i| i as u64 + 1)
}

fn seconds_of_day(clock: &str) -> Option<u64> {
    let mut parts = clock.split(':');
    let hour = digits(parts.next()?, 2)?;
    let minute = digits(parts.next()?, 2)?;
    let second = digits(parts.next()?, 2)?;
    // 60 is a leap second, which Unix time gives to the next minute.
    let valid = parts.next().is_none() && hour < 24 && minute < 60 && second <= 60;
    valid.then_some(hour * 3_600 + minute * 60 + second)
}

fn century(two_digits: u64, now: u64) -> u64 {
    // 31,556,952 s is the mean Gregorian year: only the century matters here.
    let this_year = 1970 + now / 31_556_952;
    let year = this_year / 100 * 100 + two_digits;
    if year > this_year + 50 { year - 100 } else { year }
}

/// Days since 1970-01-01 of a date of the Gregorian calendar; `None` for a date that is not one.
fn days_from_1970(year: u64, month: u64, day: u64) -> Option<u64> {
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let lengths = [31, if leap { 29 } else { 28 }, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    if year < 1970 || day == 0 || day > lengths[month as usize - 1] {
        return None;
    }
    let before = year - 1;
    let leaps = before / 4 - before / 100 + before / 400;
    let leaps_to_1970 = 1969 / 4 - 1969 / 100 + 1969 / 400;
    let in_year: u64 = lengths[..month as usize - 1].iter().sum();
    Some((year - 1970) * 365 + leaps - leaps_to_1970 + in_year + day - 1)
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn the_three_formats_agree() {
        for text in [
            "Sun, 06 Nov 1994 08:49:37 GMT",
            "Sunday, 06-Nov-94 08:49:37 GMT",
            "Sun Nov  6 08:49:37 1994",
        ] {
            assert_eq!(parse(text, 800_000_000), Some(784_111_777), "{text}");
        }
        assert_eq!(parse("Thu, 29 Feb 2024 00:00:00 GMT", 0), Some(1_709_164_800));
        assert_eq!(parse("Thu, 01 Jan 1970 00:00:00 GMT", 0), Some(0));
        assert_eq!(parse("Fri, 31 Dec 9999 23:59:59 GMT", 0), Some(253_402_300_799));
    }

    #[test]
    fn two_digit_years_stay_within_fifty_years_of_now() {
        let year_2026 = 1_790_000_000;
        assert_eq!(parse("Friday, 01-Jan-99 00:00:00 GMT", year_2026), Some(915_148_800));
        assert_eq!(parse("Friday, 01-Jan-27 00:00:00 GMT", year_2026), Some(1_798_761_600));
    }

    #[test]
    fn what_is_no_date_is_none() {
        for bad in [
            "",
            "now",
            "Sun, 06 Nov 1994 08:49:37",
            "Sun, 31 Feb 1994 08:49:37 GMT",
            "Sun, 00 Nov 1994 08:49:37 GMT",
            "Sun, 06 Nov 1994 24:00:00 GMT",
            "Sun, 06 Nov 1969 08:49:37 GMT",
            "Sun, 06 Nov 1994 08:49:37 GMT GMT",
            "Sun Nov 999999 08:49:37 1994",
            "Sun, +6 Nov 1994 08:49:37 GMT",
            "Sun Nov  08:49:37 1994",
        ] {
            assert_eq!(parse(bad, 0), None, "{bad:?}");
        }
    }
}
