//! The machine and the program: what a run stores about where it was measured.

use std::time::{SystemTime, UNIX_EPOCH};

use sysinfo::{CpuRefreshKind, MemoryRefreshKind, RefreshKind, System};

use crate::record::Environment;

/// Describes machine and program; `engine` names what computes the forwards, with its version.
///
/// What the operating system does not tell is absent.
pub fn collect(engine: &str) -> Environment {
    let refreshes = RefreshKind::nothing()
        .with_cpu(CpuRefreshKind::nothing())
        .with_memory(MemoryRefreshKind::nothing().with_ram());
    let system = System::new_with_specifics(refreshes).ok();
    let cpus = system.as_ref().map(System::cpus).unwrap_or_default();
    Environment {
        hostname: System::host_name().ok(),
        os: System::long_os_version().ok(),
        kernel: System::kernel_version().ok(),
        cpu_model: cpus.first().map(|cpu| cpu.brand().trim().to_owned()).filter(|brand| !brand.is_empty()),
        num_cpus: u32::try_from(cpus.len()).ok().filter(|count| *count > 0),
        memory_bytes: system.as_ref().map(System::total_memory).filter(|bytes| *bytes > 0),
        engine: engine.to_owned(),
        speclora_version: env!("CARGO_PKG_VERSION").to_owned(),
        git_commit: option_env!("BUILD_GIT_COMMIT").map(str::to_owned),
        git_dirty: option_env!("BUILD_GIT_DIRTY").map(|dirty| dirty == "true"),
    }
}

/// The load average over one minute, where the operating system has one.
pub fn load_average() -> Option<f64> {
    System::load_average().ok().map(|load| load.one).filter(|load| load.is_finite())
}

/// Share of the processors that others may use before figures count as noisy.
const QUIET_SHARE: f64 = 0.1;

/// What the processors have done so far, in ticks of the system's clock. Only Linux tells.
#[derive(Debug, Clone, Copy)]
pub struct ProcessorTime {
    /// Idle time included.
    total: u64,
    /// At work for anybody, for other virtual machines too.
    busy: u64,
    /// At work for this process.
    own: u64,
}

impl ProcessorTime {
    /// The time until now.
    pub fn now() -> Option<Self> {
        let all = std::fs::read_to_string("/proc/stat").ok()?;
        let process = std::fs::read_to_string("/proc/self/stat").ok()?;
        Self::parse(&all, &process)
    }

    /// Reads `/proc/stat`'s first line, and fields 14 and 15 of `/proc/self/stat` (proc_pid_stat(5)).
    fn parse(all: &str, process: &str) -> Option<Self> {
        let fields = all.lines().next()?.strip_prefix("cpu ")?.split_whitespace();
        // user, nice, system, idle, iowait, irq, softirq, steal; what follows is part of user and nice.
        let times: Vec<u64> = fields.take(8).map_while(|field| field.parse().ok()).collect();
        let total: u64 = times.iter().sum();
        let idle = times.get(3)? + times.get(4)?;
        let mut process = process.rsplit_once(')')?.1.split_whitespace().skip(11);
        let mut time = || process.next()?.parse::<u64>().ok();
        Some(Self { total, busy: total - idle, own: time()? + time()? })
    }

    /// Says that others kept the machine too busy to measure on since `earlier`, if they did.
    pub fn noise_since(self, earlier: Self) -> Option<String> {
        let others = (self.busy - earlier.busy).saturating_sub(self.own - earlier.own);
        let share = others as f64 / (self.total - earlier.total).max(1) as f64;
        (share > QUIET_SHARE).then(|| {
            format!("others used {:.0} % of the processors meanwhile: figures are noisy", 100.0 * share)
        })
    }
}

/// Processors that this process may use.
pub fn num_usable_cpus() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// Physical cores that this process may use: the machine's, or fewer where affinity or a container allow less.
pub fn num_physical_cores() -> u32 {
    let allowed = num_usable_cpus();
    let cores = System::physical_core_count().unwrap_or(allowed).clamp(1, allowed);
    cores.try_into().unwrap_or(u32::MAX)
}

/// The machine's clock: milliseconds since 1970-01-01 UTC.
pub fn now_ms() -> i64 {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since_epoch.as_millis()).unwrap_or(i64::MAX)
}

/// Names what of machine and program differs, so that figures measured in both can hardly be compared:
/// `cpu_model was A, is B`.
pub fn differences(before: &Environment, now: &Environment) -> Vec<String> {
    let facts = |environment: &Environment| {
        let commit = environment.git_commit.as_ref().map(|commit| match environment.git_dirty {
            Some(true) => format!("{commit} with changes"),
            _ => commit.clone(),
        });
        [
            ("hostname", environment.hostname.clone()),
            ("cpu_model", environment.cpu_model.clone()),
            ("engine", Some(environment.engine.clone())),
            ("speclora_version", Some(environment.speclora_version.clone())),
            ("git_commit", commit),
        ]
    };
    let said = |value: Option<String>| value.unwrap_or_else(|| "unknown".to_owned());
    let pairs = facts(before).into_iter().zip(facts(now));
    pairs
        .filter(|((_, before), (_, now))| before != now)
        .map(|((name, before), (_, now))| format!("{name} was {}, is {}", said(before), said(now)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn machine_has_cpus_and_memory() {
        let environment = collect("cpu-avx512");
        assert!(environment.num_cpus >= Some(1));
        assert!(environment.memory_bytes > Some(1 << 20));
        assert_eq!(environment.engine, "cpu-avx512");
        assert_eq!(environment.git_commit.is_some(), environment.git_dirty.is_some());
    }

    #[test]
    fn noise_is_what_others_used() {
        let time = |idle: u64, user: u64, own: u64| {
            let all = format!("cpu  {user} 0 0 {idle} 0 0 0 0 0 0\ncpu0 1 2 3\n");
            let process = format!("7 (a) b) R 1 1 1 0 -1 0 0 0 0 0 {own} 0 0 0 20 0 1 0 5 6 7");
            ProcessorTime::parse(&all, &process).unwrap()
        };
        let earlier = time(1_000, 500, 40);
        assert_eq!(time(1_100, 600, 130).noise_since(earlier), None, "10 of 200 ticks were others'");
        let expected = "others used 25 % of the processors meanwhile: figures are noisy";
        assert_eq!(time(1_100, 600, 90).noise_since(earlier).as_deref(), Some(expected));
        assert!(ProcessorTime::parse("intr 5", "7 (a) R").is_none());
    }

    #[test]
    fn physical_cores_are_no_more_than_the_process_may_use() {
        let allowed = std::thread::available_parallelism().unwrap().get() as u32;
        assert!((1..=allowed).contains(&num_physical_cores()));
    }

    #[test]
    fn differences_are_named_with_both_values() {
        let now = Environment { git_commit: Some("c0ffee".to_owned()), ..collect("cpu-avx512") };
        assert_eq!(differences(&now, &now), Vec::<String>::new());
        let before = Environment {
            hostname: Some("elsewhere".to_owned()),
            engine: "candle-cpu 0.1".to_owned(),
            git_commit: None,
            ..now.clone()
        };
        let now = Environment { hostname: None, git_dirty: Some(true), ..now };
        let expected = [
            "hostname was elsewhere, is unknown",
            "engine was candle-cpu 0.1, is cpu-avx512",
            "git_commit was unknown, is c0ffee with changes",
        ];
        assert_eq!(differences(&before, &now), expected);
    }
}
