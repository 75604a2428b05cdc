//! A thousand calls in which two things happen at once, each with its right outcome, and nothing
//! left of them (RFC 3261 §9, §13.2.2.4, §14, §15). Seeded; the seed is told where one goes wrong.
#![expect(clippy::unwrap_used, reason = "a telephone that cannot speak has failed the test")]

mod support;

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use cordboard_sip::endpoint::{Endpoint, Incoming, Leg, LegSignal};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;

use support::{Phone, endpoint, field, next, request, sdp, to_tag, until};

const RUNS: u64 = 1_000;
/// Calls at a time.
const TOGETHER: usize = 16;

/// What two sides do at once.
#[derive(Clone, Copy, Debug)]
enum Race {
    CancelAndAnswer,
    BothChange,
    BothHangUp,
    ChangeAndHangUp,
    EarlyBye,
    ForkedAnswer,
    RepeatedInvite,
}

const RACES: [Race; 7] = [
    Race::CancelAndAnswer,
    Race::BothChange,
    Race::BothHangUp,
    Race::ChangeAndHangUp,
    Race::EarlyBye,
    Race::ForkedAnswer,
    Race::RepeatedInvite,
];

/// xorshift: the same lots for the same seed.
struct Lots(u64);

impl Lots {
    fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % end
    }

    /// Lets others go first, or not.
    async fn dally(&mut self) {
        for _ in 0..self.below(12) {
            tokio::task::yield_now().await;
        }
    }
}

/// Both sides, and who waits for which call.
#[derive(Clone)]
struct Place {
    here: Endpoint,
    there: Endpoint,
    waiting: Arc<Mutex<HashMap<String, oneshot::Sender<Incoming>>>>,
}

impl Place {
    fn expect(&self, user: &str) -> oneshot::Receiver<Incoming> {
        let (give, take) = oneshot::channel();
        self.waiting.lock().unwrap().insert(user.to_owned(), give);
        take
    }

    /// Gives each call to who waits for it; a call that rings twice is a failure.
    async fn hand_out(self, mut calls: mpsc::Receiver<Incoming>) {
        while let Some(incoming) = calls.recv().await {
            let waiting = self.waiting.lock().unwrap().remove(&incoming.to_user);
            let waiting = waiting.unwrap_or_else(|| panic!("{} rang twice", incoming.to_user));
            assert!(waiting.send(incoming).is_ok());
        }
    }

    async fn ringing(&self, user: &str) -> (Leg, Leg) {
        let incoming = self.expect(user);
        let to = format!("sip:{user}@{}", self.there.local_udp().unwrap());
        let mut caller = self.here.dial(request(to)).unwrap();
        let callee = incoming.await.unwrap().leg;
        callee.line.ringing();
        assert_eq!(next(&mut caller).await, Some(LegSignal::Progress { code: 180, sdp: None }));
        (caller, callee)
    }

    async fn talking(&self, user: &str) -> (Leg, Leg) {
        let (mut caller, mut callee) = self.ringing(user).await;
        callee.line.answer(sdp(5000));
        let accepted = LegSignal::Accepted { sdp: Some(sdp(5000)) };
        assert_eq!(after_ringing(&mut caller).await, Some(accepted));
        assert_eq!(next(&mut callee).await, Some(LegSignal::Acked { sdp: None }));
        (caller, callee)
    }
}

/// The next signal that is no ringing: an INVITE that a late machine repeats is answered by the
/// same 180 again, and that may come when the call is up.
async fn after_ringing(leg: &mut Leg) -> Option<LegSignal> {
    loop {
        match next(leg).await {
            Some(LegSignal::Progress { code: 180, sdp: None }) => {}
            other => return other,
        }
    }
}

/// Everything that a leg says until it is gone, but for ringing.
async fn rest(leg: &mut Leg) -> Vec<LegSignal> {
    let mut said = Vec::new();
    while let Some(signal) = after_ringing(leg).await {
        said.push(signal);
    }
    said
}

async fn cancel_and_answer(place: &Place, user: &str, mut lots: Lots) {
    let (mut caller, mut callee) = place.ringing(user).await;
    if lots.below(2) == 0 {
        caller.line.hang_up(None);
        lots.dally().await;
        callee.line.answer(sdp(5000));
    } else {
        callee.line.answer(sdp(5000));
        lots.dally().await;
        caller.line.hang_up(None);
    }
    let (caller, callee) = (rest(&mut caller).await, rest(&mut callee).await);
    // The BYE may overtake the ACK on its way through the stack; the call is over all the same.
    let hung_up = |said: &[LegSignal]| match said {
        [LegSignal::Acked { sdp: None }, rest @ ..] | rest => {
            *rest == [LegSignal::Bye { reason: None }]
        }
    };
    let right = match caller.as_slice() {
        [LegSignal::Refused { code: 487, .. }] => {
            callee == [LegSignal::Cancelled] || hung_up(&callee)
        }
        [LegSignal::Accepted { .. }] => hung_up(&callee),
        _ => false,
    };
    assert!(right, "{caller:?} {callee:?}");
}

async fn both_change(place: &Place, user: &str, mut lots: Lots) {
    let (mut caller, mut callee) = place.talking(user).await;
    caller.line.reinvite(sdp(6000));
    lots.dally().await;
    callee.line.reinvite(sdp(6001));
    let mut answered = [false; 2];
    while answered != [true; 2] {
        let (who, signal) = tokio::select! {
            signal = after_ringing(&mut caller) => (0, signal),
            signal = after_ringing(&mut callee) => (1, signal),
        };
        let own = if who == 0 { &caller } else { &callee };
        match signal {
            Some(LegSignal::Reinvited { sdp: Some(_) }) => own.line.accept_reinvite(sdp(7000)),
            Some(
                LegSignal::ReinviteAccepted { .. } | LegSignal::ReinviteRefused { code: 491 | 500 },
            ) => answered[who] = true,
            Some(LegSignal::Acked { sdp: None }) => {}
            other => panic!("{who}: {other:?}"),
        }
    }
    // Whatever became of the changes, the call stands.
    caller.line.hang_up(None);
    let said = rest(&mut callee).await;
    assert_eq!(said.last(), Some(&LegSignal::Bye { reason: None }), "{said:?}");
    rest(&mut caller).await;
}

async fn both_hang_up(place: &Place, user: &str, mut lots: Lots) {
    let (mut caller, mut callee) = place.talking(user).await;
    caller.line.hang_up(None);
    lots.dally().await;
    callee.line.hang_up(None);
    let over = [rest(&mut caller).await, rest(&mut callee).await].concat();
    assert!(over.iter().all(|it| *it == LegSignal::Bye { reason: None }), "{over:?}");
}

async fn change_and_hang_up(place: &Place, user: &str, mut lots: Lots) {
    let (mut caller, mut callee) = place.talking(user).await;
    caller.line.reinvite(sdp(6000));
    lots.dally().await;
    callee.line.hang_up(None);
    let (caller, callee) = (rest(&mut caller).await, rest(&mut callee).await);
    let bye = LegSignal::Bye { reason: None };
    assert!(caller.contains(&bye), "{caller:?}");
    assert!(callee.iter().all(|it| matches!(it, LegSignal::Reinvited { .. })), "{callee:?}");
}

fn invite(phone: &Phone, user: &str) -> String {
    let invite = phone.request("INVITE", user, 1, "", &sdp(4000));
    invite.replacen("sip:100@", &format!("sip:{user}@"), 1)
}

async fn early_bye(place: &Place, user: &str, mut lots: Lots) {
    let phone = Phone::new(&place.there).await;
    let incoming = place.expect(user);
    phone.send(&invite(&phone, user)).await;
    let mut leg = incoming.await.unwrap().leg;
    leg.line.ringing();
    let tag = to_tag(&phone.receive_of("SIP/2.0 180").await);
    phone.send(&phone.request("BYE", user, 2, &tag, "")).await;
    lots.dally().await;
    leg.line.answer(sdp(5000));
    let mut done = [false; 2];
    while done != [true; 2] {
        let message = phone.receive_of("SIP/2.0").await;
        let cseq = field(&message, "CSeq").unwrap();
        done[0] |= cseq == "2 BYE" && message.starts_with("SIP/2.0 200");
        let answered = cseq == "1 INVITE" && !message.starts_with("SIP/2.0 1");
        done[1] |= answered;
        if answered {
            phone.send(&phone.request("ACK", user, 1, &tag, "")).await;
        }
    }
    let said = rest(&mut leg).await;
    let ended = |it: &LegSignal| matches!(it, LegSignal::Cancelled | LegSignal::Bye { .. });
    assert!(said.last().is_some_and(ended), "{said:?}");
}

async fn forked_answer(place: &Place, user: &str, mut lots: Lots) {
    let phone = Phone::new(&place.here).await;
    let at = phone.socket.local_addr().unwrap();
    let mut leg = place.here.dial(request(format!("sip:{user}@{at}"))).unwrap();
    let invite = phone.receive_of("INVITE").await;
    let answer = |tag: &str, mark: u16| answered(&phone, &invite, tag, mark);
    phone.send(&answer("one", 5000)).await;
    lots.dally().await;
    phone.send(&answer("two", 5002)).await;
    let mut acked = [false; 2];
    let mut hung_up = false;
    while !(hung_up && acked == [true; 2]) {
        let message = phone.receive().await;
        let tag = to_tag(&message);
        match message.split(' ').next() {
            Some("ACK") => acked[usize::from(tag == "two")] = true,
            Some("BYE") => {
                assert_eq!(tag, "two");
                hung_up = true;
                phone.send(&done(&message)).await;
            }
            // INVITE again, and what was meant for whoever had this port before.
            Some("INVITE" | "SIP/2.0") => {}
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(next(&mut leg).await, Some(LegSignal::Accepted { sdp: Some(sdp(5000)) }));
    leg.line.hang_up(None);
    let mut bye = phone.receive_of("BYE").await;
    while to_tag(&bye) != "one" {
        phone.send(&done(&bye)).await;
        bye = phone.receive_of("BYE").await;
    }
    phone.send(&done(&bye)).await;
    assert_eq!(next(&mut leg).await, None);
}

async fn repeated_invite(place: &Place, user: &str, mut lots: Lots) {
    let phone = Phone::new(&place.there).await;
    let incoming = place.expect(user);
    let invite = invite(&phone, user);
    phone.send(&invite).await;
    lots.dally().await;
    phone.send(&invite).await;
    let mut leg = incoming.await.unwrap().leg;
    leg.line.answer(sdp(5000));
    phone.send(&invite).await;
    let tag = to_tag(&phone.receive_of("SIP/2.0 200").await);
    phone.send(&phone.request("ACK", user, 1, &tag, "")).await;
    assert_eq!(next(&mut leg).await, Some(LegSignal::Acked { sdp: None }));
    phone.send(&invite).await;
    phone.send(&phone.request("BYE", user, 2, &tag, "")).await;
    assert_eq!(next(&mut leg).await, Some(LegSignal::Bye { reason: None }));
    assert_eq!(next(&mut leg).await, None);
}

/// 200 of one branch.
fn answered(phone: &Phone, invite: &str, tag: &str, mark: u16) -> String {
    let at = phone.socket.local_addr().unwrap();
    let body = sdp(mark);
    let copied = ["Via", "From", "Call-ID", "CSeq"]
        .map(|it| format!("{it}: {}\r\n", field(invite, it).unwrap()));
    format!(
        "SIP/2.0 200 OK\r\n{}To: {};tag={tag}\r\nContact: <sip:{tag}@{at}>\r\n\
         Content-Type: application/sdp\r\nContent-Length: {}\r\n\r\n{body}",
        copied.concat(),
        field(invite, "To").unwrap(),
        body.len(),
    )
}

/// 200 of a request within a dialog.
fn done(request: &str) -> String {
    let copied = ["Via", "From", "To", "Call-ID", "CSeq"]
        .map(|it| format!("{it}: {}\r\n", field(request, it).unwrap()));
    format!("SIP/2.0 200 OK\r\n{}Content-Length: 0\r\n\r\n", copied.concat())
}

/// Says which run went wrong.
struct Told(u64, Race);

impl Drop for Told {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("in run {}: {:?}", self.0, self.1);
        }
    }
}

async fn run(place: Place, number: u64) {
    let mut lots = Lots(0x9E37_79B9_7F4A_7C15 ^ (number + 1));
    for _ in 0..4 {
        lots.below(1);
    }
    let race = RACES[usize::try_from(lots.below(RACES.len() as u64)).unwrap()];
    let user = format!("r{number}");
    let _told = Told(number, race);
    match race {
        Race::CancelAndAnswer => cancel_and_answer(&place, &user, lots).await,
        Race::BothChange => both_change(&place, &user, lots).await,
        Race::BothHangUp => both_hang_up(&place, &user, lots).await,
        Race::ChangeAndHangUp => change_and_hang_up(&place, &user, lots).await,
        Race::EarlyBye => early_bye(&place, &user, lots).await,
        Race::ForkedAnswer => forked_answer(&place, &user, lots).await,
        Race::RepeatedInvite => repeated_invite(&place, &user, lots).await,
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_races_end_right_and_leave_nothing() {
    let t1 = Duration::from_millis(50);
    let (here, there) = (endpoint(t1).await, endpoint(t1).await);
    let place = Place { here: here.0, there: there.0, waiting: Arc::default() };
    let answering = tokio::spawn(place.clone().hand_out(there.1));
    let mut running = JoinSet::new();
    let mut right = 0;
    for number in 0..RUNS {
        if running.len() >= TOGETHER {
            running.join_next().await.unwrap().unwrap();
            right += 1;
        }
        running.spawn(run(place.clone(), number));
    }
    while let Some(ended) = running.join_next().await {
        ended.unwrap();
        right += 1;
    }
    assert_eq!(right, RUNS);
    for side in [&place.here, &place.there] {
        until(side, |it| {
            it.dialogs + it.transactions + it.finished_transactions + it.waiting_ack == 0
        })
        .await;
    }
    assert!(!answering.is_finished(), "a call rang twice");
    answering.abort();
}
