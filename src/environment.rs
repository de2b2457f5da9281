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

/// Share of the processors that may be at work for others before figures count as noisy.
const QUIET_LOAD_PER_CPU: f64 = 0.5;

/// Load that is no sign of others: one process at work, such as a shell's, or this one's hashing of models.
const QUIET_LOAD: f64 = 1.0;

/// Says that the machine is too busy to measure on, if it is: a load average above half of the processors, and above 1.
pub fn noise(load_average: f64, num_cpus: usize) -> Option<String> {
    let is_noisy = load_average > QUIET_LOAD && load_average > QUIET_LOAD_PER_CPU * num_cpus as f64;
    is_noisy.then(|| format!("load average {load_average:.1} on {num_cpus} cores: figures will be noisy"))
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
        let environment = collect("candle-cpu 0.11.1");
        assert!(environment.num_cpus >= Some(1));
        assert!(environment.memory_bytes > Some(1 << 20));
        assert_eq!(environment.engine, "candle-cpu 0.11.1");
        assert_eq!(environment.git_commit.is_some(), environment.git_dirty.is_some());
    }

    #[test]
    fn noise_is_a_load_above_half_of_the_processors_and_above_one() {
        let check = |load, num_cpus, expected| assert_eq!(noise(load, num_cpus).is_some(), expected);
        check(8.2, 2, true);
        check(1.0, 2, false);
        check(1.0, 1, false);
        check(1.1, 2, true);
        check(4.0, 8, false);
        let expected = "load average 8.2 on 2 cores: figures will be noisy";
        assert_eq!(noise(8.21, 2).as_deref(), Some(expected));
    }

    #[test]
    fn physical_cores_are_no_more_than_the_process_may_use() {
        let allowed = std::thread::available_parallelism().unwrap().get() as u32;
        assert!((1..=allowed).contains(&num_physical_cores()));
    }

    #[test]
    fn differences_are_named_with_both_values() {
        let now = Environment { git_commit: Some("c0ffee".to_owned()), ..collect("candle-cpu 0.11.1") };
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
            "engine was candle-cpu 0.1, is candle-cpu 0.11.1",
            "git_commit was unknown, is c0ffee with changes",
        ];
        assert_eq!(differences(&before, &now), expected);
    }
}
