//! What few channels have: a cached event, and a ring of what was sent. One box, to keep the others small.

use super::Channel;
use super::ring::Ring;
use crate::cache::Last;

/// What few channels have.
#[derive(Debug, Default)]
pub(super) struct Rare {
    /// The cached event, on cache channels only (WS-170).
    last: Option<Last>,
    /// What was sent, in apps whose clients resume.
    ring: Option<Box<Ring>>,
}

impl Rare {
    pub(super) fn ring_mut(&mut self) -> Option<&mut Ring> {
        self.ring.as_deref_mut()
    }

    pub(super) fn ring_and_kept(&mut self) -> Option<(&mut Ring, Option<&Last>)> {
        Some((self.ring.as_deref_mut()?, self.last.as_ref()))
    }
}

impl Channel {
    pub(super) fn kept(&self) -> Option<&Last> {
        self.rare.as_ref()?.last.as_ref()
    }

    pub(super) fn kept_mut(&mut self) -> Option<&mut Last> {
        self.rare.as_mut()?.last.as_mut()
    }

    pub(super) fn set_kept(&mut self, last: Option<Last>) {
        match last {
            Some(last) => self.rare.get_or_insert_default().last = Some(last),
            None => {
                if let Some(rare) = &mut self.rare {
                    rare.last = None;
                }
                self.drop_rare_if_empty();
            }
        }
    }

    pub(super) fn ring(&self) -> Option<&Ring> {
        self.rare.as_ref()?.ring.as_deref()
    }

    pub(super) fn ring_mut(&mut self) -> Option<&mut Ring> {
        self.rare.as_mut()?.ring_mut()
    }

    /// The ring, made if there is none.
    pub(super) fn ring_or(&mut self, make: impl FnOnce() -> Ring) -> &mut Ring {
        self.rare.get_or_insert_default().ring.get_or_insert_with(|| Box::new(make()))
    }

    pub(super) fn drop_ring(&mut self) {
        if let Some(rare) = &mut self.rare {
            rare.ring = None;
        }
        self.drop_rare_if_empty();
    }

    fn drop_rare_if_empty(&mut self) {
        self.rare.take_if(|rare| rare.last.is_none() && rare.ring.is_none());
    }
}
