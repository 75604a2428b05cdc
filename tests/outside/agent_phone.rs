//! A hand-over to a human whose telephone is baresip, proved from both recordings.

use std::time::Duration;

use cordboard::replay::{Act, Phone, PhoneError, Played, Script, Step, When};

use serde_json::Value;

use crate::support::{
    Baresip, PATIENCE, Serving, Sipp, digits, find, free_udp_port, has, has_srtp, loudest_second,
    pass,
};

const SECOND: usize = 8_000;

/// Sentences of which no two seconds are alike.

#[tokio::test(flavor = "multi_thread")]
async fn caller_and_agent_on_baresip_hear_each_other() {
    if !has("baresip", "baresip-core") {
        return;
    }
    let baresip = Baresip::start("ada", &digits("rms", 100)).await;
    let timeline = hand_over(baresip, "").await;
    let media = timeline.iter().filter(|it| it["what"] == "media");
    for entry in media {
        eprintln!(
            "{}: jitter {} ms, rtt {} ms",
            entry["role"], entry["jitter_ms"], entry["rtt_ms"]
        );
        assert!(entry["jitter_ms"].is_u64(), "reports went out: {entry}");
    }
}

/// The agent's phone takes secured media alone, and the caller's knows none of it.
#[tokio::test(flavor = "multi_thread")]
async fn caller_and_agent_hear_each_other_over_a_secured_leg() {
    if !has("baresip", "baresip-core") || !has_srtp() {
        return;
    }
    let baresip = Baresip::secured("ada", &digits("rms", 100)).await;
    hand_over(baresip, "[sip]\nsrtp = \"prefer\"\nsrtp_without_tls = true\n").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plain_call_is_refused_where_secured_media_is_required() {
    let service = Serving::start("[sip]\nsrtp = \"require\"\nsrtp_without_tls = true\n");
    let phone = Phone::bind("127.0.0.1:0".parse().unwrap(), 30_000..=30_999).await.unwrap();
    let rung = phone.ring(&service.uri("parcel"), Script::new([]), PATIENCE).await;
    assert!(matches!(rung, Err(PhoneError::Refused { code: 488 })), "{rung:?}");
}

/// Caller, assistant, agent: each hears the other. Gives the timeline.
async fn hand_over(mut baresip: Baresip, settings: &str) -> Vec<Value> {
    let service = Serving::start(&format!(
        "{settings}[[queue]]\nname = \"service\"\n\
         [[agent]]\nname = \"ada\"\nuri = \"{}\"\nqueues = [\"service\"]",
        baresip.uri,
    ));
    let phone = Phone::bind("127.0.0.1:0".parse().unwrap(), 30_000..=30_999).await.unwrap();
    let quiet = |ms| When::Quiet(Duration::from_millis(ms));
    let script = Script::new([
        Step { when: quiet(600), act: Act::Key("0".to_owned()) },
        Step { when: quiet(400), act: Act::Say(digits("slt", 500).into()) },
        // After "is there anything else?".
        Step { when: quiet(2_500), act: Act::HangUp },
    ]);
    let uri = service.uri("parcel");
    let talk = phone.ring(&uri, script, PATIENCE);
    let agent = async {
        let call = service.api.call_of("caller").await;
        let id = call["id"].as_str().unwrap().to_owned();
        service.api.entry(&id, |entry| entry["what"] == "agent_answered").await;
        // A part of the brief.
        pass(Duration::from_secs(2)).await;
        baresip.command("sndcode", "1").await;
        let bridged = service.api.entry(&id, |entry| entry["what"] == "bridged").await;
        assert_eq!(bridged["agent"], "ada");
        pass(Duration::from_secs(10)).await;
        baresip.command("hangup", "").await;
        id
    };
    let (played, id) = tokio::join!(talk, agent);
    let played = played.unwrap();
    let call = service.api.ended_call_of("caller").await;
    assert_eq!((&call["outcome"], &call["agent"]), (&"handed_over".into(), &"ada".into()));
    let timeline = service.api.timeline(&id).await;
    let told = timeline.iter().any(|entry| entry["heard"] == "Your agent has been disconnected.");
    assert!(told, "the caller is told that the agent has gone");
    let at_ms = |what: &str| {
        let found = timeline.iter().find(|entry| entry["what"] == what);
        found.unwrap_or_else(|| panic!("no {what}: {timeline:#?}"))["at_ms"].as_u64().unwrap()
    };
    let keyed = timeline.iter().filter(|it| it["what"] == "keyed" && it["role"] == "agent");
    assert_eq!(keyed.map(|it| it["digit"].as_str().unwrap()).collect::<String>(), "1");
    let bridged_s = (at_ms("bridged") - at_ms("answered")) as f64 / 1_000.0;
    prove(&played, &baresip.recording("enc"), &baresip.recording("dec"), bridged_s);
    timeline
}

/// Each side's recording has what the other's said. The four places give the way there and back,
/// whenever each recording began.
fn prove(caller: &Played, agent_said: &[f32], agent_heard: &[f32], bridged_s: f64) {
    let bridged = (bridged_s * SECOND as f64) as usize;
    let (in_far, stretch) = loudest_second(&caller.far, bridged + SECOND..bridged + 4 * SECOND);
    let said = find(stretch, agent_said);
    assert!(said.fit > 0.8, "the caller does not hear the agent: {said:?}");
    let end = agent_heard.len();
    let (in_heard, stretch) = loudest_second(agent_heard, end - 5 * SECOND..end - 2 * SECOND);
    let near = find(stretch, &caller.near);
    assert!(near.fit > 0.8, "the agent does not hear the caller: {near:?}");
    let there = in_heard as f64 - near.at as f64;
    let back = in_far as f64 - said.at as f64;
    let round_ms = (there + back) / 8.0;
    eprintln!(
        "correlation: agent at caller {:.3}, caller at agent {:.3}; mouth to ear, there and back \
         {round_ms:.0} ms, so {:.0} ms a way",
        said.fit,
        near.fit,
        round_ms / 2.0,
    );
    // Each recording has the holes of its own machine in it, which is busy.
    assert!((-500.0..2_000.0).contains(&round_ms), "{round_ms} ms");
}

/// Neither a caller who goes nor one who is kept waiting leaves an agent's phone ringing.
#[tokio::test(flavor = "multi_thread")]
async fn an_agents_phone_stops_ringing_when_nobody_wants_it_any_more() {
    if !has("sipp", "sip-tester") {
        return;
    }
    // How the caller's part ends, and what the timeline says of the agent's.
    for (ring_s, caller_stays_s, expected) in [(20, 14, None), (2, 20, Some("no answer"))] {
        let port = free_udp_port();
        let service = Serving::start(&format!(
            "[sip]\nring_timeout_s = {ring_s}\n\
             [[queue]]\nname = \"service\"\nrounds = 1\n\
             [[agent]]\nname = \"ada\"\nuri = \"sip:ada@127.0.0.1:{port}\"\n\
             queues = [\"service\"]",
        ));
        let port = port.to_string();
        let rung = Sipp::scenario(service.udp, "ada", "rung", &[]).with(&["-p", &port]);
        let phone = Phone::bind("127.0.0.1:0".parse().unwrap(), 30_000..=30_999).await.unwrap();
        let script = Script::new([
            Step { when: When::Quiet(Duration::from_millis(600)), act: Act::Key("0".to_owned()) },
            Step { when: When::Answered(Duration::from_secs(caller_stays_s)), act: Act::HangUp },
        ]);
        let uri = service.uri("parcel");
        let (played, ()) = tokio::join!(phone.ring(&uri, script, PATIENCE), rung.run());
        played.unwrap();
        service.api.until_live(0).await;
        let call = service.api.ended_call_of("caller").await;
        let timeline = service.api.timeline(call["id"].as_str().unwrap()).await;
        let refused = timeline.iter().find(|entry| entry["what"] == "agent_refused");
        assert_eq!(refused.and_then(|it| it["why"].as_str()), expected, "{timeline:#?}");
        let agents = service.api.get("/v1/agents").await;
        assert_ne!(agents[0]["state"], "offered", "{agents}");
    }
}
