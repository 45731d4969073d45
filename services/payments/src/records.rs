//! Every SQL statement of this service.

use callboard::Statement;

/// All of them.
pub(crate) const ALL: &[&Statement] = &[
    &OFFER,
    &OFFER_SET,
    &TIP,
    &TIP_BY_KEY,
    &TIPS,
    &TIPS_OF_PERSON,
    &TIPS_PENDING,
    &TIP_ADD,
    &TIP_OPENED,
    &TIP_STAGE,
    &TIP_THANKED,
    &TIP_UNTHANKED,
    &TIP_RECEIVED,
    &TIP_DELAYED,
    &TIP_FAILED,
    &TIP_STUCK,
    &TIP_REFUNDING,
    &TIP_REFUNDED,
    &TIP_KEPT,
    &ENTRY_ADD,
    &LINE_ADD,
    &ENTRY_BALANCE,
    &ENTRY_REVERSE,
    &LINES_REVERSE,
    &BALANCES,
    &EVENT_ADD,
    &EVENT,
];

macro_rules! tip_columns {
    ($rest:literal) => {
        concat!(
            "SELECT id, person, request_key, name, is_anonymous, series, series_title, amount, currency, note, card, state, stage, \
             reason_code, reason, intent, receipt, correlation, created_ms, updated_ms, version FROM tip WHERE tenant = $tenant ",
            $rest
        )
    };
}

pub(crate) static OFFER: Statement = Statement::read(
    "offer",
    &["tip_offer"],
    "SELECT currency, amounts, is_open, version FROM tip_offer WHERE tenant = $tenant",
);

/// Takes the currency, the amounts, whether it is open, and the version before; 0 where there was none.
pub(crate) static OFFER_SET: Statement = Statement::write(
    "offer_set",
    &["tip_offer"],
    "INSERT INTO tip_offer (tenant, currency, amounts, is_open, version) VALUES ($tenant, $1, $2, $3, $4 + 1)
     ON CONFLICT (tenant) DO UPDATE SET currency = excluded.currency, amounts = excluded.amounts,
       is_open = excluded.is_open, version = excluded.version WHERE tip_offer.version = $4",
);

pub(crate) static TIP: Statement = Statement::read("tip", &["tip"], tip_columns!("AND id = $1"));

pub(crate) static TIP_BY_KEY: Statement =
    Statement::read("tip_by_key", &["tip"], tip_columns!("AND person = $1 AND request_key = $2"));

/// Takes the place behind which to go on, and a limit.
pub(crate) static TIPS: Statement = Statement::read(
    "tips",
    &["tip"],
    tip_columns!("AND (created_ms, id) < ($1, $2) ORDER BY created_ms DESC, id DESC LIMIT $3"),
);

/// Takes the person, the place behind which to go on, and a limit.
pub(crate) static TIPS_OF_PERSON: Statement = Statement::read(
    "tips_of_person",
    &["tip"],
    tip_columns!("AND person = $1 AND (created_ms, id) < ($2, $3) ORDER BY created_ms DESC, id DESC LIMIT $4"),
);

/// Takes the person and the time from which on tips count.
pub(crate) static TIPS_PENDING: Statement = Statement::read(
    "tips_pending",
    &["tip"],
    "SELECT count(*) AS count FROM tip WHERE tenant = $tenant AND person = $1 AND created_ms >= $2 AND state = 'pending'",
);

pub(crate) static TIP_ADD: Statement = Statement::write(
    "tip_add",
    &["tip"],
    "INSERT INTO tip (tenant, id, person, request_key, name, is_anonymous, series, series_title, amount, currency, note, card,
       correlation, created_ms, updated_ms, state, stage, version)
     VALUES ($tenant, $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $13, 'pending', 'intent', 1)
     ON CONFLICT (tenant, person, request_key) DO NOTHING",
);

/// The payment service knows of it: takes the tip, its intent, and the time.
pub(crate) static TIP_OPENED: Statement = Statement::write(
    "tip_opened",
    &["tip"],
    "UPDATE tip SET intent = $2, stage = 'charge', updated_ms = $3, version = version + 1
     WHERE tenant = $tenant AND id = $1 AND state = 'pending'",
);

/// Takes the tip, the step that comes next, and the time.
pub(crate) static TIP_STAGE: Statement = Statement::write(
    "tip_stage",
    &["tip"],
    "UPDATE tip SET stage = $2, updated_ms = $3, reason_code = NULL, reason = NULL, version = version + 1
     WHERE tenant = $tenant AND id = $1 AND state = 'pending'",
);

/// Takes the tip, the receipt's number, and the time.
pub(crate) static TIP_THANKED: Statement = Statement::write(
    "tip_thanked",
    &["tip"],
    "UPDATE tip SET receipt = $2, stage = 'event', updated_ms = $3, version = version + 1
     WHERE tenant = $tenant AND id = $1 AND state = 'pending'",
);

pub(crate) static TIP_UNTHANKED: Statement = Statement::write(
    "tip_unthanked",
    &["tip"],
    "UPDATE tip SET receipt = NULL, updated_ms = $2, version = version + 1 WHERE tenant = $tenant AND id = $1",
);

pub(crate) static TIP_RECEIVED: Statement = Statement::write(
    "tip_received",
    &["tip"],
    "UPDATE tip SET state = 'received', stage = 'done', updated_ms = $2, version = version + 1
     WHERE tenant = $tenant AND id = $1 AND state = 'pending'",
);

/// Takes the tip, code and words of the reason, and the time.
pub(crate) static TIP_DELAYED: Statement = Statement::write(
    "tip_delayed",
    &["tip"],
    "UPDATE tip SET reason_code = $2, reason = $3, updated_ms = $4, version = version + 1
     WHERE tenant = $tenant AND id = $1 AND state IN ('pending', 'refunding')",
);

pub(crate) static TIP_FAILED: Statement = Statement::write(
    "tip_failed",
    &["tip"],
    "UPDATE tip SET state = 'failed', receipt = NULL, reason_code = $2, reason = $3, updated_ms = $4, version = version + 1
     WHERE tenant = $tenant AND id = $1 AND state IN ('pending', 'stuck')",
);

pub(crate) static TIP_STUCK: Statement = Statement::write(
    "tip_stuck",
    &["tip"],
    "UPDATE tip SET state = 'stuck', reason_code = $2, reason = $3, updated_ms = $4, version = version + 1
     WHERE tenant = $tenant AND id = $1 AND state IN ('pending', 'refunding')",
);

pub(crate) static TIP_REFUNDING: Statement = Statement::write(
    "tip_refunding",
    &["tip"],
    "UPDATE tip SET state = 'refunding', updated_ms = $2, reason_code = NULL, reason = NULL, version = version + 1
     WHERE tenant = $tenant AND id = $1 AND state IN ('received', 'stuck')",
);

pub(crate) static TIP_REFUNDED: Statement = Statement::write(
    "tip_refunded",
    &["tip"],
    "UPDATE tip SET state = 'refunded', updated_ms = $2, reason_code = NULL, reason = NULL, version = version + 1
     WHERE tenant = $tenant AND id = $1 AND state = 'refunding'",
);

/// A refund was refused: the tip is kept. Takes the tip, code and words of the reason, and the time.
pub(crate) static TIP_KEPT: Statement = Statement::write(
    "tip_kept",
    &["tip"],
    "UPDATE tip SET state = 'received', reason_code = $2, reason = $3, updated_ms = $4, version = version + 1
     WHERE tenant = $tenant AND id = $1 AND state = 'refunding'",
);

pub(crate) static ENTRY_ADD: Statement = Statement::write(
    "entry_add",
    &["ledger_entry"],
    "INSERT INTO ledger_entry (tenant, id, at_ms, is_balanced) VALUES ($tenant, $1, $2, 0) ON CONFLICT (tenant, id) DO NOTHING",
);

pub(crate) static LINE_ADD: Statement = Statement::write(
    "line_add",
    &["ledger_line"],
    "INSERT INTO ledger_line (tenant, entry, account, currency, amount) VALUES ($tenant, $1, $2, $3, $4)",
);

/// Says that an entry balances, if it does: in every currency its lines add up to nothing.
pub(crate) static ENTRY_BALANCE: Statement = Statement::write(
    "entry_balance",
    &["ledger_entry"],
    "UPDATE ledger_entry SET is_balanced = 1 WHERE tenant = $tenant AND id = $1
       AND (SELECT count(*) FROM ledger_line WHERE tenant = $tenant AND entry = $1) >= 2
       AND NOT EXISTS (SELECT currency FROM ledger_line WHERE tenant = $tenant AND entry = $1
         GROUP BY currency HAVING sum(amount) <> 0)",
)
.reading(&["ledger_line"]);

/// Takes the entry, the one that takes it back, and the time. Where there is no such entry, or it was taken back, nothing happens.
pub(crate) static ENTRY_REVERSE: Statement = Statement::write(
    "entry_reverse",
    &["ledger_entry"],
    "INSERT INTO ledger_entry (tenant, id, at_ms, is_balanced)
     SELECT tenant, $2, $3, is_balanced FROM ledger_entry WHERE tenant = $tenant AND id = $1
     ON CONFLICT (tenant, id) DO NOTHING",
)
.reading(&["ledger_entry"]);

pub(crate) static LINES_REVERSE: Statement = Statement::write(
    "lines_reverse",
    &["ledger_line"],
    "INSERT INTO ledger_line (tenant, entry, account, currency, amount)
     SELECT tenant, $2, account, currency, -amount FROM ledger_line WHERE tenant = $tenant AND entry = $1
     ON CONFLICT (tenant, entry, account, currency) DO NOTHING",
)
.reading(&["ledger_line"]);

pub(crate) static BALANCES: Statement = Statement::read(
    "balances",
    &["ledger_line"],
    "SELECT account, currency, CAST(sum(amount) AS BIGINT) AS amount FROM ledger_line WHERE tenant = $tenant
     GROUP BY account, currency ORDER BY account, currency",
);

pub(crate) static EVENT: Statement =
    Statement::read("event", &["payment_event"], "SELECT id FROM payment_event WHERE tenant = $tenant AND id = $1");

pub(crate) static EVENT_ADD: Statement = Statement::write(
    "event_add",
    &["payment_event"],
    "INSERT INTO payment_event (tenant, id, kind, tip, heard_ms) VALUES ($tenant, $1, $2, $3, $4)
     ON CONFLICT (tenant, id) DO NOTHING",
);
