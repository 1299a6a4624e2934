//! What a caller asks for, and what it allows.

/// How much smaller each side becomes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Reduction {
    /// 1/1: each block of 8 × 8 coefficients becomes 8 × 8 pixels.
    Full,
    /// 1/2: 4 × 4 pixels.
    Half,
    /// 1/4: 2 × 2 pixels.
    Quarter,
    /// 1/8: one pixel.
    Eighth,
}

impl Reduction {
    /// All of them, from the largest picture to the smallest.
    pub const ALL: [Self; 4] = [Self::Full, Self::Half, Self::Quarter, Self::Eighth];

    /// The number that the sides are divided by: 1, 2, 4 or 8.
    #[must_use]
    pub const fn divisor(self) -> u32 {
        match self {
            Self::Full => 1,
            Self::Half => 2,
            Self::Quarter => 4,
            Self::Eighth => 8,
        }
    }

    /// The reduced length of `side`: divided and rounded up.
    #[must_use]
    pub const fn of(self, side: u32) -> u32 {
        side.div_ceil(self.divisor())
    }

    /// How many samples a block of 8 × 8 has in each direction, where the component is not subsampled.
    pub(crate) const fn points(self) -> u32 {
        8 / self.divisor()
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
    /// What was read is handed out, and grey for the rest; the damage is told with it.
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
