// A Release as the API shows it: what an environment has live, what it had before, and where to look.
import { z } from 'zod';
import { namespace } from '../../../shared/objects/fields.ts';
import type { Obj } from '../../../shared/objects/kinds.ts';
import { releaseSpec, releaseStatus } from '../../../shared/objects/release.ts';
import type { Api } from '../deps.ts';
import { siteUrl } from '../http/site-url.ts';

export const releaseView = z.object({
  namespace,
  ...releaseSpec.shape,
  ...releaseStatus.pick({ current: true, history: true, refused: true }).shape,
  url: z.string(),
});
export type ReleaseView = z.infer<typeof releaseView>;

export async function viewRelease(api: Api, release: Obj<'Release'>, request: Request): Promise<z.input<typeof releaseView>> {
  const { metadata, spec, status } = release;
  return {
    namespace: metadata.namespace,
    ...spec,
    history: status?.history ?? [],
    ...(status?.current && { current: status.current }),
    ...(status?.refused && { refused: status.refused }),
    url: await siteUrl(api, request, { namespace: metadata.namespace, project: spec.project, host: spec.host }),
  };
}
