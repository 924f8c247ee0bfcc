// Steps of our own in the build image: the step program comes as a ConfigMap at /app, where tidemill's image has it.
import type { KubeClient } from '../../../shared/kubernetes/client/client.ts';
import { bundle } from '../../../knative/image/bundle.ts';

const NAME = 'step-program';

interface Step {
  command?: string[];
  volumeMounts?: object[];
}

interface TaskRunBody {
  kind?: string;
  spec?: { taskSpec?: { steps: Step[]; volumes?: object[] } };
}

/** A client whose TaskRuns find the program. Everything else of them is as tidemill sends it. */
export async function withStepProgram(client: KubeClient, namespace: string): Promise<KubeClient> {
  const files = (await bundle([{ name: 'step', code: "import './functions/in-cluster/entries/step.ts';\n" }])).flatMap((entry) =>
    entry.type === 'file' && entry.path.endsWith('.mjs') ? [{ path: entry.path.replace(/^app\//, ''), body: entry.body }] : [],
  );
  const keys = files.map(({ path }, i) => ({ key: `${i}.mjs`, path }));
  const data = Object.fromEntries(files.map(({ body }, i) => [`${i}.mjs`, String(body)]));
  await client.request('POST', `/api/v1/namespaces/${namespace}/configmaps`, { body: { metadata: { name: NAME }, data } });
  return {
    ...client,
    request: (method, path, options) => {
      const body = options?.body as TaskRunBody | undefined;
      const task = method === 'POST' && body?.kind === 'TaskRun' ? body.spec?.taskSpec : undefined;
      if (!task) return client.request(method, path, options);
      for (const step of task.steps) {
        if (step.command?.[1] !== '/app/step.mjs') continue;
        step.command = ['node', '/app/step.mjs'];
        step.volumeMounts = [...(step.volumeMounts ?? []), { name: NAME, mountPath: '/app', readOnly: true }];
      }
      task.volumes = [...(task.volumes ?? []), { name: NAME, configMap: { name: NAME, items: keys } }];
      return client.request(method, path, options);
    },
  };
}
