//! The table of prices, in whole picodollars, so that sums are exact.

use serde::Deserialize;

/// So many picodollars are a dollar.
pub(crate) const DOLLAR: u128 = 1_000_000_000_000;

/// Picodollars.
pub(crate) type Pico = u128;

const TABLE: &str = include_str!("prices.toml");

/// Prices of one, in picodollars; of what and where, says the table itself.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Prices {
    pub(crate) date: String,
    pub(crate) region: String,
    pub(crate) lambda: Lambda,
    pub(crate) api_gateway: Request,
    pub(crate) sqs: Request,
    pub(crate) sns: Sns,
    pub(crate) eventbridge: EventBridge,
    pub(crate) step_functions: StepFunctions,
    pub(crate) s3: S3,
}

#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Lambda {
    #[serde(deserialize_with = "dollars")]
    pub(crate) gb_second: Pico,
    #[serde(deserialize_with = "dollars")]
    pub(crate) request: Pico,
}

#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Request {
    #[serde(deserialize_with = "dollars")]
    pub(crate) request: Pico,
}

#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Sns {
    #[serde(deserialize_with = "dollars")]
    pub(crate) publish: Pico,
}

#[derive(Clone, Debug, Deserialize)]
pub(crate) struct EventBridge {
    #[serde(deserialize_with = "dollars")]
    pub(crate) schedule: Pico,
}

#[derive(Clone, Debug, Deserialize)]
pub(crate) struct StepFunctions {
    #[serde(deserialize_with = "dollars")]
    pub(crate) transition: Pico,
}

#[derive(Clone, Debug, Deserialize)]
pub(crate) struct S3 {
    #[serde(deserialize_with = "dollars")]
    pub(crate) read: Pico,
    #[serde(deserialize_with = "dollars")]
    pub(crate) change: Pico,
}

impl Prices {
    /// The prices that are built in.
    pub(crate) fn built_in() -> Self {
        toml::from_str(TABLE).expect("the table of prices is read in a test")
    }
}

fn dollars<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Pico, D::Error> {
    let text = String::deserialize(deserializer)?;
    read(&text).ok_or_else(|| serde::de::Error::custom(format!("`{text}` is no price with at most 12 decimals")))
}

fn read(text: &str) -> Option<Pico> {
    let (whole, decimals) = text.split_once('.').unwrap_or((text, ""));
    let is_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || !is_digits(whole) || !is_digits(decimals) || decimals.len() > 12 {
        return None;
    }
    format!("{whole}{decimals:0<12}").parse().ok()
}

/// An amount for people: cents from a cent on, otherwise two digits that count.
pub(crate) fn shown(amount: Pico) -> String {
    let cent = DOLLAR / 100;
    if amount == 0 || amount >= cent {
        let cents = (amount + cent / 2) / cent;
        return format!("${}.{:02}", cents / 100, cents % 100);
    }
    let digits = format!("{amount:012}");
    let first = digits.bytes().position(|digit| digit != b'0').unwrap_or(0);
    format!("$0.{}", &digits[..(first + 2).min(12)])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prices_are_read_to_the_last_digit() {
        let prices = Prices::built_in();
        assert_eq!((prices.lambda.gb_second, prices.lambda.request), (16_666_700, 200_000));
        assert_eq!((prices.step_functions.transition, prices.s3.read), (25_000_000, 400_000));
        assert_eq!((read("1"), read("0.000000000001"), read("2.5")), (Some(DOLLAR), Some(1), Some(DOLLAR / 2 * 5)));
        for wrong in ["", ".5", "-1", "1e-6", "0.0000000000001"] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn amounts_are_shown_in_cents_or_in_two_digits() {
        for (amount, text) in [
            (0, "$0.00"),
            (DOLLAR, "$1.00"),
            (1_234_567_000_000, "$1.23"),
            (1_235_000_000_000, "$1.24"),
            (25_000_000, "$0.000025"),
            (1, "$0.000000000001"),
        ] {
            assert_eq!(shown(amount), text);
        }
    }
}
