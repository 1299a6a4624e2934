use super::likeliest;

#[test]
fn the_first_of_the_highest_is_taken() {
    assert_eq!(likeliest(&[-3.0, 2.0, 2.0, 1.0]), Some(1));
    assert_eq!(likeliest(&[-1.0]), Some(0));
}

#[test]
fn nothing_is_taken_where_there_is_no_number() {
    for logits in [&[][..], &[f32::NAN], &[1.0, f32::NAN], &[f32::INFINITY, 0.0], &[0.0, f32::NEG_INFINITY]] {
        assert_eq!(likeliest(logits), None, "{logits:?}");
    }
}
