// A Project that kubectl deleted: what the API's delete takes with it goes too. Done again it goes on where it stopped.
import { eachObject } from '../../../shared/host/modify.ts';
import { InvalidObject, type Kind, type Obj } from '../../../shared/objects/kinds.ts';
import { LABEL } from '../../../shared/objects/meta.ts';
import { NotFound, type Ref } from '../../../shared/ports/objects.ts';
import type { Duties } from '../deps.ts';

/** Releases first: the site is gone before what it was made from. */
const BELONGINGS = ['Release', 'Lane', 'Execution', 'TaskRun', 'Artifact', 'Hook'] as const satisfies readonly Kind[];

/** Of a hook's secret that the API made; one that a person made is the person's. */
const OWN_SECRET = /^hook\./;

/** Deletes what belonged to the project of this name. Does nothing while there is one, and stops when a new one is made meanwhile. */
export async function clearAway({ objects, secrets, log }: Duties, namespace: string, project: string): Promise<void> {
  let count = 0;
  for (const kind of BELONGINGS) {
    if (await isThere(objects, { namespace, name: project })) return;
    for await (const object of eachObject(objects, kind, { namespace, labels: { [LABEL.project]: project } })) {
      try {
        await objects.delete(kind, { namespace, name: object.metadata.name }, { uid: object.metadata.uid });
        count++;
      } catch (error) {
        if (!(error instanceof NotFound)) throw error;
      }
      if (object.kind === 'Hook') await deleteSecret(object as Obj<'Hook'>, secrets);
    }
  }
  if (count > 0) log.info({ namespace, project, objects: count }, 'what belonged to a deleted project went with it');
}

/** One that was edited into nonsense is there too. */
async function isThere(objects: Duties['objects'], project: Ref): Promise<boolean> {
  try {
    return (await objects.get('Project', project)) !== undefined;
  } catch (error) {
    if (error instanceof InvalidObject) return true;
    throw error;
  }
}

async function deleteSecret({ metadata, spec }: Obj<'Hook'>, secrets: Duties['secrets']): Promise<void> {
  if (OWN_SECRET.test(spec.secret)) await secrets.delete(spec.secret, metadata.namespace);
}
