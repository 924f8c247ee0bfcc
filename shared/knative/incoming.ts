// An event that came over HTTP, as functions take it: attributes that nobody here knows left out, Tekton's and PingSource's completed, and all of it checked.
import { parseEvent, type TidemillEvent } from '../events/event.ts';
import { beginChain, rootId } from '../events/ids.ts';
import { TICK } from '../events/tick.ts';
import { fromRequest, type Headers, type RawEvent } from './headers.ts';

const KNOWN = ['specversion', 'id', 'source', 'type', 'subject', 'time', 'datacontenttype', 'chainid', 'traceparent', 'data'] as const;
const TRACEPARENT = /^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$/;
const TEKTON = /^dev\.tekton\.event\.taskrun\.([a-z]+)\.v1$/;

/** Throws InvalidEvent saying what is wrong and where. */
export function readEvent(headers: Headers, body: Buffer): TidemillEvent {
  return adopt(fromRequest(headers, body));
}

/** The checked event in what was read. Throws InvalidEvent. */
export function adopt(raw: RawEvent): TidemillEvent {
  // Brokers add extensions of their own (knativearrivaltime and others); CloudEvents says to let unknown ones pass.
  const event: Record<string, unknown> = Object.fromEntries(KNOWN.flatMap((name) => (raw[name] === undefined ? [] : [[name, raw[name]]])));
  // The same moment in the form that all of ours have: those who pass an event on write it in theirs.
  if (typeof event.time === 'string' && !Number.isNaN(Date.parse(event.time))) event.time = new Date(event.time).toISOString();
  if (typeof event.traceparent === 'string' && !TRACEPARENT.test(event.traceparent)) delete event.traceparent;
  return parseEvent({ ...event, ...ofTekton(event), ...ofPing(event) });
}

/**
 * What Tekton leaves out, or draws anew at each telling: its ids are random, its sources lack group, version and kind, and there is no chain.
 * Derived from the TaskRun in the data, as the local runner and whoever else tells of the same state derive them, so that all of them tell one event.
 */
function ofTekton({ type, data }: Record<string, unknown>): object {
  const state = typeof type === 'string' ? TEKTON.exec(type)?.[1] : undefined;
  const taskRun = state && field(data, 'taskRun');
  const metadata = field(taskRun, 'metadata');
  const [name, namespace, uid, created] = ['name', 'namespace', 'uid', 'creationTimestamp'].map((key) => field(metadata, key));
  if (!state || typeof name !== 'string' || typeof namespace !== 'string' || typeof uid !== 'string' || typeof created !== 'string') return {};
  const annotations = field(metadata, 'annotations');
  const chainid = field(annotations, 'tidemill.dev/chainid');
  const traceparent = field(annotations, 'tidemill.dev/traceparent');
  const status = field(taskRun, 'status');
  const at = state === 'queued' ? undefined : field(status, state === 'running' ? 'startTime' : 'completionTime');
  return {
    id: rootId(Date.parse(created), 'taskrun', uid, state),
    source: `/apis///namespaces/${namespace}//${name}`,
    subject: name,
    time: typeof at === 'string' ? at : created,
    chainid: typeof chainid === 'string' ? chainid : uid,
    ...(typeof traceparent === 'string' && TRACEPARENT.test(traceparent) && { traceparent }),
  };
}

/** A tick begins a chain, which a PingSource knows nothing of. Its id is random, and the same however often the broker delivers it. */
function ofPing({ type, id, source, chainid, traceparent }: Record<string, unknown>): object {
  if (type !== TICK || chainid !== undefined || typeof id !== 'string' || typeof source !== 'string') return {};
  return { ...beginChain(source, id), ...(traceparent !== undefined && { traceparent }) };
}

function field(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[name] : undefined;
}
