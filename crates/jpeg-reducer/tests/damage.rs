//! Files that are not whole, or not right: a clear error, never a panic; and what was read, for who wants it.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests may say what they expect"
)]

mod support;

use jpeg_reducer::{Damage, Decoder, Error, Limits, Options, Reduction, Scrutiny};
use support::encoded::{data_begins, encode, waves};
use support::{Chance, Source, progressive_scans};

/// One file of each kind.
fn files() -> Vec<(&'static str, Vec<u8>)> {
    let samples = waves(800, 600, 40.0);
    let mut libjpeg = Source::random(300, 200, &[(2, 2), (1, 1), (1, 1)], 3);
    (libjpeg.process, libjpeg.scans) = (0xc2, progressive_scans(3));
    vec![
        ("baseline", encode(&samples, (800, 600), |_| {})),
        ("restarts", encode(&samples, (800, 600), |e| e.set_restart_interval(9))),
        ("progressive", encode(&samples, (800, 600), |e| e.set_progressive(true))),
        ("refined", libjpeg.file()),
    ]
}

fn attempt(file: &[u8], reduction: Reduction) -> Result<(), Error> {
    let options = Options { scrutiny: Scrutiny::Everything, ..Options::new(reduction) };
    Decoder::new(file)?.decode(&options, &mut |_| {}).map(|_| ())
}

fn is_truncated(error: &Error) -> bool {
    matches!(error, Error::Truncated { .. } | Error::Incomplete { .. })
}

#[test]
fn truncated_files_are_told_by_every_reduction() {
    for (name, file) in files() {
        let begins = data_begins(&file);
        for percent in [0, 1, 30, 60, 90, 99] {
            let cut = &file[..begins + (file.len() - begins) * percent / 100];
            for reduction in Reduction::ALL {
                let name = format!("{name} at {percent} %, {reduction:?}");
                assert!(is_truncated(&attempt(cut, reduction).unwrap_err()), "{name}");
                // Even if nobody looks at what is passed over, its end must be there.
                let quick = Decoder::new(cut).unwrap().decode(&Options::new(reduction), &mut |_| {});
                assert!(is_truncated(&quick.unwrap_err()), "{name}");
            }
        }
    }
}

#[test]
fn an_end_marker_put_behind_the_cut_deceives_nobody() {
    for (name, file) in files() {
        let begins = data_begins(&file);
        for percent in [1, 30, 60, 90, 99] {
            let mut cut = file[..begins + (file.len() - begins) * percent / 100].to_vec();
            if cut.last() == Some(&0xff) {
                cut.pop();
            }
            cut.extend([0xff, 0xd9]);
            for reduction in Reduction::ALL {
                let error = attempt(&cut, reduction).unwrap_err();
                assert!(is_truncated(&error), "{name} at {percent} %, {reduction:?}: {error}");
            }
        }
    }
}

#[test]
fn a_scan_of_a_progressive_picture_must_not_be_missing() {
    for (_, file) in files().drain(2..) {
        let last_scan = file.windows(2).rposition(|w| w == [0xff, 0xda]).unwrap();
        let cut = [&file[..last_scan], &[0xff, 0xd9]].concat();
        let options = Options::new(Reduction::Eighth);
        let error = Decoder::new(&cut).unwrap().decode(&options, &mut |_| {}).unwrap_err();
        assert!(matches!(error, Error::Incomplete { .. }), "{error}");
    }
}

#[test]
fn only_the_end_marker_may_be_missing() {
    for (name, file) in files() {
        for reduction in Reduction::ALL {
            for cut in [1, 2] {
                attempt(&file[..file.len() - cut], reduction).unwrap_or_else(|e| panic!("{name}: {e}"));
            }
            attempt(&[&file[..], b"\0\0a trailer\xff\xd8\xff\xda"].concat(), reduction).unwrap();
        }
    }
}

#[test]
fn damage_between_restart_markers_is_noticed_where_it_is() {
    let (_, file) = files().remove(1);
    let begins = data_begins(&file);
    let marker = |from: usize| {
        from + file[from..].windows(2).position(|w| w[0] == 0xff && matches!(w[1], 0xd0..=0xd7)).unwrap()
    };
    let second = marker(begins + file.len() / 2);
    let lost = [&file[..second - 60], &file[second..]].concat();
    let third = marker(second + 2);
    let without_one = [&file[..second], &file[second + 2..]].concat();
    let without_interval = [&file[..second], &file[third..]].concat();
    for (name, damaged) in [("a stretch", lost), ("a marker", without_one), ("an interval", without_interval)]
    {
        let error = attempt(&damaged, Reduction::Quarter).unwrap_err();
        let (Error::Corrupt { position, .. } | Error::Truncated { position }) = error else {
            panic!("{error}")
        };
        assert!(position.abs_diff(second) < 3_000, "{name}: {error}, not about {second}");
    }
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
        let zeros = zeroed(&file, percent, 0);
        for reduction in Reduction::ALL {
            for damaged in [&zeros[..], &zeros[..file.len() - 2]] {
                let error = attempt(damaged, reduction).unwrap_err();
                assert!(matches!(error, Error::Corrupt { .. }), "{percent} %: {error}");
            }
        }
    }
}

#[test]
fn a_hole_of_zeros_is_corrupt() {
    let (_, file) = files().remove(0);
    let begins = data_begins(&file);
    for (percent, size) in [(20, 512), (50, 4096), (70, 16384)] {
        let from = begins + (file.len() - begins) * percent / 100;
        let mut damaged = file.clone();
        damaged[from..from + size].fill(0);
        for reduction in Reduction::ALL {
            let error = attempt(&damaged, reduction).unwrap_err();
            assert!(error.is_damage(), "{percent} %, {size}: {error}");
        }
    }
}

#[test]
fn fillings_behind_a_whole_picture_do_no_harm() {
    for (name, file) in files() {
        for more in [1, 16, 100, 5_000, 100_000] {
            let zeros = zeroed(&file, 100, more);
            attempt(&zeros, Reduction::Quarter).unwrap_or_else(|e| panic!("{name} {more}: {e}"));
            let without_marker = &zeros[..file.len() - 2 + more];
            attempt(without_marker, Reduction::Quarter).unwrap_or_else(|e| panic!("{name} {more}: {e}"));
        }
        let end = file.len() - 2;
        let filled = [&file[..end], &[0xff; 5], &file[end..]].concat();
        attempt(&filled, Reduction::Full).unwrap_or_else(|e| panic!("{name}: {e}"));
        let few = [&file[..end], &[1, 2, 3, 4, 5, 6], &file[end..]].concat();
        attempt(&few, Reduction::Full).unwrap_or_else(|e| panic!("{name}: {e}"));
        let many = [&file[..end], &[1, 2, 3, 4, 5, 6].repeat(20), &file[end..]].concat();
        assert!(attempt(&many, Reduction::Full).unwrap_err().is_damage(), "{name}");
    }
}

#[test]
fn what_was_read_is_kept_on_demand() {
    for (name, file) in files() {
        let begins = data_begins(&file);
        let cut = &file[..begins + (file.len() - begins) / 2];
        for reduction in Reduction::ALL {
            let options = Options { damage: Damage::Keep, ..Options::new(reduction) };
            let whole = Decoder::new(&file).unwrap().picture(&options).unwrap().0;
            let (part, damage) = Decoder::new(cut).unwrap().picture(&options).unwrap();
            assert!(damage.is_some_and(|damage| is_truncated(&damage)), "{name}");
            let third = whole.samples.len() / 3;
            assert_eq!(part.samples.len(), whole.samples.len());
            if matches!(name, "baseline" | "restarts") {
                assert!(part.samples[..third] == whole.samples[..third], "{name}");
                let last_rows = &part.samples[whole.samples.len() - third / 4..];
                assert!(last_rows.iter().all(|sample| *sample == 128), "{name} {reduction:?}");
            }
        }
    }
}

#[test]
fn flipped_bits_make_errors_and_no_panics() {
    let samples = waves(90, 70, 30.0);
    let mut refined = Source::random(90, 70, &[(2, 1), (1, 1), (1, 1)], 3);
    refined.process = 0xc2;
    refined.scans = progressive_scans(3);
    refined.restart_interval = 11;
    let mut apart = refined.clone();
    apart.process = 0xc1;
    apart.scans = vec![(vec![1], [0, 63, 0, 0]), (vec![0, 2], [0, 63, 0, 0])];
    let kinds = [
        encode(&samples, (90, 70), |e| e.set_sampling_factor(jpeg_encoder::SamplingFactor::R_4_2_0)),
        encode(&samples, (90, 70), |e| e.set_restart_interval(2)),
        encode(&samples, (90, 70), |e| e.set_progressive(true)),
        refined.file(),
        apart.file(),
    ];
    let mut chance = Chance::new(2026);
    let (mut made, mut failed) = (0, 0);
    for file in kinds {
        for round in 0..3_000 {
            let mut file = file.clone();
            // Headers are where the decisions are made.
            let reach = if round % 2 == 0 { file.len().min(700) } else { file.len() };
            for _ in 0..=round % 3 {
                file[chance.below(reach)] ^= 1 << chance.below(8);
            }
            let limits = Limits { max_pixels: 4_000_000, ..Limits::default() };
            let Ok(decoder) = Decoder::new(&file) else { continue };
            let damage = if round % 5 == 0 { Damage::Keep } else { Damage::Refuse };
            let scrutiny = if round % 7 == 0 { Scrutiny::Everything } else { Scrutiny::Needed };
            let reduction = Reduction::ALL[round / 2 % 4];
            let options = Options { limits, damage, scrutiny, ..Options::new(reduction) };
            let mut rows_seen = 0;
            match decoder.decode(&options, &mut |rows| rows_seen += rows.count) {
                Ok(_) => {
                    made += 1;
                    assert_eq!(rows_seen, decoder.size(reduction).1);
                }
                Err(_) => failed += 1,
            }
        }
    }
    assert!(made > 1_000 && failed > 1_000, "{made} made, {failed} failed");
}

#[test]
fn cut_headers_are_never_a_picture() {
    for (_, file) in files() {
        for end in 0..data_begins(&file) - 16 {
            let error = attempt(&file[..end], Reduction::Full).unwrap_err();
            assert!(is_truncated(&error) || error == Error::NotJpeg, "at {end}: {error}");
        }
    }
}
