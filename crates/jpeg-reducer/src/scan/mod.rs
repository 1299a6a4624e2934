//! Scans: what their headers announce, and the coefficients they bring.

mod block;
mod header;
mod progressive;
mod refine;
mod sequential;
mod store;
mod survey;

pub(crate) use header::ScanHeader;
pub(crate) use progressive::ProgressiveScan;
pub(crate) use sequential::SequentialScan;
pub(crate) use store::Store;
pub(crate) use survey::Survey;
