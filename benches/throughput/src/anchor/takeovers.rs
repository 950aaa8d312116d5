//! w8: a login, a change of the password and a transfer over 5000 of a user within five minutes, and no logout in between.

use super::Anchor;
use super::events::Auth;
use super::keys::Keyed;
use super::out::Out;

const WITHIN_MS: i64 = 300_000;

/// What has begun, by user.
#[derive(Default)]
pub struct Takeovers(Keyed<Begun>);

#[derive(Default)]
struct Begun {
    /// Time and number of logins.
    logins: Vec<(i64, i64)>,
    /// The same with the change of the password that followed.
    changes: Vec<(i64, i64, i64)>,
}

impl Anchor for Takeovers {
    type Event<'a> = Auth<'a>;

    fn take(&mut self, event: Auth, out: &mut Out) -> Result<(), String> {
        if event.event == "Transfer" && event.amount <= Some(5000.0) {
            return Ok(());
        }
        let (_, begun) = self.0.entry(event.user_id)?;
        let open = |at: i64| at + WITHIN_MS >= event.ts;
        match event.event {
            "Login" => {
                begun.logins.retain(|(at, _)| open(*at));
                begun.logins.push((event.ts, event.seq));
            }
            "PwChange" => {
                begun.changes.retain(|(at, _, _)| open(*at));
                let logins = begun.logins.drain(..).filter(|(at, _)| open(*at));
                begun.changes.extend(logins.map(|(at, login)| (at, login, event.seq)));
            }
            "Transfer" => {
                for (_, login, change) in begun.changes.drain(..).filter(|(at, _, _)| open(*at)) {
                    out.row(format_args!("{login},{change},{}", event.seq));
                }
            }
            "Logout" => {
                begun.logins.clear();
                begun.changes.clear();
            }
            _ => {}
        }
        Ok(())
    }
}
