// SPDX-License-Identifier: GPL-2.0

//! What serves the crash states of one record as block devices: the module, or the command itself.

use std::io::Read;
use std::sync::Arc;

use anyhow::{bail, Result};
use powercut_engine::reads::Reads;
use powercut_engine::recording::Recording;

use crate::device::{DeviceError, Disk, Nodes, Root, Selection, Show, View, ViewOrigin};
use crate::faults::Rule;

/// A server of the crash states of one record.
pub trait Server: Sync {
    fn recording(&self) -> Result<Arc<Recording>>;
    /// The record, as `export` gives it.
    fn export(&self) -> Result<Box<dyn Read + '_>>;
    /// A device that shows states, under a name of its own; it goes with its handle.
    fn view(&self) -> Result<ServedView>;
    /// Whether what is shown are several disks.
    fn is_group(&self) -> bool;
    /// The disk that has the record, if it is one of the driver's.
    fn driver(&self) -> Option<(&Root, &Disk)> {
        None
    }
}

impl<S: Server + ?Sized> Server for &S {
    fn recording(&self) -> Result<Arc<Recording>> {
        (**self).recording()
    }

    fn export(&self) -> Result<Box<dyn Read + '_>> {
        (**self).export()
    }

    fn view(&self) -> Result<ServedView> {
        (**self).view()
    }

    fn is_group(&self) -> bool {
        (**self).is_group()
    }

    fn driver(&self) -> Option<(&Root, &Disk)> {
        (**self).driver()
    }
}

/// The module, with a disk that was recorded or imported.
#[derive(Debug, Clone, Copy)]
pub struct Module<'d> {
    pub root: &'d Root,
    pub disk: &'d Disk,
}

impl Server for Module<'_> {
    fn recording(&self) -> Result<Arc<Recording>> {
        match Recording::read(self.export()?) {
            Ok(recording) => Ok(Arc::new(recording)),
            Err(e) => bail!("cannot use the record of {}: {e}", self.disk.name()),
        }
    }

    fn export(&self) -> Result<Box<dyn Read + '_>> {
        let stream = self.root.control().export(self.disk.name().as_str())?;
        Ok(Box::new(stream))
    }

    fn view(&self) -> Result<ServedView> {
        Ok(ServedView(Box::new(self.disk.create_some_view()?)))
    }

    fn is_group(&self) -> bool {
        self.disk.nodes().members().next().is_some()
    }

    fn driver(&self) -> Option<(&Root, &Disk)> {
        Some((self.root, self.disk))
    }
}

/// A view as what other views are of: what is written to it is recorded.
pub trait Origin: Send {
    fn start(&self) -> Result<(), DeviceError>;
    fn stop(&self) -> Result<(), DeviceError>;
    /// Forgets the record. What was written stays.
    fn drop_record(&self) -> Result<(), DeviceError>;
    /// Puts marks into the record.
    fn mark(&self, marks: &mut dyn Iterator<Item = &str>) -> Result<(), DeviceError>;
    /// The record, which stands for itself.
    fn export(&self) -> Result<Box<dyn Read + '_>>;
    /// A view of the record, which was read from what [`Self::export`] gives. There may be one at a time.
    fn view(&self, recording: &Arc<Recording>) -> Result<ServedView>;
}

impl Origin for ViewOrigin {
    fn start(&self) -> Result<(), DeviceError> {
        self.record("start")
    }

    fn stop(&self) -> Result<(), DeviceError> {
        self.record("stop")
    }

    fn drop_record(&self) -> Result<(), DeviceError> {
        self.record("drop")
    }

    fn mark(&self, marks: &mut dyn Iterator<Item = &str>) -> Result<(), DeviceError> {
        Self::mark(self, marks)
    }

    fn export(&self) -> Result<Box<dyn Read + '_>> {
        Ok(Box::new(Self::export(self)?))
    }

    fn view(&self, _: &Arc<Recording>) -> Result<ServedView> {
        let view = self.create_view(&"r".parse()?)?;
        Ok(ServedView(Box::new(view)))
    }
}

/// What a server's view can do beside showing states.
pub trait Served: Show + Send {
    /// What it is called.
    fn name(&self) -> &str;
    /// What the kernel's messages call it: a device of a group may have a name of its own.
    fn kernel_names(&self) -> Vec<String> {
        vec![self.name().into()]
    }
    /// The same as a disk that is recorded in its turn.
    fn origin(&self) -> Box<dyn Origin>;
    /// Lets it outlive its handle, where that can be.
    fn leave(self: Box<Self>);
}

impl Served for View {
    fn name(&self) -> &str {
        Self::name(self)
    }

    fn origin(&self) -> Box<dyn Origin> {
        Box::new(self.as_origin())
    }

    fn leave(self: Box<Self>) {
        Self::leave(*self);
    }
}

/// A view of any server.
pub struct ServedView(pub Box<dyn Served>);

impl ServedView {
    pub fn name(&self) -> &str {
        self.0.name()
    }

    pub fn kernel_names(&self) -> Vec<String> {
        self.0.kernel_names()
    }

    pub fn leave(self) {
        self.0.leave();
    }

    pub fn origin(&self) -> Box<dyn Origin> {
        self.0.origin()
    }

    /// Has the kernel read no more than is asked for: [`Nodes::read_no_more`].
    pub fn read_no_more(&self) {
        self.0.nodes().read_no_more();
    }
}

impl Show for ServedView {
    fn show(&mut self, selection: &Selection) -> Result<(), DeviceError> {
        self.0.show(selection)
    }

    fn nodes(&self) -> &Nodes {
        self.0.nodes()
    }

    fn reads(&self) -> Result<Option<Reads>, DeviceError> {
        self.0.reads()
    }

    fn is_served(&self) -> Result<(), DeviceError> {
        self.0.is_served()
    }

    fn add_faults(&mut self, rules: &[Rule]) -> Result<(), DeviceError> {
        self.0.add_faults(rules)
    }
}
