//! Random programs, made by walking the grammar: every one of them must parse. White space and comments are put wherever
//! they may stand.

/// Writes one program.
pub struct Writer {
    state: u64,
    out: String,
    /// Whether line breaks mean nothing here.
    free: bool,
    /// Whether a `.name(` would end the expression.
    operator_ends: bool,
    depth: usize,
    /// Bytes of text from which on everything is kept short.
    enough: usize,
    /// Blanks that the lines of the current block begin with.
    indent: String,
}

/// Whether a token is glued to what stands before it.
#[derive(Clone, Copy, PartialEq)]
enum Gap {
    Any,
    None,
}

/// Some programs, always the same ones.
pub fn samples() -> Vec<String> {
    (1..=64u64).map(|seed| Writer::program(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15))).collect()
}

impl Writer {
    pub fn program(seed: u64) -> String {
        let mut writer = Writer {
            state: seed | 1,
            out: String::new(),
            free: true,
            operator_ends: false,
            depth: 0,
            enough: 0,
            indent: String::new(),
        };
        for _ in 0..1 + writer.below(5) {
            writer.declaration();
            writer.raw(&["\n", "\n\n", "  # end\n", "\n// between\n", "\n/* a\nb */\n"]);
        }
        writer.out
    }

    fn below(&mut self, limit: usize) -> usize {
        self.state ^= self.state << 13;
        self.state ^= self.state >> 7;
        self.state ^= self.state << 17;
        (self.state >> 11) as usize % limit
    }

    fn chance(&mut self, of: usize) -> bool {
        self.below(of) == 0
    }

    fn pick(&mut self, from: &[&'static str]) -> &'static str {
        from[self.below(from.len())]
    }

    /// Writes one of these as it is.
    fn raw(&mut self, from: &[&'static str]) {
        let text = self.pick(from);
        self.out.push_str(text);
    }

    /// Writes a token behind a gap.
    fn put(&mut self, token: &str) {
        self.gap(Gap::Any);
        self.out.push_str(token);
    }

    /// Writes a token directly behind the one before.
    fn stick(&mut self, token: &str) {
        self.gap(Gap::None);
        self.out.push_str(token);
    }

    fn gap(&mut self, gap: Gap) {
        if gap == Gap::None || self.out.is_empty() || self.out.ends_with([' ', '\n', '\t']) {
            return;
        }
        let kind = self.below(24);
        match kind {
            0 => self.out.push_str("  "),
            1 => self.out.push_str(" /* c */ "),
            2 if self.free => self.out.push_str("\n   "),
            3 if self.free => self.out.push_str(" # d\n  "),
            4 if self.free => self.out.push_str(" // e\n\n\t"),
            5 if self.free => self.out.push_str(" /* f\n g */ "),
            6 if self.free => self.out.push_str("\r\n "),
            _ => self.out.push(' '),
        }
    }

    fn name(&mut self) -> &'static str {
        self.pick(&["a", "b", "c", "x1", "_y", "Val", "notional", "window", "from", "stream", "type", "each", "iffy"])
    }

    fn source_name(&mut self) -> &'static str {
        self.pick(&["A", "B", "C", "Temp", "Order"])
    }

    fn is_enough(&self) -> bool {
        self.out.len() > self.enough
    }

    fn few(&mut self, limit: usize) -> usize {
        if self.is_enough() { 0 } else { self.below(limit) }
    }

    fn declaration(&mut self) {
        self.enough = self.out.len() + 400;
        self.free = true;
        self.operator_ends = false;
        match self.below(14) {
            0 => self.event("event"),
            1 => self.type_declaration(),
            2 => self.connector(),
            3 => self.function(),
            4 => self.global(),
            5 => self.pattern(),
            6 => self.template(),
            7 => self.small(),
            _ => self.stream(),
        }
        self.free = true;
    }

    fn small(&mut self) {
        match self.below(4) {
            0 => {
                self.put("import");
                self.put("\"other.vpl\"");
            }
            1 => {
                self.put("config");
                self.put("mqtt");
                self.put("{ a : [1 , { b 2}] }");
            }
            2 => self.out.push_str("config:\n    a : 1\n      b\n    c { d"),
            _ => {
                self.put("context");
                self.put("ctx");
                self.put("(");
                self.put("cores");
                self.put(":");
                self.expr();
                self.put(")");
            }
        }
    }

    fn event(&mut self, word: &str) {
        self.put(word);
        let name = self.source_name();
        self.put(name);
        if word == "event" && self.chance(3) {
            self.put("extends");
            self.put("Base");
        }
        match self.below(3) {
            0 => {
                self.put("{");
                for _ in 0..self.below(4) {
                    self.field();
                    if self.chance(2) {
                        self.put(",");
                    }
                }
                self.put("}");
            }
            1 => {
                self.free = false;
                self.stick(":");
                self.field();
                while self.chance(2) {
                    self.put(",");
                    self.field();
                }
            }
            _ => {
                self.free = false;
                self.stick(":");
                self.out.push_str(" # fields\n");
                for _ in 0..1 + self.below(3) {
                    self.out.push_str("    ");
                    self.field();
                    self.raw(&["\n", ",\n", "  // c\n", "\n\n    # d\n"]);
                }
            }
        }
    }

    fn field(&mut self) {
        let name = self.name();
        self.put(name);
        self.put(":");
        self.ty();
    }

    fn ty(&mut self) {
        self.depth += 1;
        match self.below(if self.depth > 4 { 1 } else { 5 }) {
            0 | 1 => {
                let name = self.pick(&["int", "str", "float", "any", "Thing"]);
                self.put(name);
            }
            2 => {
                self.put("[");
                self.ty();
                self.put("]");
            }
            3 => {
                self.put("{");
                self.ty();
                self.put(":");
                self.ty();
                self.put("}");
            }
            _ => {
                self.put("Stream");
                self.put("<");
                self.ty();
                if self.chance(2) { self.stick(">") } else { self.put(">") }
            }
        }
        if self.chance(3) {
            self.stick("?");
        }
        self.depth -= 1;
    }

    fn type_declaration(&mut self) {
        if self.chance(2) {
            return self.event("type");
        }
        self.put("type");
        self.put("T");
        self.put("=");
        self.ty();
    }

    fn connector(&mut self) {
        self.put("connector");
        self.put("k");
        self.put("=");
        self.put("mqtt");
        self.args();
    }

    fn global(&mut self) {
        let word = self.pick(&["let", "var", "const"]);
        self.put(word);
        let name = self.name();
        self.put(name);
        if self.chance(3) {
            self.put(":");
            self.ty();
        }
        self.put("=");
        self.free = false;
        self.expr();
    }

    fn template(&mut self) {
        let depth = self.indent.len();
        let (first, last) = (self.pick(&["0", "1"]), self.pick(&["0", "2"]));
        self.out.push_str(&format!("for i{depth} in {first}..={last}: # turns\n"));
        let outer = self.indent.clone();
        self.indent.push_str("  ");
        for _ in 0..1 + self.below(2) {
            self.out.push_str(&self.indent.clone());
            match self.below(if depth > 2 { 2 } else { 3 }) {
                0 => self.out.push_str(&format!("let  v{{i{depth}}}  =  {{i{depth}}}s+'{{i{depth}}}'")),
                1 => self.out.push_str(&format!(
                    "stream S{{i{depth}}}=E .where(a=={{i{depth}}})\n{0}      .emit( a )",
                    self.indent
                )),
                _ => self.template(),
            }
            if !self.out.ends_with('\n') {
                self.out.push('\n');
            }
        }
        self.indent = outer;
    }

    fn function(&mut self) {
        self.put("fn");
        let name = self.name();
        self.put(name);
        self.put("(");
        while self.chance(2) {
            let name = self.name();
            self.put(name);
            if self.chance(2) {
                self.put(":");
                self.ty();
            }
            self.put(",");
        }
        self.put(")");
        if self.chance(2) {
            self.put("->");
            self.ty();
        }
        self.body();
    }

    fn body(&mut self) {
        let free = std::mem::replace(&mut self.free, false);
        self.stick(":");
        self.depth += 1;
        if self.depth > 3 || self.chance(3) {
            self.simple_statement();
        } else {
            let outer = self.indent.clone();
            let deeper = self.pick(&["  ", "    ", "\t"]);
            self.indent.push_str(deeper);
            self.raw(&[" # block\n", "\n", "\n\n"]);
            for _ in 0..1 + self.below(3) {
                let line = self.indent.clone();
                if self.chance(6) {
                    self.out.push_str(&format!("{line}# note\n"));
                }
                self.out.push_str(&line);
                self.statement();
                if !self.out.ends_with('\n') {
                    self.out.push('\n');
                }
            }
            self.indent = outer;
        }
        self.depth -= 1;
        self.free = free;
    }

    fn statement(&mut self) {
        let line = self.indent.clone();
        match self.below(6) {
            0 => {
                self.out.push_str("if");
                self.expr();
                self.body();
                for word in ["elif", "else"] {
                    if self.chance(2) {
                        if !self.out.ends_with('\n') {
                            self.out.push('\n');
                        }
                        self.out.push_str(&format!("{line}{word}"));
                        if word == "elif" {
                            self.expr();
                        }
                        self.body();
                    }
                }
            }
            1 => {
                self.out.push_str("for k in");
                self.expr();
                self.body();
            }
            2 => {
                self.out.push_str("while");
                self.expr();
                self.body();
            }
            _ => self.simple_statement(),
        }
    }

    fn simple_statement(&mut self) {
        match self.below(7) {
            0 => {
                self.put("let a =");
                self.expr();
            }
            1 => {
                self.put("x1 :=");
                self.expr();
            }
            2 => {
                self.put("return");
                if self.chance(2) {
                    self.expr();
                }
            }
            3 => self.put("break"),
            4 => {
                self.put("emit Part");
                self.args();
            }
            _ => self.expr(),
        }
    }

    fn stream(&mut self) {
        self.put("stream");
        let name = self.source_name();
        self.put(name);
        if self.chance(8) {
            self.put(":");
            self.ty();
        }
        self.put("=");
        self.source();
        for _ in 0..self.below(6) {
            self.op();
        }
    }

    fn source(&mut self) {
        match self.below(10) {
            0 => self.inputs("merge"),
            1 => {
                let word = self.pick(&["join", "left_join", "full_join"]);
                self.inputs(word);
            }
            2 => {
                self.put("timer");
                self.args();
            }
            3 => {
                self.put("late");
                self.put("(");
                self.put("A");
                self.put(")");
            }
            4 => {
                self.put("sequence");
                self.put("(");
                for name in ["a", "b", "c"] {
                    self.put(name);
                    self.put(":");
                    self.step(true, false);
                    self.put(",");
                }
                self.put(")");
            }
            5 => {
                self.put("(");
                self.pexpr();
                self.put(")");
            }
            _ => self.step(false, false),
        }
    }

    fn inputs(&mut self, word: &'static str) {
        self.put(word);
        self.put("(");
        for _ in 0..1 + self.below(3) {
            if self.chance(3) {
                self.put("stream");
                self.put("X");
                self.put("=");
            }
            let name = self.source_name();
            self.put(name);
            if self.chance(3) {
                self.put("as");
                self.put("x1");
            }
            match self.below(4) {
                0 => self.filter("where"),
                1 => self.filter("on"),
                2 => {
                    self.put(".");
                    self.put("where");
                    self.put("(");
                    self.expr();
                    self.put(")");
                }
                _ => {}
            }
            self.put(",");
        }
        self.put(")");
    }

    /// A condition that ends before `.name(`.
    fn filter(&mut self, word: &str) {
        self.put(word);
        let before = std::mem::replace(&mut self.operator_ends, true);
        self.expr();
        self.operator_ends = before;
    }

    fn step(&mut self, in_sequence: bool, in_pattern: bool) {
        let word = self.pick(&["all", "not", "NOT", "", "", "", ""]);
        if !word.is_empty() {
            self.put(word);
        }
        let name = self.source_name();
        self.put(name);
        if self.chance(4) {
            let sign = self.pick(&["+", "*", "?"]);
            self.stick(sign);
        }
        if self.chance(4) {
            self.put("[");
            self.bracketed_expr();
            self.put("]");
        }
        if self.chance(3) {
            self.put("as");
            let name = self.name();
            self.put(name);
        }
        if self.chance(3) {
            self.filter("where");
        }
        if self.chance(6) {
            self.put(".");
            self.put("increasing");
            self.put("(");
            self.put("a");
            self.put(")");
        }
        if in_sequence && self.chance(3) {
            self.put(".");
            self.put("within");
            self.put("(");
            self.bracketed_expr();
            self.put(")");
        }
        if in_pattern && self.chance(6) {
            self.put("within");
            self.put("5s");
            self.put("->");
            self.step(false, true);
        }
    }

    fn op(&mut self) {
        match self.below(7) {
            0 | 1 => {
                self.put("->");
                self.step(false, false);
            }
            2 => {
                self.put(".");
                self.put("emit");
                self.put("as");
                self.put("T");
                self.args();
            }
            3 => {
                self.put(".");
                self.put("not");
                self.put("(");
                self.step(false, false);
                self.put(")");
            }
            _ => {
                self.put(".");
                let name = self.pick(&["where", "window", "emit", "partition_by", "within"]);
                self.put(name);
                self.args();
            }
        }
    }

    fn pattern(&mut self) {
        self.put("pattern");
        self.put("P");
        self.put("=");
        self.pexpr();
        if self.chance(2) {
            self.put("within");
            self.put("1m");
        }
        if self.chance(2) {
            self.put("partition");
            self.put("by");
            self.put("a");
            self.put(",");
            self.put("b");
        }
    }

    fn pexpr(&mut self) {
        self.depth += 1;
        let deep = self.depth > 4 || self.is_enough();
        match self.below(if deep { 2 } else { 8 }) {
            0 | 1 => self.step(false, true),
            2 => {
                self.put("SEQ");
                self.members();
            }
            3 => {
                let word = self.pick(&["AND", "OR"]);
                self.put(word);
                self.members();
                if self.chance(2) {
                    self.put("as");
                    self.put("g");
                }
            }
            4 => {
                self.put("(");
                self.pexpr();
                self.put(")");
                if self.chance(2) {
                    self.put("as");
                    self.put("g");
                }
            }
            5 => self.joined("->"),
            6 => self.joined("AND"),
            _ => self.joined("OR"),
        }
        self.depth -= 1;
    }

    fn joined(&mut self, word: &str) {
        self.put("(");
        self.pexpr();
        self.put(")");
        self.put(word);
        self.step(false, true);
    }

    fn members(&mut self) {
        self.put("(");
        self.pexpr();
        while self.chance(2) {
            self.put(",");
            self.pexpr();
        }
        self.put(")");
    }

    fn args(&mut self) {
        self.put("(");
        let free = std::mem::replace(&mut self.free, true);
        let count = self.below(4);
        for at in 0..count {
            if self.chance(2) {
                let name = self.name();
                self.put(name);
                self.put(":");
            }
            self.bracketed_expr();
            if at + 1 < count || self.chance(4) {
                self.put(",");
            }
        }
        self.put(")");
        self.free = free;
    }

    /// An expression between brackets.
    fn bracketed_expr(&mut self) {
        let before = (std::mem::replace(&mut self.free, true), std::mem::replace(&mut self.operator_ends, false));
        self.expr();
        (self.free, self.operator_ends) = before;
    }

    fn expr(&mut self) {
        self.depth += 1;
        if self.depth > 6 || self.is_enough() {
            self.literal();
        } else {
            match self.below(14) {
                0 => self.lambda(),
                1 => {
                    self.unary();
                    let symbol = self.pick(&["..", "..="]);
                    self.put(symbol);
                    self.or();
                }
                2 => self.conditional(),
                _ => self.or(),
            }
        }
        self.depth -= 1;
    }

    fn conditional(&mut self) {
        self.put("if");
        self.expr();
        self.put("then");
        self.expr();
        self.put("else");
        self.expr();
    }

    fn lambda(&mut self) {
        if self.chance(2) {
            let name = self.name();
            self.put(name);
        } else {
            self.put("(");
            self.put("a");
            self.put(",");
            self.put("b");
            self.put(")");
        }
        self.put("=>");
        if self.chance(2) {
            return self.expr();
        }
        self.put("{");
        let before = (std::mem::replace(&mut self.free, false), std::mem::replace(&mut self.operator_ends, false));
        for _ in 0..1 + self.below(2) {
            self.raw(&["\n      ", " "]);
            self.simple_statement();
            self.raw(&[";", "\n"]);
        }
        (self.free, self.operator_ends) = before;
        self.put("}");
    }

    fn or(&mut self) {
        self.comparison();
        for _ in 0..self.few(3) {
            let word = self.pick(&["and", "or"]);
            self.operator(word);
            if self.chance(4) {
                self.put("not");
            }
            self.comparison();
        }
    }

    /// A binary operator; where lines matter, perhaps at the beginning of the next one.
    fn operator(&mut self, symbol: &str) {
        if !self.free && symbol != "-" && self.chance(8) && !self.out.ends_with(' ') {
            let line = format!("\n{}     ", self.indent);
            self.out.push_str(&line);
        }
        self.put(symbol);
    }

    fn comparison(&mut self) {
        self.coalesced();
        match self.below(6) {
            0 => {
                let symbol = self.pick(&["==", "!=", "<", "<=", ">", ">="]);
                self.operator(symbol);
                self.coalesced();
            }
            1 => {
                let word = self.pick(&["in", "not in"]);
                self.operator(word);
                self.coalesced();
            }
            2 => {
                let word = self.pick(&["is null", "is not null"]);
                self.operator(word);
            }
            _ => {}
        }
    }

    fn coalesced(&mut self) {
        self.unary();
        for _ in 0..self.few(3) {
            let symbol = self.pick(&["??", "+", "-", "*", "/", "%", "**", "|", "^", "&", "<<", ">>"]);
            self.operator(symbol);
            self.unary();
        }
    }

    fn unary(&mut self) {
        if self.chance(8) {
            let sign = self.pick(&["-", "~"]);
            self.put(sign);
            return self.unary();
        }
        self.literal();
        for _ in 0..self.few(3) {
            match self.below(4) {
                0 => {
                    let dot = self.pick(&[".", "?."]);
                    self.put(dot);
                    let name = self.name();
                    self.put(name);
                }
                1 if !self.operator_ends => {
                    self.put(".");
                    let name = self.name();
                    self.put(name);
                    self.args();
                }
                2 => {
                    self.put("[");
                    self.bracketed_expr();
                    self.put("]");
                }
                _ => {
                    self.put("[");
                    self.bracketed_expr();
                    self.put(":");
                    self.bracketed_expr();
                    self.put("]");
                }
            }
        }
    }

    fn literal(&mut self) {
        self.depth += 1;
        match self.below(if self.depth > 6 || self.is_enough() { 7 } else { 11 }) {
            0..=2 => {
                let name = self.name();
                self.put(name);
            }
            3 => {
                let number = self.pick(&["0", "17", "2.5", "1e9", "9223372036854775807", "5ms", "1d"]);
                self.put(number);
            }
            4 => {
                let text = self.pick(&["\"s\\n\\\"\"", "'# t'", "''", "\"/* {i} */\"", "'\\u{e9} é'"]);
                self.put(text);
            }
            5 => {
                let word = self.pick(&["true", "false", "null"]);
                self.put(word);
            }
            6 => {
                self.put("@2024-01-15T10:00:00Z");
                self.out.push(' ');
            }
            7 => {
                self.put("(");
                self.bracketed_expr();
                self.put(")");
            }
            8 => {
                self.put("[");
                self.bracketed_expr();
                self.put(",");
                self.put("]");
            }
            9 => {
                self.put("{");
                let key = self.pick(&["a", "'k'", "if"]);
                self.put(key);
                self.put(":");
                self.bracketed_expr();
                self.put("}");
            }
            _ => {
                let name = self.name();
                self.put(name);
                self.args();
            }
        }
        self.depth -= 1;
    }
}
