// SPDX-License-Identifier: GPL-2.0

//! A view as what other views are of: what is written to it is recorded in its turn.

use std::io::{self, BufReader, Read};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::{Context, Result};
use powercut_engine::abi::Header;
use powercut_engine::recording::Recording;

use super::{CrashDisk, CrashView, Driver, FromStart};
use crate::device::DeviceError;
use crate::server::{Origin, ServedView};

/// The device for states of a record, once there was one: it is used again for the next record.
#[derive(Debug, Clone, Default)]
pub struct Spare(Arc<Mutex<Option<CrashView>>>);

/// See the module.
#[derive(Debug)]
pub struct CrashOrigin {
    pub name: String,
    pub disk: Arc<Mutex<CrashDisk>>,
    pub header: Header,
    pub driver: Arc<dyn Driver>,
    pub spare: Spare,
}

impl CrashOrigin {
    fn disk(&self) -> MutexGuard<'_, CrashDisk> {
        self.disk.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn failed(&self, what: &str) -> impl FnOnce(io::Error) -> DeviceError {
        let what = format!("cannot {what} the record of {}", self.name);
        move |source| DeviceError::Io { what, source }
    }
}

impl Origin for CrashOrigin {
    fn start(&self) -> Result<(), DeviceError> {
        let begun = self.disk().begin_record(&self.header);
        begun.map_err(self.failed("start"))
    }

    fn stop(&self) -> Result<(), DeviceError> {
        self.disk().end_record();
        Ok(())
    }

    fn drop_record(&self) -> Result<(), DeviceError> {
        self.disk().drop_record();
        Ok(())
    }

    fn mark(&self, marks: &mut dyn Iterator<Item = &str>) -> Result<(), DeviceError> {
        let mut disk = self.disk();
        let mut put = marks.map(|text| disk.mark(text));
        let put = put.find(Result::is_err).unwrap_or(Ok(()));
        put.map_err(|errno| self.failed("mark")(errno.into()))
    }

    fn export(&self) -> Result<Box<dyn Read + '_>> {
        let file = self.disk().export().map_err(self.failed("read"))?;
        Ok(Box::new(BufReader::new(FromStart::new(file))))
    }

    fn view(&self, recording: &Arc<Recording>) -> Result<ServedView> {
        let contents = self.disk().recorded(Arc::clone(&self.disk));
        let contents = Arc::new(contents.context("there is no record")?);
        let mut spare = self.spare.0.lock().unwrap_or_else(PoisonError::into_inner);
        let view = match spare.take() {
            Some(view) => view.of(recording, &contents)?,
            None => CrashView::new(&self.driver, recording, &contents)?,
        };
        *spare = Some(view.clone());
        Ok(ServedView(Box::new(view)))
    }
}
