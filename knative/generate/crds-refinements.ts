// What the schemas check with refine(), as CEL: JSON Schema cannot say it. Found by the message, which both give.

/** CEL over `self`, the value that the refinement stands on. */
export const cel: Record<string, string> = {
  'is not a valid ref name (git-check-ref-format)': [
    String.raw`self.matches('^[^\\p{Cc} ~^:?*\\[\\\\]+$')`,
    `!self.startsWith('-') && !self.startsWith('/') && !self.endsWith('/') && !self.endsWith('.') && self != '@'`,
    `!self.contains('..') && !self.contains('//') && !self.contains('@{')`,
    `!self.startsWith('.') && !self.contains('/.') && !self.endsWith('.lock') && !self.contains('.lock/')`,
  ].join(' && '),
  'must be a relative path without ".."': [
    String.raw`self.matches('^[^\\p{Cc}\\\\]+$') && !self.startsWith('/')`,
    `self != '..' && !self.startsWith('../') && !self.endsWith('/..') && !self.contains('/../')`,
  ].join(' && '),
  'step names must be unique within a stage': 'self.all(one, self.exists_one(other, other.name == one.name))',
  'stage names must be unique': 'self.all(one, self.exists_one(other, other.name == one.name))',
};
