//! The stack machine that a pickle is a program for, without the power to import or call.

use std::collections::HashMap;

use super::pickle_value::{Id, MODULE, Value};

/// Most values of a pickle; a checkpoint with an optimizer's state has some 50,000.
const MAX_VALUES: usize = 2_000_000;
/// Most opcodes, which bound the stack, the memo and the time.
const MAX_STEPS: usize = 8_000_000;

/// What reasons begin with where the pickle does not end.
pub(super) const TOO_EARLY: &str = "it ends too early";

/// Runs a pickle; returns all its values, which of them is the result, and how many bytes it has: others
/// may follow.
///
/// # Errors
/// A sentence on what is wrong with the bytes, and where.
pub(super) fn run(bytes: &[u8]) -> Result<(Vec<Value>, Id, usize), String> {
    let mut machine = Machine {
        input: bytes,
        ..Machine::default()
    };
    for _ in 0..MAX_STEPS {
        let at = bytes.len() - machine.input.len();
        match machine.step() {
            Ok(None) if machine.values.len() > MAX_VALUES => {
                return Err(format!("it has more than {MAX_VALUES} values"));
            }
            Ok(None) => {}
            Ok(Some(root)) => {
                let length = bytes.len() - machine.input.len();
                return Ok((machine.values, root, length));
            }
            Err(reason) => return Err(format!("{reason}, at byte {at}")),
        }
    }
    Err(format!("it has more than {MAX_STEPS} opcodes"))
}

#[derive(Default)]
struct Machine<'a> {
    input: &'a [u8],
    values: Vec<Value>,
    stack: Vec<Id>,
    /// Stack heights at the open marks.
    marks: Vec<usize>,
    memo: HashMap<u64, Id>,
}

type Step<T = ()> = Result<T, String>;

impl Machine<'_> {
    /// One opcode; the result when it is STOP.
    fn step(&mut self) -> Step<Option<Id>> {
        match self.byte()? {
            0x80 => {
                // PROTO
                let protocol = self.byte()?;
                if !(2..=5).contains(&protocol) {
                    return Err(format!("it has protocol {protocol}, where 2 to 5 are read"));
                }
            }
            0x95 => drop(self.take(8)?),         // FRAME
            b'.' => return self.pop().map(Some), // STOP
            b'(' => self.marks.push(self.stack.len()),
            b'0' => drop(self.pop()?),      // POP
            b'1' => drop(self.pop_mark()?), // POP_MARK
            b'2' => {
                // DUP
                let top = self.top()?;
                self.stack.push(top);
            }
            b'N' | 0x88 | 0x89 => self.push(Value::Other),
            b'K' => self.int(1)?,
            b'M' => self.int(2)?,
            b'J' => self.int(4)?,
            0x8a => self.long(1)?, // LONG1
            0x8b => self.long(4)?, // LONG4
            b'G' => {
                self.take(8)?;
                self.push(Value::Other);
            }
            b'X' => self.text(4)?,
            0x8c => self.text(1)?,
            0x8d => self.text(8)?,
            b'T' => self.text(4)?, // BINSTRING (Python 2)
            b'U' => self.text(1)?, // SHORT_BINSTRING
            b'B' => self.skip(4)?,
            b'C' => self.skip(1)?,
            0x8e | 0x96 => self.skip(8)?,
            b']' | b')' | 0x8f => self.push(Value::Sequence(Vec::new())),
            b'l' | b't' | 0x91 => {
                let items = self.pop_mark()?;
                self.push(Value::Sequence(items));
            }
            0x85 => self.tuple(1)?,
            0x86 => self.tuple(2)?,
            0x87 => self.tuple(3)?,
            b'a' => {
                let item = self.pop()?;
                self.extend(vec![item])?;
            }
            b'e' | 0x90 => {
                let items = self.pop_mark()?;
                self.extend(items)?;
            }
            b'}' => self.push(Value::Dict(Vec::new())),
            b'd' => {
                let items = self.pop_mark()?;
                self.push(Value::Dict(pairs(&items)?));
            }
            b's' => {
                let value = self.pop()?;
                let key = self.pop()?;
                self.set(vec![(key, value)])?;
            }
            b'u' => {
                let items = self.pop_mark()?;
                self.set(pairs(&items)?)?;
            }
            b'h' => self.recall_sized(1)?,
            b'j' => self.recall_sized(4)?,
            b'q' => self.remember_sized(1)?,
            b'r' => self.remember_sized(4)?,
            0x94 => self.remember(self.memo.len() as u64)?, // MEMOIZE
            b'c' => {
                let name = format!("{}.{}", self.line()?, self.line()?);
                self.push(Value::Global(name));
            }
            0x93 => {
                // STACK_GLOBAL
                let (name, module) = (self.pop()?, self.pop()?);
                match (&self.values[module], &self.values[name]) {
                    (Value::Text(module), Value::Text(name)) => {
                        let name = format!("{module}.{name}");
                        self.push(Value::Global(name));
                    }
                    _ => return Err("a global's name is no text".into()),
                }
            }
            b'R' | 0x81 => self.call()?, // REDUCE, NEWOBJ
            0x92 => {
                // NEWOBJ_EX: keywords are dropped
                self.pop()?;
                self.call()?;
            }
            b'b' => self.build()?,
            b'Q' => {
                let id = self.pop()?;
                self.push(Value::Persistent(id));
            }
            other => {
                return Err(format!(
                    "the opcode 0x{other:02x} is not one of torch.save's"
                ));
            }
        }
        Ok(None)
    }

    fn take(&mut self, n: usize) -> Step<&[u8]> {
        let (head, rest) = self.input.split_at_checked(n).ok_or(TOO_EARLY)?;
        self.input = rest;
        Ok(head)
    }

    fn byte(&mut self) -> Step<u8> {
        Ok(self.take(1)?[0])
    }

    fn line(&mut self) -> Step<String> {
        let end = self
            .input
            .iter()
            .position(|b| *b == b'\n')
            .ok_or("it ends too early: a line does not end")?;
        let line = String::from_utf8_lossy(self.take(end)?)
            .trim_end_matches('\r')
            .to_string();
        self.take(1)?;
        Ok(line)
    }

    /// An unsigned little-endian length of `n` bytes.
    fn length(&mut self, n: usize) -> Step<usize> {
        let value = self
            .take(n)?
            .iter()
            .rev()
            .fold(0u64, |value, byte| value << 8 | u64::from(*byte));
        usize::try_from(value).map_err(|_| "a length is out of range".into())
    }

    fn int(&mut self, n: usize) -> Step {
        let value = self.length(n)? as i64;
        // Only the four-byte form is signed.
        self.push(Value::Int(if n == 4 {
            i64::from(value as u32 as i32)
        } else {
            value
        }));
        Ok(())
    }

    /// A two's complement number behind its length of `n` bytes; beyond 64 bits it is no size.
    fn long(&mut self, n: usize) -> Step {
        let n = self.length(n)?;
        let bytes = self.take(n)?;
        let value = if n > 8 {
            Value::Other
        } else {
            let negative = bytes.last().is_some_and(|byte| byte & 0x80 != 0);
            let mut full = [if negative { 0xff } else { 0 }; 8];
            full[..n].copy_from_slice(bytes);
            Value::Int(i64::from_le_bytes(full))
        };
        self.push(value);
        Ok(())
    }

    fn text(&mut self, n: usize) -> Step {
        let length = self.length(n)?;
        // Python may write lone surrogates, which are not UTF-8: no name of a tensor has any.
        let text = std::str::from_utf8(self.take(length)?);
        let value = text.map_or(Value::Other, |text| Value::Text(text.into()));
        self.push(value);
        Ok(())
    }

    fn skip(&mut self, n: usize) -> Step {
        let length = self.length(n)?;
        self.take(length)?;
        self.push(Value::Other);
        Ok(())
    }

    fn push(&mut self, value: Value) {
        self.stack.push(self.values.len());
        self.values.push(value);
    }

    /// Pops a value, which must lie above the last open mark.
    fn pop(&mut self) -> Step<Id> {
        if self.stack.len() <= self.marks.last().copied().unwrap_or(0) {
            return Err("it takes more values than it has".into());
        }
        self.stack
            .pop()
            .ok_or_else(|| "it takes more values than it has".into())
    }

    fn top(&self) -> Step<Id> {
        self.stack
            .last()
            .copied()
            .ok_or_else(|| "it uses a value that it does not have".into())
    }

    fn pop_mark(&mut self) -> Step<Vec<Id>> {
        let height = self.marks.pop().ok_or("a mark is missing")?;
        if height > self.stack.len() {
            return Err("a mark lies above the stack".into());
        }
        Ok(self.stack.split_off(height))
    }

    fn tuple(&mut self, n: usize) -> Step {
        let mut items = Vec::with_capacity(n);
        for _ in 0..n {
            items.push(self.pop()?);
        }
        items.reverse();
        self.push(Value::Sequence(items));
        Ok(())
    }

    /// Records a call that is not made.
    fn call(&mut self) -> Step {
        let (args, callable) = (self.pop()?, self.pop()?);
        self.push(Value::Call {
            callable,
            args,
            items: Vec::new(),
        });
        Ok(())
    }

    /// Sets an object's attributes. Only those of a TorchScript module are kept: its tensors are among
    /// them.
    fn build(&mut self) -> Step {
        let state = self.pop()?;
        let top = self.top()?;
        let attributes = match &self.values[state] {
            Value::Dict(items) => items.clone(),
            _ => return Ok(()),
        };
        let callable = match &self.values[top] {
            Value::Call { callable, .. } => *callable,
            _ => return Ok(()),
        };
        let is_module =
            matches!(&self.values[callable], Value::Global(name) if name.starts_with(MODULE));
        if let (true, Value::Call { items, .. }) = (is_module, &mut self.values[top]) {
            *items = attributes;
        }
        Ok(())
    }

    fn extend(&mut self, items: Vec<Id>) -> Step {
        let top = self.top()?;
        match &mut self.values[top] {
            Value::Sequence(list) => list.extend(items),
            // Items of an object that is no plain list (a set, a deque) are of no interest.
            Value::Call { .. } => {}
            _ => return Err("it appends to what is no list".into()),
        }
        Ok(())
    }

    fn set(&mut self, new: Vec<(Id, Id)>) -> Step {
        let top = self.top()?;
        match &mut self.values[top] {
            Value::Dict(items) | Value::Call { items, .. } => items.extend(new),
            _ => return Err("it sets an item of what is no dictionary".into()),
        }
        Ok(())
    }

    fn remember(&mut self, key: u64) -> Step {
        let top = self.top()?;
        self.memo.insert(key, top);
        Ok(())
    }

    fn remember_sized(&mut self, n: usize) -> Step {
        let key = self.length(n)? as u64;
        self.remember(key)
    }

    fn recall(&mut self, key: u64) -> Step {
        let id = *self
            .memo
            .get(&key)
            .ok_or("it recalls what it never stored")?;
        self.stack.push(id);
        Ok(())
    }

    fn recall_sized(&mut self, n: usize) -> Step {
        let key = self.length(n)? as u64;
        self.recall(key)
    }
}

fn pairs(items: &[Id]) -> Step<Vec<(Id, Id)>> {
    if !items.len().is_multiple_of(2) {
        return Err("a dictionary has a key without a value".into());
    }
    Ok(items
        .chunks_exact(2)
        .map(|pair| (pair[0], pair[1]))
        .collect())
}
