/// What archives may hold, and what is refused in them.
mod archives;

/// Class names and templates that lie beside shards and tables.
mod beside;

/// Label files: their forms, and the orders of numbers.
mod labels;

/// Parquet files.
mod parquet;

/// The same pictures through every source.
mod same;

/// Sets beside ImageNet, ReaL labels and checks, from other sources than folders.
mod sets;

/// Oddities that real copies of ImageNet have.
mod traps;

/// Builders of archives, tables and label files.
pub mod util;
