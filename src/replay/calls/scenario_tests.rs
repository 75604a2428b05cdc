//! Files of scenarios, good and bad.

use std::path::Path;

use cordboard_models::voice::Flite;

use super::*;

fn read(text: &str) -> Result<Scenario, ScenarioFault> {
    Scenario::read(Path::new("x.yaml"), text, &mut Studio::default())
}

#[test]
fn every_scenario_of_ours_can_be_made_and_has_a_name_of_its_own() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios/parcel");
    let mut studio = Studio::with_far_voice(Some(Box::new(Flite::open("slt").unwrap())));
    let mut names = std::collections::BTreeSet::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let text = std::fs::read_to_string(&path).unwrap();
        let scenario = Scenario::read(&path, &text, &mut studio);
        let scenario = scenario.unwrap_or_else(|fault| panic!("{fault}"));
        assert!(!scenario.deeds.is_empty(), "{}", path.display());
        assert!(names.insert(scenario.name.to_string()), "{} twice", scenario.name);
    }
    assert!(names.len() >= 40, "{}", names.len());
}

#[test]
fn a_scenario_says_when_and_what_in_order() {
    let text = "scenario: x\nsteps:\n  - say: [one, 500ms, two]\n  - after: { speaking: 1.5s }\n \
                \x20  \
                keys: \"12#\"\n  - after: { waited: 2s }\n    silent: 3s\n  - hang_up: true\n";
    let scenario = read(text).unwrap();
    let kinds: Vec<DeedKind> = scenario.deeds.iter().map(|it| it.kind).collect();
    let other = DeedKind::Other;
    assert_eq!(kinds, [DeedKind::Words, DeedKind::Keys, other, other]);
    assert_eq!(&*scenario.deeds[0].told, "one two");
    let Act::Say(sound) = &scenario.deeds[0].step.act else { panic!("it says something") };
    let pause = sound.chunks(80).filter(|it| it.iter().all(|sample| *sample == 0.0)).count();
    assert!(pause >= 49, "{pause}");
    assert!(matches!(scenario.deeds[1].step.when, When::Speaking(it) if it.as_millis() == 1_500));
}

#[test]
fn a_human_is_owed_at_any_time_or_within_one_or_not_at_all() {
    let owed = |human: &str| {
        let text = format!("scenario: x\nsteps: []\nexpect:\n  human: {human}\n");
        read(&text).unwrap().expect.human.map(|it| it.within)
    };
    let half_a_minute = Some(Duration::from_secs(30));
    assert_eq!([owed("true"), owed("30s"), owed("false")], [Some(None), Some(half_a_minute), None]);
}

#[test]
fn each_fault_has_its_line_and_says_what_to_do() {
    let step = |step: &str| format!("scenario: x\nsteps:\n  - {step}\n");
    for (text, line, what, remedy) in [
        ("scenario: [\n", 1, "", "scenarios/README.md"),
        ("scenario: x\nstep: []\n", 2, "step", "scenarios/README.md"),
        ("scenario: ''\nsteps: []\n", 1, "empty", "name it"),
        ("scenario: x\nvoice: hal\nsteps: []\n", 2, "unknown voice `hal`", "voices"),
        ("scenario: x\nlimit: soon\nsteps: []\n", 2, "no time", "700ms"),
        ("scenario: x\nlimit: 3h\nsteps: []\n", 2, "too long", "an hour"),
        ("scenario: x\nstretch: 9\nsteps: []\n", 2, "stretch", "0.5"),
        (&step("{ say: hello, keys: \"1\" }"), 3, "not one thing", "one of say"),
        (&step("{ after: { quiet: 1s } }"), 3, "not one thing", "one of say"),
        (&step("{ after: { quiet: 1s, at: 2s }, say: hello }"), 3, "not one time", "one of quiet"),
        (&step("{ after: { quiet: a while }, say: hello }"), 3, "no time", "700ms"),
        (&step("{ after: { says: hi }, say: hello }"), 3, "nobody knows", "--far-voice"),
        (&step("keys: \"12x\""), 3, "not on the keypad", "0 to 9"),
        (&step("play: nowhere.wav"), 3, "nowhere.wav", "relative to this file"),
        (&step("say: 600ms"), 3, "no sound", "leave the step out"),
        ("scenario: x\nsteps: []\nexpect:\n  ends: nobody\n", 4, "ends no call", "far or caller"),
        ("scenario: x\nsteps: []\nexpect:\n  human: soon\n", 4, "no time for a human", "30s"),
        ("scenario: x\nsteps: []\nexpect:\n  refused: 200\n", 4, "refuses no call", "300 to 699"),
    ] {
        let fault = read(text).expect_err(text);
        let (at, _) = fault.place.unwrap_or_default();
        assert_eq!(at, line, "{text}{fault}");
        assert!(fault.what.contains(what) && fault.remedy.contains(remedy), "{text}{fault}");
    }
}
