//! An established control connection, until it ends: each end shows that it lives, and who cannot dial asks to be dialled.
//!
//! The end that dialled speaks every [`ALIVE_EVERY`], the other answers: one exchange serves both directions, so that 3,355
//! idle links cost a hub 112 small messages a second. Who hears nothing for [`SILENCE`] takes the other for dead. Both clocks
//! are the session's own: no message that comes in, however often, keeps ours from going out.

use std::sync::Arc;
use std::time::Duration;

use coloa_link::Role;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};

use super::channel::Channel;
use super::message::Message;
use super::peer::{Entered, Order, Peer};
use super::{Control, wobble};

/// The end that dialled says so often that it lives.
const ALIVE_EVERY: Duration = Duration::from_secs(30);
/// A dead peer is found within so long: three times nothing was heard.
const SILENCE: Duration = Duration::from_secs(90);
/// Messages that a peer may send within [`ALIVE_EVERY`]; it needs one, and asks for an epoch now and then.
const TALKATIVE: u32 = 16;
/// How long a message may take to leave.
const SENDING: Duration = Duration::from_secs(5);

/// Keeps a session until it ends.
pub async fn keep(control: &Control, peer: &Arc<Peer>, channel: Channel, entered: Entered) {
    let number = entered.number;
    // Also when the task panics: then this session ends, and the peer is free for the next.
    let mut leave = Leave { control, peer, number, why: "it failed".into() };
    let mut session = Session::new(channel, entered);
    leave.why = session.run(peer).await;
    session.channel.close().await;
}

struct Leave<'a> {
    control: &'a Control,
    peer: &'a Arc<Peer>,
    number: u64,
    why: String,
}

impl Drop for Leave<'_> {
    fn drop(&mut self) {
        let (peer, why) = (self.peer, &self.why);
        if peer.leave_session(self.number, why) && !self.control.is_stopping() {
            tracing::warn!(peer = peer.name, why, "control connection lost; the link lives on and is dialled anew");
        }
    }
}

struct Session {
    number: u64,
    channel: Channel,
    orders: mpsc::Receiver<Order>,
    heard: Instant,
    /// When to say that we live; nothing for the end that answers.
    speak: Option<Instant>,
    /// Messages since `counted`.
    messages: u32,
    counted: Instant,
}

enum Event {
    Message(Message),
    Order(Option<Order>),
    Time,
}

impl Session {
    fn new(channel: Channel, Entered { number, orders }: Entered) -> Self {
        let now = Instant::now();
        // After a storm all sessions begin at once: spread what they say.
        let first = now.checked_add(wobble(ALIVE_EVERY));
        let speak = first.filter(|_| channel.role() == Role::Client);
        Self { number, channel, orders, heard: now, speak, messages: 0, counted: now }
    }

    /// Why it ended.
    async fn run(&mut self, peer: &Peer) -> String {
        loop {
            let went_on = match self.event().await {
                Ok(Event::Message(message)) => self.hear(message, peer).await,
                Ok(Event::Order(Some(Order::AskToBeDialled))) => self.say(Message::Renew).await,
                Ok(Event::Order(None)) => Err("another one, or a decision, took its place".into()),
                Ok(Event::Time) => self.tick().await,
                Err(why) => Err(why),
            };
            if let Err(why) = went_on {
                return why;
            }
        }
    }

    async fn event(&mut self) -> Result<Event, String> {
        let silent = self.heard + SILENCE;
        let wake = self.speak.map_or(silent, |at| at.min(silent));
        tokio::select! {
            message = self.channel.next() => {
                message.map(Event::Message).map_err(|e| format!("the control connection ended: {e}"))
            }
            order = self.orders.recv() => Ok(Event::Order(order)),
            () = sleep_until(wake) => Ok(Event::Time),
        }
    }

    async fn hear(&mut self, message: Message, peer: &Peer) -> Result<(), String> {
        self.heard = Instant::now();
        if self.heard.duration_since(self.counted) >= ALIVE_EVERY {
            (self.messages, self.counted) = (0, self.heard);
        }
        self.messages = self.messages.saturating_add(1);
        if self.messages > TALKATIVE {
            return Err("the peer talks too much".into());
        }
        match message {
            Message::Alive if self.channel.role() == Role::Server => self.say(Message::Alive).await,
            Message::Alive => Ok(()),
            Message::Renew => {
                peer.asked_to_dial(self.number);
                Ok(())
            }
            other => Err(format!("the peer said {other:?} in mid-session")),
        }
    }

    async fn tick(&mut self) -> Result<(), String> {
        let now = Instant::now();
        if now.duration_since(self.heard) >= SILENCE {
            return Err("the peer is silent".into());
        }
        if self.speak.is_some_and(|at| at <= now) {
            self.say(Message::Alive).await?;
            self.speak = now.checked_add(ALIVE_EVERY);
        }
        Ok(())
    }

    async fn say(&mut self, message: Message) -> Result<(), String> {
        self.channel.send(message, SENDING).await.map_err(|e| format!("the control connection ended: {e}"))
    }
}
