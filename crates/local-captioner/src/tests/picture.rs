use super::{CHANNELS, Patches, Picture};
use crate::config::VisionConfig;

fn config(image_size: usize, patch_size: usize) -> VisionConfig {
    VisionConfig { image_size, patch_size, ..VisionConfig::default() }
}

fn normal(sample: u8, channel: usize) -> f32 {
    let (mean, deviation) = CHANNELS[channel];
    (f32::from(sample) / 255.0 - mean) / deviation
}

#[test]
fn patches_go_row_by_row_and_each_of_them_channel_by_channel() {
    let samples: Vec<u8> = (0..4 * 4 * 3).collect();
    let picture = Picture::new(4, 4, &samples).unwrap();
    let patches = Patches::of(&picture, &config(4, 2)).unwrap();
    assert_eq!((patches.count, patches.samples_each), (4, 12));
    let at = |x: u8, y: u8, channel: u8| normal((y * 4 + x) * 3 + channel, usize::from(channel));
    let second: Vec<_> = (0..3).flat_map(|c| [at(2, 0, c), at(3, 0, c), at(2, 1, c), at(3, 1, c)]).collect();
    assert_eq!(patches.samples[12..24], second);
}

#[test]
fn a_picture_of_one_colour_stays_so_at_any_size() {
    let samples = [10, 100, 250].repeat(7 * 5);
    let picture = Picture::new(7, 5, &samples).unwrap();
    let patches = Patches::of(&picture, &config(32, 8)).unwrap();
    assert_eq!(patches.samples.len(), 32 * 32 * 3);
    let colour = [normal(10, 0), normal(100, 1), normal(250, 2)];
    assert!(
        patches
            .samples
            .chunks(64)
            .zip(colour.iter().cycle())
            .all(|(channel, expected)| { channel.iter().all(|sample| sample == expected) })
    );
}
