//! The two sizes that are made of each image.

use super::image::named;

/// A size of thumbnail: the picture fits inside a square, keeps its aspect and is never enlarged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ThumbnailSize {
    /// Inside 128 × 128 pixels.
    Small,
    /// Inside 512 × 512 pixels.
    Medium,
}
named!(ThumbnailSize, "thumbnail size", { Small => "small", Medium => "medium" });

impl ThumbnailSize {
    /// The side of the square that the thumbnail fits inside, in pixels.
    #[must_use]
    pub const fn bound(self) -> u32 {
        match self {
            Self::Small => 128,
            Self::Medium => 512,
        }
    }
}

/// What a thumbnail is encoded as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ThumbnailFormat {
    /// For opaque pictures.
    Jpeg,
    /// For pictures with transparent pixels.
    Png,
}
named!(ThumbnailFormat, "thumbnail media type", { Jpeg => "image/jpeg", Png => "image/png" });

impl ThumbnailFormat {
    /// The ending of the file's name.
    #[must_use]
    pub const fn extension(self) -> &'static str {
        match self {
            Self::Jpeg => "jpg",
            Self::Png => "png",
        }
    }

    /// The media type, as sent in `Content-Type`.
    #[must_use]
    pub const fn media_type(self) -> &'static str {
        self.as_str()
    }
}
