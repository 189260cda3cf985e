//! A doubly linked list of keys in a vector, and a map to find them: every step O(1), no pointer.

use std::collections::HashMap;

const NONE: usize = usize::MAX;

#[derive(Debug, Clone, Copy)]
struct Node<T> {
    key: u64,
    mark: T,
    newer: usize,
    older: usize,
}

/// Keys in an order, the newest in front, each with a mark.
#[derive(Debug)]
pub(super) struct List<T> {
    nodes: Vec<Node<T>>,
    free: Vec<usize>,
    places: HashMap<u64, usize>,
    newest: usize,
    oldest: usize,
}

impl<T: Copy> List<T> {
    pub(super) fn new() -> Self {
        Self { nodes: Vec::new(), free: Vec::new(), places: HashMap::new(), newest: NONE, oldest: NONE }
    }

    pub(super) fn len(&self) -> usize {
        self.places.len()
    }

    pub(super) fn contains(&self, key: u64) -> bool {
        self.places.contains_key(&key)
    }

    /// Puts a key that is not in it in front.
    pub(super) fn push(&mut self, key: u64, mark: T) {
        let node = Node { key, mark, newer: NONE, older: self.newest };
        let place = if let Some(place) = self.free.pop() {
            self.nodes[place] = node;
            place
        } else {
            self.nodes.push(node);
            self.nodes.len() - 1
        };
        match self.newest {
            NONE => self.oldest = place,
            newest => self.nodes[newest].newer = place,
        }
        self.newest = place;
        self.places.insert(key, place);
    }

    /// Takes a key out and says its mark.
    pub(super) fn remove(&mut self, key: u64) -> Option<T> {
        let place = self.places.remove(&key)?;
        let Node { mark, newer, older, .. } = self.nodes[place];
        match newer {
            NONE => self.newest = older,
            newer => self.nodes[newer].older = older,
        }
        match older {
            NONE => self.oldest = newer,
            older => self.nodes[older].newer = newer,
        }
        self.free.push(place);
        Some(mark)
    }

    /// Takes the oldest out.
    pub(super) fn pop(&mut self) -> Option<(u64, T)> {
        let key = self.oldest()?;
        self.remove(key).map(|mark| (key, mark))
    }

    /// Puts a key in front again. Says whether it was there.
    pub(super) fn touch(&mut self, key: u64) -> bool {
        let mark = self.remove(key);
        if let Some(mark) = mark {
            self.push(key, mark);
        }
        mark.is_some()
    }

    pub(super) fn oldest(&self) -> Option<u64> {
        self.nodes.get(self.oldest).map(|node| node.key)
    }

    /// The key that came just after.
    pub(super) fn newer_than(&self, key: u64) -> Option<u64> {
        let node = &self.nodes[*self.places.get(&key)?];
        self.nodes.get(node.newer).map(|node| node.key)
    }

    pub(super) fn mark(&mut self, key: u64) -> Option<&mut T> {
        let place = *self.places.get(&key)?;
        Some(&mut self.nodes[place].mark)
    }
}
