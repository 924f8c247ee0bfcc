import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { StatusOf } from '../../../shared/objects/kinds.ts';
import { openTestApi, type TestApi } from '../../../test/support/api.ts';
import { createRepository, frontEnd, type TestRepository } from '../../../test/support/repository.ts';
import type { ExecutionLogLine } from './execution-logs.ts';
import type { ExecutionView } from './execution-view.ts';
import type { RequestedExecution } from './executions.ts';
import type { ProblemBody } from '../http/problem.ts';
import type { Change } from './watch.ts';

let api: TestApi;
let repository: TestRepository;
beforeEach(async () => {
  api = openTestApi(['execution-requested']);
  repository = createRepository(frontEnd('<h1>One</h1>'));
  await api.json(201, 'POST', '/projects', { name: 'shop', source: { url: repository.path } });
});
afterEach(async () => {
  await api.close();
  repository.remove();
});

const trigger = (body?: object, headers?: Record<string, string>) => api.json<RequestedExecution>(202, 'POST', '/projects/shop/executions', body, headers);

async function opened(name: string): Promise<ExecutionView> {
  return vi.waitFor(() => api.json<ExecutionView>(200, 'GET', `/executions/${name}`), 5000);
}

async function setStatus(name: string, status: StatusOf<'Execution'>): Promise<void> {
  const execution = await api.store.objects.get('Execution', { namespace: 'default', name });
  await api.store.objects.updateStatus({ ...execution!, status });
}

const stages = (...taskRuns: string[]): Pick<StatusOf<'Execution'>, 'stages'> => ({
  stages: taskRuns.map((taskRun, index) => ({ name: `stage-${index}`, phase: 'Running', steps: [{ name: 'step', phase: 'Running', taskRun }] })),
});

async function* linesOf<T>(response: Response): AsyncGenerator<T> {
  let rest = '';
  for await (const chunk of response.body!) {
    const parts = (rest + Buffer.from(chunk).toString()).split('\n');
    rest = parts.pop()!;
    for (const part of parts) if (part) yield JSON.parse(part) as T;
  }
}

describe('POST /projects/{p}/executions', () => {
  test('answers with the name that the execution then has, of the default branch', async () => {
    const requested = await trigger();
    expect(requested).toMatchObject({ project: 'shop', ref: 'refs/heads/main' });
    expect(await opened(requested.execution)).toMatchObject({
      name: requested.execution,
      ref: 'refs/heads/main',
      trigger: 'user',
      number: 1,
      phase: 'Pending',
    });
  });

  test('a short name becomes the branch, else the tag, of that name; a SHA stays', async () => {
    repository.git('branch', 'next');
    repository.git('tag', 'v1');
    repository.git('tag', 'next');
    const sha = repository.git('rev-parse', 'HEAD');
    expect((await trigger({ ref: 'next' })).ref).toBe('refs/heads/next');
    expect((await trigger({ ref: 'v1' })).ref).toBe('refs/tags/v1');
    expect((await trigger({ ref: sha })).ref).toBe(sha);
    const problem = await api.json<ProblemBody>(422, 'POST', '/projects/shop/executions', { ref: sha.slice(0, 8) });
    expect(problem.detail).toMatch(/no branch or tag.*full SHA/);
    await api.json(422, 'POST', '/projects/shop/executions', { ref: '--upload-pack=x' });
    await api.json(404, 'POST', '/projects/other/executions');
  });

  test('the same Idempotency-Key is the same execution; with something else asked for it is another', async () => {
    const key = { 'idempotency-key': 'one' };
    const [first, again] = [await trigger({}, key), await trigger({}, key)];
    expect(again).toEqual(first);
    repository.git('tag', 'v1');
    expect((await trigger({ ref: 'v1' }, key)).execution).not.toBe(first.execution);
    expect((await trigger()).execution).not.toBe((await trigger()).execution);
    await api.json(400, 'POST', '/projects/shop/executions', {}, { 'idempotency-key': 'x'.repeat(257) });
    await opened(first.execution);
    const { items } = await api.json<{ items: ExecutionView[] }>(200, 'GET', '/executions?project=shop');
    expect(items.filter((execution) => execution.name === first.execution)).toHaveLength(1);
  });
});

describe('GET /executions', () => {
  test('newest first, by project, branch and phase', async () => {
    repository.git('branch', 'next');
    const one = (await trigger()).execution;
    await opened(one);
    const two = (await trigger({ ref: 'next' })).execution;
    await opened(two);
    await setStatus(one, { phase: 'Failed', message: 'no' });
    const names = async (query: string) =>
      (await api.json<{ items: ExecutionView[] }>(200, 'GET', `/executions${query}`)).items.map((execution) => execution.name);
    expect(await names('')).toEqual([two, one]);
    expect(await names('?project=shop&branch=next')).toEqual([two]);
    expect(await names('?project=shop&phase=Failed')).toEqual([one]);
    expect(await names('?phase=Pending')).toEqual([two]);
    expect(await names('?project=none')).toEqual([]);
    await api.json(400, 'GET', '/executions?branch=next');
    await api.json(400, 'GET', '/executions?phase=Broken');
  });
});

describe('cancel and rerun', () => {
  test('are published for what there is, and refused for what has ended', async () => {
    const { execution } = await trigger();
    await opened(execution);
    await api.json(202, 'POST', `/executions/${execution}/cancel`, { reason: 'wrong branch' });
    expect(api.published.at(-1)).toMatchObject({ type: 'dev.tidemill.execution.cancel-requested.v1', data: { execution, reason: 'wrong branch' } });
    await setStatus(execution, { phase: 'Cancelled' });
    await api.json(409, 'POST', `/executions/${execution}/cancel`);
    const again = await api.json<RequestedExecution>(202, 'POST', `/executions/${execution}/rerun`);
    expect(await opened(again.execution)).toMatchObject({ rerunOf: execution });
    await api.json(404, 'POST', '/executions/none/rerun');
  });
});

describe('GET /executions/{e}/logs', () => {
  test('stage after stage, and from where one left off', async () => {
    const { execution } = await trigger();
    await opened(execution);
    await setStatus(execution, { phase: 'Succeeded', ...stages('run-a', 'run-b') });
    for (const text of ['a1', 'a2', 'a3']) api.runner.say('run-a', text);
    api.runner.say('run-b', 'b1');
    const texts = async (query = '') =>
      (await Array.fromAsync(linesOf<ExecutionLogLine>(await api.call('GET', `/executions/${execution}/logs${query}`)))).map((line) => line.text);
    expect(await texts()).toEqual(['a1', 'a2', 'a3', 'b1']);
    expect(await texts('?after=run-a:2,run-b:0')).toEqual(['a3', 'b1']);
    expect(await texts('?step=stage-1/step')).toEqual(['b1']);
    expect((await api.call('GET', `/executions/${execution}/logs?after=run-a`)).status).toBe(400);
    expect((await api.call('GET', '/executions/none/logs')).status).toBe(404);
  });

  test('followed: lines as they come, of steps that begin later too, until the execution has ended', async () => {
    const { execution } = await trigger();
    await opened(execution);
    const response = await api.call('GET', `/executions/${execution}/logs?follow`);
    const seen: string[] = [];
    const done = (async () => {
      for await (const line of linesOf<ExecutionLogLine>(response)) seen.push(`${line.stage} ${line.text}`);
    })();
    await setStatus(execution, { phase: 'Running', ...stages('run-a') });
    api.runner.say('run-a', 'one');
    await vi.waitFor(() => expect(seen).toEqual(['stage-0 one']));
    api.runner.say('run-a', 'two');
    api.runner.end('run-a');
    await setStatus(execution, { phase: 'Running', ...stages('run-a', 'run-b') });
    api.runner.say('run-b', 'three');
    await vi.waitFor(() => expect(seen).toEqual(['stage-0 one', 'stage-0 two', 'stage-1 three']));
    await setStatus(execution, { phase: 'Succeeded', ...stages('run-a', 'run-b') });
    api.runner.say('run-b', 'last words');
    api.runner.end('run-b');
    await done;
    expect(seen.at(-1)).toBe('stage-1 last words');
  });

  test('a reader that does not read is not read ahead for', async () => {
    const { execution } = await trigger();
    await opened(execution);
    await setStatus(execution, { phase: 'Running', ...stages('run-a') });
    for (let i = 0; i < 1000; i++) api.runner.say('run-a', 'x'.repeat(1000));
    const response = await api.call('GET', `/executions/${execution}/logs?follow=1`);
    const reader = response.body!.getReader();
    await reader.read();
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(api.runner.taken.count).toBeLessThan(20);
    await reader.cancel();
  });
});

describe('watching', () => {
  test('an execution that is yet to come is told from its opening on', async () => {
    const first = await trigger();
    await opened(first.execution);
    const key = { 'idempotency-key': 'soon' };
    const coming = await trigger({}, key);
    const stop = new AbortController();
    const response = await api.call('GET', `/projects/shop/watch?execution=${coming.execution}`);
    const phases: string[] = [];
    for await (const { kind, object } of linesOf<Change>(response)) {
      if (kind !== 'Execution') continue;
      expect(object.name).toBe(coming.execution);
      if (phases.at(-1) !== object.phase) phases.push(object.phase);
      if (object.phase === 'Pending') await setStatus(coming.execution, { phase: 'Running' });
      if (object.phase === 'Running') break;
    }
    stop.abort();
    expect(phases).toEqual(['Pending', 'Running']);
  });

  test('the watch of one execution ends with it', async () => {
    const { execution } = await trigger();
    await opened(execution);
    const response = await api.call('GET', `/executions/${execution}/watch`);
    const seen: string[] = [];
    for await (const change of linesOf<Change>(response)) {
      if (change.kind === 'Execution') seen.push(change.object.phase);
      if (seen.length === 1) await setStatus(execution, { phase: 'Failed', message: 'no' });
    }
    expect(seen).toEqual(['Pending', 'Failed']);
  });
});
