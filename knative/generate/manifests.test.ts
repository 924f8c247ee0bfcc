import { describe, expect, test } from 'vitest';
import * as graph from '../../functions/graph.ts';
import { manifests, projectNamespace } from './manifests.ts';
import type { KubeObject } from './object.ts';
import { type ManifestOptions, OVERLAYS, SIZES, type Settings } from './options.ts';
import { DONE_BY } from './workloads/workloads.ts';

interface Container {
  command: string[];
  image: string;
  env?: { name: string; value?: string }[];
  envFrom: object[];
  resources: { requests: Record<string, string>; limits: Record<string, string> };
  securityContext: Record<string, unknown>;
  readinessProbe?: object;
  livenessProbe?: object;
  volumeMounts: { name: string; mountPath: string }[];
}
interface Pod {
  serviceAccountName: string;
  enableServiceLinks: boolean;
  containers: [Container];
  volumes: { name: string; emptyDir: { sizeLimit: string } }[];
}

const all: ManifestOptions[] = OVERLAYS.flatMap((overlay) => SIZES.map((size) => ({ overlay, size })));
const of = (objects: readonly KubeObject[], kind: string, group = '') =>
  objects.filter((object) => object.kind === kind && object.apiVersion.startsWith(group === '' ? '' : `${group}/`));
const names = (objects: readonly KubeObject[]) => objects.map(({ metadata }) => metadata.name).toSorted();
const workloads = (objects: readonly KubeObject[]) => [...of(objects, 'Deployment', 'apps'), ...of(objects, 'Service', 'serving.knative.dev')];
const podOf = (object: KubeObject) => (object['spec'] as { template: { spec: Pod } }).template.spec;
const processes = [...Object.keys(graph.functions), ...Object.keys(graph.edges).filter((name) => !(name in DONE_BY))];

describe.each(all)('$overlay, $size', (options) => {
  const objects = manifests(options);

  test('every function and edge of the graph runs, each by its own bundle and account', () => {
    const wanted = processes.filter((name) => options.overlay === 'knative' || name !== 'dead-letters');
    expect(names(workloads(objects))).toEqual(wanted.toSorted());
    for (const object of workloads(objects)) {
      const { name } = object.metadata;
      expect(podOf(object).containers[0].command).toEqual(['/usr/bin/node', `/app/${name}.mjs`]);
      expect(podOf(object).serviceAccountName).toBe(name);
    }
  });

  test('every pod asks for nothing that restricted Pod Security forbids, and has bounds on all that it uses', () => {
    for (const object of workloads(objects)) {
      const pod = podOf(object);
      const [container] = pod.containers;
      expect(container.securityContext).toMatchObject({
        allowPrivilegeEscalation: false,
        capabilities: { drop: ['ALL'] },
        readOnlyRootFilesystem: true,
        runAsNonRoot: true,
        runAsUser: 65_532,
        seccompProfile: { type: 'RuntimeDefault' },
      });
      for (const bound of [container.resources.requests, container.resources.limits]) expect(Object.keys(bound).toSorted()).toEqual(['cpu', 'memory']);
      expect(pod.volumes).toEqual([{ name: 'tmp', emptyDir: { sizeLimit: expect.stringMatching(/^\d+[MG]i$/) } }]);
      expect(container.readinessProbe).toMatchObject({ httpGet: { path: '/readyz' } });
      expect(container.livenessProbe).toMatchObject({ httpGet: { path: '/healthz' } });
      expect(pod.enableServiceLinks).toBe(false);
    }
  });

  test('no object has the name of another of its kind, and all stand in the namespace that was asked for', () => {
    const ids = objects.map(({ apiVersion, kind, metadata }) => `${apiVersion} ${kind} ${metadata.name}`);
    expect(new Set(ids).size).toBe(ids.length);
    const elsewhere = manifests({ ...options, namespace: 'mill', image: 'registry.example/mill@sha256:0' });
    expect(JSON.stringify(elsewhere)).not.toMatch(/tidemill-system|tidemill\.dev\/tidemill:/);
    for (const { kind, metadata } of elsewhere) expect(metadata.namespace, kind).toBe(/^(Cluster|Namespace$)/.test(kind) ? undefined : 'mill');
  });

  test('what is set arrives, and other settings make other pods', () => {
    const settings = { TIDEMILL_S3_ENDPOINT: 'http://store:9000', TIDEMILL_NATS_URL: 'nats://elsewhere:4222', TIDEMILL_S3_BUCKET: '' };
    const changed = manifests({ ...options, settings });
    const told: Record<string, string> = Object.assign({}, ...of(changed, 'ConfigMap').map((map) => map['data']));
    expect(told).toMatchObject({ TIDEMILL_BROKER: options.overlay, TIDEMILL_S3_ENDPOINT: 'http://store:9000', TIDEMILL_S3_BUCKET: 'tidemill' });
    expect(told['TIDEMILL_NATS_URL']).toBe(options.overlay === 'jetstream' ? 'nats://elsewhere:4222' : undefined);
    expect(workloads(changed)).not.toEqual(workloads(objects));
  });

  test('no variable holds a secret: each is taken from a Secret where it is needed', () => {
    const holders = (variable: string) => names(workloads(objects).filter((object) => podOf(object).containers[0].env?.some(({ name }) => name === variable)));
    expect(holders('TIDEMILL_WEBHOOK_SECRET')).toEqual(['github-webhook']);
    expect(holders('TIDEMILL_TOKEN')).toEqual(['api']);
    for (const object of workloads(objects)) expect(podOf(object).containers[0].env?.filter(({ value }) => value !== undefined) ?? []).toEqual([]);
  });
});

interface Selecting {
  apiVersion: string;
  kind: string;
  selector: { matchLabels: Record<string, string> };
}
interface Trigger {
  broker: string;
  filters: [{ any: { exact: Record<string, string> }[] }];
  subscriber: { ref: { name: string } };
}
const triggersOf = (objects: readonly KubeObject[], broker: string) =>
  (of(objects, 'Trigger') as (KubeObject & { spec: Trigger })[]).filter(({ spec }) => spec.broker === broker);

/** A tick is of the one type that all ticks have, and of this function. */
const exactly = (name: string, type: string) => (type === graph.clockEmits[0] ? { type, tidemilltick: name } : { type });

test('on knative every function sleeps, is hidden from the world, and is woken by the types that the graph says', () => {
  const objects = manifests({ overlay: 'knative' });
  for (const [name, { consumes }] of Object.entries<graph.FunctionEntry>(graph.functions)) {
    const service = of(objects, 'Service', 'serving.knative.dev').find(({ metadata }) => metadata.name === name)!;
    expect(service.metadata.labels).toMatchObject({ 'networking.knative.dev/visibility': 'cluster-local' });
    expect(service['spec']).toMatchObject({ template: { metadata: { annotations: { 'autoscaling.knative.dev/min-scale': '0' } } } });
    const trigger = of(objects, 'Trigger').find(({ metadata }) => metadata.name === name)!;
    expect(trigger['spec']).toMatchObject({ filters: [{ any: consumes.map((type) => ({ exact: exactly(name, type) })) }], subscriber: { ref: { name } } });
  }
  expect(names(triggersOf(objects, 'tidemill'))).toEqual(Object.keys(graph.functions).toSorted());
});

/** Every process of the graph: what it emits, as it says itself. */
const emitted = (name: string) => ({ ...graph.functions, ...graph.edges } as Record<string, { emits: readonly string[] }>)[name]!.emits;
const consumersOf = (type: string) =>
  Object.entries<graph.FunctionEntry>(graph.functions).flatMap(([name, { consumes }]) => ((consumes as readonly string[]).includes(type) ? [name] : []));

test('on knative each publisher on the way of a push has a Broker of its own, where everyone hears it who hears it at the Broker of all, and nobody else is asked', () => {
  const objects = manifests({ overlay: 'knative' });
  const own = names(of(objects, 'Broker')).filter((name) => name !== 'tidemill');
  expect(own).toEqual(expect.arrayContaining(['artifact-resolved', 'git-push', 'github-webhook']));
  const [all] = of(objects, 'Broker').filter(({ metadata }) => metadata.name === 'tidemill');
  for (const publisher of own) {
    expect(of(objects, 'Broker').find(({ metadata }) => metadata.name === publisher)!['spec']).toEqual(all!['spec']);
    const told = triggersOf(objects, publisher).flatMap(({ spec }) => spec.filters[0].any.map(({ exact }) => `${exact['type']} → ${spec.subscriber.ref.name}`));
    const heard = emitted(publisher).flatMap((type) => consumersOf(type).map((name) => `${type} → ${name}`));
    expect(told.toSorted()).toEqual(heard.toSorted());
    expect(new Set(triggersOf(objects, publisher).map(({ spec }) => spec.subscriber.ref.name)).size).toBe(triggersOf(objects, publisher).length);
  }
});

test('on knative everyone who publishes is told of one Broker, and of one that is there', () => {
  const objects = manifests({ overlay: 'knative' });
  const brokers = names(of(objects, 'Broker'));
  for (const { apiVersion, kind, metadata } of workloads(objects)) {
    const labels = metadata.labels ?? {};
    const sinks = of(objects, 'SinkBinding').flatMap((binding) => {
      const { subject, sink } = binding['spec'] as { subject: Selecting; sink: { ref: { name: string } } };
      const isOf = subject.apiVersion === apiVersion && subject.kind === kind;
      return isOf && Object.entries(subject.selector.matchLabels).every(([key, value]) => labels[key] === value) ? [sink.ref.name] : [];
    });
    expect(sinks, metadata.name).toHaveLength(labels['tidemill.dev/publishes'] === 'true' ? 1 : 0);
    for (const sink of sinks) expect(brokers).toContain(sink);
    // Who tells more than the graph says of it, tells all.
    if (!['Service'].includes(kind)) for (const sink of sinks) expect(sink).toBe('tidemill');
  }
});

test('on knative a function that is awake is sent its events straight, has no limit there, and as many pods as its own limit asks for', () => {
  for (const service of of(manifests({ overlay: 'knative' }), 'Service', 'serving.knative.dev')) {
    const { metadata, spec } = (service['spec'] as { template: { metadata: { annotations: Record<string, string> }; spec: { containerConcurrency: number } } })
      .template;
    expect(spec.containerConcurrency).toBe(0);
    expect(metadata.annotations['autoscaling.knative.dev/target-burst-capacity']).toBe('0');
    const entry = (graph.functions as Record<string, graph.FunctionEntry>)[service.metadata.name];
    expect(metadata.annotations['autoscaling.knative.dev/target']).toBe(entry && String(entry.concurrency ?? 8));
  }
});

test('on knative the clock is a PingSource for each tick of the graph, which says in its data whom it wakes', () => {
  const sources = of(manifests({ overlay: 'knative', namespace: 'mill' }), 'PingSource');
  expect(names(sources)).toEqual(Object.keys(graph.ticks).toSorted());
  for (const { metadata, ...source } of sources) {
    const { schedule } = (graph.ticks as Record<string, graph.TickEntry>)[metadata.name]!;
    expect(source['spec']).toEqual({
      schedule,
      timezone: 'UTC',
      contentType: 'application/json',
      data: JSON.stringify({ tick: metadata.name }),
      ceOverrides: { extensions: { tidemilltick: metadata.name } },
      sink: { ref: expect.objectContaining({ kind: 'Broker', name: 'tidemill' }) },
    });
  }
});

test('pods are made anew when a setting is another, and not when settings are told in another order', () => {
  const hashes = (settings: Settings) =>
    of(manifests({ overlay: 'jetstream', settings }), 'Deployment').map((object) => JSON.stringify((object['spec'] as { template: object }).template));
  const first = hashes({ TIDEMILL_S3_ENDPOINT: 'http://s3', TIDEMILL_HOOKS_ALLOW: '10.0.0.0/8' });
  expect(hashes({ TIDEMILL_HOOKS_ALLOW: '10.0.0.0/8', TIDEMILL_S3_ENDPOINT: 'http://s3' })).toEqual(first);
  expect(hashes({ TIDEMILL_S3_ENDPOINT: 'http://s3' })).not.toEqual(first);
});

test('on jetstream nothing of Knative is needed', () => {
  const groups = manifests({ overlay: 'jetstream', size: 'production' }).map(({ apiVersion }) => apiVersion);
  expect(groups.filter((group) => group.includes('knative'))).toEqual([]);
});

interface Template {
  template: { metadata: { labels: Record<string, string>; annotations: Record<string, string> } };
}
const templateOf = (object: KubeObject) => (object['spec'] as Template).template.metadata;
const leastAwake = (service: KubeObject) => Number(templateOf(service).annotations['autoscaling.knative.dev/min-scale']);
const selectsPodsOf = (labels: Record<string, string>, object: KubeObject) =>
  Object.entries(labels).every(([key, value]) => templateOf(object).labels[key] === value);

test('an autoscaler goes by cores, whatever its pods ask for', () => {
  const autoscalers = OVERLAYS.flatMap((overlay) => of(manifests({ overlay, size: 'production' }), 'HorizontalPodAutoscaler'));
  const metrics = [{ type: 'Resource', resource: { name: 'cpu', target: { type: 'AverageValue', averageValue: '500m' } } }];
  for (const autoscaler of autoscalers) expect(autoscaler['spec']).toMatchObject({ metrics });
});

test('production has two of what somebody waits for, and tells an autoscaled Deployment no number', () => {
  for (const overlay of OVERLAYS) {
    const objects = manifests({ overlay, size: 'production' });
    const scaled = names(of(objects, 'HorizontalPodAutoscaler'));
    for (const object of of(objects, 'Deployment')) {
      expect('replicas' in (object['spec'] as object), object.metadata.name).toBe(!scaled.includes(object.metadata.name));
    }
    const least = of(objects, 'HorizontalPodAutoscaler').map((object) => [object.metadata.name, (object['spec'] as { minReplicas: number }).minReplicas]);
    expect(Object.fromEntries(least)).toMatchObject({ site: 2, bytes: 2 });
    // Every one that is there twice, Knative Services too: no eviction takes both.
    const awake = of(objects, 'Service', 'serving.knative.dev').filter((service) => leastAwake(service) > 1);
    const twice = [...least.filter(([, count]) => count === 2).map(([name]) => String(name)), 'watcher', ...names(awake)];
    expect(names(of(objects, 'PodDisruptionBudget'))).toEqual(twice.toSorted());
    expect(twice).toContain('github-webhook');
    for (const budget of of(objects, 'PodDisruptionBudget')) {
      const { selector } = budget['spec'] as { selector: { matchLabels: Record<string, string> } };
      const pods = workloads(objects).filter((object) => selectsPodsOf(selector.matchLabels, object));
      expect(names(pods)).toEqual([budget.metadata.name]);
    }
  }
});

test('builds have an account without rights, and a project gives functions theirs in its own namespace only', () => {
  const objects = projectNamespace('shop', 'mill');
  expect(of(objects, 'ServiceAccount')).toEqual([
    expect.objectContaining({ metadata: expect.objectContaining({ name: 'tidemill-build', namespace: 'shop' }), automountServiceAccountToken: false }),
  ]);
  for (const binding of of(objects, 'RoleBinding')) {
    expect(binding.metadata.namespace).toBe('shop');
    expect(binding['subjects']).toEqual([{ kind: 'ServiceAccount', name: binding.metadata.name.replace('tidemill-', ''), namespace: 'mill' }]);
  }
  const roles = names(of(manifests({ overlay: 'knative', namespace: 'mill' }), 'ClusterRole'));
  for (const binding of of(objects, 'RoleBinding')) expect(roles).toContain((binding['roleRef'] as { name: string }).name);
});
