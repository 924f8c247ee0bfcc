// Writes: create, replace, replace the status, apply, delete. Each is refused where somebody else wrote in between.
import { isDeepStrictEqual } from 'node:util';
import { isRecord, type Kind, type NewObj, type Obj, kinds, parseSpec, parseStatus } from '../../objects/kinds.ts';
import type { Metadata } from '../../objects/meta.ts';
import { AlreadyExists, Conflict, NotFound, type Ref } from '../../ports/objects.ts';
import { type KubeClient, type Method, PATCH, type RequestOptions } from '../client/client.ts';
import { type Raw, checkMetadata, labelsMayDiffer, newBody, readVersion, toWritten } from './convert.ts';
import { portError } from './errors.ts';
import { canExist, checkKind, listPath, objectPath } from './resources.ts';

/** What an apply says: the fields that the caller wants to own, and no others. */
export interface Applied<K extends Kind> {
  kind: K;
  metadata: Ref & { labels?: Record<string, string>; annotations?: Record<string, string>; uid?: string };
  spec?: Record<string, unknown>;
  status?: Record<string, unknown>;
}

export interface ApplyOptions {
  /** Who owns these fields; default the adapter's own name. */
  fieldManager?: string;
  /** Takes over fields that others own. */
  force?: boolean;
  /** Applies to the status alone. */
  subresource?: 'status';
}

/** Someone changes the fresh object before its status is written: so often is that tried. */
const STATUS_TRIES = 10;

export function createWrites(client: KubeClient, fieldManager: string) {
  const send = async (kind: Kind, ref: Ref, method: Method, path: string, options: RequestOptions): Promise<Raw> => {
    try {
      return await client.request<Raw>(method, path, { ...options, query: { fieldManager, fieldValidation: 'Strict', ...options.query } });
    } catch (error) {
      throw portError(kind, ref, error);
    }
  };

  /** The status alone: whatever else stands in the body of such a PUT is left as it is. */
  const putStatus = async (kind: Kind, ref: Ref, uid: string, resourceVersion: string, status: unknown): Promise<Raw> => {
    const body = { apiVersion: kinds[kind].apiVersion, kind, metadata: { ...ref, uid, resourceVersion }, status };
    return send(kind, ref, 'PUT', `${objectPath(kind, ref)}/status`, { body });
  };

  /** Writes the status of an object that has none. Throws AlreadyExists where it has one, or is another by now. */
  const firstStatus = async (kind: Kind, made: Raw, status: unknown): Promise<Raw> => {
    const ref = refOf(made.metadata);
    let { resourceVersion } = made.metadata;
    for (let tries = 1; ; tries++) {
      try {
        return await putStatus(kind, ref, made.metadata.uid, resourceVersion, status);
      } catch (error) {
        if (!(error instanceof Conflict) || tries >= STATUS_TRIES) throw error;
        const now = await send(kind, ref, 'GET', objectPath(kind, ref), {});
        if (now.metadata.uid !== made.metadata.uid || !isEmpty(now.status)) throw new AlreadyExists(kind, ref);
        resourceVersion = now.metadata.resourceVersion;
      }
    }
  };

  /** Makes the labels these, if nobody wrote since; returns the version that the object has then. */
  const writeLabels = async (kind: Kind, { uid, labels = {}, ...rest }: Metadata, version: string): Promise<string> => {
    const ref = refOf(rest);
    const { metadata: now } = await send(kind, ref, 'GET', objectPath(kind, ref), {});
    if (now.uid !== uid || now.resourceVersion !== version) throw new Conflict(kind, ref);
    if (isDeepStrictEqual(now.labels ?? {}, labels)) return version;
    const body = [...sameObject(uid, version), { op: 'add', path: '/metadata/labels', value: orNull(labels) }];
    return (await send(kind, ref, 'PATCH', objectPath(kind, ref), { body, contentType: PATCH.json })).metadata.resourceVersion;
  };

  return {
    async create<K extends Kind>(object: NewObj<K>): Promise<Obj<K>> {
      const { kind } = object;
      const body = newBody(object);
      const status = object.status === undefined ? undefined : parseStatus(kind, object.status);
      const ref = refOf(object.metadata);
      if (isRecord(kind)) return toWritten(kind, await send(kind, ref, 'POST', listPath(kind, ref.namespace), { body: { ...body, status } }));
      const made = await send(kind, ref, 'POST', listPath(kind, ref.namespace), { body });
      return toWritten(kind, isEmpty(status) ? made : await firstStatus(kind, made, status));
    },

    /** By JSON patch: what others keep in the metadata (owners, finalizers) is left alone, and an object that is gone is never made again. */
    async update<K extends Kind>(object: Obj<K>): Promise<Obj<K>> {
      const { kind, metadata } = object;
      checkMetadata(kind, metadata);
      const body = [
        ...sameObject(metadata.uid, readVersion(object)),
        { op: 'add', path: '/metadata/labels', value: orNull(metadata.labels) },
        { op: 'add', path: '/metadata/annotations', value: orNull(metadata.annotations) },
        { op: 'add', path: '/spec', value: parseSpec(kind, object.spec) },
      ];
      const ref = refOf(metadata);
      return toWritten(kind, await send(kind, ref, 'PATCH', objectPath(kind, ref), { body, contentType: PATCH.json }));
    },

    /**
     * Labels first where they differ, as the status holds the outbox and is what makes a change final: killed in between, the change
     * is decided again and finds its labels there.
     */
    async updateStatus<K extends Kind>(object: Obj<K>): Promise<Obj<K>> {
      const { kind, metadata } = object;
      checkMetadata(kind, metadata);
      const status = parseStatus(kind, object.status);
      const read = readVersion(object);
      if (isRecord(kind)) {
        const labels = { op: 'add', path: '/metadata/labels', value: orNull(metadata.labels) };
        const body = [...sameObject(metadata.uid, read), ...(labelsMayDiffer(metadata) ? [labels] : []), { op: 'add', path: '/status', value: status }];
        return toWritten(kind, await send(kind, refOf(metadata), 'PATCH', objectPath(kind, metadata), { body, contentType: PATCH.json }));
      }
      const version = labelsMayDiffer(metadata) ? await writeLabels(kind, metadata, read) : read;
      return toWritten(kind, await putStatus(kind, refOf(metadata), metadata.uid, version, status));
    },

    /** Server-side apply. Throws FieldConflict, InvalidObject; NotFound or Conflict where `metadata.uid` was given and there is no such object. */
    async apply<K extends Kind>(object: Applied<K>, options: ApplyOptions = {}): Promise<Obj<K>> {
      const { kind, metadata } = object;
      checkMetadata(kind, metadata);
      const ref = refOf(metadata);
      const body = { apiVersion: kinds[kind].apiVersion, ...object };
      const path = `${objectPath(kind, ref)}${options.subresource ? `/${options.subresource}` : ''}`;
      const query = { fieldManager: options.fieldManager ?? fieldManager, force: options.force ?? false };
      return toWritten(kind, await send(kind, ref, 'PATCH', path, { body, contentType: PATCH.apply, query }));
    },

    async delete(kind: Kind, ref: Ref, precondition: { uid?: string; resourceVersion?: string } = {}): Promise<void> {
      checkKind(kind);
      if (!canExist(ref)) throw new NotFound(kind, ref);
      const body = { apiVersion: 'v1', kind: 'DeleteOptions', propagationPolicy: 'Background', preconditions: precondition };
      try {
        await client.request('DELETE', objectPath(kind, ref), { body });
      } catch (error) {
        throw portError(kind, ref, error);
      }
    },
  };
}

const refOf = ({ namespace, name }: Ref): Ref => ({ namespace, name });

/** The head of a JSON patch that is refused (409) for any other object, and any other version of this one. */
const sameObject = (uid: string, version: string) => [
  { op: 'replace', path: '/metadata/resourceVersion', value: version },
  { op: 'replace', path: '/metadata/uid', value: uid },
];

function isEmpty(status: unknown): boolean {
  return status === undefined || status === null || (typeof status === 'object' && Object.keys(status).length === 0);
}

/** Nothing: an empty map would count as a change where there was none. */
const orNull = (map: Record<string, string> | undefined) => (map && Object.keys(map).length > 0 ? map : null);
