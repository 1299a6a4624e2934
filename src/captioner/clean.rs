//! From what a model says to a caption: one line, without wrapping and without talk about itself.

/// Pairs of marks that models put around a whole caption.
const WRAPPINGS: [(&str, &str); 8] =
    [("\"", "\""), ("“", "”"), ("„", "“"), ("«", "»"), ("'", "'"), ("‘", "’"), ("**", "**"), ("`", "`")];

/// How a sentence begins that announces the caption, in lower case.
const ANNOUNCEMENTS: [&str; 7] = ["here is", "here's", "here’s", "sure", "certainly", "of course", "this is"];

/// What such a sentence speaks of; without one of these it may be part of the caption.
const ANNOUNCED: [&str; 4] = ["caption", "description", "sentence", "summary"];

/// Words that stand alone before the colon.
const LABELS: [&str; 4] = ["caption", "description", "image caption", "image description"];

/// The longest announcement, in bytes.
const LONGEST_ANNOUNCEMENT: usize = 120;

/// The caption in `said`, of at most `max_chars` characters; `None` if it holds no letter and no digit.
///
/// It is shy on purpose: what is not certainly wrapping stays.
pub(super) fn clean(said: &str, max_chars: usize) -> Option<String> {
    let line = one_line(without_thoughts(said));
    let text = unwrapped(without_announcement(unwrapped(&line)));
    let caption = shortened(text, max_chars);
    caption.chars().any(char::is_alphanumeric).then_some(caption)
}

/// Reasoning models without a parser in front of them leave their thoughts in the text.
fn without_thoughts(said: &str) -> &str {
    match said.rsplit_once("</think>") {
        Some((_, caption)) => caption,
        None if said.trim_start().starts_with("<think>") => "",
        None => said,
    }
}

/// Control characters and whitespace, folded; marks that nobody sees but that turn or hide text, removed.
fn one_line(text: &str) -> String {
    let visible = text.chars().filter(|c| !is_invisible(*c)).map(|c| if c.is_control() { ' ' } else { c });
    visible.collect::<String>().split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Zero-width spaces, bidirectional overrides and isolates (Unicode Standard Annex #9), the byte order mark. Joiners
/// stay: scripts and emoji need them.
const fn is_invisible(c: char) -> bool {
    matches!(c, '\u{200B}' | '\u{200E}' | '\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}' | '\u{FEFF}')
}

fn unwrapped(text: &str) -> &str {
    let text = text.trim();
    let inner = WRAPPINGS.iter().find_map(|(open, close)| {
        let inner = text.strip_prefix(open)?.strip_suffix(close)?;
        // `"Yes" and "no"` begins and ends with a quote that does not wrap it.
        (!inner.contains(open) && !inner.contains(close)).then_some(inner)
    });
    inner.map_or(text, str::trim)
}

fn without_announcement(text: &str) -> &str {
    let Some((before, after)) = text.split_once(':') else { return text };
    let before = before.trim_matches(['*', '_', '#', ' ']).to_lowercase();
    let announces = before.len() <= LONGEST_ANNOUNCEMENT
        && ANNOUNCEMENTS.iter().any(|start| before.starts_with(start))
        && ANNOUNCED.iter().any(|word| before.contains(word));
    // `**Caption:** A dog` leaves its stars behind the colon.
    let after = after.trim_start_matches("**").trim();
    if (announces || LABELS.contains(&before.as_str())) && !after.is_empty() { after } else { text }
}

/// Cut after a word, with an ellipsis for what is missing; inside a word only if it alone is too long.
fn shortened(text: &str, max_chars: usize) -> String {
    if text.chars().count() <= max_chars {
        return text.to_owned();
    }
    let room = max_chars.saturating_sub(1);
    let mut kept: String = text.chars().take(room).collect();
    let next = text.chars().nth(room);
    if let (Some(end), false) = (kept.rfind(' '), next == Some(' ')) {
        kept.truncate(end);
    }
    let kept = kept.trim_end_matches([' ', ',', ';', ':', '-', '–', '—']);
    format!("{kept}…")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wrapping_goes_and_the_caption_stays() {
        let cases = [
            ("A dog runs.", "A dog runs."),
            ("  A dog\n\truns.\0 ", "A dog runs."),
            ("A \u{202E}dog\u{202C} runs.\u{FEFF}", "A dog runs."),
            ("\"A dog runs.\"", "A dog runs."),
            ("“A dog runs.”", "A dog runs."),
            ("**A dog runs.**", "A dog runs."),
            ("Here's a detailed description of the image:\n\nA dog runs.", "A dog runs."),
            ("Sure! Here is a one-sentence caption: \"A dog runs.\"", "A dog runs."),
            ("**Caption:** A dog runs.", "A dog runs."),
            ("Description: A dog runs.", "A dog runs."),
            ("\"Caption: A dog runs.\"", "A dog runs."),
            ("<think>It has four legs: a dog.</think>\n\nA dog runs.", "A dog runs."),
        ];
        for (said, caption) in cases {
            assert_eq!(clean(said, 500).as_deref(), Some(caption), "{said:?}");
        }
    }

    #[test]
    fn what_may_be_the_caption_is_left_alone() {
        for said in [
            "The image shows a dog.",
            "Here is a sign: STOP",
            "\"Yes\" and \"no\" on two doors",
            "'Twas the dogs' day",
            "Three things on a table: a cup, a key and a description",
            "Surely a dog: it barks",
            "Caption:",
            "👩‍🚀 on the moon",
        ] {
            assert_eq!(clean(said, 500).as_deref(), Some(said));
        }
    }

    #[test]
    fn what_holds_no_word_is_no_caption() {
        for said in ["", " \n", "\"\"", "...", "** **", "<think>I ran out of", "<think>x</think>", "\u{200B}"]
        {
            assert_eq!(clean(said, 500), None, "{said:?}");
        }
    }

    #[test]
    fn a_long_caption_is_cut_after_a_word() {
        assert_eq!(clean("one two three", 13).as_deref(), Some("one two three"));
        assert_eq!(clean("one two three", 12).as_deref(), Some("one two…"));
        assert_eq!(clean("one two three", 8).as_deref(), Some("one two…"));
        assert_eq!(clean("one, two three", 7).as_deref(), Some("one…"));
        assert_eq!(clean("größergrößer", 5).as_deref(), Some("größ…"));
        for max in 1..60 {
            let cut = clean("Eine überaus schöne Landschaft, mit Bergen – und Bäumen.", max);
            assert!(cut.is_none_or(|text| text.chars().count() <= max));
        }
    }
}
