// tidemill's own image names in a Task: what they stand for in a cluster, and where they may not stand.
import type { TaskSpec } from '../../objects/taskrun.ts';
import { InvalidTaskRun } from '../../ports/runner.ts';
import { NODE_IMAGE, OWN_IMAGES, STEP_IMAGE } from '../../runner/builtin.ts';

interface Container {
  image?: string;
  [field: string]: unknown;
}

/** The Task with `buildImage` where it says node:24. Steps of our own stay as they are. Throws InvalidTaskRun for any other image of that name. */
export function withBuildImage(task: TaskSpec, buildImage: string): TaskSpec {
  const { stepTemplate, sidecars } = task as { stepTemplate?: Container; sidecars?: Container[] };
  return {
    ...task,
    steps: task.steps.map((step, index) => (isOwnStep(step) ? step : replaced(step, `steps[${index}]`, buildImage))),
    ...(stepTemplate && { stepTemplate: replaced(stepTemplate, 'stepTemplate', buildImage) }),
    ...(Array.isArray(sidecars) && { sidecars: sidecars.map((sidecar, index) => replaced(sidecar, `sidecars[${index}]`, buildImage)) }),
  };
}

export function isOwnStep(step: { image?: string | undefined }): boolean {
  return step.image === STEP_IMAGE;
}

function replaced<C extends Container>(container: C, where: string, buildImage: string): C {
  const { image } = container;
  if (image === NODE_IMAGE) return { ...container, image: buildImage };
  if (typeof image === 'string' && image.startsWith(OWN_IMAGES)) {
    const why = image === STEP_IMAGE ? 'can only be the image of a step' : `there is no such image; there are ${STEP_IMAGE} and ${NODE_IMAGE}`;
    throw new InvalidTaskRun(`spec.taskSpec.${where}.image: ${image}: ${why}`);
  }
  return container;
}
