//! The pool that instances come from: how many, how large, and what it costs.
//!
//! Making an instance in a slot of the pool saves mapping and unmapping address space, which is most of the time that it
//! takes. The pool is sized for real guests: a Python component consists of about 39 core instances.

use wasmtime::{Enabled, PoolingAllocationConfig};

use super::config::MEMORY_RESERVATION_BYTES;

/// Core instances, memories and tables that one component may consist of, each.
pub(crate) const CORE_PARTS_MAX: u32 = 50;

/// Elements of one table: a Python component has some tens of thousands.
pub(crate) const TABLE_ELEMENTS_MAX: usize = 100_000;

/// Bytes of what wasmtime keeps for one component instance (functions, globals, tables' heads), all of it together.
const INSTANCE_BYTES_MAX: usize = 8 << 20;

/// Memories and tables in the pool per instance: a component made of one module has one memory and two tables (its own,
/// and one through which the host's functions are reached), a composed one has more.
const MEMORIES_PER_INSTANCE: u32 = 2;
const TABLES_PER_INSTANCE: u32 = 3;

/// Bytes of a memory, and of a table, that stay resident in a slot that is free, and are wiped instead of unmapped. All
/// slots together keep at most [`PoolSettings::instances`] × (2 × 64 KiB + 3 × 16 KiB): 45 MiB with 256 instances.
const MEMORY_RESIDENT_BYTES: usize = 64 << 10;
const TABLE_RESIDENT_BYTES: usize = 16 << 10;

/// Size of the pool. What does not fit, in number or in size, is allocated on demand: it works the same, takes some tens
/// of microseconds longer to make, and is counted in [`PoolMisses`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PoolSettings {
    /// Instances that live at once: one for each plugin operator and subtask, and briefly one more for each that is
    /// being bound. Each takes 8 GiB of address space, which is reserved and costs nothing until it is used. 0 means no
    /// pool. Default: 256, which is 2 TiB.
    pub instances: u32,
    /// Bytes of the largest memory. A plugin that may have more (`limits.memory`) is allocated on demand. Default, and
    /// at most: 4 GiB, all that a plugin can address.
    pub memory_bytes_max: u64,
}

impl Default for PoolSettings {
    fn default() -> Self {
        Self { instances: 256, memory_bytes_max: MEMORY_RESERVATION_BYTES }
    }
}

impl PoolSettings {
    /// The pool in wasmtime's words; `None` when there shall be none.
    pub(super) fn allocation(&self) -> Option<PoolingAllocationConfig> {
        if self.instances == 0 {
            return None;
        }
        let memory_bytes_max = usize::try_from(self.memory_bytes_max.min(MEMORY_RESERVATION_BYTES));
        let mut pool = PoolingAllocationConfig::new();
        pool.total_component_instances(self.instances)
            .total_core_instances(self.instances.saturating_mul(CORE_PARTS_MAX))
            .total_memories(self.instances.saturating_mul(MEMORIES_PER_INSTANCE))
            .total_tables(self.instances.saturating_mul(TABLES_PER_INSTANCE))
            .max_component_instance_size(INSTANCE_BYTES_MAX)
            .max_core_instance_size(INSTANCE_BYTES_MAX)
            .max_core_instances_per_component(CORE_PARTS_MAX)
            .max_memories_per_component(CORE_PARTS_MAX)
            .max_tables_per_component(CORE_PARTS_MAX)
            .max_tables_per_module(CORE_PARTS_MAX)
            .table_elements(TABLE_ELEMENTS_MAX)
            .max_memory_size(memory_bytes_max.unwrap_or(usize::MAX))
            .linear_memory_keep_resident(MEMORY_RESIDENT_BYTES)
            .table_keep_resident(TABLE_RESIDENT_BYTES)
            // A system call that not every kernel has: what is measured on one machine shall hold on the next.
            .pagemap_scan(Enabled::No);
        Some(pool)
    }
}

/// How often the pool was passed over, since the engine started.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct PoolMisses {
    /// Instances made on demand because no slot was free.
    pub full: u64,
    /// Instances made on demand because the component, or the memory that its limits allow, is larger than a slot.
    pub too_large: u64,
}
