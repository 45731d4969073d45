//! Where an invocation stands in its trace, in the form that clients of AWS pass on.

/// The trace header of AWS for a `traceparent`; none where it is not of the form `00-TRACE-PARENT-FLAGS`.
pub(crate) fn of_aws(traceparent: &str) -> Option<String> {
    let [_, trace, parent, flags] = traceparent.split('-').collect::<Vec<_>>().try_into().ok()?;
    let (time, rest) = trace.split_at_checked(8)?;
    let sampled = u8::from(u8::from_str_radix(flags, 16).ok()? & 1 == 1);
    Some(format!("Root=1-{time}-{rest};Parent={parent};Sampled={sampled}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trace_has_the_form_of_aws() {
        let header = of_aws("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
        assert_eq!(
            header.as_deref(),
            Some("Root=1-0af76519-16cd43dd8448eb211c80319c;Parent=b7ad6b7169203331;Sampled=1")
        );
        assert_eq!(of_aws("00-1-1"), None);
    }
}
