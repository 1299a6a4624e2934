//! What the components of a picture mean.

/// How the components are to be understood.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ColourModel {
    /// One component.
    Grey,
    /// Luminance and two differences (ITU-T T.871); delivered as RGB.
    YCbCr,
    /// Red, green and blue as they are.
    Rgb,
    /// Four inks.
    Cmyk {
        /// Whether the file has 255 for no ink, as Adobe writes it. Delivered are amounts of ink in either case.
        inverted: bool,
    },
    /// Four inks, the first three transformed to `YCbCr`; always inverted in the file. Delivered as amounts of ink.
    Ycck,
}

impl ColourModel {
    /// How many bytes a delivered pixel has: 1, 3 or 4.
    #[must_use]
    pub const fn channels(self) -> usize {
        match self {
            Self::Grey => 1,
            Self::YCbCr | Self::Rgb => 3,
            Self::Cmyk { .. } | Self::Ycck => 4,
        }
    }
}

/// What the application segments before the frame say of colour.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Marks {
    pub(crate) jfif: bool,
    /// The transform of Adobe's segment.
    pub(crate) adobe: Option<u8>,
}

impl Marks {
    /// Takes note of the application segment `code`.
    pub(crate) fn note(&mut self, code: u8, payload: &[u8]) {
        match code {
            0xe0 => self.jfif |= payload.starts_with(b"JFIF\0"),
            0xee if self.adobe.is_none() => {
                self.adobe = payload.strip_prefix(b"Adobe").and_then(|adobe| adobe.get(6).copied());
            }
            _ => {}
        }
    }

    /// The colour model of components so named, by libjpeg's rules: JFIF decides, then Adobe, then the names. `None`
    /// if there is no model for so many.
    pub(crate) fn model(self, names: &[u8]) -> Option<ColourModel> {
        match (names, self.adobe) {
            ([_], _) => Some(ColourModel::Grey),
            ([_, _, _, _], Some(2)) => Some(ColourModel::Ycck),
            ([_, _, _, _], adobe) => Some(ColourModel::Cmyk { inverted: adobe.is_some() }),
            ([_, _, _], _) if self.jfif => Some(ColourModel::YCbCr),
            ([_, _, _], Some(0)) | (b"RGB", None) => Some(ColourModel::Rgb),
            ([_, _, _], _) => Some(ColourModel::YCbCr),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn model(jfif: bool, adobe: Option<u8>, names: &[u8]) -> Option<ColourModel> {
        Marks { jfif, adobe }.model(names)
    }

    #[test]
    fn jfif_decides_then_adobe_then_the_names() {
        assert_eq!(model(true, Some(0), b"RGB"), Some(ColourModel::YCbCr));
        assert_eq!(model(false, Some(0), &[1, 2, 3]), Some(ColourModel::Rgb));
        assert_eq!(model(false, Some(1), b"RGB"), Some(ColourModel::YCbCr));
        assert_eq!(model(false, None, b"RGB"), Some(ColourModel::Rgb));
        assert_eq!(model(false, None, &[1, 2, 3]), Some(ColourModel::YCbCr));
    }

    #[test]
    fn four_components_are_inks() {
        assert_eq!(model(true, None, &[1, 2, 3, 4]), Some(ColourModel::Cmyk { inverted: false }));
        assert_eq!(model(true, Some(0), &[1, 2, 3, 4]), Some(ColourModel::Cmyk { inverted: true }));
        assert_eq!(model(false, Some(2), &[1, 2, 3, 4]), Some(ColourModel::Ycck));
        assert_eq!(model(false, None, &[1, 2]), None);
    }

    #[test]
    fn segments_are_recognised_by_name_and_length() {
        let mut marks = Marks::default();
        marks.note(0xee, b"Ado");
        marks.note(0xe0, b"JFXX\0");
        marks.note(0xee, b"Adobe\0\x64\0\0\0\0\x02");
        marks.note(0xee, b"Adobe\0\x64\0\0\0\0\x01");
        assert_eq!((marks.jfif, marks.adobe), (false, Some(2)));
    }
}
