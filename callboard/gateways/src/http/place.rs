//! Where a request arrived: origin, tenant and mount. Hosts are checked, and proxies believed only where that is said.

use super::options::Tenants;
use super::tenants::TenantCache;
use callboard::{Fault, Host, Tenant};
use hyper::Request;
use hyper::header::{HOST, HeaderMap};
use std::net::{IpAddr, Ipv6Addr, SocketAddr};

/// Where a request arrived.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    /// The tenant.
    pub(crate) tenant: Tenant,
    /// What stands before every path of this tenant: nothing, or `/@{tenant}`.
    pub(crate) mount: String,
    /// Scheme and host, such as `https://example.org`.
    pub(crate) origin: String,
    /// Whether the browser speaks TLS to us or to our proxy.
    pub(crate) is_https: bool,
    /// Whether this tenant shares the host with others, so that its cookies need names of their own.
    pub(crate) is_shared: bool,
}

/// The outside of a request: what can be said before any tenant is known.
#[derive(Clone, Debug)]
pub(crate) struct Outside {
    pub(crate) origin: String,
    pub(crate) is_https: bool,
    /// The address of the caller, as far as trusted proxies tell.
    pub(crate) address: IpAddr,
    /// What stands before every path, where the server that sends us requests puts something there.
    pub(crate) mount: String,
    /// How long an answer may take.
    pub(crate) answer_timeout_ms: u64,
}

impl Outside {
    pub(crate) fn new(origin: String, is_https: bool, address: IpAddr, answer_timeout_ms: u64) -> Self {
        Self { origin, is_https, address, mount: String::new(), answer_timeout_ms }
    }

    /// Reads the host and, from a trusted proxy, what it forwards.
    ///
    /// # Errors
    /// `host.wrong`.
    pub(crate) fn read<B>(
        request: &Request<B>,
        peer: IpAddr,
        proxies: &[IpAddr],
        answer_timeout_ms: u64,
    ) -> Result<Self, Fault> {
        let headers = request.headers();
        let is_proxy = !proxies.is_empty() && proxies.contains(&peer);
        // The proxy wrote the last; any before it may be the caller's.
        let forwarded = |name: &str| match is_proxy {
            true => headers.get_all(name).iter().next_back().and_then(|value| value.to_str().ok()),
            false => None,
        };
        let mut hosts = headers.get_all(HOST).iter();
        let host = match (hosts.next(), hosts.next()) {
            (Some(host), None) => host.to_str().ok().filter(|host| is_host(host)),
            _ => None,
        };
        let host = host.ok_or_else(invalid)?;
        // A target with a host of its own would let a cache in front of us store one host's page under another's name.
        if request.uri().authority().is_some_and(|target| !target.as_str().eq_ignore_ascii_case(host)) {
            return Err(invalid());
        }
        let host = forwarded("x-forwarded-host").filter(|host| is_host(host)).unwrap_or(host);
        let is_https = forwarded("x-forwarded-proto").is_some_and(|scheme| scheme.eq_ignore_ascii_case("https"));
        let mut origin = String::with_capacity(host.len() + 8);
        origin.push_str(if is_https { "https://" } else { "http://" });
        origin.push_str(host);
        origin.make_ascii_lowercase();
        let chain = || hops(headers).map_while(|hop| hop).find(|hop| !proxies.contains(hop));
        let address = is_proxy.then(chain).flatten().unwrap_or(peer);
        Ok(Self::new(origin, is_https, address, answer_timeout_ms))
    }

    /// The host's name without its port.
    fn name(&self) -> &str {
        let scheme = if self.is_https { "https://" } else { "http://" };
        let host = self.origin.strip_prefix(scheme).unwrap_or_default();
        match host.strip_prefix('[') {
            Some(rest) => rest.split(']').next().unwrap_or_default(),
            None => host.split(':').next().unwrap_or_default(),
        }
    }
}

/// Who asked each server on the way, the nearest first, as they wrote it behind what they were sent; several headers are one chain.
/// What is no address, with or without a port, is none: who stands behind it is not known.
pub(crate) fn hops(headers: &HeaderMap) -> impl Iterator<Item = Option<IpAddr>> {
    let lines = headers.get_all("x-forwarded-for").iter().rev();
    lines.flat_map(|line| line.as_bytes().rsplit(|byte| *byte == b',')).map(|hop| {
        let hop = str::from_utf8(hop).ok()?.trim();
        hop.parse().ok().or_else(|| hop.parse::<SocketAddr>().ok().map(|hop| hop.ip()))
    })
}

/// A name or an address in brackets, then a port where one is named. Nothing else, because pages repeat it in links.
pub(crate) fn is_host(host: &str) -> bool {
    let (name, port) = match host.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((address, rest)) if address.parse::<Ipv6Addr>().is_ok() => ("", rest),
        Some(_) => return false,
        None => host.find(':').map_or((host, ""), |at| host.split_at(at)),
    };
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
    let is_port = |port: &str| port.parse::<u16>().is_ok() && port.bytes().all(|byte| byte.is_ascii_digit());
    (host.starts_with('[') || !name.is_empty())
        && host.len() <= 255
        && name.bytes().all(is_part)
        && (port.is_empty() || port.strip_prefix(':').is_some_and(is_port))
}

fn invalid() -> Fault {
    Fault::bad_input("host.wrong", "send one `Host` header with the name of this server")
}

fn unknown() -> Fault {
    Fault::not_found("tenant.unknown", "there is no channel at this address; check its spelling")
}

impl Place {
    /// A place behind TLS that is a tenant's own.
    pub(crate) fn secure(tenant: Tenant) -> Self {
        Self { tenant, mount: String::new(), origin: String::new(), is_https: true, is_shared: false }
    }

    /// Finds the tenant and the rest of the path behind its mount.
    ///
    /// # Errors
    /// `tenant.unknown`; the fault of the function that was asked.
    pub(crate) async fn find<'p>(
        host: &Host,
        tenants: &Tenants,
        cache: &TenantCache,
        outside: &Outside,
        path: &'p str,
    ) -> Result<(Self, &'p str), Fault> {
        let (default, suffix) = match tenants {
            Tenants::Only(tenant) => return Ok((Self::of(tenant.clone(), outside), path)),
            Tenants::Resolved { default, suffix } => (default, suffix.as_str()),
        };
        let name = outside.name();
        let is_platform = name == suffix || name.parse::<IpAddr>().is_ok();
        if !is_platform {
            let sub = name.strip_suffix(suffix).and_then(|rest| rest.strip_suffix('.'));
            let found = match sub {
                Some(sub) => cache.by_name(host, sub).await?,
                None => cache.by_host(host, name).await?,
            };
            return Ok((Self::of(found.ok_or_else(unknown)?, outside), path));
        }
        if let Some(rest) = path.strip_prefix("/@") {
            let (name, _) = rest.split_once('/').unwrap_or((rest, ""));
            let tenant = cache.by_name(host, name).await?.ok_or_else(unknown)?;
            let (mount, rest) = path.split_at(name.len() + 2);
            let mount = format!("{}{mount}", outside.mount);
            let is_shared = default.as_ref() != Some(&tenant);
            let place = Self { mount, is_shared, ..Self::of(tenant, outside) };
            return Ok((place, if rest.is_empty() { "/" } else { rest }));
        }
        let tenant = default.clone().ok_or_else(unknown)?;
        cache.seen(&tenant);
        Ok((Self::of(tenant, outside), path))
    }

    fn of(tenant: Tenant, outside: &Outside) -> Self {
        Self {
            tenant,
            mount: outside.mount.clone(),
            origin: outside.origin.clone(),
            is_https: outside.is_https,
            is_shared: false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hyper::Request;

    fn outside(headers: &[(&str, &str)], proxies: &[IpAddr]) -> Result<Outside, &'static str> {
        let mut request = Request::get("/");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(()).unwrap();
        Outside::read(&request, [127, 0, 0, 1].into(), proxies, 1000).map_err(|fault| fault.code)
    }

    const FORWARDED: [(&str, &str); 4] = [
        ("host", "inner:8080"),
        ("x-forwarded-host", "Example.org"),
        ("x-forwarded-proto", "https"),
        ("x-forwarded-for", "6.6.6.6, 203.0.113.9, 127.0.0.1"),
    ];

    #[test]
    fn strangers_cannot_forward() {
        let seen = outside(&FORWARDED, &[]).unwrap();
        assert_eq!((seen.origin.as_str(), seen.is_https, seen.name()), ("http://inner:8080", false, "inner"));
        assert_eq!(seen.address, IpAddr::from([127, 0, 0, 1]));
    }

    #[test]
    fn a_trusted_proxy_can_and_only_its_own_hop_of_the_chain_counts() {
        let seen = outside(&FORWARDED, &[[127, 0, 0, 1].into()]).unwrap();
        assert_eq!((seen.origin.as_str(), seen.is_https), ("https://example.org", true));
        assert_eq!(seen.address, IpAddr::from([203, 0, 113, 9]));
    }

    #[test]
    fn what_stands_before_the_hop_of_a_trusted_proxy_is_not_believed() {
        let (peer, caller) = (IpAddr::from([127, 0, 0, 1]), IpAddr::from([203, 0, 113, 9]));
        let chains: [(&[&str], IpAddr); 7] = [
            (&["6.6.6.6, 203.0.113.9"], caller),
            (&["6.6.6.6", "203.0.113.9"], caller),
            (&["203.0.113.9", "127.0.0.1"], caller),
            (&["6.6.6.6", "6.6.6.7, 203.0.113.9:4711"], caller),
            (&["6.6.6.6, unknown"], peer),
            (&["6.6.6.6, unknown", "127.0.0.1"], peer),
            (&[], peer),
        ];
        for (lines, address) in chains {
            let lines = lines.iter().map(|line| ("x-forwarded-for", *line));
            let headers: Vec<_> = std::iter::once(("host", "inner")).chain(lines).collect();
            assert_eq!(outside(&headers, &[peer]).map(|seen| seen.address), Ok(address), "{headers:?}");
        }
    }

    #[test]
    fn what_a_caller_says_before_the_proxy_is_not_believed() {
        let twice = [
            ("host", "inner"),
            ("x-forwarded-host", "evil.test"),
            ("x-forwarded-host", "example.org"),
            ("x-forwarded-proto", "http"),
            ("x-forwarded-proto", "https"),
        ];
        let seen = outside(&twice, &[[127, 0, 0, 1].into()]).unwrap();
        assert_eq!((seen.origin.as_str(), seen.is_https), ("https://example.org", true));
    }

    #[test]
    fn hosts_that_are_none_are_refused() {
        for host in [
            "",
            "a b",
            "a/b",
            "user@host",
            "a\"b",
            "a,b",
            "é",
            ":80",
            "a:b.test",
            "a:",
            "a:+1",
            "a:65536",
            "a:1:2",
            "[::1]b.test",
            "[::1",
            "[a]",
            "[]",
            "[::1]:b",
            "::1",
        ] {
            assert_eq!(outside(&[("host", host)], &[]).map(|seen| seen.origin), Err("host.wrong"), "{host}");
        }
        assert_eq!(outside(&[], &[]).map(|seen| seen.origin), Err("host.wrong"));
        assert_eq!(outside(&[("host", "a"), ("host", "b")], &[]).map(|seen| seen.origin), Err("host.wrong"));
    }

    #[test]
    fn an_address_in_brackets_is_a_name() {
        assert_eq!(outside(&[("host", "[::1]")], &[]).unwrap().name(), "::1");
        assert_eq!(outside(&[("host", "[::1]:80")], &[]).unwrap().name(), "::1");
    }
}
