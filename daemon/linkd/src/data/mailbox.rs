//! Orders to a data-plane thread: a queue, and an eventfd that ends its sleep.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec, eventfd, poll};

/// The sending end.
pub struct Mailbox<T> {
    orders: Sender<T>,
    bell: Arc<OwnedFd>,
}

impl<T> Clone for Mailbox<T> {
    fn clone(&self) -> Self {
        Self { orders: self.orders.clone(), bell: self.bell.clone() }
    }
}

/// The receiving end.
pub struct Inbox<T> {
    orders: Receiver<T>,
    bell: Arc<OwnedFd>,
}

/// Both ends.
pub fn mailbox<T>() -> io::Result<(Mailbox<T>, Inbox<T>)> {
    let bell = Arc::new(eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?);
    let (orders, inbox) = channel();
    Ok((Mailbox { orders, bell: bell.clone() }, Inbox { orders: inbox, bell }))
}

impl<T> Mailbox<T> {
    /// Leaves an order and wakes the thread. After the thread's end nothing happens.
    pub fn send(&self, order: T) {
        if self.orders.send(order).is_ok() {
            self.ring();
        }
    }

    /// Wakes the thread.
    pub fn ring(&self) {
        // Full means that the bell rings already.
        let _ = rustix::io::write(&self.bell, &1u64.to_ne_bytes());
    }
}

impl<T> Inbox<T> {
    /// The next order, if there is one.
    pub fn take(&self) -> Option<T> {
        self.orders.try_recv().ok()
    }

    /// Sleeps until `source` is readable, an order comes, or the time is over.
    pub fn wait(&self, source: impl AsFd, at_most: Duration) {
        let timeout = Timespec { tv_sec: at_most.as_secs() as i64, tv_nsec: at_most.subsec_nanos().into() };
        let mut sources = [
            PollFd::from_borrowed_fd(source.as_fd(), PollFlags::IN),
            PollFd::from_borrowed_fd(self.bell.as_fd(), PollFlags::IN),
        ];
        // An interruption is as good as an early end of the time.
        let _ = poll(&mut sources, Some(&timeout));
        let [_, bell] = sources;
        if bell.revents().contains(PollFlags::IN) {
            let _ = rustix::io::read(&self.bell, &mut [0; 8]);
        }
    }
}
