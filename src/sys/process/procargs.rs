//! What the kernel of macOS says about a command line (`KERN_PROCARGS2`): the number of arguments, the program's path,
//! zeroes up to the next word, then the arguments and the environment, each ended by a zero.

/// The arguments; none where the answer has another form.
pub(super) fn parse(answer: &[u8]) -> Option<Vec<Vec<u8>>> {
    let (count, rest) = answer.split_first_chunk::<4>()?;
    let count = usize::try_from(i32::from_ne_bytes(*count)).ok()?;
    let path = rest.iter().position(|byte| *byte == 0)?;
    let rest = &rest[path..];
    let first = rest.iter().position(|byte| *byte != 0).unwrap_or(rest.len());
    let texts = rest[first..].split_inclusive(|byte| *byte == 0).map_while(|text| text.strip_suffix(b"\0"));
    let arguments: Vec<Vec<u8>> = texts.take(count).map(<[u8]>::to_vec).collect();
    (arguments.len() == count).then_some(arguments)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(count: i32, rest: &[u8]) -> Vec<u8> {
        [&count.to_ne_bytes(), rest].concat()
    }

    #[test]
    fn the_arguments_are_told_from_the_path_and_the_environment() {
        let parsed = parse(&answer(3, b"/usr/bin/abide-host\0\0\0\0abide-host\0\x30badcafe\0\0TOKEN=x\0"));
        assert_eq!(parsed, Some(vec![b"abide-host".to_vec(), b"\x30badcafe".to_vec(), Vec::new()]));
        assert_eq!(parse(&answer(0, b"/x\0\0")), Some(Vec::new()));
    }

    #[test]
    fn half_an_answer_is_none() {
        for bad in [
            &b""[..],
            b"\x01\0",
            &answer(1, b""),
            &answer(1, b"/x"),
            &answer(1, b"/x\0\0"),
            &answer(2, b"/x\0a\0b"),
        ] {
            assert_eq!(parse(bad), None, "{bad:?}");
        }
        for count in [-1, i32::MIN, i32::MAX] {
            assert_eq!(parse(&answer(count, b"/x\0a\0b\0")), None);
        }
    }
}
