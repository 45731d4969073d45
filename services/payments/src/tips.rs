//! Tips as people give and see them. What becomes of one is the flow's.

use crate::model::{NOTE_CHARS_MAX, Tip, View, load, no_tip};
use crate::records::{TIP_ADD, TIP_BY_KEY, TIPS, TIPS_OF_PERSON, TIPS_PENDING};
use crate::tipping::{FLOW, Gift};
use crate::{offer, stripe};
use callboard::{Empty, Env, Fault, Id, Msg, Reply, Rows, event, params};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

/// So many tips of one person may be under way; more is somebody who tries cards.
const PENDING_MAX: i64 = 5;
/// Older ones do not count.
const PENDING_AGE_MS: i64 = 3_600_000;

/// What somebody gives: `amount` in the currency's smallest unit, or `amount_text` as people write it.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewTip {
    series: String,
    #[serde(default)]
    amount: Option<i64>,
    #[serde(default)]
    amount_text: Option<String>,
    #[serde(default)]
    currency: Option<String>,
    #[serde(default)]
    note: String,
    #[serde(default)]
    anonymous: bool,
    card: String,
    /// Names this wish, so that sending it twice gives once.
    #[serde(default)]
    key: Option<String>,
}

fn wrong(code: &'static str, field: &str, message: impl Into<String>) -> Fault {
    let message = message.into();
    Fault::bad_input(code, message.clone()).field(field, message)
}

impl NewTip {
    fn amount(&self, offer: &offer::Offer) -> Result<i64, Fault> {
        let code = self.currency.as_deref().unwrap_or(offer.currency.code);
        if code != offer.currency.code {
            let message = format!("this channel takes {}, not {code}", offer.currency.code);
            return Err(wrong("tip.currency", "currency", message));
        }
        let written = self.amount_text.as_deref().map(str::trim).filter(|text| !text.is_empty());
        let amount = match (self.amount, written) {
            (Some(amount), _) => Some(amount),
            (None, Some(text)) => offer.currency.read(text),
            (None, None) => None,
        };
        let amount = amount.ok_or_else(|| {
            wrong(
                "tip.amount",
                "amount",
                format!("write an amount such as {}", offer.currency.show(offer.currency.proposed[1])),
            )
        })?;
        offer.currency.check(amount).map(|()| amount)
    }

    fn note(&self) -> Result<String, Fault> {
        let note = self.note.replace("\r\n", "\n").trim().to_owned();
        let is_odd = |sign: char| {
            (sign.is_control() && sign != '\n')
                || matches!(sign, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
        };
        if note.chars().count() > NOTE_CHARS_MAX || note.chars().any(is_odd) {
            return Err(wrong("tip.note", "note", format!("write at most {NOTE_CHARS_MAX} plain characters")));
        }
        Ok(note)
    }

    fn key(&self, env: &Env) -> Result<String, Fault> {
        match self.key.as_deref().filter(|key| !key.is_empty()) {
            None => Ok(env.id().to_string()),
            Some(key) if key.len() <= 64 && key.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-') => {
                Ok(key.to_owned())
            }
            Some(_) => Err(wrong("tip.key", "key", "use a key of at most 64 letters, digits and hyphens")),
        }
    }
}

/// `post /tips`: 202, with where to ask how it goes. The same key with the same content is the same tip.
pub(crate) async fn create(env: Env, msg: Msg<NewTip>) -> Result<Reply<View>, Fault> {
    let (person, wanted) = (env.person()?.to_owned(), &msg.data);
    let offer = offer::load(&env).await?;
    if !offer.is_open {
        return Err(Fault::conflict("tip.closed", "this channel takes no tips"));
    }
    let (amount, note, key) = (wanted.amount(&offer)?, wanted.note()?, wanted.key(&env)?);
    offer::check_card(&env, &wanted.card)?;
    let before: Option<Tip> = env.query(&TIP_BY_KEY, params![&person, &key]).await?.first()?;
    if let Some(tip) = before {
        let is_same = (&tip.series, tip.amount, &tip.note, tip.is_anonymous, &tip.card)
            == (&wanted.series, amount, &note, wanted.anonymous, &wanted.card);
        let other = Fault::conflict("tip.key_used", "another tip was given with this key; open the form again");
        return if is_same { Ok(Reply::accepted(tip.uri()?, tip.view(Some(&person))?)) } else { Err(other) };
    }
    if let Some(away) = env.when_away(stripe::URL)? {
        return Err(away);
    }
    let (series_title, name) = describe(&env, wanted).await?;
    check_pending(&env, &person).await?;
    let now_ms = env.now_ms();
    let tip = Tip {
        id: env.id().to_string(),
        request_key: key,
        name,
        is_anonymous: wanted.anonymous,
        series: wanted.series.clone(),
        series_title,
        amount,
        currency: offer.currency.code.to_owned(),
        note,
        card: wanted.card.clone(),
        state: crate::model::State::Pending,
        stage: "intent".to_owned(),
        reason_code: None,
        reason: None,
        intent: None,
        receipt: None,
        correlation: msg.correlation.to_string(),
        created_ms: now_ms,
        updated_ms: now_ms,
        version: 1,
        person: person.clone(),
    };
    accept(tip, &person)
}

fn accept(tip: Tip, person: &str) -> Result<Reply<View>, Fault> {
    let add = TIP_ADD.with(params![
        &tip.id,
        &tip.person,
        &tip.request_key,
        &tip.name,
        tip.is_anonymous,
        &tip.series,
        &tip.series_title,
        tip.amount,
        &tip.currency,
        &tip.note,
        &tip.card,
        &tip.correlation,
        tip.created_ms,
    ]);
    let (id, uri) = (tip.id.clone(), tip.uri()?);
    let news = json!({"uri": uri, "version": 1});
    Ok(Reply::accepted(uri.clone(), tip.view(Some(person))?)
        .header("retry-after", "1")
        .write(add.expect_or_retry(1..=1))
        .start(FLOW, id.clone(), Gift { tip: id })
        .emit(event("created"), uri, news))
}

/// The series' title and the giver's name, as they are now.
async fn describe(env: &Env, wanted: &NewTip) -> Result<(String, String), Fault> {
    #[derive(Deserialize)]
    struct Series {
        title: String,
    }
    #[derive(Deserialize)]
    struct Me {
        name: String,
    }
    let is_id = wanted.series.parse::<Id>().is_ok_and(|id| id.to_string() == wanted.series);
    if !is_id {
        return Err(wrong("data.invalid", "series", "name a series by its id"));
    }
    let series: Series = env.call(&format!("/series/{}", wanted.series)).await?;
    let me: Me = env.call("/me").await?;
    Ok((series.title, me.name))
}

async fn check_pending(env: &Env, person: &str) -> Result<(), Fault> {
    #[derive(Deserialize)]
    struct Counted {
        count: i64,
    }
    let since_ms = env.now_ms().saturating_sub(PENDING_AGE_MS);
    let counted: Option<Counted> = env.query(&TIPS_PENDING, params![person, since_ms]).await?.first()?;
    if counted.is_none_or(|counted| counted.count < PENDING_MAX) {
        return Ok(());
    }
    Err(Fault::too_many("tip.too_many", "other tips of yours are still under way; wait until they are through"))
}

/// `get /tips/{id}`: for who gave it, and for who works on the channel.
pub(crate) async fn read(env: Env, msg: Msg<Empty>) -> Result<Reply<View>, Fault> {
    let tip = load(&env, msg.param("id")).await?;
    let person = env.principal().person_id();
    let may_see = person == Some(tip.person.as_str()) || env.principal().has_role("editor") || person.is_none();
    if !may_see {
        return Err(no_tip());
    }
    let version = tip.version;
    Ok(Reply::ok(tip.view(person)?).version(version))
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Wanted {
    after: Option<String>,
    #[schemars(range(min = 1, max = 100), extend("x-code" = "list.limit"))]
    limit: Option<u32>,
}

#[derive(Serialize, JsonSchema)]
pub(crate) struct Page {
    items: Vec<View>,
    next: Option<String>,
}

impl Wanted {
    fn limit(&self) -> Result<u32, Fault> {
        let limit = self.limit.unwrap_or(50);
        let outside = || wrong("list.limit", "limit", format!("ask for 1 to 100 items, not {limit}"));
        (1..=100).contains(&limit).then_some(limit).ok_or_else(outside)
    }

    /// Reads `time.id`.
    fn place(&self) -> Result<(i64, &str), Fault> {
        let Some(after) = self.after.as_deref().filter(|after| !after.is_empty()) else { return Ok((i64::MAX, "")) };
        let place = after.split_once('.').and_then(|(time_ms, id)| Some((time_ms.parse().ok()?, id)));
        place.ok_or_else(|| wrong("list.after", "after", "use the `next` of the answer before"))
    }
}

fn page(rows: &Rows, limit: u32, viewer: Option<&str>) -> Result<Reply<Page>, Fault> {
    let mut tips: Vec<Tip> = rows.all()?;
    let limit = usize::try_from(limit).expect("a page is small");
    let has_more = tips.len() > limit;
    tips.truncate(limit);
    let next = tips.last().filter(|_| has_more).map(|last| format!("{}.{}", last.created_ms, last.id));
    let items = tips.into_iter().map(|tip| tip.view(viewer)).collect::<Result<_, Fault>>()?;
    Ok(Reply::ok(Page { items, next }))
}

/// `get /tips`: those of the channel, newest first.
pub(crate) async fn list(env: Env, msg: Msg<Wanted>) -> Result<Reply<Page>, Fault> {
    let (limit, (before_ms, before)) = (msg.data.limit()?, msg.data.place()?);
    page(&env.query(&TIPS, params![before_ms, before, limit + 1]).await?, limit, None)
}

/// `get /me/tips`: one's own, newest first.
pub(crate) async fn list_own(env: Env, msg: Msg<Wanted>) -> Result<Reply<Page>, Fault> {
    let (limit, (before_ms, before)) = (msg.data.limit()?, msg.data.place()?);
    let person = env.person()?;
    let rows = env.query(&TIPS_OF_PERSON, params![person, before_ms, before, limit + 1]).await?;
    page(&rows, limit, Some(person))
}
