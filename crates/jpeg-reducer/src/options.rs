//! What a caller asks for, and what it allows.

/// How much smaller each side becomes: by how many of eight samples are made of the eight of a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Reduction {
    /// 8/8: each block of 8 × 8 coefficients becomes 8 × 8 pixels.
    Full,
    /// 6/8.
    ThreeQuarters,
    /// 5/8.
    FiveEighths,
    /// 4/8.
    Half,
    /// 3/8.
    ThreeEighths,
    /// 2/8.
    Quarter,
    /// 1/8: one pixel of each block.
    Eighth,
}

impl Reduction {
    /// All of them, from the largest picture to the smallest.
    pub const ALL: [Self; 7] = [
        Self::Full,
        Self::ThreeQuarters,
        Self::FiveEighths,
        Self::Half,
        Self::ThreeEighths,
        Self::Quarter,
        Self::Eighth,
    ];

    /// How many pixels eight in a row become: 8, 6, 5, 4, 3, 2 or 1.
    #[must_use]
    pub const fn eighths(self) -> u32 {
        match self {
            Self::Full => 8,
            Self::ThreeQuarters => 6,
            Self::FiveEighths => 5,
            Self::Half => 4,
            Self::ThreeEighths => 3,
            Self::Quarter => 2,
            Self::Eighth => 1,
        }
    }

    /// The reduced length of `side`, rounded up.
    #[must_use]
    pub const fn of(self, side: u32) -> u32 {
        // No more than `side`, so that it fits.
        (side as u64 * self.eighths() as u64).div_ceil(8) as u32
    }
}

/// What a picture may cost. The default suits pictures from strangers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// The most pixels, before reduction.
    pub max_pixels: u64,
    /// The most memory; see [`Decoder::memory_bytes`](crate::Decoder::memory_bytes).
    pub max_memory_bytes: u64,
    /// The most scans. Encoders write ten or a dozen.
    pub max_scans: u32,
    /// The most coefficients that all scans together may pass over. Twelve passes over the whole picture are always
    /// allowed; encoders make about five, for most scans take one component only.
    pub max_scan_work: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { max_pixels: 1 << 28, max_memory_bytes: 1 << 29, max_scans: 100, max_scan_work: 3_000_000_000 }
    }
}

/// What becomes of pictures that are truncated or corrupt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Damage {
    /// They are refused. Rows handed out before the damage was met must be thrown away.
    #[default]
    Refuse,
    /// What was read is handed out, and grey for the rest; the damage is told with it. Damage before the first scan leaves
    /// nothing to be read, and is refused all the same.
    Keep,
}

/// How closely the scans of a progressive picture are looked at that the reduced picture does not need.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Scrutiny {
    /// They are passed over. Damage inside of them does not show in the picture, and is not noticed.
    #[default]
    Needed,
    /// All codes are read, so that all of the file is known to be right. It takes the time of a full decoder.
    Everything,
}

/// How to decode.
#[derive(Clone, Copy)]
pub struct Options<'a> {
    /// How much smaller the picture becomes.
    pub reduction: Reduction,
    /// What it may cost.
    pub limits: Limits,
    /// What becomes of damaged pictures.
    pub damage: Damage,
    /// How closely to look at what is not needed.
    pub scrutiny: Scrutiny,
    /// Asked in every scan and every row of blocks; decoding ends as soon as it says `true`.
    pub interrupted: &'a dyn Fn() -> bool,
}

impl Options<'_> {
    /// The default limits, damage refused, never interrupted.
    #[must_use]
    pub fn new(reduction: Reduction) -> Self {
        Self {
            reduction,
            limits: Limits::default(),
            damage: Damage::default(),
            scrutiny: Scrutiny::default(),
            interrupted: &|| false,
        }
    }
}

impl std::fmt::Debug for Options<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Options")
            .field("reduction", &self.reduction)
            .field("limits", &self.limits)
            .field("damage", &self.damage)
            .field("scrutiny", &self.scrutiny)
            .finish_non_exhaustive()
    }
}
