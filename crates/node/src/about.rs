//! What this node says of itself to operators of any node (CON-058): the words are the server's, which knows listeners and certificates.
//!
//! Asked only when somebody looks. Knows no node.

use std::sync::OnceLock;

use serde_json::Value;

type Says = dyn Fn() -> Option<Value> + Send + Sync;

/// How this node is asked for its state.
#[derive(Default)]
pub struct AboutNode(OnceLock<Box<Says>>);

impl AboutNode {
    /// Sets who answers; said once, at the start. `None` is the answer of a server that has ended.
    pub fn set(&self, says: impl Fn() -> Option<Value> + Send + Sync + 'static) {
        let _ = self.0.set(Box::new(says));
    }

    /// The state now, if there is a server.
    pub(crate) fn now(&self) -> Option<Value> {
        self.0.get().and_then(|says| says())
    }
}
