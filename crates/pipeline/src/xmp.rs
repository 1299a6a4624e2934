//! The few words of XMP (ISO 16684-1) that are asked for, found as text: a parser would take more than they are worth.

use super::{jpeg, png};
use darkroom_domain::ImageFormat;
use std::borrow::Cow;

/// The most that is looked through, in bytes: what a JPEG can hold in a segment.
const MAX_BYTES: usize = 64 << 10;

/// The XMP data of a file; empty if it has none, or more than is looked through.
pub(super) fn of_file(bytes: &[u8], format: ImageFormat) -> Cow<'_, str> {
    let xmp = match format {
        ImageFormat::Jpeg => jpeg::xmp(bytes),
        ImageFormat::Png => png::xmp(bytes),
    };
    String::from_utf8_lossy(xmp.filter(|xmp| xmp.len() <= MAX_BYTES).unwrap_or_default())
}

/// The value of a property such as `xmp:CreatorTool`, whether it is written as an attribute or as an element.
pub(super) fn property<'a>(xmp: &'a str, name: &str) -> Option<&'a str> {
    xmp.match_indices(name).find_map(|(at, _)| {
        let rest = xmp.get(at + name.len()..)?.trim_start();
        let value = if let Some(attribute) = rest.strip_prefix('=') {
            let attribute = attribute.trim_start();
            let quote = attribute.chars().next().filter(|quote| matches!(quote, '"' | '\''))?;
            attribute.get(1..)?.split(quote).next()?
        } else {
            rest.strip_prefix('>')?.split('<').next()?
        };
        Some(value.trim()).filter(|value| !value.is_empty())
    })
}

/// The value of a property in several languages (ISO 16684-1, 8.2.2.4): the default one, or else the first.
pub(super) fn in_any_language(xmp: &str, name: &str) -> Option<String> {
    let (_, after) = xmp.split_once(&format!("<{name}"))?;
    let (element, _) = after.split_once(&format!("</{name}"))?;
    let items = || {
        element.split("<rdf:li").skip(1).filter_map(|item| {
            let (attributes, rest) = item.split_once('>')?;
            Some((attributes, rest.split('<').next()?.trim())).filter(|(_, text)| !text.is_empty())
        })
    };
    let default = items().find(|(attributes, _)| attributes.contains("x-default"));
    default.or_else(|| items().next()).map(|(_, text)| unescaped(text))
}

/// Resolves the references to characters (XML 1.0, 4.1 and 4.6); what is none stays as it stands.
fn unescaped(text: &str) -> String {
    let mut parts = text.split('&');
    let mut plain = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let resolved = part.split_once(';').and_then(|(name, rest)| Some((character(name)?, rest)));
        match resolved {
            Some((character, rest)) => {
                plain.push(character);
                plain.push_str(rest);
            }
            None => {
                plain.push('&');
                plain.push_str(part);
            }
        }
    }
    plain
}

fn character(name: &str) -> Option<char> {
    match name {
        "amp" => Some('&'),
        "lt" => Some('<'),
        "gt" => Some('>'),
        "quot" => Some('"'),
        "apos" => Some('\''),
        _ => {
            let number = name.strip_prefix('#')?;
            let code = match number.strip_prefix('x') {
                Some(hexadecimal) => u32::from_str_radix(hexadecimal, 16),
                None => number.parse(),
            };
            char::from_u32(code.ok()?)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{in_any_language, property};

    #[test]
    fn a_property_is_an_attribute_or_an_element() {
        let xmp = "<rdf:Description xmp:CreatorTool = 'GIMP 2.10' a:B=\"\"><c:D>x y </c:D><e:F/></rdf:Description> g:H=";
        assert_eq!(property(xmp, "xmp:CreatorTool"), Some("GIMP 2.10"));
        assert_eq!(property(xmp, "c:D"), Some("x y"));
        for absent in ["a:B", "e:F", "g:H", "é", "nothing"] {
            assert_eq!(property(xmp, absent), None, "{absent}");
        }
    }

    #[test]
    fn of_several_languages_the_default_one_counts() {
        let xmp = |items: &str| format!("<dc:description>\n<rdf:Alt>{items}</rdf:Alt></dc:description> <x/>");
        let said = |items: &str| in_any_language(&xmp(items), "dc:description");
        let german = "<rdf:li xml:lang=\"de\">Zwei Hunde</rdf:li>";
        let default =
            "<rdf:li xml:lang='x-default'> Two dogs &amp; a &quot;cat&quot; &#233;&#xe9; &b; &\n</rdf:li>";
        assert_eq!(said(german).as_deref(), Some("Zwei Hunde"));
        let both = format!("{german}{default}");
        assert_eq!(said(&both).as_deref(), Some("Two dogs & a \"cat\" éé &b; &"));
        assert_eq!(said("<rdf:li xml:lang='x-default'/>"), None);
        for end in (0..xmp(&both).len()).filter(|end| xmp(&both).is_char_boundary(*end)) {
            drop(in_any_language(&xmp(&both)[..end], "dc:description"));
        }
    }
}
