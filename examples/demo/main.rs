//! `make demo`: the service, a company's order service, a caller and a human agent, all of them
//! real processes and phones on this machine, and the conversation printed as it happens.

mod caller;
mod children;
mod print;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use cordboard::replay::{Act, Phone, Script, Step, When};
use tokio::sync::mpsc;

use caller::Caller;
use children::Children;
use print::say;

/// How long the call may last; it takes about 70 s.
const CALL_MAX: Duration = Duration::from_secs(180);
/// What the agent's software shows to fetch the packet.
const AGENT_TOKEN: &str = "demo-agent-token-0001";

type Fault = Box<dyn std::error::Error + Send + Sync>;

#[tokio::main]
async fn main() -> ExitCode {
    // The client of the service's API asks for one, though it speaks plain HTTP.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let once = std::env::args().any(|argument| argument == "--once");
    match demo(once).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(fault) => {
            say(&format!("the demo did not go as it should: {fault}"));
            ExitCode::FAILURE
        }
    }
}

async fn demo(once: bool) -> Result<(), Fault> {
    let agent = Phone::bind("127.0.0.1:0".parse()?, 24_000..=24_099).await?;
    let folder = PathBuf::from(".demo");
    let children = Children::start(&folder, &agent.uri("ada"), AGENT_TOKEN)?;
    say("A recorded caller rings. Ada, the human agent, sits at a SIP phone.\n");
    let outcome = one_call(&folder, &children, agent).await;
    if once {
        return outcome;
    }
    outcome?;
    say(&format!(
        "\nCall it yourself: any SIP phone on this machine, no registration, sip:help@{}\n\
         (for example: baresip -e 'dial sip:help@{}').\n\
         Say \"where is my order\", or key 0 for a person. Orders: 123456, 222222 (delayed), \
         404404 (unknown), 555555 (slow), 500500 (broken).\n\
         Calls: http://{}/v1/calls     Stop with Ctrl-C.",
        children.sip, children.sip, children.api
    ));
    tokio::signal::ctrl_c().await?;
    Ok(())
}

async fn one_call(
    folder: &std::path::Path,
    children: &Children,
    mut agent: Phone,
) -> Result<(), Fault> {
    let voices = caller::record(&folder.join("caller"))?;
    let greeting = caller::recording("awb", AGENT_SAYS)?;
    let desk =
        tokio::spawn(async move { agent.answer(agent_script(greeting), CALL_MAX, CALL_MAX).await });
    let before = print::newest(&children.api).await?;
    let (direct, acts) = mpsc::unbounded_channel();
    let to = format!("sip:help@{}", children.sip);
    let phone = Phone::bind("127.0.0.1:0".parse()?, 24_100..=24_199).await?;
    let ringing =
        tokio::spawn(
            async move { phone.ring_directed(&to, Script::default(), acts, CALL_MAX).await },
        );
    let caller = Caller::new(voices, direct);
    let seen = print::follow(&children.api, &before, AGENT_TOKEN, caller);
    let seen =
        tokio::time::timeout(CALL_MAX, seen).await.map_err(|_| "the call took too long")??;
    ringing.await??;
    let heard = desk.await??;
    let brief_s = heard.far.len() as f64 / 8_000.0;
    say(&format!("\nAda heard {brief_s:.1} s of brief, tone and caller."));
    seen.judge()
}

/// What the human says.
const AGENT_SAYS: &str = "Hello, this is Ada. I see that your order is out for delivery, and that \
                          you wanted to speak with a person. What can I do for you?";

/// Hears enough of the brief, presses 1, and greets the caller after the tone.
fn agent_script(greeting: std::sync::Arc<[f32]>) -> Script {
    Script::new([
        Step { when: When::Speaking(Duration::from_millis(1_500)), act: Act::Key("1".to_owned()) },
        Step { when: When::Quiet(Duration::from_millis(500)), act: Act::Say(greeting) },
    ])
}
