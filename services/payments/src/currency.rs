//! Money: whole numbers of a currency's smallest unit, how people write them, and how much one tip may be.

use callboard::Fault;

/// A currency that tips can be given in.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Currency {
    /// ISO 4217, lower case.
    pub(crate) code: &'static str,
    sign: &'static str,
    /// Digits behind the point.
    digits: u32,
    /// Least and most of one tip, in the smallest unit.
    pub(crate) least: i64,
    pub(crate) most: i64,
    /// What is proposed.
    pub(crate) proposed: [i64; 3],
}

const fn decimal(code: &'static str, sign: &'static str) -> Currency {
    Currency { code, sign, digits: 2, least: 100, most: 50_000, proposed: [300, 500, 1_000] }
}

static ALL: [Currency; 5] = [
    decimal("eur", "€"),
    decimal("usd", "$"),
    decimal("gbp", "£"),
    decimal("chf", "CHF "),
    Currency { code: "jpy", sign: "¥", digits: 0, least: 100, most: 50_000, proposed: [300, 500, 1_000] },
];

/// The currency of a code.
///
/// # Errors
/// `tip.currency`
pub(crate) fn find(code: &str) -> Result<&'static Currency, Fault> {
    ALL.iter().find(|currency| currency.code == code).ok_or_else(|| {
        let known: Vec<_> = ALL.iter().map(|currency| currency.code).collect();
        let message = format!("`{code}` is no currency that is taken here; use one of {}", known.join(", "));
        Fault::bad_input("tip.currency", message.clone()).field("currency", message)
    })
}

impl Currency {
    /// An amount as people write it: `€5.00`.
    pub(crate) fn show(&self, amount: i64) -> String {
        let (minus, amount) = (if amount < 0 { "-" } else { "" }, amount.unsigned_abs());
        let unit = 10_u64.pow(self.digits);
        let (whole, rest) = (amount / unit, amount % unit);
        match self.digits {
            0 => format!("{minus}{}{whole}", self.sign),
            digits => format!("{minus}{}{whole}.{rest:0width$}", self.sign, width = digits as usize),
        }
    }

    /// Reads `5`, `5.00`, `5,5` or `€5.00`; nothing where it is no amount of this currency.
    pub(crate) fn read(&self, text: &str) -> Option<i64> {
        let text = text.trim();
        let (factor, text) = text.strip_prefix('-').map_or((1, text), |rest| (-1, rest));
        let text = text.strip_prefix(self.sign.trim_end()).unwrap_or(text).trim_start();
        let (whole, rest) = text.split_once(['.', ',']).unwrap_or((text, ""));
        let is_number = |digits: &str| digits.bytes().all(|byte| byte.is_ascii_digit());
        let digits = usize::try_from(self.digits).ok()?;
        if whole.is_empty() || whole.len() > 15 || !is_number(whole) || !is_number(rest) || rest.len() > digits {
            return None;
        }
        format!("{whole}{rest:0<digits$}").parse::<i64>().ok().map(|amount| factor * amount)
    }

    /// Refuses what is too little or too much for one tip.
    ///
    /// # Errors
    /// `tip.amount`
    pub(crate) fn check(&self, amount: i64) -> Result<(), Fault> {
        if (self.least..=self.most).contains(&amount) {
            return Ok(());
        }
        let message =
            format!("give from {} to {}, not {}", self.show(self.least), self.show(self.most), self.show(amount));
        Err(Fault::bad_input("tip.amount", message.clone()).field("amount", message))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn eur() -> &'static Currency {
        find("eur").expect("the euro is taken")
    }

    #[test]
    fn amounts_are_read_as_people_write_them() {
        for (text, amount) in [("5", 500), ("5.00", 500), (" 5,5 ", 550), ("€5.05", 505), ("-1", -100), ("0", 0)] {
            assert_eq!(eur().read(text), Some(amount), "{text}");
        }
        for text in ["", ".", "5.", "5.001", "five", "1e3", "1 000", "5.0.0", "+5", "--5", "１", "9999999999999999"] {
            let read = eur().read(text);
            assert!(read.is_none() || text == "5.", "{text} is {read:?}");
        }
        assert_eq!(find("jpy").expect("the yen is taken").read("5.5"), None);
    }

    #[test]
    fn what_one_tip_may_be() {
        for amount in [-1, 0, 99, 50_001, 1_000_000_000_000, i64::MIN, i64::MAX] {
            assert_eq!(eur().check(amount).expect_err("out of bounds").code, "tip.amount");
        }
        assert!(eur().check(100).is_ok() && eur().check(50_000).is_ok());
        assert_eq!(find("btc").expect_err("not taken").code, "tip.currency");
    }

    #[test]
    fn amounts_are_shown_with_their_sign() {
        let chf = find("chf").expect("the franc is taken");
        assert_eq!(
            (eur().show(505).as_str(), eur().show(-5).as_str(), chf.show(500).as_str()),
            ("€5.05", "-€0.05", "CHF 5.00")
        );
        assert_eq!(find("jpy").expect("the yen is taken").show(500), "¥500");
    }

    proptest! {
        #[test]
        fn what_is_shown_reads_back(amount in -1_000_000_000_000_i64..1_000_000_000_000, which in 0..ALL.len()) {
            prop_assert_eq!(ALL[which].read(&ALL[which].show(amount)), Some(amount));
        }

        #[test]
        fn no_text_panics(text in "\\PC{0,24}") {
            let _ = eur().read(&text);
        }
    }
}
