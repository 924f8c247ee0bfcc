// docs/objects.md: every kind with its fields, made from the same schemas as the custom resources.
import type { CustomResource } from '../crds.ts';
import type { Structural } from './structural.ts';

const HEAD = `# Objects

Group \`tidemill.dev\`, version \`v1alpha1\`. On one machine they live in SQLite, in a cluster they are custom resources; \`kubectl explain\` says the same as this
page, and more of it. People write Project, Pipeline, Artifact (type git), Release, Hook and Credential: [examples/kubernetes](../examples/kubernetes/) has one of
each. tidemill writes the others.

This page is made by \`npm run generate\` from [shared/objects](../shared/objects/).
`;

/** Deeper than this a Task is Tekton's to describe. */
const TEKTONS = new Set(['taskSpec']);

export function objectsPage(resources: readonly CustomResource[]): string {
  return [HEAD, ...resources.map(section)].join('\n');
}

function section({ spec: { names, versions } }: CustomResource): string {
  const [version] = versions;
  const schema = version!.schema.openAPIV3Schema;
  const { spec, status } = schema.properties!;
  const called = [names.plural, ...(names.shortNames ?? [])].map((name) => `\`${name}\``).join(', ');
  return [
    `## ${names.kind}`,
    `${plain(schema.description!)} (${called})`,
    table('spec', rows(spec!, 'spec.', true)),
    table(
      'status',
      rows(status!, 'status.', false).filter(([name]) => !name.startsWith('`status.outbox')),
    ),
    '',
  ].join('\n\n');
}

type Row = readonly [name: string, type: string, description: string];

function rows({ properties = {}, required = [] }: Structural, prefix: string, deep: boolean): Row[] {
  return Object.entries(properties).flatMap(([key, field]): Row[] => {
    const inner = field.type === 'array' ? field.items! : field;
    const path = `${prefix}${key}${field.type === 'array' ? '[]' : ''}`;
    const row: Row = [`\`${path}\``, `${typeOf(field)}${required.includes(key) ? ', needed' : ''}`, field.description ?? ''];
    return deep && !TEKTONS.has(key) ? [row, ...rows(inner, `${path}.`, deep)] : [row];
  });
}

function typeOf(field: Structural): string {
  if (field.type === 'array') return `list of ${typeOf(field.items!)}`;
  if (field.enum) return field.enum.map((value) => `\`${String(value)}\``).join(' ');
  if (field.additionalProperties) return 'map';
  return field.format === 'date-time' ? 'time' : (field.type ?? 'any');
}

function table(what: string, all: readonly Row[]): string {
  const row = (cells: readonly string[]) => `| ${cells.map((cell) => plain(cell)).join(' | ')} |`;
  return [row([what, 'type', '']), row(['---', '---', '---']), ...all.map(row)].join('\n');
}

/** Text in which Markdown sees no cells and no tags. */
function plain(text: string): string {
  return text.replaceAll('|', String.raw`\|`).replaceAll('<', '&lt;');
}
