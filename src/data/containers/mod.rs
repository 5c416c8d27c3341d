//! Reading what pictures are kept in: folders, tar archives, WebDataset shards, Parquet tables.
//!
//! This room knows files and bytes. It knows neither classes nor data sets: texts and columns that
//! hold labels leave it as they are. Nothing here writes.

pub mod archive;
mod column;
mod error;
pub mod file_names;
pub mod folder;
pub mod read;
pub mod rows;
pub mod table;
pub mod web_dataset;

pub use error::ContainerError;
