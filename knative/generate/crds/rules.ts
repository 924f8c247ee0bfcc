// What may not change once it is written, and which names go together: rules of the API server, each with what to do instead.
import type { Kind } from '../../../shared/objects/kinds.ts';
import type { Rule } from './refinements.ts';

export interface KindRules {
  /** On the whole object: spec, status and metadata.name are in sight. */
  root?: Rule[];
  spec?: Rule[];
  status?: Rule[];
}

const statusStays: Rule = {
  rule: '!has(oldSelf.status) || has(self.status)',
  message: 'the status says what happened and cannot be removed: delete the object instead',
};

function frozen(kind: string, instead: string): Rule {
  return { rule: 'self == oldSelf', message: `the spec of ${kind} cannot change: ${instead}` };
}

/** Two rules in one: a field that is there neither changes nor goes. */
function kept(field: string, when: string, message: string): Rule {
  return { rule: `!(${when}) || !has(oldSelf.${field}) || (has(self.${field}) && self.${field} == oldSelf.${field})`, message };
}

const resolved = "oldSelf.phase == 'Resolved'";
const immutable = 'of a resolved Artifact cannot change nor be removed: make another Artifact';

const secretName: Rule = {
  rule: "!self.secret.startsWith('whsec_')",
  message: 'secret is the name of a Secret, not the secret itself: keep that in a Secret labelled tidemill.dev/secret=true, under the key "value"',
  fieldPath: '.secret',
};

export const rules: Partial<Record<Kind, KindRules>> = {
  Project: {
    root: [
      {
        rule: 'size(self.metadata.name) <= 40',
        message: "the name of a Project has at most 40 characters, as it is part of its site's host name: choose a shorter one",
      },
      {
        rule: "!self.metadata.name.contains('--')",
        message: 'the name of a Project must not have "--" in it, which divides branch and project in the host name of a preview: choose another',
      },
      {
        rule: "!self.metadata.name.contains('.')",
        message: 'the name of a Project must not have "." in it, as it is the first label of a host name: write "-" instead',
      },
    ],
  },
  Push: { root: [statusStays], spec: [frozen('a Push', 'it says what was told; push again')] },
  Execution: {
    root: [statusStays],
    spec: [frozen('an Execution', 'start another run of the Project')],
    status: [
      {
        rule: "!(oldSelf.phase in ['Succeeded', 'Failed', 'Cancelled']) || self.phase == oldSelf.phase",
        message: 'an Execution that ended stays as it ended: start another run of the Project',
        fieldPath: '.phase',
      },
    ],
  },
  Lane: {
    root: [statusStays],
    spec: [frozen('a Lane', 'each branch of each Project has its own')],
    status: [{ rule: 'self.last >= oldSelf.last', message: 'the numbers of a Lane only go up: what is newer is told by them', fieldPath: '.last' }],
  },
  Artifact: {
    root: [
      statusStays,
      {
        rule: "!has(oldSelf.status) || !(oldSelf.status.phase in ['Resolved', 'Invalid']) || self.spec == oldSelf.spec",
        message: 'the spec of an Artifact cannot change once it is Resolved or Invalid: make another Artifact',
        fieldPath: '.spec',
      },
    ],
    status: [
      {
        rule: "!(oldSelf.phase in ['Resolved', 'Invalid']) || self.phase == oldSelf.phase",
        message: 'an Artifact that is Resolved or Invalid stays so: make another Artifact',
        fieldPath: '.phase',
      },
      { rule: "self.phase != 'Resolved' || has(self.digest)", message: 'phase Resolved needs the digest of what it was resolved to' },
      kept('digest', resolved, `the digest ${immutable}`),
      kept('git', resolved, `the commit ${immutable}`),
      kept('version', resolved, `the version ${immutable}`),
    ],
  },
  Release: {
    root: [
      {
        rule: 'self.metadata.name == self.spec.host',
        message: 'the name of a Release is its spec.host: <project> for production, <branch>--<project> for a preview',
      },
    ],
    spec: ['project', 'environment', 'host'].map((field) => ({
      rule: `self.${field} == oldSelf.${field}`,
      message: `the ${field} of a Release cannot change: make another Release`,
      fieldPath: `.${field}`,
    })),
  },
  Hook: { spec: [secretName] },
};
