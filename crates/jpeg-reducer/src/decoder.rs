//! The whole way, from bytes to rows.

use crate::colour_model::{ColourModel, Marks};
use crate::error::{Error, Feature};
use crate::frame::{Frame, Process};
use crate::marker::{DNL, EOI, SOI, SOS, Segments};
use crate::options::{Damage, Options, Reduction};
use crate::output::{Picture, Plan, PlaneRow, PlaneSize, Rows, Take};
use crate::run::Run;
use crate::scan::{ScanHeader, Store};
use crate::{entropy, output};

/// Bytes of the tables, the tiles and what else does not grow with the picture.
const FIXED_BYTES: u64 = 192 << 10;

/// What a picture is, told by its header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Info {
    /// In pixels, before reduction.
    pub width: u32,
    /// In pixels, before reduction.
    pub height: u32,
    /// How it is coded.
    pub process: Process,
    /// How many components it has: 1, 3 or 4.
    pub components: u8,
    /// What they mean, and with that what is delivered.
    pub colour: ColourModel,
    /// Whether one scan brings the whole picture, so that only a strip of it is held in memory.
    pub is_single_scan: bool,
}

/// A picture whose header was read.
#[derive(Debug, Clone)]
pub struct Decoder<'a> {
    pub(crate) file: &'a [u8],
    pub(crate) frame: Frame,
    /// Where the first scan header stands, marker and all.
    pub(crate) first_scan: usize,
    info: Info,
}

impl<'a> Decoder<'a> {
    /// Reads the header of `file`, up to the first scan. Only what is decoded later needs to be there.
    ///
    /// # Errors
    /// [`Error::NotJpeg`], [`Error::Unsupported`], or damage in the header.
    pub fn new(file: &'a [u8]) -> Result<Self, Error> {
        if !file.starts_with(&[0xff, SOI]) {
            return Err(Error::NotJpeg);
        }
        let mut segments = Segments::new(file, 2);
        let (mut marks, mut frame) = (Marks::default(), None);
        loop {
            let before = segments.position;
            let segment = segments.next().ok_or(Error::Truncated { position: file.len() })?;
            match segment.code {
                SOS => {
                    let frame =
                        frame.ok_or(Error::corrupt(before, "a scan stands before the frame header"))?;
                    let scan = ScanHeader::parse(segment, &frame)?;
                    return Self::with(file, before, segments, frame, marks, &scan);
                }
                EOI => return Err(Error::Truncated { position: before }),
                0xde => return Err(Error::Unsupported(Feature::Hierarchical)),
                code if Frame::is_header(code) => {
                    if frame.is_some() {
                        return Err(Error::corrupt(before, "there is more than one frame header"));
                    }
                    frame = Some(Frame::parse(segment)?);
                }
                code => marks.note(code, segment.payload),
            }
        }
    }

    fn with(
        file: &'a [u8],
        first_scan: usize,
        mut segments: Segments<'a>,
        mut frame: Frame,
        marks: Marks,
        scan: &ScanHeader,
    ) -> Result<Self, Error> {
        if frame.height == 0 {
            segments.pass_data();
            let position = segments.position;
            let lines = segments.next().filter(|segment| segment.code == DNL).map(|segment| segment.payload);
            frame.height = match lines {
                Some([high, low]) if [*high, *low] != [0, 0] => u32::from(u16::from_be_bytes([*high, *low])),
                None if position == file.len() => return Err(Error::Truncated { position }),
                _ => return Err(Error::corrupt(position, "the number of lines is missing")),
            };
        }
        let names: Vec<u8> = frame.components.iter().map(|component| component.id).collect();
        let components = names.len() as u8;
        let colour = marks.model(&names).ok_or(Error::Unsupported(Feature::Components(components)))?;
        let info = Info {
            width: frame.width,
            height: frame.height,
            process: frame.process,
            components,
            colour,
            is_single_scan: frame.process != Process::Progressive && scan.selectors.len() == names.len(),
        };
        Ok(Self { file, frame, first_scan, info })
    }

    /// What the picture is.
    #[must_use]
    pub const fn info(&self) -> &Info {
        &self.info
    }

    /// Width and height after reduction, in pixels: divided and rounded up.
    #[must_use]
    pub const fn size(&self, reduction: Reduction) -> (u32, u32) {
        (reduction.of(self.info.width), reduction.of(self.info.height))
    }

    /// Where the picture ends in the file: behind the marker that says so. `None` if there is none.
    #[must_use]
    pub fn end(&self) -> Option<usize> {
        let mut segments = Segments::new(self.file, self.first_scan);
        while let Some(segment) = segments.next() {
            match segment.code {
                EOI => return Some(segments.position),
                SOS => segments.pass_data(),
                _ => {}
            }
        }
        None
    }

    /// How large a component is after reduction, as [`Decoder::decode_planes`] hands it out; `None` if there are not so many.
    #[must_use]
    pub fn plane_size(&self, component: usize, reduction: Reduction) -> Option<PlaneSize> {
        let (plan, named) = (Plan::planar(&self.frame, reduction), self.frame.components.get(component)?);
        let (width, height) = plan.components.get(component)?.size;
        let covered = |side: u32, factor: u32, most: u32| {
            f64::from(side) * f64::from(reduction.eighths() * factor) / f64::from(8 * most)
        };
        Some(PlaneSize {
            width: width as u32,
            height: height as u32,
            across: covered(self.info.width, named.h, self.frame.h_max),
            down: covered(self.info.height, named.v, self.frame.v_max),
        })
    }

    /// The most memory that [`Decoder::decode`] or [`Decoder::decode_planes`] allocates, in bytes. What it hands out is included, but not the file,
    /// nor what a caller makes of the rows.
    #[must_use]
    pub fn memory_bytes(&self, reduction: Reduction) -> u64 {
        let plan = Plan::new(&self.frame, reduction);
        let store = if self.info.is_single_scan {
            0
        } else {
            Store::memory_bytes(&plan, self.info.process == Process::Progressive)
        };
        let strips = output::Strips::memory_bytes(&plan, self.info.colour);
        store + strips + entropy::Window::memory_bytes() + FIXED_BYTES
    }

    /// Decodes the picture, and hands out its rows in order, from above, as soon as they are finished. Returns the
    /// damage that was met, with [`Damage::Keep`].
    ///
    /// # Errors
    /// [`Error::Limit`], [`Error::Interrupted`]; damage of any kind with [`Damage::Refuse`], and with [`Damage::Keep`] that
    /// before the first scan. The rows handed out until then must be thrown away.
    pub fn decode(
        &self,
        options: &Options<'_>,
        take: &mut dyn FnMut(Rows<'_>),
    ) -> Result<Option<Error>, Error> {
        self.run(options, Take::Pixels(take))
    }

    /// Decodes the picture as [`Decoder::decode`] does, but hands out each component by itself, as it is coded: with
    /// fewer samples than the others where it is subsampled, and without conversion of colours. Rows of a component come in
    /// order, from above.
    ///
    /// For who goes on with components of their own sizes, such as an encoder. All components are reduced alike, so that
    /// of one that is subsampled less has to be read.
    ///
    /// # Errors
    /// Those of [`Decoder::decode`].
    pub fn decode_planes(
        &self,
        options: &Options<'_>,
        take: &mut dyn FnMut(PlaneRow<'_>),
    ) -> Result<Option<Error>, Error> {
        self.run(options, Take::Planes(take))
    }

    fn run(&self, options: &Options<'_>, take: Take<'_>) -> Result<Option<Error>, Error> {
        let limits = &options.limits;
        if u64::from(self.info.width) * u64::from(self.info.height) > limits.max_pixels {
            return Err(Error::Limit { what: "pixels", limit: limits.max_pixels });
        }
        if self.memory_bytes(options.reduction) > limits.max_memory_bytes {
            return Err(Error::Limit { what: "bytes of working memory", limit: limits.max_memory_bytes });
        }
        let damage = Run::new(self, options, take).picture()?;
        match (damage, options.damage) {
            (Some(damage), Damage::Refuse) => Err(damage),
            (damage, _) => Ok(damage),
        }
    }

    /// Decodes the picture as a whole; see [`Decoder::decode`].
    ///
    /// # Errors
    /// Those of [`Decoder::decode`].
    pub fn picture(&self, options: &Options<'_>) -> Result<(Picture, Option<Error>), Error> {
        let (width, height) = self.size(options.reduction);
        let channels = self.info.colour.channels();
        let mut samples = Vec::new();
        let damage = self.decode(options, &mut |rows| {
            if rows.first == 0 {
                samples.reserve_exact(width as usize * height as usize * channels);
            }
            samples.extend_from_slice(rows.samples);
        })?;
        Ok((Picture { width, height, channels, samples }, damage))
    }
}
