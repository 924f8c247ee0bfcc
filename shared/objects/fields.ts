// The fields that schemas of events and objects share. Every string, list and map is bounded.
import { z } from 'zod';

/** Text of at most `max` UTF-16 units. */
export const text = (max: number) => z.string().min(1).max(max);

/** A map of at most `max` entries. */
export const map = <K extends z.ZodString, V extends z.ZodType>(key: K, value: V, max: number) =>
  z.record(key, value).refine((entries) => Object.keys(entries).length <= max, `must have at most ${max} entries`);

/** Name of an object: a DNS label or subdomain in Kubernetes' sense (RFC 1123). */
export const name = z
  .string()
  .max(253)
  .regex(/^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$/, 'must be lower-case letters, digits, "-" or ".", and begin and end with a letter or digit');

/** Name that also stands in a host name: one DNS label (RFC 1123). */
export const label = z
  .string()
  .max(63)
  .regex(/^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/, 'must be lower-case letters, digits or "-", and begin and end with a letter or digit');

export const namespace = label;

/** A full git object id: SHA-1 or SHA-256, lower-case hexadecimal. */
export const gitSha = z.string().regex(/^(?:[0-9a-f]{40}|[0-9a-f]{64})$/, 'must be a full SHA of 40 or 64 hexadecimal digits');

/** A branch, tag, full ref name or SHA, with what git-check-ref-format(1) forbids refused. */
export const gitRef = z.string().min(1).max(512).refine(isGitRef, 'is not a valid ref name (git-check-ref-format)');

function isGitRef(ref: string): boolean {
  if (/[\p{Cc} ~^:?*[\\]/u.test(ref)) return false;
  if (ref.startsWith('-') || ref.startsWith('/') || ref.endsWith('/') || ref.endsWith('.') || ref === '@') return false;
  if (ref.includes('..') || ref.includes('//') || ref.includes('@{')) return false;
  return ref.split('/').every((part) => !part.startsWith('.') && !part.endsWith('.lock'));
}

/** sha256:<64 hexadecimal digits>. */
export const digest = z.string().regex(/^sha256:[0-9a-f]{64}$/, 'must be sha256:<64 hexadecimal digits>');

/** RFC 3339 with a zone. */
export const timestamp = z.iso.datetime({ offset: true });

/** URL or path of a repository. What may be reached is the Git port's business; here only its size and characters. */
export const url = z
  .string()
  .min(1)
  .max(2048)
  .regex(/^[^\p{Cc}\s-][^\p{Cc}]*$/u, 'must not begin with "-" or white space, nor hold control characters');

/** A sentence for a person: what failed, why, what to do. */
export const reason = text(4096);

/** Kubernetes quantity of time as Tekton takes it, such as 1h30m or 90s. */
export const duration = z
  .string()
  .max(32)
  .regex(/^(?:\d+(?:\.\d+)?(?:ms|s|m|h))+$/, 'must be a duration such as 90s, 10m or 1h30m');

/** A path inside a repository or an output: relative, with no step upwards. */
export const relativePath = z
  .string()
  .min(1)
  .max(1024)
  .refine((path) => !path.startsWith('/') && !/[\p{Cc}\\]/u.test(path) && !path.split('/').includes('..'), 'must be a relative path without ".."');
