use archstone_core::Time;

/// A call of a [`History`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CallId(pub usize);

/// One call of one client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call<O, R> {
    /// Who called; a client makes one call at a time.
    pub client: usize,
    /// What was asked.
    pub op: O,
    /// When it was asked.
    pub invoked: Time,
    /// When the answer came, and the answer; `None` when none came: the call may have taken effect
    /// at any time since, or never.
    pub returned: Option<(Time, R)>,
}

/// The calls of all clients, in the order in which they were invoked.
///
/// ```
/// use kit::Time;
/// use kit::check::History;
///
/// let mut history = History::new();
/// let write = history.invoke(0, "write 1", Time::from_millis(1));
/// let read = history.invoke(1, "read", Time::from_millis(2));
/// history.returned(read, Some(1), Time::from_millis(3));
/// history.returned(write, None, Time::from_millis(9));
/// assert_eq!(history.calls().len(), 2);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct History<O, R> {
    calls: Vec<Option<Call<O, R>>>,
}

impl<O, R> History<O, R> {
    /// No calls.
    #[must_use]
    pub const fn new() -> Self {
        Self { calls: Vec::new() }
    }

    /// `client` asks for `op`.
    pub fn invoke(&mut self, client: usize, op: O, now: Time) -> CallId {
        self.calls.push(Some(Call { client, op, invoked: now, returned: None }));
        CallId(self.calls.len() - 1)
    }

    /// The answer has come. A second answer to one call, or one to a call that has
    /// [failed](Self::failed), is ignored.
    pub fn returned(&mut self, call: CallId, result: R, now: Time) {
        if let Some(Some(call)) = self.calls.get_mut(call.0)
            && call.returned.is_none()
        {
            call.returned = Some((now, result));
        }
    }

    /// The call is known to have had no effect: it is as if it had not been made. (A time-out is
    /// not that: then nothing is known, and nothing is called.)
    pub fn failed(&mut self, call: CallId) {
        if let Some(entry) = self.calls.get_mut(call.0) {
            *entry = None;
        }
    }

    /// The calls that may have had an effect, in the order of their invocation.
    #[must_use]
    pub fn calls(&self) -> Vec<&Call<O, R>> {
        self.calls.iter().flatten().collect()
    }
}

impl<O, R> Default for History<O, R> {
    fn default() -> Self {
        Self::new()
    }
}
