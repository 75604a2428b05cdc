//! A header is read as it was written, or refused.

use std::time::Duration;

use proptest::prelude::*;

use super::*;

const FLOW: &str = include_str!("../../../../flows/parcel.yaml");

fn parsed(text: &str, overrides: &BTreeMap<String, String>) -> Result<Arc<Flow>, Vec<FlowFault>> {
    Flow::parse(text, "the flow", overrides).map(Arc::new)
}

fn facts() -> CallFacts {
    let overrides = BTreeMap::from([("service".to_owned(), "http://127.0.0.1:1".to_owned())]);
    let headers = vec![("X-Why".to_owned(), "because".to_owned())];
    let (uri, display) = ("sip:b@example.org".to_owned(), "parcel".to_owned());
    CallFacts {
        id: CallId("01CALL".to_owned()),
        from: "sip:a@example.org".to_owned(),
        to: "sip:b@example.org".to_owned(),
        leg: LegKind::Browser,
        outbound: Some(DialPlan { uri, display, headers }),
        wall_unix_ms: 1_795_000_000_123,
        local: jiff::civil::date(2026, 11, 21).at(12, 0, 1, 250_000_001),
        seed: u64::MAX,
        flow: parsed(FLOW, &overrides).expect("the example is good"),
        links: Links { timeline: "/t".to_owned(), recording: Some("/r".to_owned()) },
    }
}

fn settings() -> CallSettings {
    let turn = TurnSettings {
        barge_in: BargeIn::Cut { after: Duration::from_millis(30) },
        judges_sound: true,
        eager: false,
        ..TurnSettings::default()
    };
    let wording = Wording { comfort: "Still there?".into(), ..Wording::default() };
    let rules = Rules { require_accept: false, wording, ..Rules::default() };
    CallSettings {
        turn,
        queues: Arc::new(HashMap::from([("service".to_owned(), Arc::new(rules))])),
        no_media_ask: Duration::from_secs(10),
        no_media_end: Duration::from_secs(30),
        hold_end: Duration::from_secs(86_400),
        record: true,
        music: usual_music(),
        tones: Tones::usual(),
    }
}

#[test]
fn a_header_holds_all_that_a_call_is_made_of() {
    let (facts, settings) = (facts(), settings());
    let bytes = header(&facts, &settings);
    let back = read_header(&bytes, parsed).expect("what was written can be read");
    assert_eq!(header(&back.facts, &back.settings), bytes);
    assert_eq!(format!("{:?}", back.settings), format!("{settings:?}"));
    let told = |facts: &CallFacts| {
        let CallFacts { id, from, to, leg, outbound, wall_unix_ms, local, seed, flow, links } =
            facts;
        let flow = (flow.version(), flow.overrides());
        format!(
            "{id} {from} {to} {leg:?} {outbound:?} {wall_unix_ms} {local} {seed} {flow:?} \
                 {links:?}"
        )
    };
    assert_eq!(told(&back.facts), told(&facts));
}

#[test]
fn a_header_of_another_form_version_or_sound_is_refused_with_what_to_do() {
    let bytes = header(&facts(), &settings());
    let refused = |bytes: &[u8]| read_header(bytes, parsed).expect_err("it is refused").to_string();
    let mut first = bytes.clone();
    first[0] = 1;
    let said = refused(&first);
    assert!(said.contains("form 1") && said.contains("play it with the version"), "{said}");
    let mut other = bytes.clone();
    other[2] = b'7';
    let said = refused(&other);
    assert!(said.contains("recorded by Cordboard 7.1.0") && said.contains("play it"), "{said}");
    let music = vec![0.0; 8_000].into();
    let said = refused(&header(&facts(), &CallSettings { music, ..settings() }));
    assert!(said.contains("other music"), "{said}");
    let none = |_: &str, _: &BTreeMap<String, String>| Err(Vec::new());
    assert!(matches!(read_header(&bytes, none), Err(HeaderFault::Flow { .. })));
}

#[test]
fn a_header_cut_anywhere_is_refused() {
    let flow = facts().flow;
    let bytes = header(&facts(), &settings());
    for len in (0..bytes.len()).step_by(7).chain(bytes.len() - 300..bytes.len()) {
        assert!(read_header(&bytes[..len], |_, _| Ok(Arc::clone(&flow))).is_err(), "{len}");
    }
}

proptest! {
    #[test]
    fn any_bytes_are_a_header_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let mut begun = vec![RECORD_VERSION];
        begun.extend(bytes);
        drop(read_header(&begun, parsed));
    }
}
