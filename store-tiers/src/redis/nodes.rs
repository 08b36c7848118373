//! The primaries behind an address: which one has a server's records, and the connections to them.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::time::Duration;

use ::redis::{RedisConnectionInfo, Value, pipe};
use tokio::time::timeout;

use super::address::{Endpoint, Kind};
use super::connection::{Connection, SHORT_REPLY};
use super::keys::slot;
use super::node::Node;
use super::settings::Target;
use crate::{ServerId, TierError};

/// Most bytes of a reply that lists the nodes of a cluster.
const TOPOLOGY_BYTES: usize = 4 * 1024 * 1024;

/// Most nodes that are kept to be asked, besides those of the address: a cluster has 1,000 at most.
const MOST_INFORMANTS: usize = 1_000;

/// The primaries behind an address.
pub(super) struct Nodes {
    target: Target,
    /// Whom to ask for the primaries, Sentinels or nodes of a cluster. One that does not answer is
    /// moved to the end.
    informants: VecDeque<Endpoint>,
    slots: SlotMap,
    connections: HashMap<Endpoint, Node>,
}

impl Nodes {
    pub(super) fn new(target: Target) -> Self {
        let slots = match (&target.address.kind, &target.address.endpoints[..]) {
            (Kind::Node, [node, ..]) => SlotMap::one(node.clone()),
            _ => SlotMap::default(),
        };
        Self {
            informants: target.address.endpoints.iter().cloned().collect(),
            slots,
            connections: HashMap::new(),
            target,
        }
    }

    pub(super) fn target(&self) -> &Target {
        &self.target
    }

    pub(super) fn are_connected(&self) -> bool {
        !self.connections.is_empty()
    }

    /// Returns a connection to the primary that has this server's records. Every failure is
    /// [`TierError::NotApplied`].
    pub(super) async fn primary_of(&mut self, server: &ServerId) -> Result<&mut Node, TierError> {
        let endpoint = self.endpoint_of(server).await?;
        self.at(&endpoint).await
    }

    /// Returns the endpoints of the primaries that have these servers' records, each with its servers.
    pub(super) async fn group(
        &mut self,
        servers: impl IntoIterator<Item = ServerId>,
    ) -> Result<Vec<(Endpoint, Vec<ServerId>)>, TierError> {
        let mut groups: Vec<(Endpoint, Vec<ServerId>)> = Vec::new();
        let mut asked = false;
        for server in servers {
            // Asks once: a connection that is missing is made when its records are put.
            let known = self.known(&server).filter(|_| asked).cloned();
            let endpoint = match known {
                Some(endpoint) => endpoint,
                None => self.endpoint_of(&server).await?,
            };
            asked = true;
            match groups.iter_mut().find(|(it, _)| *it == endpoint) {
                Some((_, servers)) => servers.push(server),
                None => groups.push((endpoint, vec![server])),
            }
        }
        Ok(groups)
    }

    /// Returns the endpoints of all primaries.
    pub(super) async fn primaries(&mut self) -> Result<Vec<Endpoint>, TierError> {
        if self.target.address.kind != Kind::Node {
            self.find_primaries().await?;
        }
        Ok(self.slots.primaries())
    }

    /// Returns the connection to this primary, a new one if the last one is not usable.
    pub(super) async fn at(&mut self, endpoint: &Endpoint) -> Result<&mut Node, TierError> {
        if !self.is_usable(endpoint).await {
            let target = &self.target;
            let opening = Node::connect(target, endpoint, &target.address.sign_in);
            let node = timeout(target.connect_timeout, opening).await;
            let node = node.unwrap_or_else(|_| Err(no_answer(endpoint)));
            let node = node.map_err(TierError::NotApplied)?;
            self.connections.insert(endpoint.clone(), node);
        }
        Ok(self.connections.get_mut(endpoint).expect("it was inserted"))
    }

    /// Whether a call failed because another primary has the server's slot now.
    pub(super) fn has_moved<T>(&self, server: &ServerId, result: &Result<T, TierError>) -> bool {
        let node = self.known(server).and_then(|it| self.connections.get(it));
        matches!(result, Err(TierError::NotApplied(_))) && node.is_some_and(Node::was_redirected)
    }

    /// Where the primary is that has this server's records. Asks for it if there is no usable
    /// connection to it: it may have failed over.
    async fn endpoint_of(&mut self, server: &ServerId) -> Result<Endpoint, TierError> {
        if let Some(known) = self.known(server).cloned()
            && (self.target.address.kind == Kind::Node || self.is_usable(&known).await)
        {
            return Ok(known);
        }
        self.find_primaries().await?;
        let endpoint = self.known(server).cloned();
        endpoint.ok_or_else(|| self.failed("no node has the slot"))
    }

    /// The endpoint of the primary that had this server's records when it was asked for last.
    fn known(&self, server: &ServerId) -> Option<&Endpoint> {
        match self.target.address.kind {
            Kind::Cluster => self.slots.primary(slot(server)),
            _ => self.slots.primary(0),
        }
    }

    /// Whether there is a usable connection. Drops one that is not.
    async fn is_usable(&mut self, endpoint: &Endpoint) -> bool {
        let usable = match self.connections.get_mut(endpoint) {
            Some(node) => node.is_usable().await,
            None => false,
        };
        if !usable {
            self.connections.remove(endpoint);
        }
        usable
    }

    /// Asks for the primaries, and drops connections to others.
    async fn find_primaries(&mut self) -> Result<(), TierError> {
        let within = self.target.connect_timeout;
        let found = timeout(within, self.ask_all(within / 2)).await;
        let (slots, informants) = found
            .unwrap_or_else(|_| Err(String::from("nobody answers in time")))
            .map_err(|text| self.failed(&text))?;
        self.slots = slots;
        let primaries = self.slots.primaries();
        self.connections.retain(|it, _| primaries.contains(it));
        let given = &self.target.address.endpoints;
        let is_known = |it: &Endpoint| {
            let mut informants = informants.iter().take(MOST_INFORMANTS);
            informants.any(|informant| informant == it) || given.contains(it)
        };
        self.informants.retain(is_known);
        for endpoint in informants.into_iter().take(MOST_INFORMANTS) {
            if !self.informants.contains(&endpoint) {
                self.informants.push_back(endpoint);
            }
        }
        Ok(())
    }

    /// Asks one after the other, each for `within`, until one knows the primaries. Returns them, and
    /// further nodes to ask.
    async fn ask_all(&mut self, within: Duration) -> Result<(SlotMap, Vec<Endpoint>), String> {
        let mut failed = String::new();
        for _ in 0..self.informants.len() {
            let endpoint = self.informants[0].clone();
            // Moved to the end before it is asked: the whole call may time out meanwhile.
            self.informants.rotate_left(1);
            match timeout(within, self.ask(&endpoint)).await {
                Ok(Ok(found)) => {
                    self.informants.rotate_right(1);
                    return Ok(found);
                }
                Ok(Err(text)) => failed = text,
                Err(_) => failed = no_answer(&endpoint),
            }
        }
        Err(failed)
    }

    async fn ask(&self, endpoint: &Endpoint) -> Result<(SlotMap, Vec<Endpoint>), String> {
        let (target, sign_in) = (&self.target, &self.target.address.sign_in);
        let mut command = pipe();
        let Kind::Sentinel(name) = &target.address.kind else {
            let mut asked = Connection::open(target, endpoint, sign_in).await?;
            command.cmd("CLUSTER").arg("SLOTS");
            let reply = asked.ask(&command, TOPOLOGY_BYTES).await?;
            let found = SlotMap::parse(&reply, endpoint);
            return found.ok_or_else(|| format!("{}: unknown CLUSTER SLOTS", asked.name));
        };
        command.cmd("SENTINEL").arg("GET-MASTER-ADDR-BY-NAME");
        command.arg(name);
        // Sentinels often have no password, and then refuse one.
        let nobody = RedisConnectionInfo::default().set_skip_set_lib_name();
        let mut asked = Connection::open(target, endpoint, &nobody).await?;
        let mut reply = asked.ask(&command, SHORT_REPLY).await;
        if reply.as_ref().is_err_and(|text| text.contains("NOAUTH")) && sign_in.password().is_some()
        {
            let sign_in = sign_in.clone().set_db(0);
            asked = Connection::open(target, endpoint, &sign_in).await?;
            reply = asked.ask(&command, SHORT_REPLY).await;
        }
        let reply = reply?;
        let primary = sequence(&reply).and_then(|it| endpoint_of(it, endpoint));
        let primary =
            primary.ok_or_else(|| format!("{}: it knows no primary {name}", asked.name))?;
        Ok((SlotMap::one(primary), Vec::new()))
    }

    fn failed(&self, text: &str) -> TierError {
        TierError::NotApplied(format!("{}: {text}", self.target.address))
    }
}

fn no_answer(endpoint: &Endpoint) -> String {
    format!("redis at {endpoint}: it does not answer in time")
}

/// The primary of each slot: by the last slot of a range, its first one and the primary.
#[derive(Debug, Default, PartialEq)]
struct SlotMap(BTreeMap<u16, (u16, Endpoint)>);

impl SlotMap {
    /// One primary for all slots.
    fn one(primary: Endpoint) -> Self {
        Self(BTreeMap::from([(u16::MAX, (0, primary))]))
    }

    /// Parses the reply to `CLUSTER SLOTS` of `asked`. Returns all nodes, too.
    fn parse(reply: &Value, asked: &Endpoint) -> Option<(Self, Vec<Endpoint>)> {
        let (mut map, mut all) = (BTreeMap::new(), Vec::new());
        for range in sequence(reply)? {
            let [Value::Int(first), Value::Int(last), nodes @ ..] = sequence(range)? else {
                return None;
            };
            let nodes = nodes.iter().map(|node| endpoint_of(sequence(node)?, asked));
            let nodes = nodes.collect::<Option<Vec<_>>>()?;
            let (first, last) = (u16::try_from(*first).ok()?, u16::try_from(*last).ok()?);
            map.insert(last, (first, nodes.first()?.clone()));
            all.extend(nodes);
        }
        Some((Self(map), all))
    }

    fn primary(&self, slot: u16) -> Option<&Endpoint> {
        let (_, (first, primary)) = self.0.range(slot..).next()?;
        (*first <= slot).then_some(primary)
    }

    fn primaries(&self) -> Vec<Endpoint> {
        let mut primaries: Vec<Endpoint> = Vec::new();
        for (_, primary) in self.0.values() {
            if !primaries.contains(primary) {
                primaries.push(primary.clone());
            }
        }
        primaries
    }
}

fn sequence(value: &Value) -> Option<&[Value]> {
    match value {
        Value::Array(items) => Some(items),
        _ => None,
    }
}

/// The endpoint in a reply: its host, its port, and what else is known of the node. A node that does
/// not know its own address says nothing for its host: it is the one that was asked.
fn endpoint_of(node: &[Value], asked: &Endpoint) -> Option<Endpoint> {
    let text = |value: &Value| match value {
        Value::BulkString(bytes) => String::from_utf8(bytes.clone()).ok(),
        Value::Nil => Some(String::new()),
        _ => None,
    };
    let [host, port, ..] = node else { return None };
    let host = match (text(host)?, asked) {
        (host, Endpoint::Tcp(asked, _)) if host.is_empty() => asked.clone(),
        (host, _) => host,
    };
    let port = match port {
        Value::Int(port) => u16::try_from(*port).ok()?,
        port => text(port)?.parse().ok()?,
    };
    Some(Endpoint::Tcp(host, port))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Value {
        Value::BulkString(text.into())
    }

    fn node(host: &str, port: i64) -> Value {
        Value::Array(vec![
            text(host),
            Value::Int(port),
            text("id"),
            Value::Array(vec![]),
        ])
    }

    fn range(first: i64, last: i64, nodes: Vec<Value>) -> Value {
        let slots = [Value::Int(first), Value::Int(last)];
        Value::Array(slots.into_iter().chain(nodes).collect())
    }

    #[test]
    fn each_slot_has_its_primary() {
        let asked = Endpoint::Tcp("asked".into(), 1);
        let at = |host: &str, port| Endpoint::Tcp(host.into(), port);
        let reply = Value::Array(vec![
            range(0, 10, vec![node("a", 1), node("b", 2)]),
            range(20, 29, vec![node("", 3)]),
            range(30, 16383, vec![node("a", 1)]),
        ]);
        let (map, all) = SlotMap::parse(&reply, &asked).unwrap();
        assert_eq!(map.primary(0), Some(&at("a", 1)));
        assert_eq!(map.primary(10), Some(&at("a", 1)));
        assert_eq!(map.primary(11), None);
        assert_eq!(map.primary(25), Some(&at("asked", 3)));
        assert_eq!(map.primary(16383), Some(&at("a", 1)));
        assert_eq!(map.primaries(), [at("a", 1), at("asked", 3)]);
        assert_eq!(all.len(), 4);
        assert!(all.contains(&at("b", 2)));
    }

    #[test]
    fn an_unexpected_reply_is_no_map() {
        let asked = Endpoint::Tcp("asked".into(), 1);
        for reply in [
            Value::Nil,
            Value::Array(vec![Value::Nil]),
            Value::Array(vec![range(0, 10, vec![])]),
            Value::Array(vec![range(-1, 10, vec![node("a", 1)])]),
            Value::Array(vec![range(0, 10, vec![node("a", 70_000)])]),
            Value::Array(vec![range(0, 10, vec![Value::Array(vec![text("a")])])]),
        ] {
            assert_eq!(SlotMap::parse(&reply, &asked), None, "{reply:?}");
        }
    }
}
