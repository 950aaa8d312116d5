//! w6: sessions of clicks, closed as soon as the user has been silent for longer than the gap.

use super::Anchor;
use super::events::Click;
use super::keys::Keyed;
use super::out::Out;
use std::collections::VecDeque;

const GAP_MS: i64 = 10_000;

/// Open sessions by user, and all clicks of the last ten seconds, which tell who has become silent.
#[derive(Default)]
pub struct Sessions {
    users: Keyed<Session>,
    recent: VecDeque<(i64, u32)>,
}

/// Open if it has clicks.
#[derive(Clone, Copy, Default)]
struct Session {
    first: i64,
    last: i64,
    clicks: u64,
    most: i64,
}

impl Sessions {
    /// Closes the sessions whose last click is more than the gap before `now`.
    fn close(&mut self, now: i64, out: &mut Out) {
        while let Some((at, user)) = self.recent.front().copied().filter(|(at, _)| *at < now.saturating_sub(GAP_MS)) {
            self.recent.pop_front();
            let (name, session) = &mut self.users.all[user as usize];
            if session.clicks > 0 && session.last == at {
                let Session { first, last, clicks, most } = std::mem::take(session);
                out.row(format_args!("{name},{first},{last},{clicks},{most}"));
            }
        }
    }
}

impl Anchor for Sessions {
    type Event<'a> = Click<'a>;

    fn take(&mut self, click: Click, out: &mut Out) -> Result<(), String> {
        if click.event != "Click" {
            return Ok(());
        }
        self.close(click.ts, out);
        let user = self.users.number(click.user_id)?;
        let session = &mut self.users.all[user].1;
        if session.clicks == 0 {
            *session = Session { first: click.ts, last: click.ts, clicks: 0, most: click.value };
        }
        session.clicks += 1;
        session.last = click.ts;
        session.most = session.most.max(click.value);
        self.recent.push_back((click.ts, user as u32));
        Ok(())
    }

    fn end(&mut self, out: &mut Out) {
        self.close(i64::MAX, out);
    }
}
