// Hook: an address that wants to be told of events. Secrets stand in the secret store, never in the object.
import { z } from 'zod';
import { name, reason, text, timestamp } from './fields.ts';
import { object, strictObject } from './lazily.ts';
import { conditions, outbox, VALID } from './meta.ts';

export const hookSpec = strictObject(() => ({
  url: z
    .url({ protocol: /^https?$/ })
    .max(2048)
    .regex(
      /^https?:\/\/(?:\[[0-9a-fA-F:.]+\]|[\p{L}\p{N}._-]+)(?::\d{1,5})?(?:[/?][^\s#]*)?$/u,
      'must be an http or https URL of a host, with neither a user name nor white space nor # in it',
    )
    .describe('Where events are sent, by POST: an http or https URL.'),
  types: z.array(text(128)).max(50).optional().describe('Types of the events to send; "*" stands for any characters. Default: every public one.'),
  project: name.optional().describe('Send only events of this Project. Default: of all in the namespace.'),
  secret: name.describe(
    'Name of the Secret that deliveries are signed with, not the secret itself. It stands in the namespace of the hook, labelled ' +
      'tidemill.dev/secret=true, with the signing secret (Standard Webhooks: whsec_…) under the key "value".',
  ),
  paused: z.boolean().optional().describe('Send nothing for now. What happens meanwhile is not sent later.'),
})).describe('Who is told of what.');

export const hookStatus = object(() => ({
  outbox,
  conditions: conditions.describe(VALID),
  deliveries: z
    .array(
      z.object({
        event: text(256).describe('Id of the event.'),
        type: text(128).describe('Type of the event.'),
        at: timestamp.describe('When it was last tried.'),
        attempts: z.int().positive().describe('How often it was tried.'),
        outcome: z.enum(['delivered', 'retrying', 'dead']).describe('delivered: the receiver took it. retrying: it is tried again. dead: given up.'),
        status: z.int().optional().describe("HTTP status of the receiver's answer to the last try."),
        reason: reason.optional().describe('Why the last try failed.'),
      }),
    )
    .max(50)
    .describe('The newest deliveries, newest first; each once, with what came of its last try.'),
})).describe('What came of the newest deliveries.');

export const credentialSpec = strictObject(() => ({
  type: z.enum(['basic', 'ssh']).describe('basic: user name with password or token, over http(s). ssh: a private key.'),
  host: text(253).describe('The only host that it is ever sent to, such as github.com.'),
  username: text(256).optional().describe('User name that goes with it.'),
  secret: name.describe(
    'Name of the Secret that holds the password, token or private key under the key "value". It stands in the namespace of the credential, ' +
      'labelled tidemill.dev/secret=true.',
  ),
})).describe('What it is, and where it may be sent.');
export const credentialStatus = object(() => ({
  conditions: conditions.describe(VALID),
  outbox,
})).describe('Whether it can be used.');
