//! w7: each login with the user's next transfer over 9000, within five minutes.

use super::Anchor;
use super::events::Auth;
use super::keys::Keyed;
use super::out::Out;
use std::collections::VecDeque;

const WITHIN_MS: i64 = 300_000;

/// Time and number of the logins that wait, by user.
#[derive(Default)]
pub struct Transfers(Keyed<VecDeque<(i64, i64)>>);

impl Anchor for Transfers {
    type Event<'a> = Auth<'a>;

    fn take(&mut self, event: Auth, out: &mut Out) -> Result<(), String> {
        match event.event {
            "Login" => {
                let (_, logins) = self.0.entry(event.user_id)?;
                while logins.front().is_some_and(|(at, _)| at + WITHIN_MS < event.ts) {
                    logins.pop_front();
                }
                logins.push_back((event.ts, event.seq));
            }
            "Transfer" if event.amount > Some(9000.0) => {
                let (user, logins) = self.0.entry(event.user_id)?;
                for (at, login) in logins.drain(..) {
                    if at + WITHIN_MS >= event.ts {
                        out.row(format_args!("{user},{login},{}", event.seq));
                    }
                }
            }
            _ => {}
        }
        Ok(())
    }
}
