//! Calls in each codec, over the wire: speech is heard, keys at its clock arrive.

use std::time::Duration;

use cordboard::replay::{Act, Phone, Script, Step, When};
use cordboard_audio::level::rms;
use cordboard_sip::negotiation::AudioCodec;

use crate::support::{PATIENCE, Serving};

#[tokio::test(flavor = "multi_thread")]
async fn each_codec_carries_speech_and_keys() {
    for codec in AudioCodec::ALL {
        let service = Serving::start("");
        let phone = Phone::bind("127.0.0.1:0".parse().unwrap(), 32_000..=32_999).await.unwrap();
        let phone = phone.with_codecs(&[codec]);
        let soon = When::Answered(Duration::from_millis(2_500));
        let script = Script::new([
            Step { when: soon, act: Act::Key("7".to_owned()) },
            Step { when: When::Answered(Duration::from_secs(4)), act: Act::HangUp },
        ]);
        let played = phone.ring(&service.uri("parcel"), script, PATIENCE).await.unwrap();
        let loudest = played.far.chunks(800).map(rms).fold(0.0, f32::max);
        assert!(loudest > 0.03, "{codec:?}: nothing was heard: {loudest}");
        let call = service.api.ended_call_of("caller").await;
        let timeline = service.api.timeline(call["id"].as_str().unwrap()).await;
        let keyed = timeline.iter().filter(|entry| entry["what"] == "keyed");
        let keys: Vec<_> = keyed.map(|entry| &entry["digit"]).collect();
        assert_eq!(keys, ["7"], "{codec:?}");
        let media = timeline.iter().find(|entry| entry["what"] == "media");
        println!("{codec:?}: loudest tenth of a second {loudest:.3}; {media:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_configured_is_not_spoken() {
    let service = Serving::start("[media]\ncodecs = [\"pcma\"]");
    let phone = Phone::bind("127.0.0.1:0".parse().unwrap(), 33_000..=33_999).await.unwrap();
    let phone = phone.with_codecs(&[AudioCodec::Opus, AudioCodec::Pcmu]);
    let refused = phone.ring(&service.uri("parcel"), Script::new([]), PATIENCE).await;
    assert_eq!(refused.unwrap_err().to_string(), "refused with 488");
}
