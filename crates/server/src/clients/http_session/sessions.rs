//! The sessions of one transport by name. An entry lives as long as the session's task.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::Arc;

use parking_lot::Mutex;

/// The table; as large as the node has seats, because each session has one.
#[derive(Debug)]
pub struct Sessions<N, S>(Mutex<HashMap<N, Arc<S>>>);

/// A session in the table, removed on drop.
#[derive(Debug)]
pub struct SessionEntry<N: Eq + Hash, S> {
    sessions: Arc<Sessions<N, S>>,
    name: N,
}

impl<N, S> Default for Sessions<N, S> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<N: Eq + Hash + Clone, S> Sessions<N, S> {
    /// The session of this name.
    #[must_use]
    pub fn get(&self, name: &N) -> Option<Arc<S>> {
        self.0.lock().get(name).cloned()
    }

    /// Enters a session.
    ///
    /// # Errors
    /// The name is another session's, which is returned.
    pub fn enter(this: &Arc<Self>, name: N, session: Arc<S>) -> Result<SessionEntry<N, S>, Arc<S>> {
        let mut sessions = this.0.lock();
        if let Some(other) = sessions.get(&name) {
            return Err(Arc::clone(other));
        }
        sessions.insert(name.clone(), session);
        drop(sessions);
        Ok(SessionEntry { sessions: Arc::clone(this), name })
    }

    /// Number of sessions.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.lock().len()
    }

    /// Whether there is no session.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl<N: Eq + Hash, S> Drop for SessionEntry<N, S> {
    fn drop(&mut self) {
        let mut sessions = self.sessions.0.lock();
        let removed = sessions.remove(&self.name);
        if sessions.capacity() > 64 && sessions.len() < sessions.capacity() / 8 {
            sessions.shrink_to_fit();
        }
        drop(sessions);
        drop(removed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_one_sessions_until_its_entry_is_dropped() {
        let sessions = Arc::new(Sessions::default());
        let entry = Sessions::enter(&sessions, "a", Arc::new(1)).unwrap();
        assert_eq!(sessions.get(&"a").as_deref(), Some(&1));
        assert_eq!(Sessions::enter(&sessions, "a", Arc::new(2)).err().as_deref(), Some(&1));
        drop(entry);
        assert!(sessions.get(&"a").is_none() && sessions.is_empty());
    }

    #[test]
    fn memory_of_sessions_that_have_gone_is_given_back() {
        let sessions = Arc::new(Sessions::default());
        let enter = |number: u32| Sessions::enter(&sessions, number, Arc::new(number)).unwrap();
        let entries: Vec<_> = (0..10_000).map(enter).collect();
        assert_eq!(sessions.len(), 10_000);
        drop(entries);
        assert!(sessions.0.lock().capacity() <= 64);
    }
}
