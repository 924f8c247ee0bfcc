// Hook: an address that wants to be told of events. Secrets stand in the secret store, never in the object.
import { z } from 'zod';
import { name, reason, text, timestamp } from './fields.ts';
import { conditions, outbox } from './meta.ts';

export const hookSpec = z.strictObject({
  url: z.url({ protocol: /^https?$/ }).max(2048),
  /** Event types; "*" stands for any characters. Default: every public one. */
  types: z.array(text(128)).max(50).optional(),
  /** Only events of this project. */
  project: name.optional(),
  /** Name in the secret store of the signing secret (Standard Webhooks: whsec_…). */
  secret: name,
  paused: z.boolean().optional(),
});

export const hookStatus = z.object({
  outbox,
  conditions,
  /** The newest deliveries, newest first; each once, with what came of its last attempt. */
  deliveries: z
    .array(
      z.object({
        event: text(256),
        type: text(128),
        at: timestamp,
        attempts: z.int().positive(),
        outcome: z.enum(['delivered', 'retrying', 'dead']),
        status: z.int().optional(),
        reason: reason.optional(),
      }),
    )
    .max(50),
});

export const credentialSpec = z.strictObject({
  /** basic: user name and password or token over http(s). ssh: a private key. */
  type: z.enum(['basic', 'ssh']),
  /** The only host that it is ever sent to. */
  host: text(253),
  username: text(256).optional(),
  /** Name in the secret store. */
  secret: name,
});
export const credentialStatus = z.object({ conditions, outbox });
