//! How many peers may be connected at once.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use nix::unistd::Uid;

use crate::error::Error;

/// Connections of all users together.
const MAX: usize = 64;

/// Those of them that only root, or the agent's own user, can have.
const RESERVED: usize = 16;

/// Connections of any other user.
const MAX_PER_USER: usize = 16;

/// Counts the connections of each user.
#[derive(Debug, Clone, Default)]
pub(super) struct Places(Arc<Mutex<HashMap<Uid, usize>>>);

/// The place of one connection; free again when dropped.
#[derive(Debug)]
pub(super) struct Place {
    places: Places,
    user: Uid,
}

impl Places {
    /// A place for one more connection of `user`.
    ///
    /// # Errors
    /// [`Kind::Busy`](crate::error::Kind::Busy), saying who has too many.
    pub(super) fn take(&self, user: Uid) -> Result<Place, Error> {
        let mut taken = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let all: usize = taken.values().sum();
        let own = taken.get(&user).copied().unwrap_or(0);
        let is_trusted = user.is_root() || user == Uid::effective();
        if !is_trusted && own >= MAX_PER_USER {
            return Err(Error::busy(format_args!(
                "user {user} has {own} connections to the agent, which are all that one may have"
            ))
            .hint("close some; idle ones are closed after a few seconds"));
        }
        if all >= if is_trusted { MAX } else { MAX - RESERVED } {
            return Err(Error::busy(format_args!("the agent has {all} connections, its most"))
                .hint("try again in a few seconds, when idle ones are closed"));
        }
        taken.insert(user, own + 1);
        Ok(Place { places: self.clone(), user })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.places.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(own) = taken.get_mut(&self.user) {
            *own -= 1;
            if *own == 0 {
                taken.remove(&self.user);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Kind;

    fn user(number: u32) -> Uid {
        Uid::from_raw(4_000_000_000 + number)
    }

    fn take_all(places: &Places, user: Uid) -> Vec<Place> {
        std::iter::from_fn(|| places.take(user).ok()).collect()
    }

    #[test]
    fn no_user_takes_the_places_of_others() {
        let places = Places::default();
        let first = take_all(&places, user(1));
        assert_eq!(first.len(), MAX_PER_USER);
        assert_eq!(places.take(user(1)).unwrap_err().kind(), Kind::Busy);
        assert!(places.take(user(2)).is_ok());
    }

    #[test]
    fn all_others_together_leave_room_for_root() {
        let places = Places::default();
        let others: Vec<_> = (0..10).flat_map(|number| take_all(&places, user(number))).collect();
        assert_eq!(others.len(), MAX - RESERVED);
        assert_eq!(take_all(&places, Uid::from_raw(0)).len(), RESERVED);
    }

    #[test]
    fn nothing_is_remembered_of_a_user_who_was_refused() {
        let places = Places::default();
        let others: Vec<_> = (0..10).flat_map(|number| take_all(&places, user(number))).collect();
        assert!(places.take(user(10)).is_err());
        drop(others);
        assert!(places.0.lock().unwrap().is_empty());
    }

    #[test]
    fn a_place_is_free_again_when_its_connection_ends() {
        let places = Places::default();
        drop(take_all(&places, user(1)));
        assert_eq!(take_all(&places, user(1)).len(), MAX_PER_USER);
        assert!(places.0.lock().unwrap().is_empty());
    }
}
