//! What a caller's page is shown of a call, and what its buttons do.

use cordboard::call::{CallFacts, LegEvent, Shown, Standing};
use cordboard::timeline::{LegKind, Outcome, Trigger, What};

use super::office::Habit;
use super::talks::greeted;
use super::world::{World, facts, settings};

/// A caller in a browser, at an office with these agents.
fn browser(staff: Vec<(&str, Vec<Habit>)>) -> World {
    World::of(CallFacts { leg: LegKind::Browser, ..facts() }, staff, settings())
}

/// What was shown of the assistant's lines, so far and whether to the end.
fn lines(world: &World) -> Vec<(u32, String, String, bool)> {
    let line = |shown: &Shown| match shown {
        Shown::Assistant { prompt, text, heard, is_over } => {
            Some((*prompt, text.to_string(), heard.clone(), *is_over))
        }
        _ => None,
    };
    world.shown.iter().filter_map(line).collect()
}

fn standings(world: &World) -> Vec<Standing> {
    let standing = |shown: &Shown| match shown {
        Shown::Standing(standing) => Some(standing.clone()),
        _ => None,
    };
    world.shown.iter().filter_map(standing).collect()
}

#[test]
fn the_assistants_words_are_shown_as_they_are_heard_and_never_before() {
    let world = greeted(browser(vec![]));
    let shown = lines(&world);
    let whole = |(_, text, heard, is_over): &(u32, String, String, bool)| *is_over && text == heard;
    assert!(shown.iter().filter(|line| whole(line)).count() >= 2, "{shown:?}");
    let grows = shown.windows(2).filter(|two| two[0].0 == two[1].0);
    for two in grows {
        assert!(two[1].2.starts_with(two[0].2.trim()), "{two:?}");
    }
    let first = shown.first().expect("something is said");
    assert!(first.2.split(' ').count() <= 1, "not all at once: {first:?}");
}

#[test]
fn the_callers_words_grow_and_are_final_once() {
    let mut world = greeted(browser(vec![]));
    world.partial_words = 2;
    world.run(300);
    world.says("where's my order");
    world.hears("What is your order number?");
    let caller = |shown: &Shown| match shown {
        Shown::Caller { turn, text, is_final } => Some((*turn, text.clone(), *is_final)),
        _ => None,
    };
    let told: Vec<_> = world.shown.iter().filter_map(caller).collect();
    let expected = [(1, "where's my".to_owned(), false), (1, "where's my order".to_owned(), true)];
    assert_eq!(told, expected);
    let standings = standings(&world);
    let order = [Standing::Speaking, Standing::Listening, Standing::Thinking, Standing::Speaking];
    let mut rest = standings.iter();
    assert!(order.iter().all(|wanted| rest.any(|it| it == wanted)), "{standings:?}");
}

#[test]
fn what_an_interruption_cut_off_is_shown_as_not_heard() {
    let mut world = browser(vec![]);
    world.connect();
    world.hears_begin("How can I help you?");
    world.run(200);
    world.keys("1");
    world.run(500);
    let cut = lines(&world).into_iter().find(|(_, text, heard, over)| *over && text != heard);
    let (_, text, heard, _) = cut.expect("a line was cut");
    assert!(text.starts_with(&heard), "{text}: {heard}");
}

#[test]
fn a_button_brings_a_person_by_name_and_the_end_says_what_came_of_it() {
    let mut world = greeted(browser(vec![("Ada", vec![Habit::keys('1')])]));
    world.caller_event(LegEvent::WantsPerson);
    let asked =
        |what: &What| matches!(what, What::EscalationTriggered { trigger: Trigger::Asked, .. });
    world.awaits("the hand-over", 2_000, asked);
    world.awaits("the bridge", 60_000, |what| matches!(what, What::Bridged { .. }));
    world.run(200);
    let standings = standings(&world);
    assert!(standings.contains(&Standing::Waiting), "{standings:?}");
    assert_eq!(standings.last(), Some(&Standing::WithAgent("Ada".to_owned())));
    world.hangs_up();
    world.run(500);
    let ended = Shown::Ended { outcome: Outcome::HandedOver, cause: "bye".to_owned() };
    assert!(world.shown.contains(&ended), "{:?}", world.shown.last());
}

#[test]
fn a_telephone_is_shown_nothing() {
    let world = greeted(World::ringing());
    assert!(world.shown.is_empty());
}

#[test]
fn what_was_being_said_when_the_caller_went_away_goes_on_at_the_word_when_they_are_back() {
    let mut world = browser(vec![]);
    world.connect();
    world.hears_begin("Hello");
    world.run(700);
    world.caller_event(LegEvent::Held);
    world.run(8_000);
    let over =
        |what: &What| matches!(what, What::PromptEnded { heard, .. } if heard.contains("Hello"));
    assert!(!world.has(over), "nothing is said to nobody");
    world.caller_event(LegEvent::Resumed);
    world.hears("Hello");
    world.hears("How can I help you?");
    let unsaid =
        |what: &What| matches!(what, What::PromptEnded { unsaid, .. } if !unsaid.is_empty());
    assert!(!world.has(unsaid), "{}", world.story());
}

#[test]
fn what_yields_to_nothing_is_not_said_to_a_browser_that_is_away_either() {
    let mut world = browser(vec![]);
    world.connect();
    world.hears_begin("This call may be recorded.");
    world.run(300);
    world.caller_event(LegEvent::Held);
    world.run(5_000);
    let over = |what: &What| matches!(what, What::PromptEnded { .. });
    assert!(!world.has(over), "nobody has heard it\n{}", world.story());
    world.caller_event(LegEvent::Resumed);
    world.hears("This call may be recorded.");
}
