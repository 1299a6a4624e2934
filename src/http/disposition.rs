//! `Content-Disposition` of a part of a form (RFC 7578, 4.2), read as leniently as the old program did.

/// What the header says of its part.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Disposition {
    /// The name of the field.
    pub(super) name: Option<String>,
    /// The name of the file. `filename*` (RFC 8187), which some clients send in its place, is preferred; what is not UTF-8
    /// is read as far as it can be.
    pub(super) file_name: Option<String>,
}

impl Disposition {
    pub(super) fn parse(header: &[u8]) -> Self {
        let header = String::from_utf8_lossy(header);
        let mut disposition = Self::default();
        let mut extended = None;
        for (key, value) in parameters(&header) {
            match key.to_ascii_lowercase().as_str() {
                "name" => disposition.name = Some(value),
                "filename" => disposition.file_name = Some(value),
                "filename*" => extended = decode_extended(&value),
                _ => {}
            }
        }
        disposition.file_name = extended.or(disposition.file_name);
        disposition
    }
}

/// The `; key=value` pairs after the type. A value may be quoted, and hold `;` then; browsers write `%22` for a quote
/// within it, others `\"`.
fn parameters(header: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut rest = header.split_once(';').map_or("", |(_, rest)| rest);
    while let Some((key, after)) = rest.split_once('=') {
        let after = after.trim_start();
        let (value, next) = match after.strip_prefix('"') {
            Some(quoted) => unquote(quoted),
            None => {
                let (value, next) = after.split_once(';').unwrap_or((after, ""));
                (value.trim().to_owned(), next)
            }
        };
        found.push((key.trim().trim_start_matches(';').trim().to_owned(), value));
        rest = next;
    }
    found
}

/// Up to the closing quote; a backslash escapes only a quote, since paths of Windows are full of it.
fn unquote(quoted: &str) -> (String, &str) {
    let mut value = String::new();
    let mut letters = quoted.char_indices().peekable();
    while let Some((at, letter)) = letters.next() {
        match letter {
            '"' => {
                let after = quoted.get(at + 1..).unwrap_or_default();
                return (value, after.trim_start().strip_prefix(';').unwrap_or(after));
            }
            '\\' if letters.peek().is_some_and(|(_, next)| *next == '"') => {
                value.push('"');
                letters.next();
            }
            other => value.push(other),
        }
    }
    (value, "")
}

/// RFC 8187, 3.2: `UTF-8'language'percent-encoded`.
fn decode_extended(value: &str) -> Option<String> {
    let mut parts = value.splitn(3, '\'');
    let (charset, _language, encoded) = (parts.next()?, parts.next()?, parts.next()?);
    if !charset.eq_ignore_ascii_case("utf-8") {
        return None;
    }
    let mut bytes = Vec::new();
    let mut rest = encoded;
    while let Some((plain, after)) = rest.split_once('%') {
        bytes.extend(plain.as_bytes());
        bytes.push(u8::from_str_radix(after.get(..2)?, 16).ok()?);
        rest = after.get(2..)?;
    }
    bytes.extend(rest.as_bytes());
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(header: &[u8]) -> (Option<String>, Option<String>) {
        let Disposition { name, file_name } = Disposition::parse(header);
        (name, file_name)
    }

    fn both(name: &str, file_name: &str) -> (Option<String>, Option<String>) {
        (Some(name.to_owned()), Some(file_name.to_owned()))
    }

    #[test]
    fn names_in_every_form_that_clients_send() {
        assert_eq!(parse(b"form-data; name=\"file\"; filename=\"a.jpg\""), both("file", "a.jpg"));
        assert_eq!(parse(b"form-data;name=file;filename=a.jpg"), both("file", "a.jpg"));
        assert_eq!(parse(b"form-data; FileName=\"a;b=c.jpg\" ; NAME=\"file\""), both("file", "a;b=c.jpg"));
        assert_eq!(
            parse(b"form-data; name=\"file\"; filename=\"C:\\x \\\"y\\\".jpg\""),
            both("file", "C:\\x \"y\".jpg")
        );
        let extended = b"form-data; name=\"file\"; filename*=UTF-8''%D0%BA%E2%82%AC%20x.jpg";
        assert_eq!(parse(extended), both("file", "\u{43a}\u{20ac} x.jpg"));
        let either = b"form-data; name=\"file\"; filename=\"plain.jpg\"; filename*=utf-8'de'gut.jpg";
        assert_eq!(parse(either), both("file", "gut.jpg"));
        let latin = b"form-data; name=\"file\"; filename=\"caf\xe9.jpg\"";
        assert_eq!(parse(latin), both("file", "caf\u{fffd}.jpg"));
        assert_eq!(
            parse("form-data; name=\"file\"; filename=\"käse.jpg\"".as_bytes()),
            both("file", "käse.jpg")
        );
    }

    #[test]
    fn nonsense_is_nothing() {
        assert_eq!(parse(b""), (None, None));
        assert_eq!(parse(b"form-data"), (None, None));
        assert_eq!(parse(b"form-data; name=\"file"), (Some("file".to_owned()), None));
        assert_eq!(parse(b"form-data; name=file; filename*=UTF-8''%zz"), (Some("file".to_owned()), None));
        assert_eq!(parse(b"form-data; name=file; filename*=UTF-8''%e"), (Some("file".to_owned()), None));
        assert_eq!(parse(b"form-data; =;;==\"\"; \xff"), (None, None));
    }
}
