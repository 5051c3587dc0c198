//! Numbers with a fraction: the texts of floats and decimals.

/// As DuckDB prints the float that Rust prints as `debug`: both take the fewest digits that are
/// read back as the same number, and an exponent below 1e-4 and from 1e16 on. DuckDB's exponent has
/// a sign and at least two digits.
pub(super) fn float(debug: &str) -> String {
    match debug.split_once('e') {
        Some((digits, exponent)) => match exponent.strip_prefix('-') {
            Some(exponent) => format!("{digits}e-{exponent:0>2}"),
            None => format!("{digits}e+{exponent:0>2}"),
        },
        None => debug.to_owned(),
    }
}

/// A decimal's text: `scale` of its digits are behind the point.
pub(super) fn decimal(digits: i128, scale: u8) -> String {
    let scale = usize::from(scale);
    if scale == 0 {
        return digits.to_string();
    }
    let sign = if digits < 0 { "-" } else { "" };
    // A digit is before the point, even if it is a zero.
    let all = format!("{:0width$}", digits.unsigned_abs(), width = scale + 1);
    let (whole, fraction) = all.split_at(all.len() - scale);
    format!("{sign}{whole}.{fraction}")
}

/// The digits of a decimal's text with `scale` of them behind the point, if it has no more. The
/// digit before the point may be missing, as DuckDB leaves it out if the type has no room for one.
pub(super) fn digits(text: &str, scale: u8) -> Option<i128> {
    let (is_negative, number) = text.strip_prefix('-').map_or((false, text), |number| (true, number));
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let fraction = fraction.trim_end_matches('0');
    let missing = usize::from(scale).checked_sub(fraction.len())?;
    let all = format!("{whole}{fraction}{:0<missing$}", "");
    if !number.bytes().any(|byte| byte.is_ascii_digit()) || !all.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    // All that is left of `.` or `0.` with no scale is nothing, or zeros.
    let value: i128 = if all.is_empty() { 0 } else { all.parse().ok()? };
    Some(if is_negative { -value } else { value })
}
