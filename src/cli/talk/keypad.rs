//! The terminal as the caller's keypad: signs are taken as they are typed.

use std::io::{IsTerminal, Read};

use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};

use crate::leg::device::Handset;

/// Reads keys until the process ends; what the terminal was before comes back when it is dropped.
pub(super) struct Keypad {
    before: Option<Termios>,
}

impl Keypad {
    /// Begins to read. Where the input is no terminal, its signs are keys all the same.
    pub(super) fn begin(handset: Handset) -> Self {
        let before = signs_as_typed();
        let reading = std::thread::Builder::new().name("keypad".to_owned());
        // Without the thread there are no keys; the talk goes on.
        drop(reading.spawn(move || read(&handset)));
        Self { before }
    }
}

impl Drop for Keypad {
    fn drop(&mut self) {
        if let Some(before) = &self.before {
            let _ = tcsetattr(std::io::stdin(), OptionalActions::Now, before);
        }
    }
}

/// Lets signs come without Enter, and unseen; Ctrl-C stays what it is.
fn signs_as_typed() -> Option<Termios> {
    let input = std::io::stdin();
    if !input.is_terminal() {
        return None;
    }
    let before = tcgetattr(&input).ok()?;
    let mut typed = before.clone();
    typed.local_modes &= !(LocalModes::ICANON | LocalModes::ECHO);
    tcsetattr(&input, OptionalActions::Now, &typed).ok()?;
    Some(before)
}

fn read(handset: &Handset) {
    let mut sign = [0];
    while let Ok(1) = std::io::stdin().read(&mut sign) {
        if let Some(key) = key(sign[0]) {
            handset.press(key);
        }
    }
}

/// The key that a sign stands for.
fn key(sign: u8) -> Option<char> {
    let sign = char::from(sign);
    matches!(sign, '0'..='9' | '*' | '#').then_some(sign)
}

#[cfg(test)]
mod tests {
    use super::key;

    #[test]
    fn a_telephones_keys_are_keys_and_nothing_else_is() {
        let keys: String = (0..=255).filter_map(key).collect();
        assert_eq!(keys, "#*0123456789");
    }
}
