use std::fmt;

/// How a line becomes a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// Common or combined log format of Apache, nginx and most others
    #[value(alias = "common", alias = "combined")]
    Clf,
    /// Tab-separated with a header that names host, time, url, response
    Tsv,
    /// The whole line is the item
    Plain,
}

/// One event of a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record<'a> {
    /// Who asked.
    pub host: &'a str,
    /// What for.
    pub url: &'a str,
    /// The status of the response, digits or `-`.
    pub status: &'a str,
    /// Seconds since 1970.
    pub time: Option<u64>,
}

/// Where the columns of a TSV log are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Columns {
    host: Option<usize>,
    time: Option<usize>,
    url: Option<usize>,
    status: Option<usize>,
}

/// The record in `line`; `None` when it is not one.
#[must_use]
pub fn parse<'a>(format: Format, columns: &Columns, line: &'a str) -> Option<Record<'a>> {
    match format {
        Format::Clf => clf(line),
        Format::Tsv => tsv(columns, line),
        Format::Plain if line.is_empty() => None,
        Format::Plain => Some(Record { host: "", url: line, status: "", time: None }),
    }
}

impl Format {
    /// The format of a log that starts with `head`: TSV by its header, log format when more than
    /// half of the first lines are, otherwise plain lines.
    #[must_use]
    pub fn detect(head: &str) -> Self {
        // The last line of the head may be cut; a log of one line has no other.
        let whole = head.rfind('\n').map_or(head, |end| &head[..end]);
        let mut lines = whole.lines().take(20).filter(|line| !line.trim().is_empty()).peekable();
        if lines.peek().is_some_and(|header| Columns::of_header(header).is_ok()) {
            return Self::Tsv;
        }
        let (mut all, mut log_lines) = (0, 0);
        for line in lines {
            all += 1;
            log_lines += usize::from(clf(line).is_some());
        }
        if log_lines * 2 > all { Self::Clf } else { Self::Plain }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Clf => "common log format",
            Self::Tsv => "tab-separated",
            Self::Plain => "plain lines",
        })
    }
}

impl Columns {
    /// The columns of a header such as `host\ttime\turl`; an error when there is none to count.
    pub fn of_header(header: &str) -> Result<Self, String> {
        let names: Vec<_> = header.split('\t').map(str::trim).collect();
        let find = |any: &[&str]| {
            names.iter().position(|name| any.iter().any(|known| name.eq_ignore_ascii_case(known)))
        };
        let columns = Self {
            host: find(&["host", "ip", "client", "remote_addr"]),
            time: find(&["time", "timestamp", "ts"]),
            url: find(&["url", "path", "uri", "request"]),
            status: find(&["response", "status", "code"]),
        };
        if names.len() < 2 || (columns.host.is_none() && columns.url.is_none()) {
            return Err(format!(
                "the first line is no TSV header with a column host or url: {:?}",
                kit::term::shorten(header, 60)
            ));
        }
        Ok(columns)
    }
}

/// A line of the shipped TSV. Not read as CSV: a quote in a URL is a quote and opens nothing.
fn tsv<'a>(columns: &Columns, line: &'a str) -> Option<Record<'a>> {
    let mut record = Record { host: "", url: "", status: "-", time: None };
    let mut fields = 0;
    for (at, field) in line.split('\t').enumerate() {
        fields += 1;
        let at = Some(at);
        if at == columns.host {
            record.host = field;
        } else if at == columns.url {
            record.url = field;
        } else if at == columns.status {
            record.status = field;
        } else if at == columns.time {
            // Seconds; a time that is none makes the line malformed rather than timeless.
            record.time = Some(field.parse().ok()?);
        }
    }
    let last =
        [columns.host, columns.url, columns.status, columns.time].into_iter().flatten().max();
    let counted = |column: Option<usize>, text: &str| column.is_none() || !text.is_empty();
    let whole = last.is_none_or(|last| fields > last)
        && counted(columns.host, record.host)
        && counted(columns.url, record.url);
    whole.then_some(record)
}

/// `host ident user [time] "METHOD url PROTOCOL" status bytes ...`: the common log format; what
/// the combined one adds at the end is not needed.
fn clf(line: &str) -> Option<Record<'_>> {
    let (host, rest) = line.split_once(' ')?;
    // A user name may hold spaces, so the time is found by its bracket.
    let (_, rest) = rest.split_once(" [")?;
    let (time, rest) = rest.split_once("] \"")?;
    let (request, rest) = closing_quote(rest)?;
    let status = rest.strip_prefix(' ')?.split(' ').next()?;
    let is_status =
        status == "-" || (status.len() == 3 && status.bytes().all(|b| b.is_ascii_digit()));
    if host.is_empty() || !is_status {
        return None;
    }
    // `GET /a b HTTP/1.0`: old clients send spaces in a URL. HTTP/0.9 has no protocol, and a
    // scanner's garbage has no method: the request as it stands is then the item.
    let url = match request.split_once(' ') {
        Some((_, target)) => match target.rsplit_once(' ') {
            Some((url, protocol)) if protocol.starts_with("HTTP/") => url,
            _ => target,
        },
        None => request,
    };
    if url.is_empty() {
        return None;
    }
    Some(Record { host, url, status, time: Some(clf_time(time)?) })
}

/// Splits at the quote that ends a request; servers write a quote inside as `\"`.
fn closing_quote(text: &str) -> Option<(&str, &str)> {
    let bytes = text.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        match bytes[at] {
            b'\\' => at += 2,
            b'"' => return Some((&text[..at], &text[at + 1..])),
            _ => at += 1,
        }
    }
    None
}

/// `17/May/2015:10:05:03 +0000` in seconds since 1970; `None` before that year or for no time.
fn clf_time(text: &str) -> Option<u64> {
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let number = |range: std::ops::Range<usize>, most: i64| -> Option<i64> {
        let digits = text.get(range)?;
        let all_digits = digits.bytes().all(|byte| byte.is_ascii_digit());
        digits.parse().ok().filter(|&n| all_digits && n <= most)
    };
    let month = MONTHS.iter().position(|&name| text.get(3..6) == Some(name))? as i64 + 1;
    let (day, year) = (number(0..2, 31)?, number(7..11, 9999)?);
    let (hour, minute, second) = (number(12..14, 23)?, number(15..17, 59)?, number(18..20, 60)?);
    let zone = number(22..24, 23)? * 3600 + number(24..26, 59)? * 60;
    let zone = match text.get(20..22)? {
        " +" => zone,
        " -" => -zone,
        _ => return None,
    };
    // Days since 1970 in the proleptic Gregorian calendar; years start in March, so that the
    // leap day is the last of its year (Hinnant, "chrono-compatible low-level date algorithms").
    let year = year - i64::from(month <= 2);
    let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let days = era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + day_of_year - 719_468;
    u64::try_from(days * 86_400 + hour * 3600 + minute * 60 + second - zone).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const COMBINED: &str = r#"83.149.9.216 - - [17/May/2015:10:05:03 +0000] "GET /a.png HTTP/1.1" 200 203023 "http://x/" "Mozilla/5.0""#;

    #[test]
    fn combined_and_common_lines_are_read() {
        let record = clf(COMBINED).unwrap();
        let expected = Record {
            host: "83.149.9.216",
            url: "/a.png",
            status: "200",
            time: Some(1_431_857_103),
        };
        assert_eq!(record, expected);
        let common = r#"h - frank [01/Aug/1995:00:00:01 -0400] "GET / HTTP/1.0" 304 -"#;
        assert_eq!(clf(common).unwrap().time, Some(807_249_601));
    }

    #[test]
    fn odd_requests_are_items_and_not_errors() {
        let line =
            |request: &str| format!("h - - [29/Feb/2000:23:59:60 +0530] \"{request}\" 404 -");
        let url = |request: &str| clf(&line(request)).map(|record| record.url.to_owned());
        assert_eq!(url("GET /a b.html HTTP/1.0").as_deref(), Some("/a b.html"));
        assert_eq!(url("GET /old").as_deref(), Some("/old"), "HTTP/0.9");
        assert_eq!(url(r#"GET /q?\"x\" HTTP/1.1"#).as_deref(), Some(r#"/q?\"x\""#));
        assert_eq!(url(r"\x16\x03\x01").as_deref(), Some(r"\x16\x03\x01"), "TLS to a plain port");
        assert_eq!(url(""), None);
    }

    #[test]
    fn lines_that_are_no_log_lines_are_refused_without_a_panic() {
        let mut texts = vec![
            String::new(),
            "short".to_owned(),
            "h - - [17/Foo/2015:10:05:03 +0000] \"GET / HTTP/1.1\" 200 1".to_owned(),
            "h - - [17/May/+015:10:05:03 +0000] \"GET / HTTP/1.1\" 200 1".to_owned(),
            "h - - [32/May/1960:10:05:03 +0000] \"GET / HTTP/1.1\" 200 1".to_owned(),
            "h - - [17/May/2015:10:05:03 +0000] \"GET / HTTP/1.1\" 2x0 1".to_owned(),
            "h - - [17/May/2015:10:05:03 +0000] \"GET / HTTP/1.1\\\" 200 1".to_owned(),
            "h - - [é7/May/2015:10:05:03 +0000] \"GET / HTTP/1.1\" 200 1".to_owned(),
        ];
        texts.extend((0..60).map(|cut| COMBINED[..cut].to_owned()));
        for text in texts {
            assert_eq!(clf(&text), None, "{text}");
        }
    }

    #[test]
    fn a_header_says_where_the_columns_are() {
        let columns = Columns::of_header("time\tURL\tx\tstatus\thost").unwrap();
        let record = tsv(&columns, "7\t/a\"b\t\t404\th").unwrap();
        assert_eq!(record, Record { host: "h", url: "/a\"b", status: "404", time: Some(7) });
        assert_eq!(tsv(&columns, "7\t/a\t\t404"), None, "a column is missing");
        assert_eq!(tsv(&columns, "x\t/a\t\t404\th"), None, "no time");
        assert!(Columns::of_header("host").is_err(), "one column is a plain line");
        assert!(Columns::of_header("a\tb").is_err());
    }

    #[test]
    fn the_format_is_found_from_the_first_lines() {
        assert_eq!(Format::detect("host\tlogname\ttime\tmethod\turl\nx\t-\t1"), Format::Tsv);
        assert_eq!(Format::detect(&format!("junk\n{COMBINED}\n{COMBINED}\n")), Format::Clf);
        assert_eq!(Format::detect("apple\npear\n"), Format::Plain);
        assert_eq!(Format::detect(""), Format::Plain);
    }
}
