//! What a process may say at which moment: the states of the Lambda Runtime API, without any IO.

/// Where a process stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// It has not asked for work yet.
    Starting,
    /// It waits for an invocation, or will ask for one.
    Idle,
    /// It works on this invocation.
    Busy(String),
    /// Its answer to this invocation is passed on while it comes.
    Answering(String),
    /// It has answered this invocation and not asked for another.
    Answered(String),
    /// It has said that it cannot start.
    Broken,
}

/// What a process says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Said<'a> {
    /// It asks for work.
    Next,
    /// It answers the invocation of this id, with a result or an error.
    Answer(&'a str),
    /// It cannot start.
    InitError,
}

/// Why what a process says is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// It answers what it was not given: 400.
    RequestId,
    /// It is not the time for it: 403.
    Transition,
}

impl State {
    /// Whether a process may say this now.
    ///
    /// # Errors
    /// Why not.
    pub(crate) fn hear(&self, said: Said<'_>) -> Result<(), Refusal> {
        match (self, said) {
            (Self::Starting | Self::Idle | Self::Answered(_), Said::Next) | (Self::Starting, Said::InitError) => Ok(()),
            (Self::Busy(id), Said::Answer(answered)) if id == answered => Ok(()),
            (Self::Answering(id) | Self::Answered(id), Said::Answer(answered)) if id == answered => {
                Err(Refusal::Transition)
            }
            (_, Said::Answer(_)) => Err(Refusal::RequestId),
            (_, Said::Next | Said::InitError) => Err(Refusal::Transition),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Plays what a process says, and gives what each earned; an invocation is there whenever it asks.
    fn play(said: &[(u8, u8)]) -> Vec<Result<(), Refusal>> {
        let (mut state, mut count, mut heard) = (State::Starting, 0, Vec::new());
        for (what, id) in said {
            let id = id.to_string();
            let said = match what % 3 {
                0 => Said::Next,
                1 => Said::Answer(&id),
                _ => Said::InitError,
            };
            let result = state.hear(said);
            if result.is_ok() {
                state = match said {
                    Said::Next => {
                        count += 1;
                        State::Busy((count % 4).to_string())
                    }
                    Said::Answer(id) => State::Answered(id.to_owned()),
                    Said::InitError => State::Broken,
                };
            }
            heard.push(result);
        }
        heard
    }

    #[test]
    fn a_process_answers_once_and_only_what_it_was_given() {
        let (next, answer, init_error) = (|| (0, 0), |id| (1, id), (2, 0));
        let heard = play(&[answer(1), next(), next(), init_error, answer(2), answer(1), answer(1), next(), answer(2)]);
        let (id, transition) = (Err(Refusal::RequestId), Err(Refusal::Transition));
        assert_eq!(heard, [id, Ok(()), transition, transition, id, Ok(()), transition, Ok(()), Ok(())]);
    }

    #[test]
    fn who_cannot_start_gets_no_work() {
        assert_eq!(play(&[(2, 0), (0, 0)]), [Ok(()), Err(Refusal::Transition)]);
    }

    proptest! {
        #[test]
        fn nobody_answers_more_often_than_they_asked(said in prop::collection::vec((0_u8..3, 0_u8..4), 0..60)) {
            let heard = play(&said);
            let taken = |what: u8| said.iter().zip(&heard).filter(|((said, _), ok)| said % 3 == what && ok.is_ok()).count();
            prop_assert!(taken(1) <= taken(0));
            prop_assert!(taken(0) <= taken(1) + 1);
        }
    }
}
