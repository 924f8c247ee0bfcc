// What an event costs with few, many, and very many archived executions kept: time, and requests to the API server.
import process from 'node:process';
import { PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { LABEL } from '../../../../shared/objects/meta.ts';
import { fromEnv } from '../../../cluster/env.ts';
import { median } from '../../figures.ts';
import type { BenchRow } from '../../row.ts';
import { makeBucket } from '../bucket.ts';
import type { Ground } from '../ground.ts';
import { type InProcess, openInProcess } from '../in-process.ts';
import { withoutTekton } from '../tekton.ts';

const FEW = 100;
const MANY = 5000;
/** As many as can be written in five minutes, up to this. */
const ARCHIVED = 100_000;
const ARCHIVE_MS = 300_000;
/** What is known for some seconds is asked for again by the clock, so a slower run asks a little more for each event. */
const MORE_REQUESTS = 1.05;
const PUSHES = 60;
const AT_ONCE = 32;
const S3_AT_ONCE = 64;
const GROUP = 'tidemill.dev/v1alpha1';

interface Cost {
  /** Of one event, at the median. */
  ms: number;
  requests: number;
}

export async function keptRows(ground: Ground): Promise<BenchRow[]> {
  const namespace = await ground.namespace('kept');
  const bucket = await makeBucket(ground, namespace);
  let documents = 0;
  const costs: Record<'before' | 'few' | 'many' | 'archived', Cost> = await withoutTekton(ground, [namespace], async () => {
    const chain = await openInProcess(ground, namespace, bucket);
    await chain.otherBranches();
    await keep(ground, namespace, 0, FEW);
    const few = await cost(ground, chain, `${FEW} executions kept`);
    await keep(ground, namespace, FEW, MANY);
    const many = await cost(ground, chain, `${MANY} kept`);
    documents = await archive(ground, namespace, bucket);
    const archived = await cost(ground, chain, `${documents} archived beside them`);
    await ground.client.request('DELETE', `/apis/${GROUP}/namespaces/${namespace}/executions`, { timeout_ms: 240_000 });
    return { few, many, archived, before: await cost(ground, chain, 'none of them') };
  });
  // What the machine did meanwhile shows in the same figure taken before and after.
  const base = (costs.few.ms + costs.before.ms) / 2;
  const row = (what: string, { ms, requests }: Cost): BenchRow => ({
    bench: 'cluster, kept',
    what,
    ours: ms,
    peer: `with ${FEW} kept, before and after`,
    theirs: base,
    unit: 'ms',
    ratio: ms / base,
    target: '<= 1.2',
    ok: ms / base <= 1.2 && requests <= costs.few.requests * MORE_REQUESTS,
    note: `${requests.toFixed(2)} requests to the API server for an event, ${costs.few.requests.toFixed(2)} with ${FEW}; functions in one process, medians of ${PUSHES} pushes one after another`,
  });
  return [
    row(`an event of a push with ${MANY.toLocaleString('en-US')} executions kept`, costs.many),
    row(`the same with ${documents.toLocaleString('en-US')} more archived`, costs.archived),
  ];
}

async function cost({ log }: Ground, chain: InProcess, what: string): Promise<Cost> {
  await chain.otherBranches();
  const all = [];
  for (let i = 0; i < PUSHES; i++) all.push(await chain.push());
  const ms = median(all.map((push) => push.ms / push.events));
  const requests = all.reduce((sum, push) => sum + push.requests, 0) / all.reduce((sum, push) => sum + push.events, 0);
  log(`${what}: ${ms.toFixed(1)} ms and ${requests.toFixed(2)} requests for an event`);
  return { ms, requests };
}

/** Executions that ended, each with its status, as a cluster has them before they are archived. */
async function keep({ client, log }: Ground, namespace: string, from: number, to: number): Promise<void> {
  const began = performance.now();
  const path = `/apis/${GROUP}/namespaces/${namespace}/executions`;
  const at = new Date().toISOString();
  const sha = 'a'.repeat(40);
  const one = async (number: number) => {
    const name = `past-${String(number).padStart(10, '0')}`;
    const labels = { [LABEL.project]: 'past', [LABEL.lane]: 'past.branch.main' };
    const spec = { project: 'past', lane: 'past.branch.main', number: number + 1, ref: 'refs/heads/main', sha, trigger: 'webhook', source: `${name}-source` };
    const head = { apiVersion: GROUP, kind: 'Execution' };
    const made = await client.request<{ metadata: object }>('POST', path, { body: { ...head, metadata: { name, namespace, labels }, spec } });
    const status = { phase: 'Succeeded', sha, subject: `Change ${number}`, started: at, ended: at, stages: [] };
    await client.request('PUT', `${path}/${name}/status`, { body: { ...head, metadata: made.metadata, status } });
  };
  await inParallel(from, to, AT_ONCE, one);
  log(`${to - from} executions made in ${((performance.now() - began) / 1000).toFixed(0)} s`);
}

/** Documents of the archive, where shared/host/archive.ts has them. Resolves with how many. */
async function archive({ log }: Ground, namespace: string, bucket: string): Promise<number> {
  const began = performance.now();
  const s3 = new S3Client({ endpoint: fromEnv('TIDEMILL_TEST_S3_ENDPOINT'), region: process.env['AWS_REGION'] ?? 'us-east-1', forcePathStyle: true });
  const Body = JSON.stringify({ execution: { metadata: { namespace } }, artifacts: [], taskRuns: [] });
  let count = 0;
  await inParallel(0, ARCHIVED, S3_AT_ONCE, async (number) => {
    if (performance.now() - began > ARCHIVE_MS) return;
    count += 1;
    const Key = `archive/${namespace}/past/executions/past-${String(number).padStart(10, '0')}.json`;
    await s3.send(new PutObjectCommand({ Bucket: bucket, Key, Body }));
  });
  s3.destroy();
  log(`${count} documents archived in ${((performance.now() - began) / 1000).toFixed(0)} s`);
  return count;
}

async function inParallel(from: number, to: number, width: number, one: (number: number) => Promise<void>): Promise<void> {
  let next = from;
  const worker = async () => {
    while (next < to) await one(next++);
  };
  await Promise.all(Array.from({ length: width }, worker));
}
