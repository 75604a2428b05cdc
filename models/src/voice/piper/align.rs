//! Which word each phoneme of a clause belongs to.
//!
//! Pure. espeak-ng joins small words ("of the" is `ʌvðə`) and makes several of a figure, so that
//! spaces do not tell. The clause's phonemes are laid along those of its words each spoken alone,
//! with as few changes as can be (edit distance).

/// What belongs to the letter after it: marks of stress, and a space, in whose time the network
/// already begins the next word, by what was looked at of its sound.
const BEFORE: [char; 3] = ['ˈ', 'ˌ', ' '];

/// What changing a letter costs, and what leaving one out or putting one in does.
const CHANGE: u32 = 3;
const GAP: u32 = 2;

/// The word of each character of the clause's phonemes, given those of its words alone.
pub(super) fn words_of(clause: &str, alone: &[String]) -> Vec<Option<usize>> {
    let said: Vec<char> = clause.chars().collect();
    let known: Vec<(char, usize)> = alone
        .iter()
        .enumerate()
        .flat_map(|(word, phonemes)| phonemes.chars().map(move |c| (c, word)))
        .filter(|(c, _)| is_letter(*c))
        .collect();
    let letters: Vec<usize> = (0..said.len()).filter(|&at| is_letter(said[at])).collect();
    let mut owners = vec![None; said.len()];
    let mut word = 0;
    for (&at, place) in letters.iter().zip(aligned(&said, &letters, &known)) {
        word = place.map_or(word, |place| known[place].1);
        owners[at] = Some(word);
    }
    for at in (0..said.len()).rev() {
        if BEFORE.contains(&said[at]) {
            owners[at] = owners.get(at + 1).copied().flatten();
        }
    }
    owners
}

/// The place among the known of each letter, in order; none where it was put in.
fn aligned(said: &[char], letters: &[usize], known: &[(char, usize)]) -> Vec<Option<usize>> {
    let width = known.len() + 1;
    let mut costs: Vec<u32> = (0..width as u32).map(|column| column * GAP).collect();
    costs.resize(width * (letters.len() + 1), 0);
    let change = |row: usize, column: usize| {
        if said[letters[row]] == known[column].0 { 0 } else { CHANGE }
    };
    for row in 0..letters.len() {
        let (above, here) = (row * width, (row + 1) * width);
        costs[here] = costs[above] + GAP;
        for column in 0..known.len() {
            let put_in_or_left_out = costs[above + column + 1].min(costs[here + column]) + GAP;
            let changed = costs[above + column] + change(row, column);
            costs[here + column + 1] = changed.min(put_in_or_left_out);
        }
    }
    let mut places = vec![None; letters.len()];
    let (mut row, mut column) = (letters.len(), known.len());
    while row > 0 && column > 0 {
        let here = costs[row * width + column];
        if here == costs[(row - 1) * width + column - 1] + change(row - 1, column - 1) {
            (row, column) = (row - 1, column - 1);
            places[row] = Some(column);
        } else if here == costs[(row - 1) * width + column] + GAP {
            row -= 1;
        } else {
            column -= 1;
        }
    }
    places
}

fn is_letter(c: char) -> bool {
    !BEFORE.contains(&c)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The clause's phonemes word by word.
    fn shown(clause: &str, alone: &[&str]) -> Vec<String> {
        let alone: Vec<String> = alone.iter().map(|word| (*word).to_owned()).collect();
        let owners = words_of(clause, &alone);
        let mut words = vec![String::new(); alone.len()];
        for (c, owner) in clause.chars().zip(owners) {
            if let Some(owner) = owner {
                words[owner].push(c);
            }
        }
        words
    }

    #[test]
    fn joined_words_and_figures_of_several_words_are_told_apart() {
        let words =
            shown("ɪnðə bˈɑːks ʌv twˈɛnti θɹˈiː", &["ɪn", "ðə", "bˈɑːks", "ˈʌv", "twˈɛnti θɹˈiː"]);
        assert_eq!(words, ["ɪn", "ðə", " bˈɑːks", " ʌv", " twˈɛnti θɹˈiː"]);
        let words = shown("aɪ hɐvbɪn", &["ˈaɪ", "hˈæv", "bˈɪn"]);
        assert_eq!(words, ["aɪ", " hɐv", "bɪn"]);
    }

    #[test]
    fn a_word_that_sounds_otherwise_in_its_clause_keeps_its_place() {
        let words = shown("tə bi ɔːɹ nˈɑːt", &["tˈuː", "bˈiː", "ˈɔːɹ", "nˈɑːt"]);
        assert_eq!(words[1..], [" bi", " ɔːɹ", " nˈɑːt"]);
        assert_eq!(shown("", &["ɐ"]), [""]);
        assert_eq!(shown("xyz", &[""]), ["xyz"]);
    }
}
