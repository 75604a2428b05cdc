//! Whole conversations, turn by turn.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use cordboard::conversation::{Conversation, Flow, Heard, Input, Interruptible, PromptId};
use cordboard::timeline::{Debtor, RepairCause, ToolVerdict, Trigger, Verified, What};
use cordboard::turn::TurnEvent;
use cordboard_models::speech::{Ranked, SlotKind};
use jiff::civil::date;
use serde_json::{Value, json};

use super::desk::{NOON, Table, parcel};

#[test]
fn an_order_is_looked_up_after_its_number_was_read_back() {
    let mut table = Table::greeted();
    let opening = table.said();
    assert!(opening.contains("automated assistant"), "{opening}");
    assert_eq!(table.prompts[0].interruptible, Interruptible::No);

    let said = table.hears("Um, where is my order, please?");
    assert_eq!(said, "What is your order number? It has six digits.");
    let asked = table.asked.clone().unwrap();
    assert_eq!(asked.kinds, [SlotKind::Digits { min: 6, max: 6 }]);
    assert!(asked.phrases.iter().any(|phrase| phrase.tag == "global:agent"));

    let said = table.hears("one two three four five six");
    assert_eq!(said, "Order 1 2 3 4 5 6. Is that right?");
    assert_eq!(table.hears("yes"), "Let me look that up.");
    let invocation = table.invoked[0].clone();
    assert_eq!(invocation.arguments, json!({"order_number": "123456"}));
    assert_eq!(invocation.key.len(), 64);

    let said = table.finds_order(invocation.id, "123456");
    assert_eq!(
        said,
        "Order 1 2 3 4 5 6 is out for delivery. It will be with you by six this evening. \
         Is there anything else?"
    );
    let case = table.conversation.case();
    assert_eq!(case.resolved, ["where an order is"]);
    assert_eq!(case.slots[0].verified, Verified::Confirmed);
    assert_eq!(case.stated_issue, "Um, where is my order, please?");
    assert!(case.actions[0].succeeded);

    assert!(table.hears("no thank you").contains("Goodbye"));
    assert!(table.hung_up);
}

#[test]
fn a_number_said_with_the_wish_is_not_asked_for_again() {
    let mut table = Table::greeted();
    let said = table.hears("where is my order one two three four five six");
    assert_eq!(said, "Order 1 2 3 4 5 6. Is that right?");
}

#[test]
fn one_digit_is_put_right() {
    for (correction, read_back) in [
        ("no the third digit is five", "Order 1 2 5 4 5 6. Is that right?"),
        ("it's nine not six", "Order 1 2 3 4 5 9. Is that right?"),
        ("no it's two two two two two two", "Order 2 2 2 2 2 2. Is that right?"),
    ] {
        let mut table = Table::greeted();
        table.hears("where is my order one two three four five six");
        assert_eq!(table.hears(correction), read_back);
        assert!(table.hears("yes that's right").contains("look that up"));
    }
}

#[test]
fn after_a_miss_the_keypad_is_offered_and_keyed_digits_are_not_read_back() {
    let mut table = Table::greeted();
    table.hears("where is my order one two three four five six");
    let said = table.hears("no");
    assert!(said.contains("key it in"), "{said}");
    assert!(table.notes.contains(&What::Repaired { cause: RepairCause::Denied, count: 1 }));
    table.keys("22222");
    assert!(table.invoked.is_empty());
    table.keys("2");
    assert_eq!(table.invoked[0].arguments, json!({"order_number": "222222"}));
    let filled = What::SlotFilled {
        slot: "order_number".to_owned(),
        value: "222222".to_owned(),
        verified: Verified::Keyed,
    };
    assert!(table.notes.contains(&filled));
}

#[test]
fn keys_end_by_themselves_after_a_pause() {
    let mut table = Table::greeted();
    table.hears("where is my order");
    table.keys("12");
    assert_eq!(table.mumbles(), "", "a noise takes no keys away");
    table.keys("3");
    assert_eq!(table.deadline, Some(table.now + Duration::from_millis(2_500)));
    let said = table.times_out();
    assert!(said.contains("order number"), "{said}");
    table.keys("12*123456");
    assert_eq!(table.invoked[0].arguments, json!({"order_number": "123456"}));
}

#[test]
fn zero_brings_a_person_where_no_digits_are_asked_for() {
    let mut table = Table::greeted();
    table.keys("0");
    assert_eq!(table.escalated.unwrap().0, Trigger::Asked);
}

#[test]
fn a_person_who_was_asked_for_comes_at_once_and_a_message_is_taken_where_nobody_does() {
    let mut table = Table::greeted();
    table.hears("where is my order");
    let said = table.hears("i want to speak to a person");
    assert_eq!(said, "One moment, I will get a colleague for you.");
    let (trigger, _, queue) = table.escalated.take().unwrap();
    assert_eq!((trigger, queue.as_str()), (Trigger::Asked, "service"));
    assert_eq!(table.conversation.case().unresolved, ["where an order is"]);

    assert_eq!(table.hears("hello"), "", "the caller is the human's now");
    let said = table.put(Input::NobodyCame);
    assert!(said.starts_with("I'm sorry, nobody could take your call just now."), "{said}");
    assert!(table.asked.as_ref().unwrap().open);
    let said = table.hears("please call me back about my broken parcel");
    assert!(said.contains("I noted: please call me back about my broken parcel."), "{said}");
    assert!(table.hung_up);
    assert!(table.conversation.case().message_taken);
}

#[test]
fn a_message_may_be_declined_and_a_badly_recognized_one_is_taken() {
    let mut table = Table::greeted();
    table.hears("a person");
    table.put(Input::NobodyCame);
    assert_eq!(table.hears("yes please"), "Go ahead.");
    let said = table.hears_unsure("call me about the thing", 0.1);
    assert!(table.notes.contains(&What::MessageTaken { text: "call me about the thing".into() }));
    assert!(!said.contains("call me about the thing"), "{said}");

    let mut table = Table::greeted();
    table.hears("a person");
    table.put(Input::NobodyCame);
    table.hears("no thanks");
    assert!(table.hung_up && !table.conversation.case().message_taken);
}

#[test]
fn conversations_and_flows_go_from_thread_to_thread() {
    fn portable<T: Send>() {}
    fn shared<T: Send + Sync>() {}
    portable::<Conversation>();
    shared::<Flow>();
}

#[test]
fn outside_the_hours_a_message_is_taken_instead_of_a_hand_over() {
    let text = include_str!("../../flows/parcel.yaml")
        .replace("saturday: \"00:00-24:00\"", "saturday: \"08:00-11:00\"");
    let flow = Arc::new(Flow::parse(&text, "closed.yaml", &BTreeMap::new()).unwrap());
    let mut table = Table::with(Arc::clone(&flow), NOON);
    let said = table.hears("a person");
    assert!(said.starts_with("Our colleagues are not here at this hour."), "{said}");
    assert!(table.escalated.is_none());
    let mut table = Table::with(flow, date(2026, 11, 21).at(10, 59, 0, 0));
    table.hears("a person");
    assert!(table.escalated.is_some());
}

#[test]
fn a_silent_caller_is_asked_twice_in_other_words_and_told_goodbye() {
    let mut table = Table::greeted();
    let first = table.is_silent(Debtor::Caller);
    let second = table.is_silent(Debtor::Caller);
    assert!(first != second && !first.is_empty() && !second.is_empty(), "{first} / {second}");
    assert!(!table.hung_up);
    assert!(table.is_silent(Debtor::Caller).contains("Goodbye"));
    assert!(table.hung_up);
}

#[test]
fn three_failed_repairs_bring_a_person() {
    let mut table = Table::greeted();
    table.hears("where is my order");
    let first = table.mumbles();
    let second = table.mumbles();
    assert_ne!(first, second);
    table.mumbles();
    assert_eq!(table.escalated.unwrap().0, Trigger::Repairs);
}

#[test]
fn unsure_words_are_asked_about_and_three_of_them_bring_a_person() {
    let mut table = Table::greeted();
    let said = table.hears_unsure("opening hours", 0.35);
    assert_eq!(said, "This is about the opening hours. Is that right?");
    table.hears_unsure("yes", 0.35);
    assert!(table.escalated.is_none());
    table.hears_unsure("track my order", 0.35);
    assert_eq!(table.escalated.unwrap().0, Trigger::LowConfidence);
}

#[test]
fn an_intent_that_was_denied_is_dropped() {
    let mut table = Table::greeted();
    table.hears_unsure("opening hours", 0.5);
    let said = table.hears("no");
    assert!(said.contains("Please tell me what you are calling about"), "{said}");
}

#[test]
fn a_slow_tool_is_talked_over_and_its_result_is_applied_whatever_was_said() {
    let mut table = Table::greeted();
    let invocation = table.asks_for_order("555555");
    let first = table.is_silent(Debtor::Assistant);
    let lasting = Duration::from_secs(3);
    let silence = TurnEvent::Silence { owed_by: Debtor::Assistant, lasting };
    let again = table.put_at_once(Input::Turn(silence));
    assert_eq!(again, "", "one waiting prompt is queued already");
    let ended = Heard { text: first.clone(), unsaid: String::new() };
    let prompt = (1..100).map(PromptId);
    for prompt in prompt {
        table.put_at_once(Input::PromptEnded { prompt, heard: ended.clone() });
    }
    let second = table.hears("are you still there");
    assert!(first != second && !second.is_empty(), "{first} / {second}");
    let said = table.finds_order(invocation.id, "555555");
    assert!(said.contains("Order 5 5 5 5 5 5 is out for delivery"), "{said}");
    assert_eq!(table.finds_order(invocation.id, "555555"), "", "an answer counts once");
}

#[test]
fn a_result_that_comes_after_the_caller_left_for_a_person_is_still_entered() {
    let mut table = Table::greeted();
    let invocation = table.asks_for_order("555555");
    table.hears("an agent");
    assert!(table.escalated.is_some());
    assert_eq!(table.finds_order(invocation.id, "555555"), "");
    assert!(table.conversation.case().actions[0].succeeded);
}

#[test]
fn a_tool_that_fails_is_tried_once_more_and_then_a_person_is_brought() {
    let mut table = Table::greeted();
    let first = table.asks_for_order("500500");
    let said = table.answers(first.id, ToolVerdict::Status(500), Value::Null);
    assert_eq!(said, "I'm sorry, that did not work. I will try once more.");
    let second = table.invoked[0].clone();
    assert_eq!(second.key, first.key, "the same wish has the same key");
    let said = table.answers(second.id, ToolVerdict::TimedOut, Value::Null);
    assert!(said.starts_with("I'm sorry, our system does not answer just now."), "{said}");
    assert_eq!(table.escalated.unwrap().0, Trigger::ToolFailed);
    assert!(table.conversation.case().actions.iter().all(|action| !action.succeeded));
}

#[test]
fn a_tool_that_never_answers_has_a_deadline() {
    let mut table = Table::greeted();
    table.asks_for_order("123456");
    let said = table.times_out();
    assert!(said.contains("does not answer"), "{said}");
    assert_eq!(table.escalated.unwrap().0, Trigger::ToolFailed);
}

#[test]
fn an_unknown_order_is_asked_for_again_and_not_for_ever() {
    let mut table = Table::greeted();
    let mut invocation = table.asks_for_order("404404");
    for number in ["404405", "404406"] {
        let said = table.answers(invocation.id, ToolVerdict::Status(404), Value::Null);
        assert!(said.starts_with("I cannot find an order 4 0 4 4 0"), "{said}");
        assert!(said.ends_with("It has six digits."), "{said}");
        table.keys(number);
        invocation = table.invoked.pop().unwrap();
    }
    table.answers(invocation.id, ToolVerdict::Status(404), Value::Null);
    table.keys("404407");
    let invocation = table.invoked.pop().unwrap();
    table.answers(invocation.id, ToolVerdict::Status(404), Value::Null);
    assert_eq!(table.escalated.unwrap().0, Trigger::Repairs);
}

#[test]
fn the_same_question_twice_is_answered_from_what_is_known() {
    let mut table = Table::greeted();
    let invocation = table.asks_for_order("123456");
    table.finds_order(invocation.id, "123456");
    table.hears("where is my order");
    let said = table.keys("123456");
    assert!(table.invoked.is_empty());
    assert!(said.contains("is out for delivery"), "{said}");
}

#[test]
fn an_address_is_changed_once_and_only_after_a_yes() {
    let mut table = Table::greeted();
    table.hears("i have moved");
    table.keys("123456");
    let said = table.hears("five Mill Lane Springfield");
    assert_eq!(said, "I heard five Mill Lane Springfield. Is that right?");
    assert_eq!(table.hears("yes"), "Shall I change the address now?");
    assert!(table.invoked.is_empty());
    table.hears("yes please");
    let invocation = table.invoked[0].clone();
    let expected = json!({"order_number": "123456", "new_address": "five Mill Lane Springfield"});
    assert_eq!(invocation.arguments, expected);
    let said = table.answers(invocation.id, ToolVerdict::Done, json!({"changed": true}));
    assert!(said.starts_with("The address of order 1 2 3 4 5 6 is changed."), "{said}");
}

#[test]
fn a_complaint_is_heard_out_and_handed_over_in_the_callers_words() {
    let mut table = Table::greeted();
    table.hears("i have a complaint");
    table.hears("the driver threw my parcel over the fence");
    let (trigger, reason, queue) = table.escalated.take().unwrap();
    assert_eq!((trigger, reason.as_str()), (Trigger::Rule, "a complaint"));
    assert_eq!(queue, "service");
    let case = table.conversation.case();
    assert_eq!(case.stated_issue, "the driver threw my parcel over the fence");
    assert_eq!(case.intent.as_deref(), Some("complaint"));
}

#[test]
fn an_emergency_goes_straight_to_a_person_even_where_nobody_came_before() {
    let mut table = Table::greeted();
    table.hears("a person");
    table.put(Input::NobodyCame);
    table.escalated = None;
    table.hears("listen there is a fire in the depot");
    assert_eq!(table.escalated.unwrap().0, Trigger::Emergency);
}

#[test]
fn repeat_slower_and_help_work_and_slower_stays() {
    let mut table = Table::greeted();
    let asked = table.hears("where is my order");
    assert_eq!(table.hears("say that again"), asked);
    let said = table.hears("slower please");
    assert!(said.ends_with(&asked), "{said}");
    assert!(table.prompts.iter().all(|prompt| prompt.stretch > 1.2));
    let said = table.hears("help");
    assert!(said.contains("in the mail") && said.ends_with(&asked), "{said}");
    assert!(table.prompts.iter().all(|prompt| prompt.stretch > 1.2));
    assert_eq!(table.keys("123456"), "Let me look that up.");
    let invocation = table.invoked[0].id;
    let answer = table.finds_order(invocation, "123456");
    assert_eq!(table.hears("pardon"), answer);
}

#[test]
fn another_wish_in_the_middle_of_a_question_is_taken_up() {
    let mut table = Table::greeted();
    table.hears("where is my order");
    let said = table.hears("what are your opening hours");
    assert!(said.starts_with("Our depots are open from eight to six"), "{said}");
    assert_eq!(table.conversation.case().unresolved, ["where an order is"]);
}

#[test]
fn words_that_no_phrase_matches_go_to_the_language_model() {
    let mut table = Table::greeted();
    assert_eq!(table.hears("my aunt sent me a gift and it is late"), "");
    let request = table.ranked[0];
    let ranked = |name: &str, probability| vec![Ranked { name: name.into(), probability }];
    let stale = Input::Ranked { request: request + 7, ranked: ranked("complaint", 0.9) };
    assert_eq!(table.put(stale), "", "an answer to another question is dropped");
    let said = table.put(Input::Ranked { request, ranked: ranked("order_status", 0.8) });
    assert!(said.contains("order number"), "{said}");
    assert_eq!(table.conversation.case().stated_issue, "my aunt sent me a gift and it is late");
}

#[test]
fn a_language_model_that_gives_up_or_is_late_is_no_silence() {
    let mut table = Table::greeted();
    table.hears("my aunt sent me a gift");
    let request = table.ranked[0];
    assert!(!table.put(Input::Ranked { request, ranked: vec![] }).is_empty());
    table.hears("my aunt sent me a gift");
    assert!(!table.times_out().is_empty());
}

#[test]
fn what_was_heard_is_kept_and_not_what_was_said() {
    let mut table = Table::greeted();
    let (prompt, text) = {
        let last = table.prompts.last().unwrap();
        (last.id, Arc::clone(&last.text))
    };
    assert_eq!(text.as_ref(), "How can I help you?");
    let heard = Heard { text: "How can".to_owned(), unsaid: "I help you?".to_owned() };
    table.put_at_once(Input::Turn(TurnEvent::Interrupted));
    table.put_at_once(Input::PromptEnded { prompt, heard });
    let heard: Vec<(PromptId, &str)> = table.conversation.heard().collect();
    assert!(heard.contains(&(prompt, "How can")), "{heard:?}");
}

#[test]
fn a_step_says_what_stops_its_sentence() {
    let said = "say: \"Let me look that up.\"\n";
    for (by, expected) in [
        ("speech", Interruptible::Yes),
        ("keys", Interruptible::ByKeys),
        ("nothing", Interruptible::No),
    ] {
        let text = include_str!("../../flows/parcel.yaml");
        let text = text.replace(said, &format!("{said}        stopped_by: {by}\n"));
        let flow = Flow::parse(&text, "parcel.yaml", &BTreeMap::new()).expect("it has no faults");
        let mut table = Table::with(Arc::new(flow), NOON);
        table.asks_for_order("123456");
        let prompt = table.prompts.iter().find(|it| &*it.text == "Let me look that up.");
        assert_eq!(prompt.map(|it| it.interruptible), Some(expected), "{by}");
    }
}

#[test]
fn requests_are_filled_from_arguments_and_answers_are_judged_by_schema() {
    let overrides = [("service".to_owned(), "http://127.0.0.1:9".to_owned())].into();
    let text = include_str!("../../flows/parcel.yaml");
    let flow = Flow::parse(text, "parcel.yaml", &overrides).unwrap();
    let change = flow.tool("address_change").unwrap();
    let request =
        change.request(&json!({"order_number": "1/2", "new_address": "5 \"Mill\" Lane"})).unwrap();
    assert_eq!(request.method, "PUT");
    assert_eq!(request.url, "http://127.0.0.1:9/orders/1%2F2/address");
    assert_eq!(request.body, Some(json!({"address": "5 \"Mill\" Lane"})));
    let lookup = flow.tool("order_lookup").unwrap();
    for (status, body, verdict) in [
        (200, json!({"order_number": "1", "status": "delayed"}), ToolVerdict::Done),
        (200, json!({"order_number": "1", "status": "eaten"}), ToolVerdict::Malformed),
        (404, json!({}), ToolVerdict::Status(404)),
    ] {
        assert_eq!(lookup.judge(status, body, 5).verdict, verdict);
    }
}

#[test]
fn prompts_without_variables_are_known_before_the_first_call() {
    let fixed = parcel().fixed_prompts();
    for text in ["How can I help you?", "Let me look that up.", "This call may be recorded."] {
        assert!(fixed.iter().any(|known| known.as_ref() == text), "{text}");
    }
    assert!(fixed.iter().all(|text| !text.contains("{{")));
}

const BOOKING: &str = r#"
name: booking
greeting: "This is the automated assistant of the boat hire."
menu:
  ask: "How can I help?"
  reprompts: ["What can I do for you?", "You can book a boat."]
  help: "You can book a boat."
queues: [office]
slots:
  people: { type: number, valid: "value >= 1 && value <= 8", ask: "For how many?",
    reprompts: ["How many people?", "Say a number."], invalid: "{{ spoken }} is too many." }
  day: { type: date, valid: "value >= today", ask: "On which day?",
    reprompts: ["Which day?", "What date?"] }
  hour: { type: time, ask: "At what time?", reprompts: ["When?", "What time?"] }
  deposit: { type: amount, valid: "value >= 10.0", ask: "How much now?",
    reprompts: ["How much?", "What amount?"] }
  boat: { type: choice, choices: ["rowing boat", "sailing boat"], ask: "Which boat?",
    reprompts: ["Rowing or sailing?", "Which one?"] }
  who: { type: name, ask: "Your name?", reprompts: ["Who are you?", "What is your name?"] }
  sure: { type: yes_no, ask: "Shall I book?", reprompts: ["Book it?", "Yes or no?"] }
tools:
  book:
    method: POST
    url: "http://127.0.0.1:1/bookings"
    body: { day: "{{ day }}", people: "{{ people }}", who: "{{ who }}" }
intents:
  book:
    title: "a booking"
    phrases: ["book a boat", "a boat for {people}"]
    steps:
      - ask: people
      - ask: day
      - ask: hour
      - ask: deposit
      - ask: boat
      - ask: who
      - ask: sure
      - { when: "!sure", say: "Nothing is booked.", end: true }
      - { invoke: book }
      - say: >-
          {{ who }}, a {{ boat }} for {{ people | number }}, {{ day | date }},
          {{ hour | time }}, {{ deposit | amount }}.
        end: true
"#;

fn booked() -> Table {
    let flow = Flow::parse(BOOKING, "booking.yaml", &BTreeMap::new()).expect("it has no faults");
    let mut table = Table::with(Arc::new(flow), NOON);
    for (said, next) in [
        ("a boat for four", "On which day?"),
        ("next tuesday", "At what time?"),
        ("half past two", "How much now?"),
        ("twelve dollars fifty", "Which boat?"),
        ("the sailing one", "I'm sorry, I did not get that. Rowing or sailing?"),
        ("a sailing boat", "Your name?"),
        ("my name is mary smith", "Shall I book?"),
    ] {
        assert_eq!(table.hears(said), next, "{said}");
    }
    table.hears("yes");
    table
}

#[test]
fn every_kind_of_value_is_asked_for_taken_and_read_out() {
    let mut table = booked();
    let invocation = table.invoked[0].clone();
    let expected = json!({"day": "2026-11-24", "people": 4, "who": "Mary Smith"});
    assert_eq!(invocation.arguments, expected);
    let said = table.answers(invocation.id, ToolVerdict::Done, json!({}));
    assert_eq!(
        said,
        "Mary Smith, a sailing boat for four, Tuesday the twenty fourth of November, \
         two thirty p m, twelve dollars and fifty cents. Is there anything else?"
    );
}

#[test]
fn values_that_are_not_allowed_are_refused_in_the_flows_words() {
    let flow = Flow::parse(BOOKING, "booking.yaml", &BTreeMap::new()).unwrap();
    let mut table = Table::with(Arc::new(flow), NOON);
    table.hears("book a boat");
    assert_eq!(table.hears("nine"), "nine is too many. How many people?");
    assert!(table.notes.contains(&What::Repaired { cause: RepairCause::Invalid, count: 1 }));
    assert_eq!(table.hears("eight"), "On which day?");
    assert!(table.hears("yesterday").starts_with("I'm afraid that is not possible."));
}

#[test]
fn what_is_not_idempotent_is_never_sent_twice() {
    let mut table = booked();
    let invocation = table.invoked[0].clone();
    table.answers(invocation.id, ToolVerdict::TimedOut, Value::Null);
    assert!(table.invoked.is_empty());
    assert_eq!(table.escalated.unwrap().0, Trigger::ToolFailed);
}
