//! The few words of XMP (ISO 16684-1) that findings ask for, found as text: a parser would take more than they are worth.

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

#[cfg(test)]
mod tests {
    use super::property;

    #[test]
    fn a_property_is_an_attribute_or_an_element() {
        let xmp = "<rdf:Description xmp:CreatorTool = 'GIMP 2.10' a:B=\"\"><c:D>x y </c:D><e:F/></rdf:Description> g:H=";
        assert_eq!(property(xmp, "xmp:CreatorTool"), Some("GIMP 2.10"));
        assert_eq!(property(xmp, "c:D"), Some("x y"));
        for absent in ["a:B", "e:F", "g:H", "é", "nothing"] {
            assert_eq!(property(xmp, absent), None, "{absent}");
        }
    }
}
