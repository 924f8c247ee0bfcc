// How each kind is called at the API server, and what `kubectl get` tells of it.
import { kinds, type Kind } from '../../../shared/objects/kinds.ts';

/** Every kind that is tidemill's own: TaskRun is Tekton's. */
export type OwnKind = Exclude<Kind, 'TaskRun'>;

/** One column of `kubectl get`. Priority 1: only with -o wide. */
export interface Column {
  name: string;
  type: 'string' | 'integer' | 'date' | 'boolean';
  jsonPath: string;
  description: string;
  priority?: 1;
}

export interface KindAbout {
  description: string;
  shortNames?: string[];
  /** `kubectl get --field-selector` and informers may choose by these. */
  selectable: string[];
  columns: Column[];
}

const project: Column = { name: 'Project', type: 'string', jsonPath: '.spec.project', description: 'Project that it belongs to.' };
const age: Column = { name: 'Age', type: 'date', jsonPath: '.metadata.creationTimestamp', description: 'Time since it was made.' };
const wide = (column: Column): Column => ({ ...column, priority: 1 });

function text(name: string, jsonPath: string, description: string): Column {
  return { name, type: 'string', jsonPath, description };
}

/** Empty while the object is as its kind has it. */
const problem = text('Problem', '.status.conditions[?(@.type=="Valid")].message', 'What is wrong with spec; nothing where it is as it should be.');

/** The status and reason, and in the wide form the message, of a condition. */
function condition(type: string): Column[] {
  const path = `.status.conditions[?(@.type=="${type}")]`;
  return [
    text(type, `${path}.status`, `Status of the condition ${type}.`),
    text('Reason', `${path}.reason`, `Reason of the condition ${type}.`),
    wide(text('Message', `${path}.message`, `Message of the condition ${type}.`)),
  ];
}

export const about: Record<OwnKind, KindAbout> = {
  Project: {
    description:
      'A repository, how it is built, and how what comes of it is released. Its name is the first label of the host name that its site is served on. ' +
      'In a cluster something comes of it only in a namespace that was made ready for projects (tidemill install --project-namespace); of two of one name ' +
      'the older has the short host name, and each has <name>.<namespace>. ' +
      'Whatever else belongs to it (executions, artifacts, releases) stands in its namespace and names it. To ask for a run, annotate it with ' +
      'tidemill.dev/trigger=<any new value>, and with tidemill.dev/trigger-ref=<branch, tag or SHA> where it is not the default branch.',
    shortNames: ['proj'],
    selectable: ['.spec.pipeline'],
    columns: [
      text('Source', '.spec.source.url', 'Repository that it is built from.'),
      text('Branch', '.status.defaultBranch', "The repository's default branch."),
      text('Latest', '.status.latest.version', 'Newest version that was built from the default branch or a tag.'),
      ...condition('Ready'),
      problem,
      wide({ name: 'Paused', type: 'boolean', jsonPath: '.spec.paused', description: 'Whether pushes are left unbuilt.' }),
      wide({ name: 'Polled', type: 'date', jsonPath: '.status.lastPolled', description: 'Time since the repository was last looked at.' }),
      age,
    ],
  },
  Pipeline: {
    description:
      'Stages that a Project runs instead of a build that is found out from its repository. Stages run one after another, the steps of a stage side by side, ' +
      'each step as one Tekton TaskRun. A Project takes it by its name, in spec.pipeline.',
    shortNames: ['pipe'],
    selectable: [],
    columns: [problem, age],
  },
  Push: {
    description:
      'What a webhook or a look at a repository told of a branch or tag, and what came of it: the execution in each project that it concerns, ' +
      'or the reason why there is none. It stands in the namespace of tidemill itself, as it is told before any project is known. tidemill makes it; ' +
      'there is nothing to write by hand.',
    selectable: ['.spec.repository', '.spec.ref', '.spec.kind'],
    columns: [
      text('Kind', '.spec.kind', 'What happened to the ref.'),
      text('Ref', '.spec.ref', 'Branch or tag that was pushed.'),
      text('After', '.spec.after', 'Commit that it came to be at.'),
      text('Execution', '.status.results[*].execution', 'Execution that was opened for it.'),
      text('Skipped', '.status..skipped', 'Why nothing was built.'),
      wide(text('By', '.spec.by', 'Who pushed.')),
      wide(text('Repository', '.spec.repository', 'Repository that it was pushed to.')),
      age,
    ],
  },
  Execution: {
    description:
      "One run of a project's pipeline at one commit, with the definition frozen into its status. tidemill makes it when something was pushed or somebody asked " +
      'for a run; there is nothing to write by hand. To end it, annotate it with tidemill.dev/cancel=<reason>.',
    shortNames: ['exec'],
    selectable: ['.spec.project', '.spec.lane', '.status.phase'],
    columns: [
      project,
      { name: 'Number', type: 'integer', jsonPath: '.spec.number', description: 'Number in its lane: higher is newer.' },
      text('Ref', '.spec.ref', 'Branch, tag or commit that was asked for.'),
      text('SHA', '.status.sha', 'Commit that it runs at.'),
      text('Phase', '.status.phase', 'How far it is.'),
      text('Message', '.status.message', 'Why, where that is not plain.'),
      wide(text('Trigger', '.spec.trigger', 'What asked for it.')),
      wide(text('Lane', '.spec.lane', 'Lane that it counts in.')),
      wide(text('Artifact', '.status.artifact', 'Artifact that came of it.')),
      wide({ name: 'Ended', type: 'date', jsonPath: '.status.ended', description: 'Time since it ended.' }),
      age,
    ],
  },
  Lane: {
    description:
      'One branch of one project: which executions of it run, which wait, and the numbers that say which is newer. tidemill makes it; there is nothing to write by hand.',
    selectable: ['.spec.project', '.spec.ref'],
    columns: [
      project,
      text('Ref', '.spec.ref', 'Branch, or what else the executions in it run at.'),
      text('Mode', '.status.mode', 'What happens to a push while an earlier one is being built.'),
      { name: 'Last', type: 'integer', jsonPath: '.status.last', description: 'Number of the newest execution.' },
      text('Running', '.status.running[*].execution', 'Execution that runs; the first of several.'),
      text('Next', '.status.waiting[*].execution', 'Execution that gets the next free slot.'),
      wide({ name: 'Slots', type: 'integer', jsonPath: '.status.slots', description: 'How many executions may run side by side.' }),
      wide(text('Head', '.status.head', 'Commit that the ref is at.')),
      age,
    ],
  },
  Artifact: {
    description:
      'An immutable thing with a digest. Type git is a commit: create one with a url and a ref, and it is resolved to a full SHA. Type site is a built site, ' +
      'which tidemill makes. Once resolved, what it stands for cannot change.',
    shortNames: ['art'],
    selectable: ['.spec.project', '.spec.type', '.status.phase'],
    columns: [
      project,
      text('Type', '.spec.type', 'git: a commit. site: a built site.'),
      text('Version', ".status['version','digest']", 'Version of a site; digest of a commit.'),
      text('Phase', '.status.phase', 'Whether it is resolved.'),
      text('Reason', '.status.reason', 'Why it is not resolved.'),
      wide(problem),
      wide(text('Ref', '.spec.ref', 'Branch, tag or commit that was asked for.')),
      wide(text('Execution', '.spec.execution', 'Execution that it belongs to.')),
      wide(text('Digest', '.status.digest', 'What it was resolved to.')),
      wide({ name: 'Size', type: 'integer', jsonPath: '.spec.size', description: 'Bytes of all its files.' }),
      age,
    ],
  },
  Release: {
    description:
      'The pointer of one environment of one project: which version is live, and which were before. tidemill makes it when something is first released; ' +
      'write spec.deploy to ask for a version. To go back to what was live before, annotate it with tidemill.dev/rollback=<any new value>.',
    shortNames: ['rel'],
    selectable: ['.spec.project', '.spec.environment', '.spec.host'],
    columns: [
      project,
      text('Environment', '.spec.environment', 'production, or preview-<branch>.'),
      text('Version', '.status.current.version', 'Version that is live.'),
      { name: 'Since', type: 'date', jsonPath: '.status.current.at', description: 'Time since it went live.' },
      text('Refused', '.status.refused.reason', 'Why the last request was refused.'),
      problem,
      wide(text('Wanted', '.spec.deploy.version', 'Version that was asked for by writing this object.')),
      wide(text('By', '.status.current.by', 'Who asked for what is live.')),
      wide(text('Artifact', '.status.current.artifact', 'Artifact that is live.')),
      age,
    ],
  },
  Hook: {
    description: 'An address that is told of events by signed POST requests (Standard Webhooks), and what came of the newest deliveries.',
    selectable: ['.spec.project'],
    columns: [
      text('URL', '.spec.url', 'Address that is told.'),
      project,
      { name: 'Paused', type: 'boolean', jsonPath: '.spec.paused', description: 'Whether it is told nothing.' },
      text('Last', '.status.deliveries[0].outcome', 'What came of the newest delivery.'),
      { name: 'When', type: 'date', jsonPath: '.status.deliveries[0].at', description: 'Time since the newest delivery.' },
      problem,
      wide(text('Reason', '.status.deliveries[0].reason', 'Why the newest delivery failed.')),
      wide(text('Types', '.spec.types', 'Types of events that it is told of.')),
      age,
    ],
  },
  Credential: {
    description: 'What a private repository is read with: which Secret holds it, and the only host that it is ever sent to.',
    shortNames: ['cred'],
    selectable: ['.spec.host'],
    columns: [
      text('Type', '.spec.type', 'basic: user name with password or token. ssh: a private key.'),
      text('Host', '.spec.host', 'The only host that it is sent to.'),
      wide(text('Username', '.spec.username', 'User name that goes with it.')),
      text('Secret', '.spec.secret', 'Name of the Secret that holds it.'),
      problem,
      age,
    ],
  },
};

export const ownKinds = (Object.keys(kinds) as Kind[]).filter((kind): kind is OwnKind => kind !== 'TaskRun');

const PLURALS: Partial<Record<OwnKind, string>> = { Push: 'pushes' };

export function pluralOf(kind: OwnKind): string {
  return PLURALS[kind] ?? `${kind.toLowerCase()}s`;
}
