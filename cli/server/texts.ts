// What the server prints for the person who started it: short, true, and with the words to type next.
import { relative } from 'node:path';
import type { ProjectView } from '../../functions/api/projects/project-view.ts';
import { ago, table } from '../terminal/format.ts';
import type { Style } from '../terminal/io.ts';

export interface Place {
  url: string;
  port: number;
  /** The data folder, absolute. */
  data: string;
  cwd: string;
  /** Made at the first start; absent when the secret comes from the environment. */
  secretFile: string | undefined;
}

export function heading(version: string, place: Place, style: Style): string {
  return `\n${style.bold('tidemill')} ${style.dim(version)}   ${style.cyan(place.url)}\n`;
}

export function portTaken(wanted: number, place: Place, style: Style): string {
  return style.yellow(`Port ${wanted} is taken, so this is port ${place.port}. Another: --port N\n`);
}

/** Projects with what is live, at a start that is not the first. */
export function whatIsLive(projects: readonly ProjectView[], more: boolean, style: Style): string {
  if (projects.length === 0) return '\nNo projects. Add one:\n\n  npx tidemill add <path or address of a git repository>\n';
  const rows = projects.map((project) => {
    const live = project.releases.find((release) => release.environment === 'production')?.current;
    return ['', project.name, live ? project.url : 'nothing is live', live ? `${live.version}, ${ago(live.at)}` : (project.lastExecution?.phase ?? '')];
  });
  return `\n${table(rows, (cell, _row, column) => (column === 2 && cell.startsWith('http') ? style.cyan(cell) : column === 3 ? style.dim(cell) : cell))}${more ? '  …\n' : ''}`;
}

/** What to do after the first site is live. `example`: its repository, where the example is what was built. */
export function whatNext(place: Place, example: string | undefined, style: Style): string {
  const data = within(place.cwd, place.data);
  const at = data === '.tidemill' ? '' : ` --data ${data}`;
  const lines = [
    style.bold('Next'),
    `  npx tidemill add ~/code/your-site${at}`,
    style.dim('      a repository of yours: a path, or https://… or git@…'),
    ...(example === undefined ? [] : [`  cd ${within(place.cwd, example)}`, style.dim('      edit, git commit -a: live a second later')]),
    `  npx tidemill status${at}`,
    '',
    style.bold('GitHub'),
    style.dim('  Settings → Webhooks → Add webhook, with'),
    `  Payload URL    https://<your tunnel>/webhooks/github`,
    `  Content type   application/json`,
    `  Secret         ${place.secretFile === undefined ? 'your TIDEMILL_WEBHOOK_SECRET' : `cat ${within(place.cwd, place.secretFile)}`}`,
    style.dim(`  GitHub cannot reach this machine by itself: let a tunnel (cloudflared, ngrok, ssh -R) lead to ${place.url}`),
  ];
  return `${lines.join('\n')}\n`;
}

/** As short as it can be typed from where the person is. */
function within(cwd: string, path: string): string {
  const near = relative(cwd, path);
  return near === '' ? '.' : near.startsWith('..') ? path : near;
}
