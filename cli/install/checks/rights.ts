// Whether whoever installs may do so: asked of the API server for each kind, before anything is changed.
import type { KubeObject } from '../../../knative/generate/object.ts';
import type { Resources } from '../cluster/resources.ts';
import { type Finding, ok, wrong } from '../finding.ts';

interface Review {
  status?: { allowed?: boolean };
}

export async function checkRights(resources: Resources, objects: readonly KubeObject[]): Promise<Finding[]> {
  const asked = new Map<string, { group: string; plural: string; namespace: string | undefined }>();
  for (const { apiVersion, kind, metadata } of objects) {
    // What the cluster does not know is another check's to say.
    if (!(await resources.serves(apiVersion, kind))) continue;
    const plural = await resources.pluralOf(apiVersion, kind);
    const group = apiVersion.includes('/') ? apiVersion.split('/')[0]! : '';
    asked.set(`${group} ${plural} ${metadata.namespace ?? ''}`, { group, plural, namespace: metadata.namespace });
  }
  const missing = await Promise.all(
    [...asked.values()].flatMap(({ group, plural, namespace }) =>
      ['create', 'patch', 'delete'].map(async (verb) => {
        const spec = { resourceAttributes: { group, resource: plural, verb, ...(namespace && { namespace }) } };
        const body = { apiVersion: 'authorization.k8s.io/v1', kind: 'SelfSubjectAccessReview', spec };
        const { status } = await resources.client.request<Review>('POST', '/apis/authorization.k8s.io/v1/selfsubjectaccessreviews', { body });
        return status?.allowed === true ? [] : [`${verb} ${plural}${namespace ? ` in ${namespace}` : ''}`];
      }),
    ),
  );
  const list = missing.flat();
  if (list.length === 0) return [ok('Your rights', 'you may install')];
  const shown = list.slice(0, 6).join(', ') + (list.length > 6 ? ` and ${list.length - 6} more` : '');
  return [
    wrong(
      'Your rights',
      `you may not ${shown}`,
      'Installing defines kinds and roles, which takes a cluster administrator: ask one, or use the context of one (--context)',
    ),
  ];
}
