//! The table of binary operators: how tight they bind and what they make.

use crate::ast::BinOp;
use crate::lexer::Kind;

/// Precedence, loosest first.
pub(super) mod level {
    pub const OR: u8 = 1;
    pub const AND: u8 = 2;
    pub const NOT: u8 = 3;
    pub const COMPARE: u8 = 4;
    pub const COALESCE: u8 = 5;
    pub const BIT_OR: u8 = 6;
    pub const BIT_XOR: u8 = 7;
    pub const BIT_AND: u8 = 8;
    pub const SHIFT: u8 = 9;
    pub const SUM: u8 = 10;
    pub const PRODUCT: u8 = 11;
    pub const POWER: u8 = 12;
}

/// What an operator makes of its operands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    Binary(BinOp),
    And,
    Or,
    Coalesce,
    In { negated: bool },
    Is,
}

/// A binary operator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Operator {
    pub form: Form,
    pub level: u8,
}

impl Operator {
    /// The operator that a symbol is.
    pub fn of_symbol(kind: Kind) -> Option<Operator> {
        let (op, level) = match kind {
            Kind::QuestionQuestion => return Some(Operator { form: Form::Coalesce, level: level::COALESCE }),
            Kind::EqEq => (BinOp::Eq, level::COMPARE),
            Kind::NotEq => (BinOp::Ne, level::COMPARE),
            Kind::Lt => (BinOp::Lt, level::COMPARE),
            Kind::Le => (BinOp::Le, level::COMPARE),
            Kind::Gt => (BinOp::Gt, level::COMPARE),
            Kind::Ge => (BinOp::Ge, level::COMPARE),
            Kind::Or => (BinOp::BitOr, level::BIT_OR),
            Kind::Caret => (BinOp::BitXor, level::BIT_XOR),
            Kind::And => (BinOp::BitAnd, level::BIT_AND),
            Kind::Shl => (BinOp::Shl, level::SHIFT),
            Kind::Shr => (BinOp::Shr, level::SHIFT),
            Kind::Plus => (BinOp::Add, level::SUM),
            Kind::Minus => (BinOp::Sub, level::SUM),
            Kind::Star => (BinOp::Mul, level::PRODUCT),
            Kind::Slash => (BinOp::Div, level::PRODUCT),
            Kind::Percent => (BinOp::Rem, level::PRODUCT),
            Kind::StarStar => (BinOp::Pow, level::POWER),
            _ => return None,
        };
        Some(Operator { form: Form::Binary(op), level })
    }

    /// The operator that a word is, or two words.
    pub fn of_words(word: &str, next: &str) -> Option<Operator> {
        let (form, level) = match (word, next) {
            ("and", _) => (Form::And, level::AND),
            ("or", _) => (Form::Or, level::OR),
            ("in", _) => (Form::In { negated: false }, level::COMPARE),
            ("not", "in") => (Form::In { negated: true }, level::COMPARE),
            ("is", _) => (Form::Is, level::COMPARE),
            _ => return None,
        };
        Some(Operator { form, level })
    }
}
