//! A user's connections to one server, with what they are in the middle of.
//!
//! Owns: where a command is sent, which incoming frame answers it, and restoring all of it after a
//! loss. RESP2 lets a subscribed connection do nothing else, and MONITOR floods the one it is on:
//! such streams get a connection of their own, so the prompt stays usable and Ctrl-C ends the stream
//! alone. Must not know: lines, prompts, how replies look.

use std::{collections::VecDeque, future::pending, task::Poll};

use super::{
    line::Arguments,
    link::{Identity, Link, LinkError, place},
    state::{State, Subscription, confirmation, is, subscription},
};
use crate::{
    resp::{Frame, Node, encode_command},
    server::{Address, Endpoint},
};

/// Which connection a frame came from, or a command goes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Route {
    Main,
    PubSub,
    Monitor,
}

/// A command under way.
#[derive(Debug)]
pub(super) struct Flight {
    pub arguments: Arguments,
    route: Route,
    subscription: Option<Subscription>,
    /// Replies still to come.
    left: usize,
}

impl Flight {
    /// Nothing (more) will come.
    pub fn done(&self) -> bool {
        self.left == 0
    }
}

/// What an incoming frame is to the command under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Answer {
    /// (A part of) its reply.
    Reply,
    /// Unasked for.
    Push,
}

/// See the module.
#[derive(Debug)]
pub(super) struct Client {
    pub endpoint: Endpoint,
    pub state: State,
    main: Option<Link>,
    pubsub: Option<Link>,
    monitor: Option<Link>,
    /// Frames found while looking whether the main connection lives.
    early: VecDeque<Frame>,
}

impl Client {
    /// Not connected yet.
    pub fn new(endpoint: Endpoint, resp3: bool) -> Self {
        let state = State::new(endpoint.database, resp3);
        Self { endpoint, state, main: None, pubsub: None, monitor: None, early: VecDeque::new() }
    }

    /// A link to the server exists.
    pub fn connected(&self) -> bool {
        self.main.is_some()
    }

    /// The main connection is there and not closed by the other side, as far as is known by now.
    pub fn alive(&mut self) -> bool {
        while let Some(link) = self.main.as_mut() {
            let mut context = std::task::Context::from_waker(std::task::Waker::noop());
            let polled = std::pin::pin!(link.frame()).as_mut().poll(&mut context);
            match polled {
                Poll::Pending => return true,
                Poll::Ready(Ok(frame)) => self.early.push_back(frame),
                Poll::Ready(Err(_)) => self.main = None,
            }
        }
        false
    }

    /// A connection of its own, as the same user in the same database, for questions beside the
    /// user's commands: an open MULTI does not queue them.
    pub async fn aside(&self) -> Result<Link, LinkError> {
        let identity = Identity { resp3: false, ..self.identity() };
        Ok(Link::open(&self.endpoint, &identity).await?.0)
    }

    /// How redis-cli names the server in its prompt.
    pub fn place(&self) -> String {
        match &self.endpoint.address {
            Address::Unix(_) => format!("redis {}", place(&self.endpoint)),
            Address::Tcp { .. } => place(&self.endpoint),
        }
    }

    fn identity(&self) -> Identity {
        let (username, password) = match &self.state.credentials {
            Some((username, password)) => (username.clone(), Some(password.clone())),
            None => (self.endpoint.username.clone(), self.endpoint.password.clone()),
        };
        Identity { username, password, database: self.state.settled_database(), resp3: self.state.resp3 }
    }

    /// A new main connection in the old one's place: same user, database and protocol. Gives what was
    /// refused or lost, as sentences.
    pub async fn connect(&mut self) -> Result<Vec<String>, LinkError> {
        self.main = None;
        self.early.clear();
        let (link, mut remarks) = Link::open(&self.endpoint, &self.identity()).await?;
        self.main = Some(link);
        remarks.extend(self.state.renewed(self.pubsub.is_some()));
        Ok(remarks)
    }

    /// Drops the main connection; its state is told as lost when a new one is made.
    pub fn disconnect(&mut self) {
        self.main = None;
    }

    /// Ends the streams (subscriptions on a connection of their own, MONITOR); true if there were any.
    pub fn end_streams(&mut self) -> bool {
        let had = self.pubsub.is_some() || self.monitor.is_some();
        if self.pubsub.take().is_some() {
            self.state.clear_subscriptions();
        }
        self.monitor = None;
        self.state.monitoring = false;
        had
    }

    /// Sends a command; its replies come from [`Client::next`].
    pub async fn send(&mut self, arguments: Arguments) -> Result<Flight, LinkError> {
        let subscription = subscription(&arguments);
        let route = self.route(&arguments, subscription).await?;
        let left = self.state.expected_replies(&arguments);
        let link = self.link(route).as_mut().ok_or(LinkError::NotConnected)?;
        link.send(&encode_command(&arguments)).await?;
        Ok(Flight { arguments, route, subscription, left })
    }

    /// Where a command goes; opens the stream's connection when it is the first.
    async fn route(&mut self, arguments: &Arguments, subscription: Option<Subscription>) -> Result<Route, LinkError> {
        let streamable = !self.state.transaction && arguments.len() > 1;
        let route = match subscription {
            Some(Subscription { adds: true, .. }) if streamable && !self.state.resp3 => Route::PubSub,
            Some(Subscription { adds: false, .. }) if self.pubsub.is_some() => Route::PubSub,
            None if is(arguments, 0, "monitor") && arguments.len() == 1 && !self.state.transaction => Route::Monitor,
            _ => return Ok(Route::Main),
        };
        if self.link(route).is_none() {
            let identity = Identity { resp3: false, ..self.identity() };
            let (link, _) = Link::open(&self.endpoint, &identity).await?;
            *self.link(route) = Some(link);
        }
        Ok(route)
    }

    fn link(&mut self, route: Route) -> &mut Option<Link> {
        match route {
            Route::Main => &mut self.main,
            Route::PubSub => &mut self.pubsub,
            Route::Monitor => &mut self.monitor,
        }
    }

    /// The next frame from any connection; waits for ever while there is none. A connection that
    /// failed is dropped before its error is given. Nothing is lost when the future is dropped.
    pub async fn next(&mut self) -> (Route, Result<Frame, LinkError>) {
        if let Some(frame) = self.early.pop_front() {
            return (Route::Main, Ok(frame));
        }
        let (route, result) = tokio::select! {
            result = frame(self.main.as_mut()) => (Route::Main, result),
            result = frame(self.pubsub.as_mut()) => (Route::PubSub, result),
            result = frame(self.monitor.as_mut()) => (Route::Monitor, result),
        };
        if result.is_err() {
            *self.link(route) = None;
            match route {
                Route::Main => {}
                Route::PubSub => self.state.clear_subscriptions(),
                Route::Monitor => self.state.monitoring = false,
            }
        }
        (route, result)
    }

    /// Tells what an incoming frame is to the command under way, and notes what it changes.
    pub fn accept(&mut self, flight: Option<&mut Flight>, route: Route, frame: &Frame) -> Answer {
        let asked = flight.as_ref().is_some_and(|flight| flight.subscription.is_some());
        let confirms = confirmation(frame).filter(|_| frame.is_push() || route == Route::PubSub || asked);
        if let Some((subscription, channel)) = &confirms {
            self.state.confirmed(*subscription, channel);
        }
        let Some(flight) = flight.filter(|flight| !flight.done() && flight.route == route) else { return Answer::Push };
        if let Some((subscription, _)) = confirms {
            if flight.subscription != Some(subscription) {
                return Answer::Push;
            }
            flight.left -= 1;
            self.close_idle_pubsub(flight);
            return Answer::Reply;
        }
        if frame.is_push() || (route == Route::PubSub && is_message(frame)) {
            return Answer::Push;
        }
        flight.left = 0;
        if route == Route::Monitor && frame.error().is_none() {
            self.state.monitoring = true;
        }
        self.state.replied(&flight.arguments, frame);
        if is(&flight.arguments, 0, "reset") && frame.error().is_none() {
            self.end_streams();
        }
        if is(&flight.arguments, 0, "quit") {
            self.main = None;
        }
        Answer::Reply
    }

    fn close_idle_pubsub(&mut self, flight: &Flight) {
        if flight.done() && !self.state.subscribed() {
            self.pubsub = None;
        }
    }

    /// A command and all its replies, pushes left out: for a caller that does nothing else meanwhile.
    pub async fn execute(&mut self, arguments: Arguments) -> Result<Vec<Frame>, LinkError> {
        let mut flight = self.send(arguments).await?;
        let mut replies = Vec::new();
        while !flight.done() {
            let (route, frame) = self.next().await;
            let frame = frame?;
            if self.accept(Some(&mut flight), route, &frame) == Answer::Reply {
                replies.push(frame);
            }
        }
        Ok(replies)
    }
}

async fn frame(link: Option<&mut Link>) -> Result<Frame, LinkError> {
    match link {
        Some(link) => link.frame().await,
        None => pending().await,
    }
}

/// `message`, `pmessage`, `smessage` in RESP2 clothes.
fn is_message(frame: &Frame) -> bool {
    let Node::Array(mut items) = frame.node() else { return false };
    matches!(items.next(), Some(Node::Bulk(b"message" | b"pmessage" | b"smessage")))
}
