//! The last steps before a process becomes the command: limits, what it may reach of files and network, which calls it may make.

use super::{Network, Policy, ProcessLimits};
use landlock::{
    ABI, Access, AccessFs, AccessNet, LandlockStatus, NetPort, Ruleset, RulesetAttr, RulesetCreatedAttr, Scope,
    path_beneath_rules,
};
use rustix::process::{Resource, Rlimit, Signal};
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule,
};
use std::collections::BTreeMap;
use std::path::Path;

/// The newest Landlock that this was tried with.
const NEWEST: ABI = ABI::V7;

/// What every program of this machine needs to start: libraries, time zones, certificates, randomness.
const SYSTEM: &[&str] = &[
    "/usr",
    "/lib",
    "/lib64",
    "/lib32",
    "/bin",
    "/sbin",
    "/etc/ld.so.cache",
    "/etc/ssl",
    "/etc/pki",
    "/etc/localtime",
    "/etc/nsswitch.conf",
    "/etc/alternatives",
    "/etc/mime.types",
    "/dev/urandom",
    "/dev/random",
    "/dev/zero",
    "/proc/self",
    "/proc/meminfo",
    "/proc/cpuinfo",
    "/proc/stat",
    "/proc/version",
];
/// What finding other machines needs.
const NAMES: &[&str] = &["/etc/resolv.conf", "/etc/hosts", "/etc/services", "/etc/protocols", "/etc/gai.conf"];
/// What takes whatever is written to it.
const SINKS: &[&str] = &["/dev/null", "/dev/full"];

/// What a process may map beside its memory; programs map much that they never use. Each 2 MB looked at costs a page.
const ADDRESSES_BYTES_MAX: u64 = 64 << 30;

/// Confines this process for good.
///
/// # Errors
/// What this machine does not enforce, in words.
pub(super) fn confine(policy: &Policy) -> Result<(), String> {
    let said = |what: &'static str| move |error: &dyn std::fmt::Display| format!("{what}: {error}");
    if policy.has_namespaces {
        // Whoever started this process has ended where it hears this; all of its namespace end with it.
        rustix::process::set_parent_process_death_signal(Some(Signal::KILL))
            .map_err(|error| said("the end of the parent is not heard of")(&error))?;
    }
    limit(&policy.limits).map_err(|error| said("a limit cannot be set")(&error))?;
    rustix::thread::set_no_new_privs(true).map_err(|error| said("privileges cannot be given up")(&error))?;
    let landlock = restrict(policy).map_err(|error| said("Landlock refuses")(&error))?;
    if landlock < super::probe::LANDLOCK_MIN {
        return Err(format!("Landlock is too old: ABI {landlock}"));
    }
    filter(policy).map_err(|error| said("seccomp refuses")(&error))
}

fn limit(limits: &ProcessLimits) -> rustix::io::Result<()> {
    let rows = [
        (Resource::Data, limits.memory_bytes_max),
        (Resource::As, limits.memory_bytes_max.saturating_add(ADDRESSES_BYTES_MAX)),
        (Resource::Cpu, limits.cpu_s_max),
        (Resource::Nofile, limits.files_max),
        (Resource::Nproc, limits.processes_max),
        (Resource::Fsize, limits.file_bytes_max),
        (Resource::Core, 0),
    ];
    rows.into_iter().try_for_each(|(resource, most)| {
        rustix::process::setrlimit(resource, Rlimit { current: Some(most), maximum: Some(most) })
    })
}

/// Lets this process reach only what the policy names; says which ABI of Landlock holds.
pub(super) fn restrict(policy: &Policy) -> Result<u32, landlock::RulesetError> {
    let read = AccessFs::from_read(NEWEST);
    let own = AccessFs::from_all(NEWEST) & !(AccessFs::MakeChar | AccessFs::MakeBlock | AccessFs::IoctlDev);
    let ruleset = Ruleset::default().handle_access(AccessFs::from_all(NEWEST))?.scope(Scope::from_all(NEWEST))?;
    let ruleset = match policy.network {
        Network::Own => ruleset,
        Network::Ports(_) => ruleset.handle_access(AccessNet::from_all(NEWEST))?,
    };
    let names: &[&str] = if matches!(&policy.network, Network::Ports(ports) if ports.len() > 1) { NAMES } else { &[] };
    let system = SYSTEM.iter().chain(names).map(Path::new);
    let mut created = ruleset
        .create()?
        .add_rules(path_beneath_rules(system.chain(policy.reads.iter().map(AsRef::as_ref)), read))?
        .add_rules(path_beneath_rules(&policy.lists, AccessFs::ReadDir))?
        .add_rules(path_beneath_rules(SINKS, AccessFs::ReadFile | AccessFs::WriteFile))?
        .add_rules(path_beneath_rules(&policy.writes, own))?;
    if let Network::Ports(ports) = &policy.network {
        created = created.add_rules(
            ports.iter().map(|port| Ok::<_, landlock::RulesetError>(NetPort::new(*port, AccessNet::ConnectTcp))),
        )?;
    }
    let status = created.restrict_self()?;
    Ok(match status.landlock {
        LandlockStatus::Available { effective_abi, .. } => effective_abi as u32,
        _ => 0,
    })
}

/// Calls that no function needs and that have led out of sandboxes.
const REFUSED: &[i64] = &[
    libc::SYS_acct,
    libc::SYS_add_key,
    libc::SYS_bpf,
    libc::SYS_chroot,
    libc::SYS_delete_module,
    libc::SYS_fanotify_init,
    libc::SYS_finit_module,
    libc::SYS_fsconfig,
    libc::SYS_fsmount,
    libc::SYS_fsopen,
    libc::SYS_fspick,
    libc::SYS_init_module,
    libc::SYS_io_uring_enter,
    libc::SYS_io_uring_register,
    libc::SYS_io_uring_setup,
    libc::SYS_kexec_load,
    libc::SYS_keyctl,
    libc::SYS_mount,
    libc::SYS_mount_setattr,
    libc::SYS_move_mount,
    libc::SYS_name_to_handle_at,
    libc::SYS_open_by_handle_at,
    libc::SYS_open_tree,
    libc::SYS_perf_event_open,
    libc::SYS_personality,
    libc::SYS_pivot_root,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_ptrace,
    libc::SYS_quotactl,
    libc::SYS_reboot,
    libc::SYS_request_key,
    libc::SYS_setns,
    libc::SYS_swapoff,
    libc::SYS_swapon,
    libc::SYS_syslog,
    libc::SYS_umount2,
    libc::SYS_unshare,
    libc::SYS_userfaultfd,
    libc::SYS_vhangup,
    // Older Landlocks do not see it; files of one's own are cut by `ftruncate`.
    libc::SYS_truncate,
    // No Landlock sees what changes who may do what with a file, or when it was changed: whoever runs us owns many.
    libc::SYS_fchmod,
    libc::SYS_fchmodat,
    libc::SYS_fchown,
    libc::SYS_fchownat,
    libc::SYS_fremovexattr,
    libc::SYS_fsetxattr,
    libc::SYS_lremovexattr,
    libc::SYS_lsetxattr,
    libc::SYS_removexattr,
    libc::SYS_setxattr,
    libc::SYS_utimensat,
    FCHMODAT2,
    SETXATTRAT,
    REMOVEXATTRAT,
    FILE_SETATTR,
    // What belongs to no process is counted for none: memory, semaphores, queues, what there is of for the whole machine.
    libc::SYS_memfd_create,
    libc::SYS_memfd_secret,
    libc::SYS_shmget,
    libc::SYS_semget,
    libc::SYS_msgget,
    libc::SYS_mq_open,
    libc::SYS_io_setup,
    // What looks into other processes.
    libc::SYS_kcmp,
    libc::SYS_pidfd_getfd,
    libc::SYS_process_madvise,
    libc::SYS_quotactl_fd,
    OPEN_TREE_ATTR,
    STATMOUNT,
    LISTMOUNT,
    // Nor does Landlock see what tells of changes in folders that it may not list.
    libc::SYS_inotify_add_watch,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_chmod,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_chown,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_lchown,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_utime,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_utimes,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_futimesat,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_modify_ldt,
];

/// Newer calls have one number on every machine.
const FCHMODAT2: i64 = 452;
const SETXATTRAT: i64 = 463;
const REMOVEXATTRAT: i64 = 466;
const FILE_SETATTR: i64 = 469;
const STATMOUNT: i64 = 457;
const LISTMOUNT: i64 = 458;
const OPEN_TREE_ATTR: i64 = 467;

/// Where a kernel takes calls with 32-bit pointers too, they bear this bit, and some a number of their own.
#[cfg(target_arch = "x86_64")]
const X32: i64 = 0x4000_0000;
/// `ptrace`, `process_vm_readv`, `process_vm_writev`.
#[cfg(target_arch = "x86_64")]
const X32_REFUSED: &[i64] = &[X32 | 521, X32 | 539, X32 | 540];

/// Namespaces that `clone` would make.
const NAMESPACES: i32 = libc::CLONE_NEWCGROUP
    | libc::CLONE_NEWIPC
    | libc::CLONE_NEWNET
    | libc::CLONE_NEWNS
    | libc::CLONE_NEWPID
    | libc::CLONE_NEWUSER
    | libc::CLONE_NEWUTS;

fn filter(policy: &Policy) -> Result<(), seccompiler::Error> {
    let mut rules: BTreeMap<i64, Vec<SeccompRule>> = REFUSED.iter().map(|call| (*call, Vec::new())).collect();
    // Sockets by name, such as the operator's, are no network that a namespace takes away.
    let is_not = |argument, values: &[i32]| {
        let conditions = values.iter().map(|value| condition(argument, SeccompCmpOp::Ne, *value));
        conditions.collect::<Result<Vec<_>, _>>().and_then(SeccompRule::new)
    };
    let mut sockets = vec![is_not(0, &[libc::AF_INET, libc::AF_INET6])?];
    if let Network::Ports(ports) = &policy.network {
        let kind = SeccompCmpOp::MaskedEq(0xf);
        // Landlock restricts the ports of TCP only: nothing else that makes streams, and UDP, for names, where more is declared.
        let udp = if ports.len() > 1 { None } else { Some(libc::SOCK_DGRAM) };
        for not_tcp in [libc::SOCK_RAW, libc::SOCK_SEQPACKET].into_iter().chain(udp) {
            sockets.push(SeccompRule::new(vec![condition(1, kind.clone(), not_tcp)?])?);
        }
        sockets.push(is_not(2, &[0, libc::IPPROTO_TCP, libc::IPPROTO_UDP])?);
        // It does not see who connects by sending, nor who listens on a port that the system chooses.
        for (call, flags) in [(libc::SYS_sendto, 3), (libc::SYS_sendmsg, 2), (libc::SYS_sendmmsg, 3)] {
            let connects = SeccompCmpOp::MaskedEq(libc::MSG_FASTOPEN as u64);
            rules.insert(call, vec![SeccompRule::new(vec![condition(flags, connects, libc::MSG_FASTOPEN)?])?]);
        }
        rules.insert(libc::SYS_listen, Vec::new());
    }
    rules.insert(libc::SYS_socket, sockets);
    // Memory that is shared and of no file stays where nobody holds it any more.
    let shared = libc::MAP_SHARED | libc::MAP_ANONYMOUS;
    let shared = condition(3, SeccompCmpOp::MaskedEq(shared as u64), shared)?;
    rules.insert(libc::SYS_mmap, vec![SeccompRule::new(vec![shared])?]);
    // Whoever started this process ends it by its own end.
    let forgets = condition(0, SeccompCmpOp::Eq, libc::PR_SET_PDEATHSIG)?;
    rules.insert(libc::SYS_prctl, vec![SeccompRule::new(vec![forgets])?]);
    // One of a pair reaches sockets by name where it takes messages for anybody: `sendto`, `connect`, `bind`. A raw one is such.
    let for_anybody = [libc::SOCK_DGRAM, libc::SOCK_RAW];
    let for_anybody = for_anybody.map(|kind| condition(1, SeccompCmpOp::MaskedEq(0xf), kind).map(|is| vec![is]));
    let for_anybody: Result<Vec<_>, _> = for_anybody.into_iter().map(|is| is.and_then(SeccompRule::new)).collect();
    rules.insert(libc::SYS_socketpair, for_anybody?);
    let flags: Vec<SeccompRule> = (0..31)
        .map(|bit| 1 << bit)
        .filter(|bit| NAMESPACES & bit != 0)
        .map(|bit: i32| SeccompRule::new(vec![condition(0, SeccompCmpOp::MaskedEq(bit as u64), bit)?]))
        .collect::<Result<_, _>>()?;
    rules.insert(libc::SYS_clone, flags);
    #[cfg(target_arch = "x86_64")]
    {
        let twins: Vec<_> = rules.iter().map(|(call, rules)| (call | X32, rules.clone())).collect();
        rules.extend(twins);
        rules.extend(X32_REFUSED.iter().map(|call| (*call, Vec::new())));
    }
    let arch = std::env::consts::ARCH.try_into()?;
    let refuse = SeccompAction::Errno(libc::EPERM as u32);
    let program: BpfProgram = SeccompFilter::new(rules, SeccompAction::Allow, refuse, arch)?.try_into()?;
    seccompiler::apply_filter(&program)?;
    // Its flags are behind a pointer, where no filter sees them; libraries fall back to `clone`.
    let unknown = BTreeMap::from([
        (libc::SYS_clone3, Vec::new()),
        #[cfg(target_arch = "x86_64")]
        (X32 | libc::SYS_clone3, Vec::new()),
    ]);
    let refuse = SeccompAction::Errno(libc::ENOSYS as u32);
    let program: BpfProgram = SeccompFilter::new(unknown, SeccompAction::Allow, refuse, arch)?.try_into()?;
    seccompiler::apply_filter(&program)
}

fn condition(argument: u8, operator: SeccompCmpOp, value: i32) -> Result<SeccompCondition, seccompiler::BackendError> {
    SeccompCondition::new(argument, SeccompCmpArgLen::Dword, operator, value as u64)
}
