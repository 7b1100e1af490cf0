//! Placeholder.
use super::WindowFactory;
use super::factory::Planned;
use volley_api::{Operator, OperatorContext, Output, Result, StreamRecord};
pub(crate) struct RunWindows;
impl RunWindows {
    pub(crate) fn new(_: &WindowFactory, _: Planned, _: OperatorContext) -> Result<Self> {
        Ok(Self)
    }
}
impl Operator for RunWindows {
    fn process(&mut self, _: StreamRecord, _: &mut dyn Output) -> Result<()> {
        Ok(())
    }
}
