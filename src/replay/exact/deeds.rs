//! What changes the world, in a world made of a record: tools, the desk, agents' phones.

use serde_json::Value;

use super::answers::{Asker, Taken};
use super::asked::{DeskWord, Exchange, nearest};
use super::otherwise::{Due, World};
use crate::call::{Effect, Input};
use crate::conversation::{Invocation, ToolOutcome};
use crate::timeline::ToolVerdict;

/// A tool that is away is known to be after so long, ns.
const AWAY_NS: u64 = 100_000_000;
/// A phone of which the record says nothing rings for so long, ns.
const RINGS_NS: u64 = 20_000_000_000;

impl World<'_> {
    pub(super) fn effect(&mut self, effect: Effect) {
        if let Effect::Enqueue { packet, .. } = &effect {
            self.packet.clone_from(&packet.packet_id);
        }
        if let Some(word) = DeskWord::of(&effect) {
            let fits = |it: &&mut Exchange<DeskWord>| it.question == word && !it.used;
            let found = self.asked.desk.iter_mut().find(fits).map(|it| {
                it.used = true;
                Taken::of(it)
            });
            match found {
                Some(taken) => {
                    let desk = Asker::Desk(self.packet.clone());
                    self.replay(taken.asked, &taken.replies, &desk);
                }
                None if word == DeskWord::Enqueued => {
                    self.assume("no agent is free where none was asked for then");
                }
                None => {}
            }
        }
        if let Effect::Invoke(invocation) = effect {
            self.invoke(&invocation);
        }
    }

    fn invoke(&mut self, invocation: &Invocation) {
        let Invocation { id, tool, arguments, .. } = invocation;
        let same = |it: &Exchange<Invocation>| {
            it.question.tool == *tool && it.question.arguments == *arguments
        };
        match nearest(&mut self.asked.invoked, self.now, same).map(Taken::of) {
            Some(taken) => self.replay(taken.asked, &taken.replies, &Asker::Tool(*id)),
            None => {
                let what = "was never called: it answers as one that is away";
                self.assume(&format!("the tool {tool} with {arguments} {what}"));
                let took_ms = AWAY_NS / 1_000_000;
                let (verdict, result) = (ToolVerdict::Unreachable, Value::Null);
                let outcome = ToolOutcome { verdict, result, took_ms };
                self.supply(AWAY_NS, None, Input::ToolAnswered { invocation: *id, outcome });
            }
        }
    }

    pub(super) fn dial(&mut self, uri: &str) {
        self.dials += 1;
        let dial = self.dials;
        self.dial = Some(dial);
        let fits = |it: &&mut Exchange<String>| it.question == uri && !it.used;
        let found = self.asked.dialled.iter_mut().find(fits).map(|it| {
            it.used = true;
            Taken::of(it)
        });
        let Some(taken) = found else {
            self.assume("a phone that was not rung then is not picked up");
            self.plan(self.now + RINGS_NS, u64::MAX, Due::Agent { dial, lag: 0, number: None });
            return;
        };
        for reply in taken.replies {
            let key = (self.now + reply.key).saturating_sub(taken.asked);
            let (lag, number) = (self.lag(reply), Some(reply.number));
            self.plan(key, reply.number as u64, Due::Agent { dial, lag, number });
        }
    }
}
