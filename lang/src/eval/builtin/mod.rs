//! The built-in functions (docs/language.md). Those that take a lambda are the interpreter's.
//!
//! A null argument gives null, except where the function says what null does. An argument of a wrong kind gives null.

mod collections;
mod kinds;
mod numbers;
mod texts;

use crate::plan::Builtin;
use crate::value::Value;

/// Does the function see null arguments? All others are null if any argument is.
pub fn sees_null(function: Builtin) -> bool {
    use Builtin::*;
    matches!(
        function,
        Push | Set | TypeOf | IsNull | IsInt | IsFloat | IsString | IsBool | IsArray | IsMap | Coalesce | IfNull
    )
}

/// Calls a function that takes no lambda. Arguments are used up: a collection that nobody else holds is changed in place.
pub fn call(function: Builtin, args: &mut [Value]) -> Value {
    if !sees_null(function) && args.contains(&Value::Null) {
        return Value::Null;
    }
    use Builtin::*;
    let result = match function {
        Abs | Sqrt | Ln | Log10 | Exp | Sin | Cos | Tan | Floor | Ceil | Round | Pow | Min | Max | Clamp => {
            numbers::call(function, args)
        }
        Len | Reverse | First | Last | Push | Pop | Sort | Unique | Sum | Avg | Contains | Get | Set | Keys
        | Values | RangeFn => collections::call(function, args),
        Trim | Lower | Upper | StartsWith | EndsWith | Split | Replace | Substring | Join | Concat | ToString => {
            texts::call(function, args)
        }
        ToInt | ToFloat | ToTimestamp | Seconds | Millis | TypeOf | IsNull | IsInt | IsFloat | IsString | IsBool
        | IsArray | IsMap | Coalesce | IfNull => kinds::call(function, args),
        MapFn | FilterFn | AnyFn | AllFn => None,
    };
    result.unwrap_or_default()
}

#[cfg(test)]
mod tests;
