// What the commands of an installation say and ask, around the work itself.
import type { Cli } from '../cli.ts';
import { CliError, EXIT } from '../exit.ts';
import { ask, readSecret } from '../terminal/prompt.ts';
import type { Cluster } from './cluster/connect.ts';
import { titleOf } from './cluster/resources.ts';
import { type Finding, findingText } from './finding.ts';
import { type InstallOptions, type Outcome, type Plan, planInstall, runInstall, showChanges } from './install.ts';
import { reportText } from './report.ts';
import type { Change } from './steps/changes.ts';
import { planUninstall, type Removal, runUninstall } from './uninstall.ts';

export async function installCommand(cluster: Cluster, options: InstallOptions, cli: Cli, yes: boolean): Promise<void> {
  const person = cli.io.stdin.isTTY === true && !cli.json();
  const plan = await planInstall(cluster, options, cli, person ? (question) => readSecret(cli.io, question) : undefined);
  tell(cli, plan.findings);
  const faults = plan.findings.filter(({ state }) => state === 'wrong');
  if (faults.length > 0) {
    if (cli.json()) cli.answer({ installed: false, findings: plan.findings }, '');
    throw new CliError(EXIT.failed, `Nothing was changed: ${faults.map(({ check, said }) => `${check} ${said}`).join('; ')}`);
  }
  if (options.dryRun) return tellChanges(await showChanges(cluster, plan), plan, cli);
  if (person && !yes && !(await agreed(cli, questionOf(plan, cluster)))) throw new CliError(EXIT.interrupted, 'Nothing was changed.');
  const outcome = await runInstall(cluster, plan, options, cli);
  tell(cli, outcome.findings);
  tellOutcome(outcome, plan, cli);
}

function questionOf({ wanted, installed, survey }: Plan, { server }: Cluster): string {
  const what = installed
    ? `Bring tidemill ${installed.version} in ${wanted.namespace} to ${wanted.version}`
    : `Install tidemill ${wanted.version} in ${wanted.namespace}`;
  const goes = survey.stale.length > 0 ? `, and take away ${survey.stale.length} objects that are no longer needed` : '';
  return `${what}, on ${server}${goes}? [y/N] `;
}

async function agreed(cli: Cli, question: string): Promise<boolean> {
  return /^y(es)?$/i.test(await ask(cli.io, question));
}

function tell(cli: Cli, findings: readonly Finding[]): void {
  for (const finding of findings) cli.note(findingText(finding, cli.noteStyle));
}

function tellChanges(changes: readonly Change[], { wanted }: Plan, cli: Cli): void {
  const count = (what: Change['what']) => changes.filter((change) => change.what === what).length;
  const marks = { create: cli.style.green('+'), change: cli.style.yellow('~'), delete: cli.style.red('-'), same: ' ' };
  const lines = changes
    .filter(({ what }) => what !== 'same')
    .flatMap(({ what, object, fields = [] }) => [
      `${marks[what]} ${what.padEnd(7)} ${object}`,
      ...fields.map(({ path, before, after }) => `            ${path}: ${before} → ${after}`),
    ]);
  const summary = `${count('create')} to create, ${count('change')} to change, ${count('delete')} to delete, ${count('same')} stay as they are; nothing was changed`;
  cli.answer({ dryRun: true, namespace: wanted.namespace, version: wanted.version, changes }, [...lines, summary].join('\n'));
}

function tellOutcome({ applied, removed, unready, addresses, findings }: Outcome, plan: Plan, cli: Cli): void {
  const { wanted } = plan;
  const { version, namespace, overlay, size, image, projects } = wanted;
  const done = { version, namespace, overlay, size, image, projects, applied, removed, unready, addresses, findings: [...plan.findings, ...findings] };
  if (unready.length > 0) {
    cli.exitCode = EXIT.failed;
    if (cli.json()) return cli.answer({ installed: true, ready: false, ...done }, '');
    for (const { object, why } of unready) cli.note(`${cli.noteStyle.red('✗')} ${object}: ${why}`);
    cli.note(
      `\nIt is applied, and ${unready.length} of it do not work yet. What to do:\n  tidemill doctor --namespace ${namespace}\n  tidemill install      again, when it is mended`,
    );
    return;
  }
  cli.answer({ installed: true, ready: true, ...done }, () => reportText(addresses, wanted, cli.style));
}

export async function uninstallCommand(
  cluster: Cluster,
  options: { namespace: string; all: boolean; yes: boolean; dryRun: boolean; timeout_s: number },
  cli: Cli,
): Promise<void> {
  const { namespace, all } = options;
  const removal = await planUninstall(cluster.resources, namespace, all);
  const nothing = removal.objects.length === 0 && !removal.namespace && removal.definitions.length === 0;
  if (nothing) return cli.answer({ namespace, removed: [] }, `There is no installation in ${namespace}.`);
  if (all && removal.others.length > 0)
    throw new CliError(
      EXIT.refused,
      `The definitions are also those of the installations in ${removal.others.join(', ')}: take those away first, or leave --all out`,
    );
  const goes = [...removal.objects, ...removal.definitions, ...(removal.namespace ? [removal.namespace] : [])].map(titleOf);
  const { text, data } = describe(removal, namespace, all);
  if (options.dryRun)
    return cli.answer({ dryRun: true, namespace, remove: goes, ...data }, `${goes.map((title) => `- ${title}`).join('\n')}\n${text}\nNothing was changed.`);
  if (!options.yes) {
    if (cli.io.stdin.isTTY !== true) throw new CliError(EXIT.usage, `${text}\nTo do that, say --yes.`);
    if (!(await agreed(cli, `${text}\nGo on? [y/N] `))) throw new CliError(EXIT.interrupted, 'Nothing was changed.');
  }
  const left = await runUninstall(cluster.resources, namespace, removal, options.timeout_s * 1000, (step) => cli.note(`  ${step}`));
  if (left.length > 0) cli.exitCode = EXIT.failed;
  const still = left.map(titleOf);
  cli.answer({ namespace, removed: goes.filter((title) => !still.includes(title)), left: still, ...data }, () =>
    left.length > 0
      ? `Not gone yet: ${still.join(', ')}\nIts finalizers say who has to act first: kubectl get … --output yaml`
      : `tidemill is gone from ${namespace}. ${keptText(removal, all)}`,
  );
}

function describe(removal: Removal, namespace: string, all: boolean): { text: string; data: object } {
  const { objects, definitions, kept, pushes } = removal;
  const parts = [
    `${objects.length} objects of tidemill${removal.namespace ? ` and the namespace ${namespace}${pushes > 0 ? `, with the record of ${pushes} pushes` : ''}` : ''}`,
  ];
  if (definitions.length > 0) parts.push(`${definitions.length} definitions, and with them ${countsOf(kept) || 'no objects'} in every namespace`);
  return { text: `This takes away ${parts.join(', ')}. ${keptText(removal, all)}`, data: { kept: all ? {} : kept } };
}

const countsOf = (kept: Removal['kept']) =>
  Object.entries(kept)
    .map(([kind, count]) => `${count} ${kind}`)
    .join(', ');

function keptText({ kept }: Removal, all: boolean): string {
  const bytes = 'What is in the bucket stays.';
  return all ? bytes : `The definitions and their objects stay (${countsOf(kept) || 'there are none'}), as do the namespaces of projects. ${bytes}`;
}
