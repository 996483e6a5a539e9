// SPDX-License-Identifier: GPL-2.0

//! The crash states of a recording that is in a report, or in a file, served by the command itself.

use std::io::Read;
use std::sync::Arc;

use anyhow::Result;
use powercut_engine::recording::Recording;

use super::{Contents, CrashView, Driver};
use crate::report::Saved;
use crate::server::{ServedView, Server};

/// See the module.
#[derive(Debug)]
pub struct CrashServer {
    driver: Arc<dyn Driver>,
    saved: Saved,
    recording: Arc<Recording>,
    contents: Arc<Contents>,
}

impl CrashServer {
    pub fn new(driver: Arc<dyn Driver>, saved: &Saved, recording: Arc<Recording>) -> Result<Self> {
        Ok(Self {
            driver,
            saved: saved.clone(),
            contents: Arc::new(Contents::spill(saved.stream()?)?),
            recording,
        })
    }
}

impl Server for CrashServer {
    fn recording(&self) -> Result<Arc<Recording>> {
        Ok(Arc::clone(&self.recording))
    }

    fn export(&self) -> Result<Box<dyn Read + '_>> {
        Ok(Box::new(self.saved.stream()?))
    }

    fn view(&self) -> Result<ServedView> {
        let view = CrashView::new(&self.driver, &self.recording, &self.contents)?;
        Ok(ServedView(Box::new(view)))
    }

    fn is_group(&self) -> bool {
        false
    }
}
