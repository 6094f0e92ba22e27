//! An established control connection, until it ends: each end shows that it lives, and who cannot dial asks to be dialled.
//!
//! The end that dialled speaks every [`ALIVE_EVERY`], the other answers: one exchange serves both directions, so that 3,355
//! idle links cost a hub 112 small messages a second. A newer signed policy goes over it from whichever end has it. Who hears nothing for [`SILENCE`] takes the other for dead. Both clocks
//! are the session's own: no message that comes in, however often, keeps ours from going out.

use std::sync::Arc;
use std::time::Duration;

use coloa_link::Role;
use tokio::sync::{mpsc, watch};
use tokio::task::spawn_blocking;
use tokio::time::{Instant, sleep_until};

use super::channel::Channel;
use super::handing::{self, Handing, Held, Progress};
use super::message::{CHUNK, Message, Piece};
use super::peer::{Entered, Order, Peer};
use super::{Control, wobble};
use crate::policy::bundle::MAX_BUNDLE;
use crate::trouble::{Kind, Trouble};

/// The end that dialled says so often that it lives.
const ALIVE_EVERY: Duration = Duration::from_secs(30);
/// A dead peer is found within so long: three times nothing was heard.
const SILENCE: Duration = Duration::from_secs(90);
/// Messages that a peer may send within [`ALIVE_EVERY`]; it needs one, and asks for an epoch now and then.
const TALKATIVE: u32 = 16;
/// Pieces of policy that it may ask for within that time: the largest policy, and once more.
const INQUISITIVE: u32 = 2 * (MAX_BUNDLE as usize).div_ceil(CHUNK) as u32;
/// How long a message may take to leave.
const SENDING: Duration = Duration::from_secs(5);

/// Keeps a session until it ends.
pub async fn keep(control: &Arc<Control>, peer: &Arc<Peer>, channel: Channel, (entered, theirs): (Entered, u64)) {
    let number = entered.number;
    // Also when the task panics: then this session ends, and the peer is free for the next.
    let mut leave = Leave { control, peer, number, why: "it failed".into() };
    let mut session = Session::new(control.clone(), channel, entered);
    leave.why = session.run(peer, theirs).await;
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
    control: Arc<Control>,
    number: u64,
    channel: Channel,
    orders: mpsc::Receiver<Order>,
    heard: Instant,
    /// When to say that we live; nothing for the end that answers.
    speak: Option<Instant>,
    /// Messages since `counted`.
    messages: u32,
    /// Pieces of policy that it asked for since then.
    questions: u32,
    counted: Instant,
    /// Tells when our policy is another.
    held: watch::Receiver<Held>,
    handing: Handing,
}

enum Event {
    Message(Message),
    Order(Option<Order>),
    NewPolicy,
    Time,
}

impl Session {
    fn new(control: Arc<Control>, channel: Channel, Entered { number, orders }: Entered) -> Self {
        let (now, held) = (Instant::now(), control.held.subscribe());
        // After a storm all sessions begin at once: spread what they say.
        let first = now.checked_add(wobble(ALIVE_EVERY));
        let speak = first.filter(|_| channel.role() == Role::Client);
        let (messages, questions, handing) = (0, 0, Handing::default());
        Self { control, number, channel, orders, heard: now, speak, messages, questions, counted: now, held, handing }
    }

    /// Why it ended.
    async fn run(&mut self, peer: &Peer, theirs: u64) -> String {
        if let Err(why) = self.told(theirs).await {
            return why;
        }
        loop {
            let went_on = match self.event().await {
                Ok(Event::Message(message)) => self.hear(message, peer).await,
                Ok(Event::Order(Some(Order::AskToBeDialled))) => self.say(Message::Renew).await,
                Ok(Event::Order(None)) => Err("another one, or a decision, took its place".into()),
                Ok(Event::NewPolicy) => {
                    let serial = self.held.borrow_and_update().serial;
                    self.say(Message::News { serial }).await
                }
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
            Ok(()) = self.held.changed() => Ok(Event::NewPolicy),
            () = sleep_until(wake) => Ok(Event::Time),
        }
    }

    async fn hear(&mut self, message: Message, peer: &Peer) -> Result<(), String> {
        self.heard = Instant::now();
        if self.heard.duration_since(self.counted) >= ALIVE_EVERY {
            (self.messages, self.questions, self.counted) = (0, 0, self.heard);
        }
        self.count(message)?;
        match message {
            Message::Alive if self.channel.role() == Role::Server => self.say(Message::Alive).await,
            Message::Alive => Ok(()),
            Message::Renew => {
                peer.asked_to_dial(self.number);
                Ok(())
            }
            Message::News { serial } => self.told(serial).await,
            Message::Want { serial, offset } => self.hand_over(serial, offset).await,
            Message::Piece(piece) => self.take(piece, peer).await,
            other => Err(format!("the peer said {other:?} in mid-session")),
        }
    }

    /// A piece of policy is only sent to who asks for it, so it counts for nothing.
    fn count(&mut self, message: Message) -> Result<(), String> {
        let (counter, most) = match message {
            Message::Want { .. } => (&mut self.questions, INQUISITIVE),
            Message::Piece(_) => return Ok(()),
            _ => (&mut self.messages, TALKATIVE),
        };
        *counter = counter.saturating_add(1);
        if *counter > most { Err("the peer talks too much".into()) } else { Ok(()) }
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

/// Policy over the link.
impl Session {
    async fn told(&mut self, theirs: u64) -> Result<(), String> {
        let ours = self.control.held().serial;
        match self.handing.told(theirs, ours) {
            Some(question) => self.say(question).await,
            None => Ok(()),
        }
    }

    async fn hand_over(&mut self, serial: u64, offset: u32) -> Result<(), String> {
        let held = self.control.held();
        let (message, octets) = held.piece(serial, offset);
        let sent = self.channel.send_with(message, octets, SENDING).await;
        sent.map_err(|e| format!("the control connection ended: {e}"))
    }

    async fn take(&mut self, piece: Piece, peer: &Peer) -> Result<(), String> {
        let octets = self.channel.take_piece();
        let file = match self.handing.piece(piece, &octets)? {
            Progress::Ask(question) => return self.say(question).await,
            Progress::Whole(file) => file,
        };
        let control = self.control.clone();
        let judged = spawn_blocking(move || handing::judge(&control, &file)).await;
        match judged.map_err(|e| e.to_string()).and_then(|judged| judged) {
            Ok(serial) => tracing::info!(peer = peer.name, serial, "a newer policy came over the link"),
            Err(why) => {
                tracing::error!(peer = peer.name, why, "the policy that the peer handed over is refused");
                peer.state().trouble = Some(Trouble::new(Kind::PolicyRefused, why));
                self.handing.give_up();
            }
        }
        Ok(())
    }
}
