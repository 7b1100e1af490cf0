//! The event time of a node that reads several inputs: that of the one which is furthest behind.

use volley_api::Watermark;

use super::Control;

/// How far each input of a node has come.
#[derive(Debug, Clone, Default)]
pub(crate) struct Inputs {
    inputs: Vec<Input>,
    /// What was told last.
    watermark: Option<Watermark>,
    /// What was told last before the job was restored.
    restored: Option<Watermark>,
    is_idle: bool,
}

#[derive(Debug, Clone, Copy, Default)]
struct Input {
    watermark: Option<Watermark>,
    is_idle: bool,
    has_ended: bool,
}

impl Inputs {
    /// Adds an input and gives its number.
    pub(crate) fn add(&mut self) -> usize {
        self.inputs.push(Input::default());
        self.inputs.len() - 1
    }

    /// Nothing before this watermark is told: it was told before the job was restored. It itself is told again, since those
    /// behind this node wait to hear how far it has come.
    pub(crate) fn restore(&mut self, watermark: Option<Watermark>) {
        self.restored = watermark;
    }

    /// What was told last, be it before the job was restored.
    pub(crate) fn watermark(&self) -> Option<Watermark> {
        self.watermark.max(self.restored)
    }

    /// Takes in what an input says; gives what the node has to say of all its inputs, if that is new.
    pub(crate) fn take(&mut self, input: usize, control: Control) -> Option<Control> {
        let input = &mut self.inputs[input];
        match control {
            // An input never goes back. One that tells how far it has come is not idle, and may have been so in silence; one
            // that has come to the end of event time has ended, idle or not.
            Control::Watermark(watermark) => {
                input.watermark = input.watermark.max(Some(watermark));
                input.is_idle = false;
                input.has_ended |= watermark == Watermark::End;
            }
            Control::Idle => input.is_idle = true,
            Control::Active => input.is_idle = false,
            Control::Barrier(_) => return Some(control),
        }
        self.news()
    }

    /// What a node without any input has to say: that event time is over.
    pub(crate) fn end_if_none(&mut self) -> Option<Control> {
        if self.inputs.is_empty() { self.news() } else { None }
    }

    /// Takes in that an input has ended. A node whose inputs have all ended has come to the end of event time.
    pub(crate) fn end(&mut self, input: usize) -> Option<Control> {
        self.inputs[input].has_ended = true;
        self.news()
    }

    fn news(&mut self) -> Option<Control> {
        let open = || self.inputs.iter().filter(|input| !input.has_ended);
        let counting = || open().filter(|input| !input.is_idle);
        let reached = if open().next().is_none() {
            Some(Watermark::End)
        } else {
            // `None` is the least: an input that has told nothing yet holds the others back.
            counting().map(|input| input.watermark).min().flatten()
        };
        let is_idle = open().next().is_some() && counting().next().is_none();
        if reached > self.watermark && reached >= self.restored {
            self.watermark = reached;
            self.is_idle = is_idle;
            return reached.map(Control::Watermark);
        }
        if is_idle != self.is_idle {
            self.is_idle = is_idle;
            return Some(if is_idle { Control::Idle } else { Control::Active });
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: i64) -> Control {
        Control::Watermark(Watermark::AtMs(ms))
    }

    fn two() -> Inputs {
        let mut inputs = Inputs::default();
        assert_eq!((inputs.add(), inputs.add()), (0, 1));
        inputs
    }

    #[test]
    fn the_slowest_input_decides() {
        let mut inputs = two();
        assert_eq!(inputs.take(0, at(10)), None, "the other has told nothing yet");
        assert_eq!(inputs.take(1, at(5)), Some(at(5)));
        assert_eq!(inputs.take(1, at(7)), Some(at(7)));
        assert_eq!(inputs.take(1, at(3)), None, "it never goes back");
        assert_eq!(inputs.take(1, at(20)), Some(at(10)));
    }

    #[test]
    fn an_idle_input_is_not_waited_for() {
        let mut inputs = two();
        assert_eq!(inputs.take(0, at(10)), None);
        assert_eq!(inputs.take(1, Control::Idle), Some(at(10)));
        assert_eq!(inputs.take(0, Control::Idle), Some(Control::Idle), "nobody is left");
        assert_eq!(inputs.take(1, Control::Active), Some(Control::Active));
        assert_eq!(inputs.take(1, at(4)), None, "what was promised stays promised");
        assert_eq!(inputs.take(1, at(12)), Some(at(12)), "the other is still idle");
    }

    #[test]
    fn the_end_comes_through_an_idle_input() {
        let end = Control::Watermark(Watermark::End);
        let mut inputs = Inputs::default();
        inputs.add();
        assert_eq!(inputs.take(0, Control::Idle), Some(Control::Idle));
        assert_eq!(inputs.take(0, end), Some(end));
    }

    #[test]
    fn one_that_has_ended_and_one_that_is_idle_are_not_the_end() {
        let end = Control::Watermark(Watermark::End);
        let mut inputs = two();
        assert_eq!(inputs.take(1, Control::Idle), None);
        assert_eq!(inputs.take(0, end), Some(Control::Idle));
        assert_eq!(inputs.take(1, Control::Active), Some(Control::Active));
        assert_eq!(inputs.take(1, at(7)), Some(at(7)));
    }

    #[test]
    fn who_hears_a_watermark_of_a_node_that_was_idle_counts_it_again() {
        let mut inputs = two();
        assert_eq!(inputs.take(0, at(30)), None);
        assert_eq!(inputs.take(1, at(10)), Some(at(10)));
        assert_eq!(inputs.take(0, Control::Idle), None);
        assert_eq!(inputs.take(1, Control::Idle), Some(Control::Idle));
        let mut below = two();
        assert_eq!(below.take(0, Control::Idle), None);
        assert_eq!(below.take(1, at(40)), Some(at(40)));
        // It goes on at once, without a word that it is active: its watermark says so.
        assert_eq!(inputs.take(0, Control::Active), Some(at(30)));
        assert_eq!(below.take(0, at(41)), None);
        assert_eq!(below.take(1, at(50)), Some(at(41)), "the one that was idle holds back again");
    }

    #[test]
    fn the_end_of_all_inputs_is_the_end_of_time() {
        let mut inputs = two();
        assert_eq!(inputs.end(0), None);
        assert_eq!(inputs.take(1, at(3)), Some(at(3)), "an input that has ended holds nobody back");
        assert_eq!(inputs.end(1), Some(Control::Watermark(Watermark::End)));
    }

    #[test]
    fn what_was_told_before_a_restore_is_not_told_again() {
        let mut inputs = two();
        inputs.restore(Some(Watermark::AtMs(10)));
        assert_eq!((inputs.take(0, at(8)), inputs.take(1, at(7))), (None, None));
        assert_eq!(inputs.watermark(), Some(Watermark::AtMs(10)), "a checkpoint keeps what an earlier run told");
        assert_eq!(inputs.take(0, at(20)), None);
        assert_eq!(inputs.take(1, at(12)), Some(at(12)));
    }

    #[test]
    fn a_quiet_input_holds_nobody_back_after_a_restore() {
        let mut inputs = Inputs::default();
        inputs.add();
        inputs.restore(Some(Watermark::AtMs(10)));
        assert_eq!(inputs.take(0, at(10)), Some(at(10)), "those behind it have not heard of it in this run");
        assert_eq!(inputs.take(0, at(10)), None);
    }

    #[test]
    fn an_end_can_leave_an_idle_rest() {
        let mut inputs = two();
        assert_eq!(inputs.take(1, Control::Idle), None);
        assert_eq!(inputs.end(0), Some(Control::Idle));
    }
}
