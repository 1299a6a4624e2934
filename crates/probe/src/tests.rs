use super::*;
use std::io::Cursor;

/// A segment of a JPEG.
fn segment(code: u8, payload: &[u8]) -> Vec<u8> {
    let length = u16::try_from(payload.len() + 2).unwrap();
    [&[0xff, code], &length.to_be_bytes()[..], payload].concat()
}

fn frame(code: u8, width: u16, height: u16, factors: &[u8]) -> Vec<u8> {
    let ([w1, w0], [h1, h0]) = (width.to_be_bytes(), height.to_be_bytes());
    let mut payload = vec![8, h1, h0, w1, w0, u8::try_from(factors.len()).unwrap()];
    for (id, factor) in (1..).zip(factors) {
        payload.extend([id, *factor, 0]);
    }
    segment(code, &payload)
}

fn jpeg(parts: &[&[u8]]) -> Vec<u8> {
    [&[0xff, 0xd8], parts.concat().as_slice()].concat()
}

fn png(width: u32, height: u32, rest: [u8; 5]) -> Vec<u8> {
    [&PNG_SIGNATURE[..], &[0, 0, 0, 13], b"IHDR", &width.to_be_bytes(), &height.to_be_bytes(), &rest].concat()
}

fn read(bytes: &[u8]) -> Result<Header, ProbeError> {
    probe(Cursor::new(bytes))
}

fn defect(bytes: &[u8]) -> &'static str {
    match read(bytes) {
        Err(ProbeError::Malformed { what, .. }) => what,
        other => panic!("{other:?}"),
    }
}

#[test]
fn formats_are_told_by_their_first_bytes() {
    assert_eq!(sniff(b"\xff\xd8\xff\xe0"), Some(ImageFormat::Jpeg));
    assert_eq!(sniff(b"\x89PNG\r\n\x1a\n"), Some(ImageFormat::Png));
    for other in [&b"GIF89a"[..], b"", b"\xff\xd8", b"\x89PNG\r\n\x1a", b"<svg"] {
        assert_eq!(sniff(other), None);
        assert!(matches!(read(other), Err(ProbeError::NotAnImage)));
    }
}

#[test]
fn a_jpeg_header_is_found_behind_other_segments() {
    let thumbnail = segment(0xe1, &[0xff; 60_000]);
    let file = jpeg(&[&thumbnail, &[0xff, 0xff, 0xff], &frame(0xc2, 4000, 3001, &[0x22, 0x11, 0x11])]);
    let header = read(&file).unwrap();
    assert_eq!((header.width(), header.height(), header.format()), (4000, 3001, ImageFormat::Jpeg));
    let Layout::Jpeg { process, components, coefficients, precision } = header.layout() else { panic!() };
    assert_eq!((process, components, precision), (JpegProcess::Progressive, 3, 8));
    assert_eq!(coefficients, 4000 * 3008 * 3 / 2);
}

#[test]
fn lies_in_a_jpeg_header_are_named() {
    let sof = frame(0xc0, 16, 16, &[0x11]);
    assert!(defect(&jpeg(&[&frame(0xc0, 16, 0, &[0x11])])).contains("DNL"));
    assert!(defect(&jpeg(&[&frame(0xc0, 0, 16, &[0x11])])).contains("width is zero"));
    assert!(defect(&jpeg(&[&frame(0xc0, 16, 16, &[])])).contains("components"));
    assert!(defect(&jpeg(&[&frame(0xc0, 16, 16, &[0x51])])).contains("sampling"));
    assert!(defect(&jpeg(&[&[0xff, 0xe0, 0, 1], &sof])).contains("length field"));
    assert!(defect(&jpeg(&[&[0xff, 0xe0, 0xff, 0xff], &sof])).contains("ends within"));
    assert!(defect(&jpeg(&[&[0xff, 0xd9], &sof])).contains("ends before"));
    assert!(defect(&jpeg(&[&segment(0xda, &[0; 8]), &sof])).contains("scan"));
    assert!(defect(&jpeg(&[&segment(0xfe, b"").repeat(3_000), &sof])).contains("too many"));
    assert!(defect(&jpeg(&[&[0xff, 0xe0, 0, 2], &[0; 5_000], &sof])).contains("no segment"));
    for end in 3..2 + sof.len() {
        assert!(defect(&jpeg(&[&sof])[..end]).contains("ends within"), "{end}");
    }
}

#[test]
fn a_png_header_is_read_and_its_lies_are_named() {
    let header = read(&png(640, 480, [16, 6, 0, 0, 1])).unwrap();
    assert_eq!((header.width(), header.height(), header.pixels()), (640, 480, 307_200));
    assert_eq!(header.layout(), Layout::Png { colour: PngColour::Rgba, bit_depth: 16, interlaced: true });
    assert!(defect(&png(0, 480, [8, 2, 0, 0, 0])).contains("zero"));
    assert!(defect(&png(640, 0x8000_0000, [8, 2, 0, 0, 0])).contains("beyond"));
    assert!(defect(&png(640, 480, [4, 2, 0, 0, 0])).contains("bit depth"));
    assert!(defect(&png(640, 480, [8, 5, 0, 0, 0])).contains("colour type"));
    assert!(defect(&png(640, 480, [8, 2, 1, 0, 0])).contains("method"));
    assert!(defect(&png(640, 480, [8, 2, 0, 0, 2])).contains("interlace"));
    let whole = png(640, 480, [8, 2, 0, 0, 0]);
    for end in SNIFF_BYTES..whole.len() {
        assert!(defect(&whole[..end]).contains("ends within"), "{end}");
    }
}
