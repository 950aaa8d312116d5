//! The grammar as data: pairs of texts that mean the same, and texts with the places of their problems.

use crate::common::{problems, shape};

/// Both are the same expression, in a filter.
#[test]
fn precedence_is_as_written_out() {
    let pairs = [
        ("-2 ** 2", "(-2) ** 2"),
        ("2 ** 3 ** 2", "2 ** (3 ** 2)"),
        ("2 ** -3 ** 2", "2 ** ((-3) ** 2)"),
        ("a ?? 0 + 1 > 0", "(a ?? (0 + 1)) > 0"),
        ("a ?? b ?? c", "a ?? (b ?? c)"),
        ("a - b - c", "(a - b) - c"),
        ("a / b * c % d", "((a / b) * c) % d"),
        ("a + b * c ** d", "a + (b * (c ** d))"),
        ("a | b ^ c & d << e + f", "a | (b ^ (c & (d << (e + f))))"),
        ("a << b >> c", "(a << b) >> c"),
        ("a + b << c & d ^ e | f", "((((a + b) << c) & d) ^ e) | f"),
        ("not a == b", "not (a == b)"),
        ("not a and b", "(not a) and b"),
        ("not not a or b", "(not (not a)) or b"),
        ("a or b and c or d", "(a or (b and c)) or d"),
        ("a == b and c < d", "(a == b) and (c < d)"),
        ("a | b == c", "(a | b) == c"),
        ("a in b..c", "a in (b..c)"),
        ("a not in b..=c and d", "(a not in (b..=c)) and d"),
        ("a in b ?? c", "a in (b ?? c)"),
        ("1 + 2..3 * 4", "(1 + 2)..(3 * 4)"),
        ("a or b..c", "(a or b)..c"),
        ("a is not null and b is null", "(a is not null) and (b is null)"),
        ("-a.b[0]", "-((a.b)[0])"),
        ("~-a", "~(-a)"),
        ("a - -b", "a - (-b)"),
        ("a?.b?.c(d)", "a.b.c(d)"),
        ("f(x => x or y)", "f((x) => (x or y))"),
        ("if a then b else c + 1", "if a then b else (c + 1)"),
        ("if a then b else if c then d else e", "if a then b else (if c then d else e)"),
        ("if if a then b else c then d else e", "if (if a then b else c) then d else e"),
        ("f(a, b,)", "f(a, b)"),
        ("[a, b,]", "[a, b]"),
        ("{a: 1, \"b\": 2,}", "{\"a\": 1, b: 2}"),
        ("f(x => {a: x})", "f(x => ({a: x}))"),
        ("f(x => {})", "f(x => ({}))"),
        ("'it\\'s'", "\"it's\""),
        ("\"\\u{e9}\\n\"", "'é\\n'"),
        ("1e3", "1000.0"),
        ("60s", "1m"),
        ("24h", "1d"),
        ("@2024-01-15", "@2024-01-15T00:00:00Z"),
        ("@2024-01-15T02:00:00+02:00", "@2024-01-15"),
        ("a\n  -\n  b\n(c)", "a - b(c)"),
        ("a // b\n + /* c\n */ d # e\n", "a + d"),
        ("a[1:]", "a[1 : ]"),
        ("notional + android + ins + iffy", "((notional + android) + ins) + iffy"),
        ("where + window + as + stream + all + within", "((((where + window) + as) + stream) + all) + within"),
        ("SEQ + AND + emit", "(SEQ + AND) + emit"),
        ("x.in + x.if", "x.in + (x.if)"),
    ];
    for (plain, bracketed) in pairs {
        let filter = |text: &str| shape(&format!("stream S = E .where({text})"));
        assert_eq!(filter(plain), filter(bracketed), "{plain}");
        assert!(filter(plain).ends_with("[]"), "{plain}: {}", filter(plain));
    }
}

/// Both are the same program.
#[test]
fn programs_with_one_meaning_have_one_tree() {
    let pairs = [
        ("event E {a: int, b: str}", "event E: a: int, b: str"),
        ("event E {a: int b: str}", "event E:\n  a: int\n  b: str,"),
        ("event E: a: int, b: str", "event E:   # c\n\n\ta: int,\n\n\t/* d */ b: str\n"),
        ("type T = {str: [int?]}?", "type T=\n{str:[int?]}?"),
        ("stream S: Stream<Stream<E>> = A", "stream S: Stream<Stream<E> >= A"),
        ("stream S = A as a where x > 1", "stream S = A where x > 1 as a"),
        ("stream S = A [x > 1] as a -> B", "stream S\n=\nA where x > 1\nas a\n->\nB"),
        ("stream S = A -> B? .within(1m)", "stream S = A->B?.within(1m)"),
        ("stream S = A -> B where v > b.v .emit as T(x: 1)", "stream S = A -> B[v > b.v] .emit as T(x: 1)"),
        ("stream S = A -> B where b.emit as c", "stream S = A -> B[b.emit] as c"),
        ("stream S = A -> B where b.within as c .within(1s)", "stream S = A -> B [b.within] as c.within(1s)"),
        ("stream S = A -> not B where k == 1 .within(1s)", "stream S = A -> NOT (B where k == 1) .within(1s)"),
        ("stream S = A -> not (B as b) where k == 1", "stream S = A -> not B as b where k == 1"),
        (
            "stream S = sequence(a: A, b: B where x == 1 .within(2s))",
            "stream S = sequence(a: A, b: B .within(2s) where x == 1,)",
        ),
        ("stream S = A -> all B .increasing(v) as b", "stream S = A -> all B as b .increasing(v)"),
        ("pattern P = A -> B OR C AND D", "pattern P = A -> (B OR (C AND D))"),
        ("pattern P = (A) -> ((B))", "pattern P = A -> B"),
        ("pattern P = (A OR B) as x", "pattern P = OR(A, B,) as x"),
        ("pattern P = (A AND B) as x -> C", "pattern P = AND(A, B) as x -> C"),
        (
            "pattern P = A -> B within 5s -> C within 1m partition by k, l",
            "pattern P = A\n-> B within 5s\n-> C\nwithin 1m\npartition by k,\nl",
        ),
        ("stream M = merge(stream X = A .where(v > 1), B)", "stream M = merge(\nstream X = A where v > 1,\nB,)"),
        ("stream J = join(A as a on a.k == B.k, B)", "stream J = inner_join(A as a .on(a.k == B.k), B)"),
        ("let a = 1\nlet b = 2", "let a = 1 let b = 2"),
        ("let a = b + c\nlet d = e.f", "let a = b\n+ c\nlet d = e\n.f"),
        ("let a = if b then c else d", "let a = if b\nthen c\nelse d"),
        ("let a = b and c not in d", "let a = b\n  and c\n  not in d"),
        ("let a = f(\nb\n- c\n)", "let a = f(b - c)"),
        ("fn f(x): return x", "fn f(x):\n    return x"),
        ("fn f(x): x", "fn f(\n  x,\n):\n  x"),
        ("fn f(): if a: b else: c", "fn f():\n if a:\n  b\n else:\n  c"),
        ("fn f(): if a: b elif c: d else: e", "fn f():\n if a: b\n elif c: d\n else: e"),
        ("fn f():\n let a = b\n  + c\n a", "fn f():\n let a = b + c\n a"),
        ("fn f():\n let g = x => { let y = x\n (y) }\n g(1)", "fn f():\n let g = x => { let y = x; (y) }\n g(1)"),
        ("fn f(): let g = x => { if x: return 1\n return 2 }", "fn f(): let g = x => { if x: return 1; return 2 }"),
        (
            "fn f(): let g = x => {\n if x:\n   return 1\n return 2 }",
            "fn f(): let g = x => { if x: return 1; return 2 }",
        ),
        ("import 'a.vpl'", "import \"a.vpl\""),
        ("\u{feff}let a = 1\r\nlet b = 2\r\n", "let a = 1\nlet b = 2\n"),
        ("const N = 1\nfor i in 0..=N:\n  let a{i} = {i}\n", "const N = 1\nlet a0 = 0\nlet a1 = 1"),
        ("const N = 2 * 3 - 4\nfor i in 0..N:\n  let a{i} = '{i}'", "const N = 2 * 3 - 4\nlet a0 = '0'\nlet a1 = '1'"),
        (
            "for i in 0..2:\n  for j in {i}..2:\n    let a{i}{j} = 1\n  let b{i} = 2",
            "let a00 = 1 let a01 = 1 let b0 = 2 let a11 = 1 let b1 = 2",
        ),
        ("for i in 5..3:\n  $ nonsense\nlet a = 1", "let a = 1"),
        ("for i in -1..1:\n  let a = {i}", "let a = -1\nlet a = 0"),
        ("for i in 0..1: // c\n\n  # {i}\n  fn f(x):\n      if x:\n          {i}\n", "fn f(x):\n if x:\n  0"),
        ("for i in 0..1:\n  let m = {i: {i}, j: {j}}", "let m = {i: 0, j: {j}}"),
    ];
    for (one, other) in pairs {
        let one_shape = shape(one);
        if !one.contains("{j}}") {
            assert!(one_shape.ends_with("[]"), "{one}: {:?}", problems(one));
        }
        assert_eq!(one_shape, shape(other), "{one}");
    }
}

/// Trees that must differ.
#[test]
fn line_breaks_end_what_they_should() {
    let differing = [
        ("fn f():\n a\n -b", "fn f():\n a - b"),
        ("fn f():\n a\n (b)", "fn f():\n a(b)"),
        ("fn f():\n a\n [b]", "fn f():\n a[b]"),
        ("fn f():\n return\n a", "fn f():\n return a"),
        ("fn f(): x => { a\n -b }", "fn f(): x => { a - b }"),
        ("fn f():\n if a:\n  if b:\n   c\n else:\n  d", "fn f():\n if a:\n  if b:\n   c\n  else:\n   d"),
    ];
    for (one, other) in differing {
        assert_eq!((problems(one), problems(other)), (vec![], vec![]), "{one}");
        assert_ne!(shape(one), shape(other), "{one}");
    }
}

#[test]
fn problems_stand_where_they_are() {
    let cases: &[(&str, &[&str])] = &[
        ("", &[]),
        ("stream S = E .where(a $ b)", &["E0101 1:23"]),
        ("let a = \"x", &["E0102 1:9"]),
        ("let a = 1 /* x", &["E0102 1:11"]),
        ("let a = \"x\\", &["E0102 1:9"]),
        ("let a = 9223372036854775808", &["E0103 1:9"]),
        ("let a = -9223372036854775808", &[]),
        ("let a = - 9223372036854775808", &[]),
        ("let a = 1 - 9223372036854775808", &["E0103 1:13"]),
        ("let a = -9223372036854775808.x", &["E0103 1:10"]),
        ("let a = 5min", &["E0104 1:9"]),
        ("let a = 300000d", &["E0104 1:9"]),
        ("let a = @2024-02-30", &["E0105 1:9"]),
        ("let a = \"\\d\\w\"", &["E0106 1:10", "E0106 1:12"]),
        ("fn f():\nlet a = 1", &["E0107 2:1"]),
        ("fn f():", &["E0107 1:8"]),
        ("fn f():\n  a\n   b", &["E0107 3:4"]),
        ("fn f():\n   a\n  b", &["E0107 3:3"]),
        ("fn f():\n\ta\n  b", &["E0107 3:3"]),
        ("fn f():\n  if a:\n  b", &["E0107 3:3"]),
        ("event E:\n  a: int\n    b: int", &["E0107 3:5"]),
        ("for i in 0..2:\nlet a = 1", &["E0107 2:1"]),
        ("for i in 0..2:\n    let a = 1\n  let b = 1", &["E0107 3:3"]),
        ("stream S E", &["E0110 1:10"]),
        ("stream S = ", &["E0110 1:12"]),
        ("stream S = E .where(a", &["E0110 1:22"]),
        ("stream S = E .where(a\n", &["E0110 2:1"]),
        ("let a = 1 < 2 < 3", &["E0110 1:15"]),
        ("let a = 1 == 2 in 3", &["E0110 1:16"]),
        ("let a = b == not c", &["E0110 1:14"]),
        ("let a = (f)(x)", &["E0110 1:12"]),
        ("let a = f(x)(y)", &["E0110 1:13"]),
        ("let a = b = c", &["E0110 1:11"]),
        ("let a = b && c", &["E0110 1:11"]),
        ("let a = b || c", &["E0110 1:11"]),
        ("let a = if b then c", &["E0110 1:20"]),
        ("let if = 1", &["E0110 1:5"]),
        ("stream S = A as a as b", &["E0110 1:19"]),
        ("stream S = A -> AND(B, C)", &["E0110 1:17"]),
        ("stream S = A -> (B OR C) where x", &["E0110 1:26"]),
        ("stream S = A -> B within 5s -> C", &["E0110 1:19"]),
        ("stream S = merge()", &["E0110 1:18"]),
        ("fn f():\n  a b", &["E0110 2:5"]),
        ("fn f():\n  if a: b\n  else if c: d", &["E0110 3:8"]),
        ("fn f():\n  else: a", &["E0110 2:3"]),
        ("total := 1", &["E0903 1:1"]),
        ("if a: b", &["E0111 1:1"]),
        ("while a:\n  b", &["E0111 1:1"]),
        ("return 1", &["E0111 1:1"]),
        ("break", &["E0111 1:1"]),
        ("print(1)", &["E0111 1:1"]),
        ("  for i in 0..2:\n    let a = 1", &["E0111 1:3"]),
        ("for i in 0..10001:\n  let a = 1", &["E0112 1:1"]),
        ("for i in 0..10000:\n  let a = 1", &[]),
        ("for i in 0..101:\n  for j in 0..99:\n    let a = 1", &["E0112 2:3"]),
        ("for i in 0..9999999999999:\n  let a = 1\nfor i in 0..20000:\n  let a = 1", &["E0112 1:1"]),
        ("for i in 0..N:\n  let a = 1", &["E0110 1:13"]),
        ("for i in 0..N:\n  let a = 1\nconst N = 1", &["E0110 1:13"]),
        ("for i in xs:\n  let a = 1", &["E0110 1:10"]),
        ("for i in 0..2\n  let a = 1", &["E0110 2:3"]),
        ("for i in 0..2: let a = 1\n  let b = 1", &["E0110 1:16"]),
        ("for i in 0..3:\n  let a = )", &["E0110 2:11"]),
        ("for i in 0..3:\n  let a{i} = $", &["E0101 2:14"]),
        ("import \"a\" as b", &["E0902 1:12"]),
        ("import fn a", &["E0902 1:8"]),
        // Errors of one line, of several, and what is read after them.
        ("stream A = E .where(a > , $)\nstream B E", &["E0101 1:27", "E0110 2:10"]),
        ("stream A = E\n  .where(a > )\n  .where($)\nstream B E", &["E0101 3:10", "E0110 4:10"]),
        ("stream A = E\n  .where($)\n  .where(a > )\nstream B E", &["E0101 2:10", "E0110 4:10"]),
        ("stream A = E ->\nstream B = E ->\nlet a = ", &["E0110 2:1", "E0110 3:1", "E0110 3:9"]),
        ("stream A = E .emit(\nstream B = E .emit(x: )", &["E0110 2:1", "E0110 2:23"]),
        ("strem A = E\n  .emit()\nstream B = E", &["E0110 1:1"]),
        (
            "let a = )\nfor i in 0..2:\n  let b = )\nif x: y\nwhile z: w",
            &["E0110 1:9", "E0110 3:11", "E0111 4:1", "E0111 5:1"],
        ),
        ("config: $\nlet a = )", &["E0101 1:9", "E0110 2:9"]),
        ("config x {a: [b, {c: 1}] d\n}\nlet a = 1", &[]),
        ("config\nx:\n  a = 1\n  b c d\nlet a = 1", &[]),
        ("config {\nlet a = )", &["E0110 2:9"]),
        ("config\nlet a = 1", &["E0110 2:1"]),
        ("stream S = E .emit(\nfor: 1)", &[]),
        ("for (i in 0..2):\n  let a = 1", &["E0111 1:1"]),
        ("for i in 0..2:\n  # only a comment\nlet a = 1", &["E0107 3:1"]),
        ("stream S = sequence(a: A .within(1s) .within(2s))", &["E0404 1:39"]),
    ];
    for (text, expected) in cases {
        assert_eq!(problems(text), *expected, "{text}");
    }
}

#[test]
fn limits_are_where_they_are_said_to_be() {
    let filter = |expr: &str| problems(&format!("stream S = E .where({expr})"));
    let wrapped =
        |open: &str, close: &str, times: usize| filter(&format!("{}a{}", open.repeat(times), close.repeat(times)));
    let levels = [
        ("(", ")"),
        ("[", "]"),
        ("f(", ")"),
        ("{k: ", "}"),
        ("not ", ""),
        ("-", ""),
        ("~", ""),
        ("a ** ", ""),
        ("a ?? ", ""),
        ("if b then c else ", ""),
        ("a[", "]"),
    ];
    for (open, close) in levels {
        // The bracket of .where is the first of 128.
        assert_eq!(wrapped(open, close, 127), Vec::<String>::new(), "{open}");
        assert!(wrapped(open, close, 128)[0].starts_with("E0108 1:"), "{open}");
    }
    assert_eq!(wrapped("x => ", "", 127), Vec::<String>::new());
    assert!(wrapped("x => ", "", 128)[0].starts_with("E0108"));
    for link in [" + a", " or a", " and a", ".a", "[0]", " | a", " - a", "?.f(a)", " << 1"] {
        assert_eq!(filter(&format!("a{}", link.repeat(1000))), Vec::<String>::new(), "{link}");
        assert!(filter(&format!("a{}", link.repeat(1001)))[0].starts_with("E0108"), "{link}");
    }
    assert_eq!(
        filter(&format!("{}a{}{}", "(".repeat(126), " + a".repeat(1000), ")".repeat(126))),
        Vec::<String>::new()
    );
    let blocks = |depth: usize| {
        let ifs: String = (1..depth).map(|level| format!("{}if a:\n", " ".repeat(level))).collect();
        problems(&format!("fn f():\n{ifs}{}b\n", " ".repeat(depth)))
    };
    assert_eq!(blocks(128), Vec::<String>::new());
    assert!(blocks(129)[0].starts_with("E0108 129:"), "{:?}", blocks(129));
    let group = |depth: usize| problems(&format!("pattern P = {}A{}", "(".repeat(depth), ")".repeat(depth)));
    assert_eq!(group(128), Vec::<String>::new());
    assert_eq!(group(129), ["E0108 1:141"]);
    let chain = |links: usize, link: &str, head: &str| problems(&format!("{head}{}", link.repeat(links)));
    for (link, head) in
        [(".a()", "stream S = E"), ("->A", "stream S = E"), ("->A", "pattern P = E"), (" OR A", "pattern P = E")]
    {
        assert_eq!(chain(1000, link, head), Vec::<String>::new(), "{link}");
        assert!(chain(1001, link, head)[0].starts_with("E0108"), "{link}");
    }
    let mebibyte = 1 << 20;
    assert_eq!(problems(&" ".repeat(mebibyte)), Vec::<String>::new());
    assert_eq!(problems(&" ".repeat(mebibyte + 1)), ["E0109 1:1"]);
}

#[test]
fn problems_say_the_way_out() {
    let cases = [
        ("strem S = E", "did you mean stream?"),
        ("Event E: a: int", "did you mean event?"),
        ("def f(x): x", "did you mean fn?"),
        ("stream A = E .emit(a: b\nstream B = E", "the ( behind emit is not closed"),
        ("let a = [1, 2", "a [ is not closed"),
        ("stream A = E .where(a && b)", "write and"),
        ("stream A = E .where(a || b)", "write or"),
        ("stream A = E .where(!a)", "write not"),
        ("stream A = E .where(a = b)", "== compares"),
        ("let a := 1", "by :="),
        ("let a = 99999999999999999999", "from -9223372036854775808 to 9223372036854775807"),
        ("let a = 1 < b < 2", "a < b and b < c"),
        ("let a = 1.5s", "1500ms"),
        ("let a = 1h30m", "90m"),
        ("let a = 5min", "ns, us, ms, s, m, h, d"),
        ("let a = 'b", "end it with '"),
        ("fn f() {", "colon"),
        ("fn f():\n  if a: b\n  else if c: d", "elif"),
        ("total := 1", "aggregate"),
        ("for i in 0..20000:\n  let a = 1", "add up"),
        ("import 'a' as b", "names are used as they are"),
        ("stream A = B -> AND(C, D)", "(A AND B)"),
    ];
    for (text, help) in cases {
        let diagnostics = rarog_lang::parser::parse(text, 0).1;
        let said = diagnostics.first().and_then(|diagnostic| diagnostic.help.as_deref()).unwrap_or("");
        assert!(said.contains(help), "{text}: {diagnostics:?}");
    }
}
