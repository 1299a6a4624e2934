//! What the system says of this process, under the names that all programs use for it. Absent where there is no `/proc`.

use prometheus_client::registry::Registry;

#[cfg(not(target_os = "linux"))]
pub(super) const fn register(_registry: &mut Registry) {}

#[cfg(target_os = "linux")]
pub(super) use linux::register;

#[cfg(target_os = "linux")]
mod linux {
    use super::Registry;
    use prometheus_client::metrics::counter::Counter;
    use prometheus_client::metrics::gauge::Gauge;
    use prometheus_client::registry::Unit;
    use rustix::process::{Resource, getrlimit};
    use std::fs;
    use std::sync::atomic::AtomicU64;

    type Number = Gauge<f64, AtomicU64>;

    /// The fields of `/proc/self/stat` that are told, after proc(5).
    struct Stat {
        user_ticks: u64,
        system_ticks: u64,
        threads: u64,
        /// Since the system was started.
        start_ticks: u64,
        virtual_bytes: u64,
        resident_pages: u64,
    }

    impl Stat {
        /// The name of the program, the second field, may hold anything, also brackets and spaces.
        fn parse(text: &str) -> Option<Self> {
            let (_, rest) = text.rsplit_once(')')?;
            let fields = Vec::from_iter(rest.split_ascii_whitespace());
            // The first of these is field 3.
            let field = |number: usize| fields.get(number.checked_sub(3)?)?.parse().ok();
            Some(Self {
                user_ticks: field(14)?,
                system_ticks: field(15)?,
                threads: field(20)?,
                start_ticks: field(22)?,
                virtual_bytes: field(23)?,
                resident_pages: field(24)?,
            })
        }
    }

    /// What cannot be read is left out.
    pub(in crate::metrics) fn register(registry: &mut Registry) {
        let ticks_per_second = rustix::param::clock_ticks_per_second() as f64;
        if let Some(stat) = fs::read_to_string("/proc/self/stat").ok().as_deref().and_then(Stat::parse) {
            let cpu = Counter::<f64, AtomicU64>::default();
            cpu.inc_by((stat.user_ticks + stat.system_ticks) as f64 / ticks_per_second);
            let help = "Processor time of this process, in user and system mode";
            registry.register_with_unit("process_cpu", help, Unit::Seconds, cpu);
            registry.register("process_threads", "Threads of this process", number(stat.threads as f64));
            let resident = stat.resident_pages as f64 * rustix::param::page_size() as f64;
            let help = "Memory of this process that is in RAM";
            registry.register_with_unit("process_resident_memory", help, Unit::Bytes, number(resident));
            let help = "Memory that this process has addresses for";
            let virtual_bytes = number(stat.virtual_bytes as f64);
            registry.register_with_unit("process_virtual_memory", help, Unit::Bytes, virtual_bytes);
            if let Some(booted) = boot_time() {
                let help = "When this process was started, since 1970 in UTC";
                let started = number(booted + stat.start_ticks as f64 / ticks_per_second);
                registry.register_with_unit("process_start_time", help, Unit::Seconds, started);
            }
        }
        if let Ok(open) = fs::read_dir("/proc/self/fd") {
            // One of them is of this very look.
            let open = open.count().saturating_sub(1) as f64;
            registry.register("process_open_fds", "Open file descriptors of this process", number(open));
        }
        if let Some(most) = getrlimit(Resource::Nofile).current {
            let help = "As many file descriptors as this process may have open";
            registry.register("process_max_fds", help, number(most as f64));
        }
    }

    /// In seconds since 1970.
    fn boot_time() -> Option<f64> {
        let stat = fs::read_to_string("/proc/stat").ok()?;
        stat.lines().find_map(|line| line.strip_prefix("btime "))?.trim().parse().ok()
    }

    fn number(value: f64) -> Number {
        let gauge = Number::default();
        gauge.set(value);
        gauge
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        #[test]
        fn a_program_may_be_named_like_anything() {
            let text =
                "7 (a) R (b) S 1 7 7 0 -1 4194560 100 0 0 0 250 50 0 0 20 0 9 0 12345 1000000 300 184 1 1 0";
            let stat = Stat::parse(text).unwrap();
            assert_eq!((stat.user_ticks, stat.system_ticks, stat.threads), (250, 50, 9));
            assert_eq!((stat.start_ticks, stat.virtual_bytes, stat.resident_pages), (12345, 1_000_000, 300));
            assert!(Stat::parse("7 (a) R 1 7").is_none() && Stat::parse("").is_none());
        }
    }
}
