//! What programs open: connections that are shared, sources that are one, and what cannot be opened.

use super::*;
use rarog_lang::plan::{Input, Node};
use rarog_lang::span::Span;
use rarog_lang::value::Value;

fn pairs(list: &[(&str, &str)]) -> Vec<(Arc<str>, Value)> {
    list.iter().map(|(name, value)| ((*name).into(), Value::Str((*value).into()))).collect()
}

fn connector(name: &str, kind: &str, params: &[(&str, &str)]) -> Connector {
    Connector { name: name.into(), kind: kind.into(), params: pairs(params) }
}

fn from(event: &str, connector: u32, params: &[(&str, &str)]) -> Subscription {
    Subscription { connector, event: event.into(), params: pairs(params), time_field: None, idle: None }
}

fn send(connector: u32, params: &[(&str, &str)]) -> Node {
    let op = Op::Send { connector, params: pairs(params), output: true };
    Node { op, inputs: vec![], layout: 0, stream: 0, span: Span::default() }
}

/// A node that goes by clocks.
fn clocked() -> Node {
    Node { op: Op::Distinct { by: vec![], within: Some(1), per_window: false }, ..send(0, &[]) }
}

fn broker() -> Connector {
    connector("broker", "mqtt", &[("host", "h"), ("port", "1999")])
}

fn mqtt_source(wiring: &Wiring, index: usize) -> (&SourceConfig, &[Route]) {
    match &wiring.inlets[index] {
        Inlet::Mqtt { config, routes, .. } => (config, routes),
        other => panic!("{other:?}"),
    }
}

#[test]
fn subscriptions_of_a_connector_share_a_connection_and_equal_filters_a_source() {
    let input = |of: &[u32]| Input {
        event: "E".into(),
        declared: None,
        time_field: None,
        layout: 0,
        whole: false,
        subscriptions: of.to_vec(),
    };
    let long = Subscription { idle: Some(60_000_000_000), ..from("B", 0, &[("topic", "a")]) };
    let plan = Plan {
        connectors: vec![broker()],
        subscriptions: vec![
            from("A", 0, &[("topic", "a"), ("qos", "0")]),
            long,
            from("C", 0, &[("topic", "c/#")]),
            from("D", 0, &[("client_id", "mine")]),
        ],
        inputs: vec![input(&[0]), input(&[1]), input(&[0, 1, 2]), input(&[3])],
        nodes: vec![send(0, &[]), send(0, &[("topic", "out"), ("qos", "0"), ("retain", "true")]), clocked()],
        ..Plan::default()
    };
    let wiring = wire(&Party::run("run"), &plan).expect("it can be wired");
    let (config, routes) = mqtt_source(&wiring, 0);
    assert_eq!(config.mqtt.client_id, "rarog-run-broker-src");
    assert_eq!(config.mqtt.addresses, [Address::new("h", 1999)]);
    assert_eq!(config.topics, [("a".into(), Qos::AtLeastOnce), ("c/#".into(), Qos::AtLeastOnce)]);
    assert_eq!(routes.iter().map(|route| route.source).collect::<Vec<_>>(), [0, 1]);
    let (own, routes) = mqtt_source(&wiring, 1);
    assert_eq!((own.mqtt.client_id.as_str(), routes[0].source), ("mine-rarog-run-broker-src", 2));
    assert_eq!(own.topics[0].0, "varpulis/events/#");
    let named: Vec<_> = wiring.plan.inputs.iter().map(|input| input.subscriptions.clone()).collect();
    assert_eq!(named, [vec![0], vec![0], vec![0, 1], vec![2]]);
    assert_eq!(wiring.idle, [Duration::from_secs(60), DEFAULT_IDLE, DEFAULT_IDLE]);
    assert_eq!((wiring.outlets.len(), wiring.warnings.len()), (1, 2));
    let sending: Vec<_> = wiring.sending.iter().flatten().collect();
    assert_eq!((&*sending[0].topic, sending[0].qos, sending[0].retain), ("broker-output", Qos::AtLeastOnce, false));
    assert_eq!((&*sending[1].topic, sending[1].qos, sending[1].retain), ("out", Qos::AtMostOnce, true));
}

#[test]
fn a_filter_that_another_covers_is_not_subscribed() {
    let topics = |list: &[&str]| {
        let subscriptions = list.iter().map(|topic| from("A", 0, &[("topic", topic)])).collect();
        let mut plan = Plan { connectors: vec![broker()], subscriptions, ..Plan::default() };
        plan.subscriptions[0].params.push(("qos".into(), Value::Int(0)));
        wire(&Party::run("run"), &plan).expect("it can be wired")
    };
    let wiring = topics(&["a/#", "a/b", "c", "a/+/x"]);
    let (config, routes) = mqtt_source(&wiring, 0);
    assert_eq!(config.topics, [("a/#".into(), Qos::AtLeastOnce), ("c".into(), Qos::AtLeastOnce)]);
    assert_eq!(config.unwanted, ["a/b", "a/+/x"]);
    assert_eq!((routes.len(), wiring.idle.len()), (4, 4));
    assert_eq!(routes.iter().map(|route| route.source).collect::<Vec<_>>(), [0; 4], "nobody asks for clocks");
    let wiring = topics(&["a/+", "+/b"]);
    assert_eq!(mqtt_source(&wiring, 0).0.topics.len(), 2);
    assert!(wiring.warnings.iter().any(|warning| warning.contains("a/+ and +/b")), "{:?}", wiring.warnings);
}

#[test]
fn files_and_generators_are_sources_and_files_are_sinks() {
    let plan = Plan {
        connectors: vec![
            connector("f", "file", &[("path", "x.evt")]),
            connector("g", "generator", &[("rate", "5"), ("count", "7")]),
            connector("c", "console", &[]),
        ],
        subscriptions: vec![from("A", 0, &[]), from("B", 1, &[]), from("C", 0, &[])],
        nodes: vec![send(2, &[]), send(0, &[("path", "out.jsonl")])],
        ..Plan::default()
    };
    let wiring = wire(&Party::run("run"), &plan).expect("it can be wired");
    assert_eq!((wiring.inlets.len(), wiring.idle.len()), (2, 2));
    assert!(matches!(&wiring.inlets[0], Inlet::File { format: LineFormat::Evt, source: 0, .. }));
    assert!(matches!(&wiring.inlets[1], Inlet::Generator { config, source: 1 } if config.count == Some(7)));
    assert!(matches!(&wiring.outlets[1], Outlet::File(path) if path.ends_with("out.jsonl")));
}

#[test]
fn paths_of_a_port_share_a_server_and_requests_of_a_kind_a_sink() {
    let alert = |url: &str| Node { op: Op::Alert { webhook: Some(url.into()), message: vec![] }, ..send(0, &[]) };
    let mut plan = Plan {
        connectors: vec![connector("h", "http", &[("url", "http://s/"), ("port", "8080")])],
        subscriptions: vec![from("A", 0, &[]), from("B", 0, &[("path", "b")]), from("C", 0, &[])],
        nodes: vec![
            send(0, &[]),
            send(0, &[("path", "x")]),
            send(0, &[]),
            alert("http://s/"),
            alert("http://s/"),
            clocked(),
        ],
        ..Plan::default()
    };
    let wiring = wire(&Party::run("run"), &plan).expect("it can be wired");
    let [Inlet::Http { config, routes }] = &wiring.inlets[..] else { panic!("{:?}", wiring.inlets) };
    assert_eq!((&config.paths[..], routes.len(), wiring.idle.len()), (&["/".to_owned(), "/b".into()][..], 2, 2));
    let outlets: Vec<_> = wiring.sending.iter().flatten().map(|sending| sending.outlet).collect();
    assert_eq!(outlets, [0, 1, 0, 2, 2], "alerts are given up sooner than records");
    plan.connectors.push(connector("i", "http", &[("port", "8080"), ("token", "t")]));
    plan.subscriptions.push(from("D", 1, &[]));
    assert!(wire(&Party::run("run"), &plan).is_err_and(|error| error.contains("8080")));
}

#[test]
fn what_cannot_be_opened_is_said() {
    let refused = |connector: Connector, params: &[(&str, &str)]| {
        let mut plan = Plan { connectors: vec![connector], ..Plan::default() };
        plan.nodes = vec![send(0, params)];
        wire(&Party::run("run"), &plan).expect_err("it cannot be opened")
    };
    for (error, part) in [
        (refused(connector("c", "mqtt", &[]), &[]), "host"),
        (refused(connector("c", "mqtt", &[("host", "h"), ("tls", "true")]), &[]), "TLS"),
        (refused(connector("c", "mqtt", &[("host", "h"), ("protocol", "3.1.1")]), &[]), "3.1.1"),
        (refused(connector("c", "mqtt", &[("url", "http://h")]), &[]), "scheme"),
        (refused(broker(), &[("topic", "a/#")]), "filter"),
        (refused(broker(), &[("qos", "3")]), "qos"),
        (refused(connector("c", "http", &[]), &[]), "url"),
        (refused(connector("c", "generator", &[]), &[]), "generator"),
        (refused(connector("c", "file", &[]), &[]), "path"),
    ] {
        assert!(error.contains("connector") && error.contains(part), "{error}");
    }
}
