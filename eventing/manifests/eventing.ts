// How events travel in an overlay, as objects: named for the files that they are written to.
import type { KubeObject } from '../../knative/generate/object.ts';
import type { Resolved } from '../../knative/generate/options.ts';
import { jetstreamObjects } from './jetstream.ts';
import { knativeObjects } from './knative.ts';

/** `settings` is what functions are told of it; the rest depends on the overlay. */
export function eventingObjects(options: Resolved): Record<string, KubeObject[]> {
  return options.overlay === 'knative' ? knativeObjects(options) : jetstreamObjects(options);
}
