//! Sequences and patterns: their rules, and the scopes of their conditions and of what comes behind them.

use super::chain::Chain;
use super::elements::{Element, Elements, Kind, Member};
use super::matched::{Matched, MatchedScope, Of, Part};
use super::record::Record;
use super::shape::Shape;
use super::sources::join_clocks;
use super::{Streams, has_arrow};
use crate::ast::{
    Arg, Expr as AstExpr, ExprKind, Ident, Op as AstOp, Pattern, Quantifier, Source, StepTarget, Stream as AstStream,
};
use crate::check::suggestion::did_you_mean;
use crate::diagnostic::Diagnostic;
use crate::plan::{ClockTerm, Op, StreamId};
use crate::span::Span;
use crate::value::Type;
use std::sync::Arc;

/// Between two arrows only these may stand.
const BETWEEN: [&str; 5] = ["where", "filter", "print", "log", "partition_by"];

/// Alternatives, the parts of a match, and the clock.
type Checked<'e> = (Vec<Vec<Element<'e>>>, Vec<Part>, Vec<ClockTerm>);

/// What the operators of section 10 said.
#[derive(Debug, Default)]
pub(super) struct Modes {
    within: Option<Span>,
    strict: Option<Span>,
    any: Option<Span>,
    each: Option<Span>,
    longest: Option<Span>,
    selection: Option<(&'static str, Span)>,
}

impl<'s, 'a: 's> Streams<'s, 'a> {
    /// Is the stream a sequence or pattern?
    pub(super) fn is_sequence(&self, ast: &AstStream) -> bool {
        match &ast.source {
            Source::Sequence(..) | Source::Pattern(_) => true,
            Source::Step(step) => has_arrow(ast) || !super::sources::is_plain(step) || self.is_pattern(step),
            _ => false,
        }
    }

    /// The pattern that a stream uses.
    fn used_pattern(&mut self, ast: &AstStream) -> Option<&'a Pattern> {
        let Source::Step(step) = &ast.source else { return None };
        let StepTarget::Name(name) = &step.target else { return None };
        let pattern = self.expressions.declared().pattern(&name.name)?;
        if step.alias.is_some() || !step.conditions.is_empty() || step.quantifier.is_some() || has_arrow(ast) {
            self.named_as_step(name);
        }
        Some(pattern)
    }

    fn named_as_step(&mut self, name: &Ident) {
        let problem =
            Diagnostic::new("E0905", name.span, format!("pattern {} as a step is not supported yet", name.name));
        self.expressions.report(problem.help("write its steps here"));
    }

    /// Checks a sequence and gives its matches.
    pub(super) fn sequence(&mut self, ast: &'s AstStream, stream: StreamId) -> (Record, Vec<ClockTerm>) {
        let pattern = self.used_pattern(ast);
        let modes = self.modes(ast, pattern);
        let elements = Elements::of_stream(ast, pattern.map(|pattern| &pattern.expr));
        self.between_arrows(ast);
        let (alternatives, parts, clock) = self.elements(elements, stream);
        self.check_modes(&alternatives, &modes, ast);
        self.negations(ast, &parts, stream);
        let keys = self.keys(ast, pattern, &parts);
        let layout = self.graph.open();
        let node = self.graph.add(Op::Emit, Vec::new(), layout, stream, ast.name.span);
        let matched = Arc::new(Matched { parts, of: Of::Sequence, keys });
        let event = Some(ast.name.name.clone());
        let record = Record { event, matched: Some(matched), ..Record::new(node, Shape::default()) };
        (record, clock)
    }

    /// Checks a pattern by itself, whether or not a stream uses it.
    pub(super) fn pattern(&mut self, pattern: &'a Pattern) {
        let given_twice = pattern.within.iter().skip(1).map(|(span, _)| (span, "within"));
        for (span, word) in given_twice.chain(pattern.partition.iter().skip(1).map(|(span, _)| (span, "partition by")))
        {
            let problem = Diagnostic::new("E0404", *span, format!("{word} is given twice"));
            self.expressions.report(problem.help("leave one of them out"));
        }
        for (_, within) in &pattern.within {
            self.expressions.positive_duration("within", within);
        }
        let (_, parts, _) = self.elements(Elements::of_pattern(&pattern.expr), 0);
        for (_, keys) in &pattern.partition {
            keys.iter().for_each(|key| self.plain_key(key, &parts));
        }
    }

    /// Checks the elements: names, conditions, the rules for the first one. Gives the parts of a match.
    fn elements(&mut self, elements: Elements<'s>, stream: StreamId) -> Checked<'s> {
        for problem in elements.problems {
            self.expressions.report(problem);
        }
        let mut all: Vec<Part> = Vec::new();
        let mut clock = Vec::new();
        for list in &elements.alternatives {
            let mut parts: Vec<Part> = Vec::new();
            self.check_first(list);
            self.check_aliases(list);
            for (index, element) in list.iter().enumerate() {
                clock = self.element(list, index, element, &mut parts, clock, stream);
            }
            for part in parts {
                match all.iter_mut().find(|known| !part.names.is_empty() && known.names == part.names) {
                    Some(known) => known.shape = std::mem::take(&mut known.shape).union(&part.shape),
                    None => all.push(part),
                }
            }
        }
        (elements.alternatives, all, clock)
    }

    fn element(
        &mut self,
        list: &[Element<'s>],
        index: usize,
        element: &Element<'s>,
        parts: &mut Vec<Part>,
        mut clock: Vec<ClockTerm>,
        stream: StreamId,
    ) -> Vec<ClockTerm> {
        let repeats = element.repeats(index == 0);
        let mut own: Vec<Part> = Vec::new();
        for member in &element.members {
            if self.expressions.declared().is_pattern(&member.name.name) {
                self.named_as_step(member.name);
            }
            let reading = self.reading(member.name, stream);
            self.refuse_late(&reading, member.name.span);
            clock = join_clocks(clock, &reading.clock);
            let mut names: Vec<Arc<str>> = member.alias.iter().map(|alias| alias.name.clone()).collect();
            if member.alias.is_none() && only_of_type(list, member) {
                names.push(member.name.name.clone());
            }
            let prefix = member.alias.unwrap_or(member.name).name.clone();
            let part = Part { names, prefix, node: reading.node, shape: reading.shape, repeats };
            self.member(member, &part, parts);
            own.push(part);
        }
        match (element.kind, element.alias) {
            (Kind::Absence, _) => {}
            (Kind::Or, Some(alias)) => {
                if let Some(first) = own.first().cloned() {
                    let shape = own.iter().skip(1).fold(first.shape.clone(), |shape, part| shape.union(&part.shape));
                    let names = vec![alias.name.clone()];
                    parts.push(Part { names, prefix: alias.name.clone(), shape, ..first });
                }
            }
            _ => parts.extend(own),
        }
        clock
    }

    /// Conditions, step limit and monotone fields of a step.
    fn member(&mut self, member: &Member<'s>, part: &Part, before: &[Part]) {
        let step = member.step;
        let mut visible = before.to_vec();
        let mut own = part.clone();
        if !own.names.contains(&member.name.name) {
            own.names.push(member.name.name.clone());
        }
        visible.retain(|known| !known.names.iter().any(|name| own.names.contains(name)));
        let place = visible.len();
        visible.push(own);
        let matched = Matched { parts: visible, of: Of::Condition { own: Some(place) }, keys: Vec::new() };
        for condition in step.conditions.iter().chain(member.more.iter().copied()) {
            let mut scope = MatchedScope { graph: &mut self.graph, matched: &matched, over: None };
            self.expressions.condition(condition, &mut scope);
        }
        if let Some((_, within)) = &step.within {
            self.expressions.positive_duration("within", within);
        }
        for (_, word, field) in &step.monotone {
            if !part.repeats {
                let problem = Diagnostic::new("E0401", *word, "increasing and decreasing need a Kleene step");
                self.expressions.report(problem.help("write `all X.increasing(f)`"));
            }
            self.known_field(field, part, &member.name.name);
        }
    }

    fn known_field(&mut self, field: &Ident, part: &Part, of: &str) {
        if part.shape.open || part.shape.fields.contains_key(&field.name) {
            return;
        }
        let problem = Diagnostic::new("E0206", field.span, format!("{of} has no field {}", field.name));
        let help = did_you_mean(&field.name, part.shape.fields.keys().map(|name| &**name));
        self.expressions.report(problem.help(help.unwrap_or_else(|| "declare it in the event".into())));
    }

    /// E0403
    fn check_first(&mut self, list: &[Element]) {
        let Some(first) = list.first() else { return };
        let what = match first.kind {
            Kind::Absence => "a negation",
            _ if matches!(first.quantifier(true), Some(Quantifier::Optional | Quantifier::Star)) => "an optional step",
            _ => return,
        };
        let problem = Diagnostic::new("E0403", first.span, format!("a pattern cannot start with {what}"));
        self.expressions.report(problem.help("begin with an event that must come"));
    }

    /// E0213
    fn check_aliases(&mut self, list: &[Element]) {
        let mut seen: Vec<&Arc<str>> = Vec::new();
        for element in list {
            for alias in element.members.iter().filter_map(|member| member.alias).chain(element.alias) {
                if seen.contains(&&alias.name) {
                    let problem = Diagnostic::new("E0213", alias.span, format!("{} is used twice", alias.name));
                    self.expressions.report(problem.help("give one of them another name"));
                }
                seen.push(&alias.name);
            }
            self.check_group(element);
        }
    }

    fn check_group(&mut self, element: &Element) {
        if element.kind != Kind::And {
            return;
        }
        for (index, member) in element.members.iter().enumerate() {
            let doubled = |other: &&Member| other.name.name == member.name.name && other.alias.is_none();
            if member.alias.is_none() && element.members[..index].iter().find(doubled).is_some() {
                let message = format!("{} is used twice: items of one type in a group need aliases", member.name.name);
                let problem = Diagnostic::new("E0213", member.name.span, message);
                self.expressions.report(problem.help(format!("write {} as a", member.name.name)));
            }
        }
    }

    /// `.within` and the selection strategies, wherever they stand.
    fn modes(&mut self, ast: &AstStream, pattern: Option<&Pattern>) -> Modes {
        let mut modes = Modes {
            within: pattern.and_then(|pattern| pattern.within.first()).map(|(span, _)| *span),
            ..Modes::default()
        };
        for op in &ast.ops {
            let AstOp::Call(word, args) = op else { continue };
            match &*word.name {
                "within" => {
                    if pattern.is_some_and(|pattern| !pattern.within.is_empty()) {
                        let problem =
                            Diagnostic::new("E0404", word.span, ".within is given twice: the pattern has one");
                        self.expressions.report(problem.help("leave one of them out"));
                    }
                    if let Some(arg) = self.one_argument(word, "d", args) {
                        self.expressions.positive_duration("within", &arg.value);
                    }
                    modes.within = Some(word.span);
                }
                "max_runs" => {
                    if let Some(arg) = self.one_argument(word, "n", args) {
                        self.expressions.positive_integer("max_runs", &arg.value);
                    }
                }
                "strict" => self.select(&mut modes, "strict", word, args),
                "skip_till_next" | "stnm" => self.select(&mut modes, "skip_till_next", word, args),
                "skip_till_any" | "stam" => self.select(&mut modes, "skip_till_any", word, args),
                "each" | "longest" => {
                    self.no_arguments(word, args);
                    let (one, other) = match &*word.name {
                        "each" => (&mut modes.each, modes.longest),
                        _ => (&mut modes.longest, modes.each),
                    };
                    match other {
                        Some(_) => self.contradiction(word),
                        None => *one = Some(word.span),
                    }
                }
                _ => {}
            }
        }
        modes
    }

    fn one_argument<'e>(&mut self, word: &Ident, name: &'static str, args: &'e [Arg]) -> Option<&'e Arg> {
        let parameters = crate::check::expression::Parameters { names: &[name], positional: 1, required: 1, given: 0 };
        self.expressions.bind(word, parameters, args).args[0]
    }

    fn no_arguments(&mut self, word: &Ident, args: &[Arg]) {
        let parameters = crate::check::expression::Parameters { names: &[], positional: 0, required: 0, given: 0 };
        self.expressions.bind(word, parameters, args);
    }

    fn select(&mut self, modes: &mut Modes, mode: &'static str, word: &Ident, args: &[Arg]) {
        self.no_arguments(word, args);
        match modes.selection {
            Some((given, _)) if given != mode => self.contradiction(word),
            _ => modes.selection = Some((mode, word.span)),
        }
        match mode {
            "strict" => modes.strict = Some(word.span),
            "skip_till_any" => modes.any = Some(word.span),
            _ => {}
        }
    }

    /// E0405 for what was given otherwise before.
    fn contradiction(&mut self, word: &Ident) {
        let message = format!(".{} contradicts the selection given before", word.name);
        self.expressions.report(Diagnostic::new("E0405", word.span, message).help("leave one of them out"));
    }

    /// E0401, E0402, E0405, E0905, W0401
    fn check_modes(&mut self, alternatives: &[Vec<Element>], modes: &Modes, ast: &AstStream) {
        let repeats = |list: &Vec<Element>| list.iter().enumerate().any(|(index, element)| element.repeats(index == 0));
        if let (Some(each), false) = (modes.each, alternatives.iter().any(repeats)) {
            let problem = Diagnostic::new("E0401", each, ".each needs a Kleene step");
            self.expressions.report(problem.help("write `all X` or `X+`"));
        }
        if let (Some(each), Some(any)) = (modes.each, modes.any) {
            let problem = Diagnostic::new("E0405", each.max(any), ".each contradicts .skip_till_any");
            self.expressions.report(problem.help("leave one of them out"));
        }
        let mut open_ended = false;
        for list in alternatives {
            let Some(last) = list.last() else { continue };
            let trailing_absence = last.kind == Kind::Absence;
            if let (true, Some(word)) = (trailing_absence, modes.strict.or(modes.any)) {
                let message = "a trailing absence contradicts strict and skip_till_any";
                self.expressions.report(Diagnostic::new("E0405", word, message).help("leave the selection out"));
            }
            if let Some(word) = modes.any.filter(|_| list.iter().any(|element| element.kind == Kind::And)) {
                self.expressions.report(Diagnostic::new("E0905", word, "AND with skip_till_any is not supported yet"));
            }
            let optional = last.quantifier(list.len() == 1) == Some(Quantifier::Optional);
            let kleene = last.repeats(list.len() == 1) && modes.each.is_none();
            if modes.within.is_none()
                && !super::chain::is_vague(ast)
                && (trailing_absence || optional || kleene || modes.any.is_some())
            {
                let problem = Diagnostic::new("E0402", last.span, "needs a within: nothing else ends it");
                self.expressions.report(problem.help("add .within(5m)"));
                open_ended = true;
            }
        }
        if modes.within.is_none() && !open_ended && !super::chain::is_vague(ast) {
            let problem = Diagnostic::new("W0401", ast.name.span, "sequence without within: runs wait for ever");
            self.expressions.report(problem.help("add .within(5m)"));
        }
    }

    /// E0404 for operators between two arrows.
    fn between_arrows(&mut self, ast: &AstStream) {
        let last_arrow = ast.ops.iter().rposition(|op| matches!(op, AstOp::Then(..))).unwrap_or(0);
        for op in &ast.ops[..last_arrow] {
            let word = match op {
                AstOp::Call(word, _) => word.clone(),
                AstOp::EmitAs { word, .. } => Ident { name: "emit".into(), span: *word },
                AstOp::Not(word, _) => Ident { name: "not".into(), span: *word },
                AstOp::Then(..) => continue,
            };
            if !BETWEEN.contains(&&*word.name) && super::chain::is_operator(&word.name) {
                let problem = Diagnostic::new("E0404", word.span, format!(".{} is not allowed here", word.name));
                self.expressions
                    .report(problem.help("between two arrows may stand where, print, log and partition_by"));
            }
        }
    }

    /// `.not(N where …)`
    fn negations(&mut self, ast: &'s AstStream, parts: &[Part], stream: StreamId) {
        for op in &ast.ops {
            let AstOp::Not(_, step) = op else { continue };
            let StepTarget::Name(name) = &step.target else { continue };
            let reading = self.reading(name, stream);
            let names: Vec<Arc<str>> = step.alias.iter().map(|alias| alias.name.clone()).collect();
            let part =
                Part { names, prefix: name.name.clone(), node: reading.node, shape: reading.shape, repeats: false };
            self.member(&Member { step, name, alias: step.alias.as_ref(), more: Vec::new() }, &part, parts);
        }
    }

    /// Keys of the partition: of the pattern, in the chain, or first behind it unless it reads an alias.
    fn keys(&mut self, ast: &AstStream, pattern: Option<&Pattern>, parts: &[Part]) -> Vec<(Arc<str>, Type)> {
        let mut keys = Vec::new();
        let of_pattern = pattern.iter().flat_map(|pattern| pattern.partition.iter().flat_map(|(_, keys)| keys.clone()));
        for key in of_pattern {
            keys.push((key.name.clone(), Type::Any));
        }
        for (_, args) in own_partition(ast) {
            for arg in args {
                match &arg.value.kind {
                    ExprKind::Name(name) => {
                        self.plain_key(&Ident { name: name.clone(), span: arg.value.span }, parts);
                        keys.push((arg.name.as_ref().map_or(name, |given| &given.name).clone(), Type::Any));
                    }
                    _ => {
                        self.computed_key(&arg.value, parts);
                        let name = arg.name.clone().or_else(|| super::chain::own_name(&arg.value));
                        keys.extend(name.map(|name| (name.name, Type::Any)));
                    }
                }
            }
        }
        keys
    }

    /// A computed key must have a meaning for every type involved.
    fn computed_key(&mut self, value: &AstExpr, parts: &[Part]) {
        for part in parts {
            let of = Of::Condition { own: Some(0) };
            let matched = Matched { parts: vec![part.clone()], of, keys: Vec::new() };
            self.expressions.check(value, &mut MatchedScope { graph: &mut self.graph, matched: &matched, over: None });
        }
    }

    /// A plain key must be a field of every declared type involved.
    fn plain_key(&mut self, key: &Ident, parts: &[Part]) {
        if let Some(part) = parts.iter().find(|part| !part.shape.open && !part.shape.fields.contains_key(&key.name)) {
            let of = part.names.first().unwrap_or(&part.prefix).clone();
            self.known_field(key, &part.clone(), &of);
        }
    }
}

/// Is a step without alias the only one of its type?
fn only_of_type(list: &[Element], member: &Member) -> bool {
    let all = list.iter().filter(|element| element.kind != Kind::Absence).flat_map(|element| &element.members);
    all.filter(|other| other.name.name == member.name.name).count() == 1
}

/// `.partition_by` of the sequence itself: in the chain of arrows, or first behind it.
pub(super) fn own_partition(ast: &AstStream) -> Vec<(&Ident, &[Arg])> {
    let last_arrow = ast.ops.iter().rposition(|op| matches!(op, AstOp::Then(..)));
    let mut found = Vec::new();
    for (index, op) in ast.ops.iter().enumerate() {
        let AstOp::Call(word, args) = op else { continue };
        if &*word.name != "partition_by" {
            continue;
        }
        let inside = last_arrow.is_some_and(|last| index < last);
        let first_behind = found.is_empty() && !replaced_before(&ast.ops[..index]);
        if inside || (first_behind && args.iter().all(|arg| !reads_alias(&arg.value))) {
            found.push((word, args.as_slice()));
        }
    }
    found
}

fn replaced_before(ops: &[AstOp]) -> bool {
    ops.iter().any(|op| match op {
        AstOp::EmitAs { .. } => true,
        AstOp::Call(word, _) => matches!(&*word.name, "emit" | "select" | "aggregate" | "process" | "window"),
        _ => false,
    })
}

fn reads_alias(value: &AstExpr) -> bool {
    super::mentions::reads_member(value)
}

impl Chain<'_, '_> {
    /// Is this operator a part of the sequence and done with?
    pub(super) fn belongs_to_sequence(&self, index: usize) -> bool {
        let last_arrow = self.ast.ops.iter().rposition(|op| matches!(op, AstOp::Then(..)));
        if last_arrow.is_some_and(|last| index < last) {
            return true;
        }
        match &self.ast.ops[index] {
            AstOp::Then(..) | AstOp::Not(..) => true,
            AstOp::EmitAs { .. } => false,
            AstOp::Call(word, args) => {
                super::chain::OF_SEQUENCES.contains(&&*word.name)
                    || own_partition(self.ast).iter().any(|(_, own)| std::ptr::eq(*own, args.as_slice()))
            }
        }
    }
}
