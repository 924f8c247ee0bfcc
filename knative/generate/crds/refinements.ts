// What the schemas check beside their JSON Schema (by refine(), and of the keys of maps), as rules in CEL. A refinement is known by its message, which both give.
import type { z } from 'zod';
import { re2 } from './pattern.ts';

/** One CEL rule. https://kubernetes.io/docs/reference/using-api/cel/ */
export interface Rule {
  rule: string;
  message: string;
  /** Relative to where the rule stands, such as `.digest`. */
  fieldPath?: string;
}

/** Found in no JSON Schema that Kubernetes takes. */
export interface Beyond {
  rules?: Rule[];
  maxProperties?: number;
}

type Check = { check: string; error?: (issue: object) => unknown; pattern?: RegExp };

/** Throws on a refinement that the table below does not know. */
export function beyondJson(schema: z.core.$ZodType, where: string): Beyond {
  const messages = checksOf(schema).flatMap((check) => (check.check === 'custom' ? [messageOf(check)] : []));
  const limits = messages.flatMap((message) => limitOf(message) ?? []);
  const own = messages
    .filter((message) => limitOf(message) === undefined && !byListType.has(message))
    .map((message) => ({ rule: celOf(message, where), message }));
  const rules = [...own, ...formatRules(schema), ...keyRules(schema, where)];
  return { ...(rules.length > 0 && { rules }), ...(limits.length > 0 && { maxProperties: Math.min(...limits) }) };
}

const unique = (key: string) => `self.all(one, self.exists_one(other, other.${key} == one.${key}))`;

/** CEL over `self`, the value that the refinement stands on, by its message. */
const cel: Record<string, string> = {
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
  'step names must be unique within a stage': unique('name'),
  'stage names must be unique': unique('name'),
};

/** The API server sees to these of itself: such a list is keyed. */
const byListType = new Set(['condition types must be unique']);

function celOf(message: string, where: string): string {
  const rule = cel[message];
  if (rule) return rule;
  throw new Error(`${where} has a refine() without a CEL rule: add "${message}" to knative/generate/crds/refinements.ts`);
}

/** The size of a map, which zod has no check of its own for. */
function limitOf(message: string): number | undefined {
  const found = /^must have at most (\d+) entries$/.exec(message)?.[1];
  return found === undefined ? undefined : Number(found);
}

/** Formats that the API server checks by CEL better than by `format`. */
function formatRules(schema: z.core.$ZodType): Rule[] {
  return (schema._zod.def as { format?: string }).format === 'url' ? [{ rule: 'isURL(self)', message: 'must be a URL' }] : [];
}

function keyRules(schema: z.core.$ZodType, where: string): Rule[] {
  const { type, keyType } = schema._zod.def as { type: string; keyType?: z.core.$ZodType };
  if (type !== 'record' || !keyType) return [];
  return checksOf(keyType).flatMap((check) => {
    if (!check.pattern) return [];
    return [{ rule: `self.all(key, key.matches(${literal(re2(check.pattern.source, where))}))`, message: `every key ${messageOf(check)}` }];
  });
}

function checksOf(schema: z.core.$ZodType): Check[] {
  return (schema._zod.def.checks ?? []).map((check) => check._zod.def as Check);
}

function messageOf({ error }: Check): string {
  return String(error?.({}));
}

/** A string as a literal of CEL. */
function literal(value: string): string {
  return `'${value.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;
}
