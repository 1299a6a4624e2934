//! What follows the end of a picture: what it is told as, and when a file is believed about it.

use super::findings::{codes, only};
use super::pictures::{self, corners};
use darkroom_domain::FindingCode::DataAfterEnd;

#[test]
fn what_follows_the_end_is_told_with_what_it_begins_as() {
    let picture = corners(40, 20);
    for file in [pictures::jpeg(&picture), pictures::progressive(&picture), pictures::png(&picture)] {
        for (after, kind) in [
            (&b"PK\x03\x04 and more"[..], Some("zip")),
            (b"\xff\xd8\xff\xe0 and more \xff\xd9", Some("jpeg")),
            (b"\0\0\0\x18ftypmp42", Some("mp4")),
            (b"a secret", None),
        ] {
            let finding = only(&[&file, after].concat(), DataAfterEnd);
            assert_eq!(finding.evidence["bytes"], after.len().to_string());
            assert_eq!(finding.evidence.get("begins_as").map(String::as_str), kind);
        }
        for padding in [&b""[..], &[0; 5_000], &[0xff; 3], b"\r\n"] {
            assert_eq!(codes(&[&file, padding].concat()), []);
            for (after, kind) in
                [(&b"PK\x03\x04"[..], "zip"), (b"\xff\xd8\xff\xe0", "jpeg"), (b"\0\0\0\x18ftyp", "mp4")]
            {
                let finding = only(&[&file, padding, after].concat(), DataAfterEnd);
                assert_eq!(finding.evidence["begins_as"], kind);
                assert_eq!(finding.evidence["bytes"], (padding.len() + after.len()).to_string());
            }
        }
    }
}

#[test]
fn what_a_file_announces_behind_its_picture_is_told_as_such() {
    let jpeg = pictures::jpeg(&corners(40, 20));
    let announced =
        |file: &[u8]| only(file, DataAfterEnd).evidence.get("announced").cloned().unwrap_or_default();
    let with_index = [&pictures::with_segment(&jpeg, 0xe2, b"MPF\0MM\0\x2a")[..], &jpeg].concat();
    assert!(announced(&with_index).contains("multi-picture"));
    let xmp = b"http://ns.adobe.com/xap/1.0/\0<rdf:Description GCamera:MotionPhoto=\"1\"/>";
    let motion = pictures::with_segment(&jpeg, 0xe1, xmp);
    assert!(announced(&[&motion[..], VIDEO].concat()).contains("motion photo"));
    let with_both = [&pictures::with_segment(&motion, 0xe2, b"MPF\0MM\0\x2a")[..], &jpeg, VIDEO].concat();
    assert!(
        announced(&with_both).contains("motion photo") && announced(&with_both).contains("multi-picture")
    );
    let samsung = |blocks: &[(&[u8], &[u8])]| [&jpeg[..], &samsung_trailer(blocks)].concat();
    assert!(announced(&samsung(&[(b"MotionPhoto_Data", VIDEO)])).contains("motion photo"));
    assert!(
        announced(&samsung(&[(b"Image_UTC_Data", b"1"), (b"MotionPhoto_Data", VIDEO)])).contains("Samsung")
    );
    assert!(announced(&samsung(&[(b"Image_UTC_Data", b"1600000000000")])).contains("data of its camera"));
}

const VIDEO: &[u8] = b"\0\0\0\x18ftypmp42";

/// What a Samsung camera appends: named blocks and their directory.
fn samsung_trailer(named: &[(&[u8], &[u8])]) -> Vec<u8> {
    let number = |number: usize| u32::try_from(number).unwrap().to_le_bytes();
    let (mut blocks, mut places) = (Vec::new(), Vec::new());
    for (name, data) in named {
        let block = [b"\0\0\x30\x0a", &number(name.len())[..], name, data].concat();
        places.push((blocks.len(), block.len()));
        blocks.extend(block);
    }
    let mut directory = [&b"SEFH"[..], &number(107), &number(places.len())].concat();
    for (from, length) in places {
        directory.extend([*b"\0\0\x30\x0a", number(blocks.len() - from), number(length)].concat());
    }
    [&blocks[..], &directory, &number(directory.len()), b"SEFT"].concat()
}

#[test]
fn an_announcement_is_believed_only_of_what_is_there() {
    let jpeg = pictures::jpeg(&corners(40, 20));
    let (zip, xmp) =
        (b"PK\x03\x04 and more", b"http://ns.adobe.com/xap/1.0/\0<a GCamera:MotionPhoto=\"1\"/>");
    let motion = pictures::with_segment(&jpeg, 0xe1, xmp);
    let trailer = samsung_trailer(&[(b"MotionPhoto_Data", VIDEO)]);
    let neutral = |file: &[u8]| {
        let finding = only(file, DataAfterEnd);
        assert!(
            !finding.evidence.contains_key("announced") && !finding.text.contains("announce"),
            "{finding:?}"
        );
        finding.evidence.get("begins_as").cloned().unwrap_or_default()
    };
    assert_eq!(neutral(&[&motion[..], zip].concat()), "zip");
    assert_eq!(neutral(&[&motion[..], b"a secret"].concat()), "");
    assert_eq!(neutral(&[&jpeg[..], zip, b"MotionPhoto_Data SEFH SEFT"].concat()), "zip");
    assert_eq!(neutral(&[&jpeg[..], zip, &trailer].concat()), "zip");
    assert_eq!(neutral(&[&pictures::with_segment(&jpeg, 0xe2, b"MPF\0")[..], zip].concat()), "zip");
    // A directory that says anything else than what is there.
    for at in 0..trailer.len() {
        let mut damaged = trailer.clone();
        damaged[at] ^= 0x80;
        drop(only(&[&jpeg[..], &damaged].concat(), DataAfterEnd));
        if at > 0 {
            neutral(&[&jpeg[..], &trailer[at..]].concat());
        }
    }
    for directory in
        [&b"SEFT"[..], b"\0\0\0\0SEFT", b"\xff\xff\xff\xffSEFT", b"SEFH\0\0\0\0\0\0\0\0\x0c\0\0\0SEFT"]
    {
        assert_eq!(neutral(&[&jpeg[..], b"a secret ", directory].concat()), "");
    }
}
