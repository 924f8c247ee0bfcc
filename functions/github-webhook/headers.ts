// What the headers of a delivery say: how its body is written, and whether its event is one that anything here listens to.
import type { IncomingHttpHeaders } from 'node:http';
import type { RecordHead } from './inbox/frame.ts';

// media type, then parameters (RFC 9110, 8.3.1); every repetition begins with a character that the one before cannot hold.
const CONTENT_TYPE =
  /^([!#$%&'*+.^_`|~0-9a-z-]+\/[!#$%&'*+.^_`|~0-9a-z-]+)((?:[ \t]*;[ \t]*[!#$%&'*+.^_`|~0-9a-z-]+=(?:[!#$%&'*+.^_`|~0-9a-z-]+|"[^"\\]*"))*)$/;

const MAX_LENGTH = 256;
const WANTED = 'Set the webhook’s content type to application/json at GitHub';

export function contentTypeOf(headers: IncomingHttpHeaders): RecordHead['contentType'] | { reason: string } {
  const header = headers['content-type'];
  // What GitHub sends, without the work.
  const known = header === 'application/json' ? 'json' : parse(header);
  if (typeof known === 'object') return known;
  const encoding = headers['content-encoding'];
  if (encoding !== undefined && encoding !== 'identity')
    return { reason: `Content-Encoding ${JSON.stringify(encoding)} is not taken: the signature is over the bytes as they are sent` };
  return known;
}

function parse(header: string | undefined): RecordHead['contentType'] | { reason: string } {
  if (header === undefined) return { reason: `The request has no Content-Type. ${WANTED}` };
  const [, type, parameters = ''] = (header.length <= MAX_LENGTH && CONTENT_TYPE.exec(header.toLowerCase())) || [];
  if (type !== 'application/json' && type !== 'application/x-www-form-urlencoded')
    return { reason: `Content-Type ${JSON.stringify(header.slice(0, 100))} is not taken. ${WANTED}` };
  const charset = /;[ \t]*charset="?([^";]*)/.exec(parameters)?.[1]?.trim();
  if (charset !== undefined && charset !== 'utf-8' && charset !== 'utf8')
    return { reason: `Charset ${JSON.stringify(charset)} is not taken: JSON is UTF-8. ${WANTED}` };
  return type === 'application/json' ? 'json' : 'form';
}

const TOLD_BY_PUSH = 'the push event tells the same; subscribe the webhook to that';

/** Why this event (X-GitHub-Event) is answered and not kept; undefined for those that something comes of. */
export function ignoredEvent(event: string): string | undefined {
  if (event === 'push' || event === 'pull_request') return undefined;
  if (event === 'create' || event === 'delete') return `Nothing is done on "${event}": ${TOLD_BY_PUSH}`;
  return `Nothing here is done on ${JSON.stringify(event.slice(0, 64))} events; push and pull_request are what counts`;
}
