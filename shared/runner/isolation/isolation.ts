// What stands between a step and this machine. Four ways, each saying plainly what it does not isolate.
import type { Launch } from '../engine/process.ts';

export const ISOLATION_KINDS = ['podman', 'docker', 'bubblewrap', 'none'] as const;
export type IsolationKind = (typeof ISOLATION_KINDS)[number];

export interface Mount {
  /** Absolute path on this machine. */
  source: string;
  /** Where the step sees it. */
  target: string;
  readOnly: boolean;
}

/** What is to be run, in the step's own terms. */
export interface Contained {
  /** Unique on this machine. */
  name: string;
  image: string;
  pullPolicy?: string;
  /** Absent: the image's own entrypoint, where images are used. */
  command?: string[];
  args: string[];
  /** All of it: nothing is inherited beside. */
  env: Record<string, string>;
  /** Absent: the image's own, or where the step's files are. */
  workingDir?: string;
  mounts: Mount[];
  /** Name of the container whose network it shares. */
  network?: string;
  securityContext?: Record<string, unknown>;
  limits?: Record<string, unknown>;
}

export interface Isolation {
  kind: IsolationKind;
  /** Whether a step runs in its image's userland, or in this machine's. */
  usesImages: boolean;
  /** Whether a step sees Tekton's own paths (/workspace, /tekton), or folders of this machine. */
  ownPaths: boolean;
  /** One or two sentences: what it is, and what it does not isolate. */
  description: string;
  launch(contained: Contained): Launch;
  /** Removes a container that was left behind. */
  discard(container: string): Promise<void>;
}
