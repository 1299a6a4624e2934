//! Files that are not whole, or not right: a clear failure, never half a picture, never a panic.

use super::pictures::{self, Chance, busy, jpeg_with};
use super::*;

/// One file of each kind.
fn files() -> Vec<(&'static str, Vec<u8>)> {
    let picture = busy(800, 600);
    let exif = pictures::orientation(6);
    let profile = moxcms::ColorProfile::new_display_p3().encode().unwrap();
    let baseline = pictures::with_exif(&pictures::jpeg(&picture), &exif);
    let app2 = [b"ICC_PROFILE\0", &[1, 1][..], &profile].concat();
    vec![
        ("baseline", pictures::with_segment(&baseline, 0xe2, &app2)),
        ("restarts", jpeg_with(&picture, |encoder| encoder.set_restart_interval(9))),
        ("progressive", pictures::progressive(&picture)),
        ("png", pictures::with_chunk(&pictures::png(&picture), b"eXIf", &exif)),
    ]
}

/// Where the compressed data begins, about.
fn data_begins(file: &[u8]) -> usize {
    let begins = file.windows(4).position(|w| w[..2] == [0xff, 0xda] || w == b"IDAT").unwrap();
    begins + 16
}

#[test]
fn truncated_files_fail_as_truncated() {
    for (name, file) in files() {
        for percent in [1, 30, 60, 90, 99] {
            let begins = data_begins(&file);
            let cut = &file[..begins + (file.len() - begins) * percent / 100];
            assert_eq!(failure(cut), FailureCode::Truncated, "{name} at {percent} %");
        }
    }
}

#[test]
fn an_end_marker_put_behind_the_cut_deceives_nobody() {
    for (name, file) in files().into_iter().filter(|(name, _)| *name != "png") {
        for percent in [1, 30, 60, 90, 99] {
            let begins = data_begins(&file);
            let mut cut = file[..begins + (file.len() - begins) * percent / 100].to_vec();
            if cut.last() == Some(&0xff) {
                cut.pop();
            }
            cut.extend([0xff, 0xd9]);
            assert_eq!(failure(&cut), FailureCode::Truncated, "{name} at {percent} %");
        }
    }
}

#[test]
fn a_scan_of_a_progressive_picture_must_not_be_missing() {
    let (_, file) = files().remove(2);
    let last_scan = file.windows(2).rposition(|w| w == [0xff, 0xda]).unwrap();
    let cut = [&file[..last_scan], &[0xff, 0xd9]].concat();
    assert_eq!(failure(&cut), FailureCode::Truncated);
}

#[test]
fn a_stretch_lost_between_restart_markers_is_noticed() {
    let (_, file) = files().remove(1);
    let begins = data_begins(&file);
    let third = |n: usize| {
        let from = begins + (file.len() - begins) * n / 3;
        from + file[from..].windows(2).position(|w| w[0] == 0xff && matches!(w[1], 0xd0..=0xd7)).unwrap()
    };
    let marker = third(1);
    let lost = [&file[..marker - 60], &file[marker..]].concat();
    assert_eq!(failure(&lost), FailureCode::Corrupt);
}

#[test]
fn only_the_end_marker_may_be_missing() {
    for (name, file) in files() {
        let trailer = if name == "png" { 12 } else { 2 };
        thumbnails(&file[..file.len() - trailer]).unwrap_or_else(|e| panic!("{name}: {e}"));
    }
}

#[test]
fn truncation_in_the_header_is_never_a_picture() {
    for (name, file) in files() {
        for end in 0..data_begins(&file) - 16 {
            let cut = &file[..end];
            if let Ok(header) = probe(Cursor::new(cut)) {
                let _never_fails = read_metadata(cut, &header);
                let made = make_thumbnails(cut, &header, Orientation::UPRIGHT, &LIMITS, &|| false);
                assert_eq!(made.unwrap_err().code(), FailureCode::Truncated, "{name} at {end}");
            }
        }
    }
}

#[test]
fn flipped_bits_make_failures_and_no_panics() {
    let small = busy(90, 70);
    let profile = moxcms::ColorProfile::new_display_p3().encode().unwrap();
    let app2 = [b"ICC_PROFILE\0", &[1, 1][..], &profile].concat();
    let baseline = pictures::with_segment(&pictures::jpeg(&small), 0xe2, &app2);
    let kinds = [
        pictures::with_exif(&baseline, &super::metadata::many_fields()),
        jpeg_with(&small, |encoder| encoder.set_restart_interval(2)),
        pictures::progressive(&small),
        pictures::with_chunk(&pictures::png(&small), b"eXIf", &super::metadata::many_fields()),
    ];
    let mut chance = Chance::new(2026);
    let (mut made, mut failed) = (0, 0);
    for file in kinds {
        for round in 0..1_500 {
            let mut file = file.clone();
            // Headers are where the decisions are made.
            let reach = if round % 2 == 0 { file.len().min(1_200) } else { file.len() };
            for _ in 0..=round % 3 {
                file[chance.below(reach)] ^= 1 << chance.below(8);
            }
            let Ok(header) = probe(Cursor::new(&file)) else { continue };
            let metadata = read_metadata(&file, &header);
            let limits = Limits { max_pixels: 4_000_000, ..LIMITS };
            match make_thumbnails(&file, &header, metadata.orientation, &limits, &|| false) {
                Ok(_) => made += 1,
                Err(_) => failed += 1,
            }
        }
    }
    assert!(made > 100 && failed > 100, "{made} made, {failed} failed");
}

/// `file` with the last bytes of its last scan, from `percent` on, put to zero, and `more` zeros behind them.
fn zeroed(file: &[u8], percent: usize, more: usize) -> Vec<u8> {
    let (begins, ends) = (data_begins(file), file.len() - 2);
    let kept = begins + (ends - begins) * percent / 100;
    [&file[..kept], &vec![0; ends - kept + more], &file[ends..]].concat()
}

#[test]
fn a_picture_whose_end_is_zeros_is_corrupt() {
    let (_, file) = files().remove(0);
    for percent in [10, 50, 90] {
        assert_eq!(failure(&zeroed(&file, percent, 0)), FailureCode::Corrupt, "{percent} %");
        let without_marker = zeroed(&file, percent, 0);
        let without_marker = &without_marker[..file.len() - 2];
        assert_eq!(failure(without_marker), FailureCode::Corrupt, "{percent} %");
    }
}

#[test]
fn zeros_behind_a_whole_picture_do_no_harm() {
    for (name, file) in files().into_iter().filter(|(name, _)| *name != "png") {
        for more in [1, 16, 100, 5_000, 100_000] {
            thumbnails(&zeroed(&file, 100, more)).unwrap_or_else(|e| panic!("{name} {more}: {e}"));
            let without_marker = zeroed(&file, 100, more);
            thumbnails(&without_marker[..file.len() - 2 + more])
                .unwrap_or_else(|e| panic!("{name} {more}: {e}"));
        }
    }
}
