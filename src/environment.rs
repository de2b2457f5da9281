//! The machine and the program: what a run stores about where it was measured.

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
        num_cpus: cpus.len().try_into().unwrap_or(u32::MAX),
        memory_bytes: system.as_ref().map_or(0, System::total_memory),
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

/// Physical cores that this process may use: the machine's, or fewer where affinity or a container allow less.
pub fn num_physical_cores() -> u32 {
    let allowed = std::thread::available_parallelism().map_or(1, usize::from);
    let cores = System::physical_core_count().unwrap_or(allowed).clamp(1, allowed);
    cores.try_into().unwrap_or(u32::MAX)
}

/// What tells this boot of the machine from any other, so that a process id of an earlier one is known to be dead.
///
/// Only Linux has it.
pub fn boot_id() -> Option<String> {
    let id = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    Some(id.trim().to_owned()).filter(|id| !id.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn machine_has_cpus_and_memory() {
        let environment = collect("candle-cpu 0.11.1");
        assert!(environment.num_cpus >= 1);
        assert!(environment.memory_bytes > 1 << 20);
        assert_eq!(environment.engine, "candle-cpu 0.11.1");
        assert_eq!(environment.git_commit.is_some(), environment.git_dirty.is_some());
    }

    #[test]
    fn physical_cores_are_no_more_than_the_process_may_use() {
        let allowed = std::thread::available_parallelism().unwrap().get() as u32;
        assert!((1..=allowed).contains(&num_physical_cores()));
    }

    #[test]
    fn boot_id_is_stable() {
        assert_eq!(boot_id(), boot_id());
    }
}
