//! Members that come and go.

use crate::nodes::{Nodes, await_some};
use rarog_control::raft::{MemberError, RaftConfig};

#[test]
fn members_are_added_and_removed_from_any_node() {
    let mut nodes = Nodes::new([1, 2, 3, 4]);
    let mut first = nodes.peers();
    first.remove(&4);
    for node in [1, 2, 3] {
        nodes.start_as(RaftConfig { peers: first.clone(), ..nodes.config(node) }).expect("it starts");
    }
    nodes.put(1, "a");
    let asked = nodes.follower();
    nodes.start(4);
    let problem = await_some("nobody knows it", || nodes.metrics(4).problem);
    assert!(problem.contains("add it first"), "{problem}");
    let url = nodes.url(4);
    nodes.on(asked, nodes.node(asked).add_member(4, &url)).expect("there is a leader");
    nodes.await_connector("a");
    nodes.await_voters(4, &[1, 2, 3, 4]);
    let leader = nodes.leader();
    nodes.on(4, nodes.node(4).remove_member(leader)).expect("there is a leader");
    nodes.kill(leader);
    nodes.put(4, "b");
    let left: Vec<_> = [1, 2, 3, 4].into_iter().filter(|node| *node != leader).collect();
    nodes.await_voters(4, &left);
    await_some("it is no coordinator any more", || {
        (!nodes.node(4).state().coordinators.contains_key(&leader)).then_some(())
    });
}

#[test]
fn the_only_member_stays() {
    let mut nodes = Nodes::new([1]);
    nodes.start(1);
    nodes.put(1, "a");
    let refused = nodes.on(1, nodes.node(1).remove_member(1));
    assert!(matches!(refused, Err(MemberError::Refused(_))));
}
